"""Rail (https://docs.rail.cl) for bankbridge: one event per link, codes from the bank in a widget, no sandbox."""

from typing import Any

from bankbridge.hookspecs import ProviderPlugin, hookimpl
from bankbridge_rail.provider import Rail
from bankbridge_rail.tables import EVENTS, REASONS

__all__ = ["Rail", "bankbridge_providers"]


def _emulator(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (handed on as it is)
    from bankbridge_rail.emulator import create_emulator  # noqa: PLC0415 (only who emulates needs Starlette)

    return create_emulator(*args, **kwargs)


@hookimpl
def bankbridge_providers() -> list[ProviderPlugin]:
    """Rail."""
    return [
        ProviderPlugin(
            provider=Rail,
            title="Rail",
            events={name: event.means for name, event in EVENTS.items()},
            reasons=tuple(row.row(code) for code, row in REASONS.items()),
            emulator=_emulator,
        )
    ]
