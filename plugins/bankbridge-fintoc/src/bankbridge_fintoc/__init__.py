"""Fintoc (https://docs.fintoc.com) for bankbridge: one event per account, naming neither refresh nor link."""

from bankbridge.hookspecs import ProviderPlugin, hookimpl, lazily
from bankbridge_fintoc.provider import Fintoc
from bankbridge_fintoc.tables import CREATE_REASONS, EVENTS, RESULTS

__all__ = ["Fintoc", "bankbridge_providers"]


@hookimpl
def bankbridge_providers() -> list[ProviderPlugin]:
    """Fintoc."""
    return [
        ProviderPlugin(
            provider=Fintoc,
            title="Fintoc",
            events={name: event.means for name, event in EVENTS.items()},
            reasons=(
                *(row.row(f"{status}, {code or 'null'}") for (status, code), row in RESULTS.items()),
                *(row.row(f"create: {code}") for code, row in CREATE_REASONS.items()),
            ),
            emulator=lazily("bankbridge_fintoc.emulator:create_emulator"),
            emulation=lazily("bankbridge_fintoc.emulator.kind:kind"),
        )
    ]
