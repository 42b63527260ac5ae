"""Reads what a test sends to an emulator's controls; every error is a ValueError that names the field."""

import json
import math
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from bankbridge.emulation.faults import read_rates
from bankbridge.emulation.words import check_word

Read: TypeAlias = Callable[[str, object], Any]
"""``read(name, value)`` gives the value as Python wants it."""

_MOST_SECONDS: Final = 1e9


class BadControlError(ValueError):
    """A control was asked for something senseless."""


def json_object(body: bytes) -> dict[str, Any]:
    """A body as a JSON object; no body is an empty one."""
    try:
        value: object = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadControlError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadControlError(f"the body is {_kind(value)}: send an object")
    return cast(dict[str, Any], value)


def fields(body: dict[str, Any], known: Mapping[str, Read], *, must: Collection[str] = ()) -> dict[str, Any]:
    """Every field of a body, read; raises `UnknownWordError` for one that is not known."""
    for name in body:
        check_word("field", name, known)
    for name in must:
        if name not in body:
            raise BadControlError(f"{name} is missing: send it")
    return {name: known[name](name, value) for name, value in body.items()}


def text(name: str, value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise BadControlError(f"{name} is {_kind(value)}: send a string")
    return value


def text_or_null(name: str, value: object) -> str | None:
    """A string, or null for the default."""
    return None if value is None else text(name, value)


def texts(name: str, value: object) -> list[str]:
    """A list of strings."""
    if not isinstance(value, list):
        raise BadControlError(f"{name} is {_kind(value)}: send a list of strings")
    return [text(f"{name}[{place}]", one) for place, one in enumerate(cast(list[object], value))]


def whole(name: str, value: object) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadControlError(f"{name} is {_kind(value)}: send a whole number")
    return value


def seconds(name: str, value: object) -> timedelta:
    """A number of seconds, not negative."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise BadControlError(f"{name} is {_kind(value)}: send a number of seconds")
    if not 0 <= value <= _MOST_SECONDS:
        raise BadControlError(f"{name} is {value}: send 0 to {_MOST_SECONDS:.0f} seconds")
    return timedelta(seconds=value)


def rates(name: str, value: object) -> Mapping[str, float]:
    """A probability for each fault that is named."""
    if not isinstance(value, dict):
        raise BadControlError(f"{name} is {_kind(value)}: send an object of probabilities, by fault")
    return read_rates(cast(dict[str, object], value))


def _kind(value: object) -> str:
    """A value in JSON's words, without what it says: that may be a secret in the wrong place."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"
