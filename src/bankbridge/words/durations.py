"""Durations as people read and write them: ``90 s``, ``15 min``, ``1.5 h``, ``2 d``."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

_UNITS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "s": timedelta(seconds=1),
        "min": timedelta(minutes=1),
        "h": timedelta(hours=1),
        "d": timedelta(days=1),
    }
)

# What people write for a unit, without its plural.
_MEANT: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("s", "sec", "second"), "s"),
        **dict.fromkeys(("m", "min", "minute"), "min"),
        **dict.fromkeys(("h", "hr", "hour"), "h"),
        **dict.fromkeys(("d", "day"), "d"),
    }
)

_TEXT: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)( ?)([A-Za-z]+)", re.ASCII)

_HOW: Final = "must be a number, a blank and one of s, min, h, d"


def duration_of(text: str) -> timedelta:
    """The duration that a text says. There is one way to write each unit, so that a look finds every minute.

    Raises ValueError that says how to write it.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        msg = f"{_HOW}, such as '15 min'"
        raise ValueError(msg)
    number, blank, unit = found.groups()
    if blank and unit in _UNITS:
        return timedelta(microseconds=int(Decimal(number) * (_UNITS[unit] // timedelta(microseconds=1))))
    word = unit.lower()
    # Whoever writes ms does not mean minutes.
    meant = _MEANT.get(word) or (_MEANT.get(word.removesuffix("s")) if len(word) > 2 else None)
    near = ", such as '15 min'" if meant is None else f", did you mean '{number} {meant}'?"
    msg = f"{_HOW}{near}"
    raise ValueError(msg)


def words_of_duration(wait: timedelta) -> str:
    """A duration as a person says it, in the longest unit that needs no fraction; a single day is 24 h."""
    for unit in ("d", "h", "min", "s"):
        if wait >= _UNITS[unit] and not wait % _UNITS[unit] and (unit, wait) != ("d", _UNITS["d"]):
            return f"{wait // _UNITS[unit]} {unit}"
    seconds = f"{Decimal(wait // timedelta(microseconds=1)) / 1_000_000:f}"
    return f"{seconds.rstrip('0').rstrip('.') if '.' in seconds else seconds} s"
