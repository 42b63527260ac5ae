"""What a route answers with."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.objects import Json
from bankbridge_fintoc.emulator.world import World


@attrs.frozen(kw_only=True)
class Answered:
    """A status, a JSON body (None for an empty one) and headers."""

    status: int
    body: Json | list[Json] | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    is_lost: bool = False
    """Whether the connection closes before the client hears of it."""
    tells_first: bool = False
    """Whether the events that it caused are to be received before it leaves."""


Route: TypeAlias = Callable[[World, Ask], Answered]


def created(world: World, body: Json) -> Answered:
    """What was made; the documents do not say with which status."""
    return Answered(status=int(world.switches["create_status"]), body=body)
