"""Rail (https://docs.rail.cl) for bankbridge: one event per link, codes from the bank in a widget, no sandbox."""

from bankbridge.hookspecs import ProviderPlugin, hookimpl, lazily
from bankbridge_rail.provider import Rail
from bankbridge_rail.tables import EVENTS, REASONS

__all__ = ["Rail", "bankbridge_providers"]


@hookimpl
def bankbridge_providers() -> list[ProviderPlugin]:
    """Rail."""
    return [
        ProviderPlugin(
            provider=Rail,
            title="Rail",
            events={name: event.means for name, event in EVENTS.items()},
            reasons=tuple(row.row(code) for code, row in REASONS.items()),
            emulator=lazily("bankbridge_rail.emulator:create_emulator"),
            emulation=lazily("bankbridge_rail.emulator.kind:kind"),
        )
    ]
