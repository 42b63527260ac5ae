"""What goes wrong with a webhook on its way, and what that makes of its body."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

import attrs

from bankbridge.emulation.faults import NEVER, FaultPlan
from bankbridge.emulation.words import WEBHOOK_MODES

Json: TypeAlias = dict[str, Any]

BEYOND_TOLERANCE: Final = timedelta(seconds=400)
"""How far a ``stale_timestamp`` or a ``future_timestamp`` is off: receivers allow 300 s."""

_LEAST_DELAY: Final = timedelta(minutes=1)
_MORE_DELAY: Final = timedelta(minutes=9)
_AT_ONCE: Final = timedelta(0)


@attrs.frozen(kw_only=True)
class Faults:
    """What goes wrong with one event on its way to one endpoint; each field is a fault of `FAULTS`.

    The event is sent ``copies`` times, ``lost``, ``delay`` (virtual time) late, or after the next one; its first try
    is signed with a time that is off by ``skew``.
    """

    copies: int = 1
    lost: bool = False
    delay: timedelta = _AT_ONCE
    reordered: bool = False
    skew: timedelta = _AT_ONCE
    corrupt: bool = False
    two_v1: bool = False
    unknown_type: bool = False
    unknown_field: bool = False
    camel_case: bool = False

    @property
    def is_late(self) -> bool:
        """Whether the event does not leave at once."""
        return bool(self.delay) or self.reordered

    @property
    def names(self) -> tuple[str, ...]:
        """What goes wrong, in the words of `FAULTS`."""
        happens = {
            "duplicate": self.copies > 1,
            "reorder": self.reordered,
            "delay": bool(self.delay),
            "drop": self.lost,
            "stale_timestamp": self.skew < _AT_ONCE,
            "future_timestamp": self.skew > _AT_ONCE,
            "corrupt": self.corrupt,
            "two_v1": self.two_v1,
            "unknown_type": self.unknown_type,
            "unknown_field": self.unknown_field,
            "camel_case": self.camel_case,
        }
        return tuple(name for name, does_happen in happens.items() if does_happen)


NORMAL: Final = Faults()


def link_rates(mode: str, rates: Mapping[str, float] = NEVER, *, is_outcome: bool) -> Mapping[str, float]:
    """The rates of a link whose webhooks come in a `WEBHOOK_MODES` mode, before its own ``rates``.

    Only the events that tell how an intent ended, ``is_outcome``, are ever lost by the mode.
    """
    return rates if mode == "lost" and not is_outcome else {**rates, **WEBHOOK_MODES[mode]}


def webhook_faults(plan: FaultPlan, key: Sequence[str | int], rates: Mapping[str, float] = NEVER) -> Faults:
    """What the plan lets go wrong with one event on its way to one endpoint, but for ``event_first``.

    ``key`` names both in the same words in every run; ``rates`` go before the plan's own. A fault that another leaves
    no room for has no chance: nothing more happens to what is dropped, and what is delayed is not reordered.
    """

    def strikes(fault: str) -> bool:
        return plan.strikes(fault, *key, rates=rates)

    if strikes("drop"):
        return Faults(lost=True)
    is_delayed = strikes("delay")
    return Faults(
        copies=2 if strikes("duplicate") else 1,
        delay=_LEAST_DELAY + plan.draw("how late", *key) * _MORE_DELAY if is_delayed else _AT_ONCE,
        reordered=not is_delayed and strikes("reorder"),
        skew=_skew(strikes),
        corrupt=strikes("corrupt"),
        two_v1=strikes("two_v1"),
        unknown_type=strikes("unknown_type"),
        unknown_field=strikes("unknown_field"),
        camel_case=strikes("camel_case"),
    )


def _skew(strikes: Callable[[str], bool]) -> timedelta:
    if strikes("stale_timestamp"):
        return -BEYOND_TOLERANCE
    return BEYOND_TOLERANCE if strikes("future_timestamp") else _AT_ONCE


def written(event: Json, faults: Faults) -> bytes:
    """The body of an event, with the faults that change what it says."""
    if faults.unknown_field:
        event = {**event, "data": {**event.get("data", {}), **_UNDOCUMENTED}, **_UNDOCUMENTED}
    if faults.camel_case:
        event = _camel_case(event)
    return _bytes(event)


def unknown_event(event: Json) -> bytes:
    """An event that nobody has heard of, in the likeness of another, with an id of its own."""
    family = str(event["type"]).rpartition(".")[0] or "event"
    return _bytes({**event, "id": f"{event['id']}_undocumented", "type": f"{family}.undocumented"})


def corrupted(body: bytes) -> bytes:
    """The same event to look at, with the same id, but all it tells is wrong; the signature does not fit any more."""
    event: Json = json.loads(body)
    tampered = _tampered(event.get("data"))
    return _bytes({**event, "data": "tampered" if tampered == event.get("data") else tampered})


_UNDOCUMENTED: Final[Json] = {"undocumented": {"list": [1, None, "ñ"], "flag": True}}


def _bytes(event: Json) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _camel_case(value: object) -> Any:  # noqa: ANN401 - JSON comes in and JSON goes out
    if isinstance(value, dict):
        return {_camel(name): _camel_case(inner) for name, inner in cast(Json, value).items()}
    if isinstance(value, list):
        return [_camel_case(inner) for inner in cast(list[object], value)]
    return value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _tampered(value: object) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        return {name: _tampered(inner) for name, inner in cast(Json, value).items()}
    return value[::-1] if isinstance(value, str) else value
