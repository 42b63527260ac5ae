"""The hooks a plugin can implement. A plugin is a module named in the entry-point group ``bankbridge``."""

from collections.abc import Callable, Iterable, Mapping
from pkgutil import resolve_name
from typing import Any, Final

import attrs
import pluggy

from bankbridge.provider import Provider
from bankbridge.words.reasons import Reason

PROJECT: Final = "bankbridge"

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of a hook."""


@attrs.frozen(kw_only=True)
class ReasonRow:
    """One row of a provider's reasons table, for its page: its code, our reason, and the judgement behind it."""

    said: str
    reason: Reason
    means: str
    source: str


@attrs.frozen(kw_only=True)
class ProviderPlugin:
    """What a plugin brings.

    ``events`` and ``reasons`` are its tables as a reader sees them. ``emulator`` makes its emulator, and ``emulation``
    gives the `bankbridge.emulation.kind.EmulatorKind` of it: what it can be told. Both are called only when an emulator
    is wanted, and import what they need then.
    """

    provider: type[Provider]
    title: str
    events: Mapping[str, str]
    reasons: tuple[ReasonRow, ...]
    emulator: Callable[..., Any] | None = None
    emulation: Callable[[], Any] | None = None


def lazily(target: str) -> Callable[..., Any]:
    """What ``package.module:name`` names, imported only when it is called: an emulator needs a web server."""

    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (handed on as it is)
        return resolve_name(target)(*args, **kwargs)

    return call


@hookspec
def bankbridge_providers() -> Iterable[ProviderPlugin]:  # type: ignore[empty-body]
    """Name the providers that this plugin brings. Called once; must not import anything heavy."""
