"""How many requests are let through: Fintoc's documents have three numbers for it.

https://docs.fintoc.com/guides/home/api-rate-limits and its older copies
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

import attrs


@attrs.frozen
class Limit:
    """At most so many requests within a window of virtual time, each ``per`` organisation or address."""

    most: int
    window: timedelta
    per: Literal["organisation", "address"] = "organisation"


PROFILES: Final[Mapping[str, Limit]] = MappingProxyType(
    {
        "100_per_second": Limit(100, timedelta(seconds=1)),
        "100_per_10_seconds_and_address": Limit(100, timedelta(seconds=10), "address"),
        "5_per_second": Limit(5, timedelta(seconds=1)),
    }
)

CONNECTIONS: Final = Limit(100, timedelta(seconds=130))
"""Widgets that are opened, in the first of the profiles."""


class Limiter:
    """Counts what has been let through, in windows that slide."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def lets_through(self, limit: Limit, who: str, now: datetime) -> bool:
        """Whether one more may pass; if so it is counted."""
        seen = self._seen[who]
        while seen and seen[0] <= now - limit.window:
            seen.popleft()
        if len(seen) >= limit.most:
            return False
        seen.append(now)
        return True
