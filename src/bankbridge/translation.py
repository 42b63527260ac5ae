"""Translation as a table: an event's type is the key, and a row says whom it is about and what it says.

For providers whose deliveries are one JSON object with ``type``, ``id``, ``created_at`` and ``data``.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import attrs

from bankbridge.machine.notices import Notice, NotUnderstood, Statement, Subject
from bankbridge.payload import Payload
from bankbridge.webhooks import Delivery
from bankbridge.wire import Response
from bankbridge.words.errors import PayloadError

_HUMP: Final = re.compile(r"(?<=[a-z0-9])[A-Z]")

# A capital in what may be a key, as it is written; what is escaped may be one, too.
_HUMPED_KEY: Final = re.compile(rb'[A-Z][^"]*"\s*:|\\u')

# Levels in which keys are looked at: nothing that is read lies deeper.
_DEEPEST: Final = 6


@attrs.frozen(kw_only=True)
class Translation:
    """What one event type says. ``says`` reads ``data`` and the event's time; ``means`` is for the reader."""

    about: Callable[[Payload], Subject]
    says: Callable[[Payload, datetime], Statement]
    means: str


def event_of(delivery: Delivery) -> Payload:
    """The event in a delivery. Raises `PayloadError` when the body is not a JSON object."""
    return Payload(Response(status=200, body=delivery.body).json())


def identity_of(delivery: Delivery) -> str:
    """The event's ``id``, or a digest of the body where it has none."""
    try:
        return event_of(delivery).text("id")
    except PayloadError:
        return hashlib.sha256(delivery.body).hexdigest()


def translate_by(
    table: Mapping[str, Translation],
    delivery: Delivery,
    *,
    instead: Callable[[Payload], Statement | None] = lambda _event: None,
) -> Sequence[Notice]:
    """One event, one notice. Total: an unknown type and a body without its shape are kept as ``NotUnderstood``.

    The table reads keys in snake_case, however they are written: Fintoc's test events once had them in
    camelCase (https://docs.fintoc.com/docs/webhooks-testing). ``instead`` may speak for the whole event before
    the table is asked. An event without a time of its own is told with the delivery's, and its notice carries
    none.
    """
    raw: Mapping[str, Any] = {}
    said = "?"
    try:
        raw = event_of(delivery).raw
        event = Payload(_in_snake_case(raw) if _HUMPED_KEY.search(delivery.body) else raw)
        said = event.maybe_text("type") or "?"
        at = event.maybe_moment("created_at")
        if (spoken := instead(event)) is not None:
            return [Notice(type=said, about=Subject(), says=spoken, occurred_at=at, raw=raw)]
        if (row := table.get(said)) is None:
            return [_kept(said, "event type not known", raw)]
        data = event.section("data")
        says = row.says(data, at or delivery.received_at)
        return [Notice(type=said, about=row.about(data), says=says, occurred_at=at, raw=raw)]
    except PayloadError as error:
        return [_kept(said, str(error), raw)]


def _in_snake_case(value: object, depth: int = _DEEPEST) -> object:
    if not depth:
        return value
    if isinstance(value, dict):
        read = {
            key: _in_snake_case(inner, depth - 1) for key, inner in cast(dict[str, object], value).items()
        }
        return {_HUMP.sub(_lowered, key): inner for key, inner in read.items()} | read
    if isinstance(value, list):
        return [_in_snake_case(inner, depth - 1) for inner in cast(list[object], value)]
    return value


def _lowered(hump: re.Match[str]) -> str:
    return f"_{hump[0].lower()}"


def _kept(said: str, why: str, raw: Mapping[str, Any]) -> Notice:
    return Notice(type=said, about=Subject(), says=NotUnderstood(why=why), raw=raw)
