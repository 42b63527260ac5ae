"""Deliveries for the tests: signed the way both providers sign, and any JSON that Hypothesis can think of."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bankbridge.webhooks import Delivery
from bankbridge.words.ids import ConnectionName

RECEIVED_AT = datetime(2026, 6, 3, 15, 1, tzinfo=UTC)


def payload(folder: str, name: str) -> Any:
    """A documented payload, parsed."""
    return json.loads((Path(__file__).parent / folder / "payloads" / f"{name}.json").read_bytes())


def webhooks_in(folder: str) -> list[str]:
    """The names of the payloads that are webhook bodies."""
    paths = sorted((Path(__file__).parent / folder / "payloads").glob("*.json"))
    return [path.stem for path in paths if not path.name.startswith("rest.")]


def delivery_of(body: bytes | str | object, connection: str = "bank") -> Delivery:
    """A delivery whose body are these bytes, this text or this value as JSON."""
    match body:
        case bytes():
            raw = body
        case str():
            raw = body.encode()
        case _:
            raw = json.dumps(body).encode()
    return Delivery(connection=ConnectionName(connection), headers={}, body=raw, received_at=RECEIVED_AT)


def signed(header: str, secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of a genuine delivery."""
    written = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), written.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {header: f"t={written},v1={digest}", "content-type": "application/json"}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def spoilt(value: Any, path: tuple[Any, ...], *, into: Any, gone: bool) -> Any:
    """A copy of a JSON value with another one at one place, or with nothing there."""
    copy = json.loads(json.dumps(value))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    if gone:
        del holder[path[-1]]
    else:
        holder[path[-1]] = into
    return copy


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "created", "succeeded", "failed", "2026-06-03T15:00:45Z", "0001-01-01T00:00:00+14:00"]
    )
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
