"""Fintoc (https://docs.fintoc.com) for bankbridge: one event per account, naming neither refresh nor link."""

from typing import Any

from bankbridge.hookspecs import ProviderPlugin, hookimpl
from bankbridge_fintoc.provider import Fintoc
from bankbridge_fintoc.tables import CREATE_REASONS, EVENTS, RESULTS

__all__ = ["Fintoc", "bankbridge_providers"]


def _emulator(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (handed on as it is)
    from bankbridge_fintoc.emulator import create_emulator  # noqa: PLC0415 (only who emulates needs Starlette)

    return create_emulator(*args, **kwargs)


@hookimpl
def bankbridge_providers() -> list[ProviderPlugin]:
    """Fintoc."""
    return [
        ProviderPlugin(
            provider=Fintoc,
            title="Fintoc",
            events={name: event.means for name, event in EVENTS.items()},
            reasons=(
                *(row.row(f"{status}, {code}") for (status, code), row in RESULTS.items()),
                *(row.row(f"create: {code}") for code, row in CREATE_REASONS.items()),
            ),
            emulator=_emulator,
        )
    ]
