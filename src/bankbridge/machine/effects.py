"""Imperative data: what `advance` wants done at the provider. A shell performs them after the commit."""

from typing import TypeAlias

import attrs

from bankbridge.words.ids import RefreshId


@attrs.frozen(kw_only=True)
class CreateRefresh:
    """Ask the provider for attempt ``attempt``. ``look_first``: it may be running already, look before asking."""

    attempt: int
    key: str
    look_first: bool = False


@attrs.frozen(kw_only=True)
class ReadRefresh:
    """Read the provider's side of attempt ``attempt``."""

    attempt: int
    refresh_id: RefreshId | None


@attrs.frozen(kw_only=True)
class CancelRefresh:
    """Ask the provider to stop attempt ``attempt``."""

    attempt: int
    refresh_id: RefreshId | None


Effect: TypeAlias = CreateRefresh | ReadRefresh | CancelRefresh
