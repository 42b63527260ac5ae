"""Reading what a provider sent: typed, tolerant of what is extra, exact about what is missing."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar, cast

from bankbridge.words.errors import PayloadError

_T = TypeVar("_T")

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Payload:
    """A JSON object from a provider, read by key.

    Every reader takes the key and its other spellings (``text("created_at", "createdAt")``). A reader raises
    `PayloadError` with the path when the value is missing or of another type; its ``maybe_`` twin gives
    ``None`` for a missing or null value and still raises for a wrong type.
    """

    def __init__(self, raw: object, path: str = "$") -> None:
        if not isinstance(raw, dict):
            raise PayloadError(path, f"must be an object, is {_kind(raw)}")
        self.raw: Mapping[str, Any] = raw
        self.path = path

    def _find(self, keys: tuple[str, ...]) -> tuple[str, Any]:
        for key in keys:
            if self.raw.get(key) is not None:
                return f"{self.path}.{key}", self.raw[key]
        return f"{self.path}.{keys[0]}", None

    def text(self, *keys: str) -> str:
        """A string."""
        value = self.maybe_text(*keys)
        return _required(value, f"{self.path}.{keys[0]}")

    def maybe_text(self, *keys: str) -> str | None:
        """A string, or ``None``."""
        path, value = self._find(keys)
        if value is not None and not isinstance(value, str):
            raise PayloadError(path, f"must be a string, is {_kind(value)}")
        if value is not None and not value.isascii() and not _is_text(value):
            raise PayloadError(path, "must be text, holds half a character")
        return value

    def integer(self, *keys: str) -> int:
        """A whole number; ``true`` and ``1.0`` are not."""
        value = self.maybe_integer(*keys)
        return _required(value, f"{self.path}.{keys[0]}")

    def maybe_integer(self, *keys: str) -> int | None:
        """A whole number, or ``None``."""
        path, value = self._find(keys)
        if value is None or type(value) is int:
            return value
        raise PayloadError(path, f"must be a whole number, is {_kind(value)}")

    def maybe_flag(self, *keys: str) -> bool | None:
        """``true``, ``false`` or ``None``."""
        path, value = self._find(keys)
        if value is None or isinstance(value, bool):
            return value
        raise PayloadError(path, f"must be true or false, is {_kind(value)}")

    def moment(self, *keys: str) -> datetime:
        """An instant: ISO 8601 with an offset, as aware UTC."""
        value = self.maybe_moment(*keys)
        return _required(value, f"{self.path}.{keys[0]}")

    def maybe_moment(self, *keys: str) -> datetime | None:
        """An instant, or ``None``."""
        text = self.maybe_text(*keys)
        if text is None:
            return None
        path, _ = self._find(keys)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise PayloadError(path, "must have an offset from UTC")
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):  # the first day of year 1 may be the day before, in UTC
            raise PayloadError(path, "must be an ISO 8601 time") from None

    def maybe_day(self, *keys: str) -> date | None:
        """A date: the first ten characters of a date or an instant, never shifted by a time zone; or ``None``."""
        text = self.maybe_text(*keys)
        if text is None:
            return None
        path, _ = self._find(keys)
        try:
            return date.fromisoformat(text[:10] if _DAY.match(text) else text)
        except ValueError:
            raise PayloadError(path, "must be an ISO 8601 date") from None

    def section(self, *keys: str) -> "Payload":
        """An object."""
        path, value = self._find(keys)
        return Payload(value, path)

    def maybe_section(self, *keys: str) -> "Payload | None":
        """An object, or ``None``."""
        path, value = self._find(keys)
        return None if value is None else Payload(value, path)

    def sections(self, *keys: str) -> "tuple[Payload, ...]":
        """A list of objects; a missing one is empty."""
        path, value = self._find(keys)
        return () if value is None else payloads(value, path)


def payloads(raw: object, path: str = "$") -> tuple[Payload, ...]:
    """A list of objects. Raises `PayloadError` when it is no list, or one of its items no object."""
    if not isinstance(raw, list):
        raise PayloadError(path, f"must be a list, is {_kind(raw)}")
    items = cast(list[object], raw)
    return tuple(Payload(item, f"{path}[{index}]") for index, item in enumerate(items))


def _is_text(value: str) -> bool:
    """Whether it can be written down: JSON may hold halves of characters, which have no encoding."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _required(value: _T | None, path: str) -> _T:
    if value is None:
        raise PayloadError(path, "required field missing")
    return value


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return type(value).__name__
