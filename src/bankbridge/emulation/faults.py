"""Faults on demand: what can go wrong between a provider and its client, how often, and the same again from a seed.

A `FaultPlan` says for each chance whether a fault strikes. The answer depends on the seed, the fault and the key of
the chance alone, never on who came first, so that a run with the same seed meets the same faults.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import attrs

from bankbridge.emulation.clock import Clock
from bankbridge.emulation.words import check_word

Side: TypeAlias = Literal["webhook", "http", "data"]


@attrs.frozen
class Fault:
    """A thing that can go wrong: with a ``webhook``, an ``http`` request, or the ``data`` that is read."""

    name: str
    side: Side
    says: str
    chance: str
    """What has one chance each of being struck."""


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType(
    {
        fault.name: fault
        for fault in (
            Fault("duplicate", "webhook", "the event is delivered twice", "event and endpoint"),
            Fault(
                "reorder", "webhook", "the event leaves after the one that follows it", "event and endpoint"
            ),
            Fault(
                "delay",
                "webhook",
                "the event leaves minutes late, signed when it leaves",
                "event and endpoint",
            ),
            Fault("drop", "webhook", "the event is never delivered", "event and endpoint"),
            Fault(
                "event_first",
                "webhook",
                "the create is answered only when the receiver has answered its first event",
                "create",
            ),
            Fault(
                "stale_timestamp",
                "webhook",
                "the first try is signed with a time 400 s ago: beyond the usual 300 s",
                "event and endpoint",
            ),
            Fault(
                "future_timestamp",
                "webhook",
                "the first try is signed with a time 400 s ahead",
                "event and endpoint",
            ),
            Fault(
                "corrupt",
                "webhook",
                "a copy whose body was changed after it was signed comes first",
                "event and endpoint",
            ),
            Fault(
                "two_v1",
                "webhook",
                "the signature header has two `v1`, of which the last is not ours",
                "event and endpoint",
            ),
            Fault(
                "unknown_type",
                "webhook",
                "an event of a type outside the catalogue comes besides, signed",
                "event and endpoint",
            ),
            Fault(
                "unknown_field", "webhook", "the event has fields that nobody documents", "event and endpoint"
            ),
            Fault("camel_case", "webhook", "the event's keys are written in camelCase", "event and endpoint"),
            Fault("throttled", "http", "429 with `Retry-After`", "request"),
            Fault("throttled_bare", "http", "429 without `Retry-After`", "request"),
            Fault("error_500", "http", "500 in the provider's envelope; nothing is done", "request"),
            Fault("html_502", "http", "502 with a page of HTML; nothing is done", "request"),
            Fault("slow", "http", "done at once, answered seconds (real ones) later", "request"),
            Fault("reset", "http", "the connection is reset before anything is done", "request"),
            Fault("response_lost", "http", "done, but the connection is reset before the answer", "request"),
            Fault(
                "unstable_paging",
                "data",
                "pages repeat rows and leave others out, as recorded: of 1,495 rows 160 never came",
                "account",
            ),
            Fault(
                "late_rows", "data", "new movements are readable only minutes after the success", "refresh"
            ),
            Fault("changed_rows", "data", "a movement that was read changes", "refresh"),
            Fault("vanished_rows", "data", "a movement that was read is gone", "refresh"),
            Fault("backdated_rows", "data", "a new movement has a date before all that was read", "refresh"),
        )
    }
)
"""Every fault, by name."""

NEVER: Final[Mapping[str, float]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Strike:
    """A fault that struck: which, ``on`` what (without any secret), and when in virtual time."""

    fault: str
    on: str
    at: datetime


class FaultPlan:
    """Which faults strike, how often, and which did; safe to use from any thread.

    ``rates`` gives a probability from 0 to 1 to each fault that may strike. Raises `UnknownWordError` for a fault that
    does not exist, and ValueError for a rate that is no probability.
    """

    def __init__(self, clock: Clock, *, seed: int = 0, rates: Mapping[str, float] = NEVER) -> None:
        self._clock = clock
        self._seed = seed
        self._rates = read_rates(rates)
        self._next: Counter[str] = Counter()
        self._struck: list[Strike] = []
        self._lock = threading.Lock()

    @property
    def rates(self) -> Mapping[str, float]:
        """The probability of each fault that may strike."""
        return self._rates

    @rates.setter
    def rates(self, rates: Mapping[str, float]) -> None:
        self._rates = read_rates(rates)

    def next(self, fault: str, times: int = 1) -> None:
        """Let a fault strike at the next ``times`` chances it has, whatever its rate."""
        check_word("fault", fault, FAULTS)
        if times < 1:
            raise ValueError(f"times is {times}: give how many chances are to be struck, 1 or more")
        with self._lock:
            self._next[fault] += times

    def strikes(self, fault: str, *key: str | int, rates: Mapping[str, float] = NEVER) -> bool:
        """Whether a fault strikes at this chance, and if so remember it.

        ``key`` names the chance in the same words in every run, and holds no secret. ``rates`` go before the plan's
        own: those of a link, say.
        """
        with self._lock:
            is_ordered = self._next[fault] > 0
            if is_ordered:
                self._next[fault] -= 1
            rate = rates.get(fault, self._rates.get(fault, 0.0))
            does_strike = is_ordered or (rate > 0 and self.draw(fault, *key) < rate)
            if does_strike:
                on = " ".join(str(part) for part in key)
                self._struck.append(Strike(fault=fault, on=on, at=self._clock.now()))
        return does_strike

    def draw(self, *key: str | int) -> float:
        """A number from 0 up to 1 that follows from the seed and the key."""
        text = ":".join(str(part) for part in (self._seed, *key))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / 2**56

    def report(self) -> list[dict[str, Any]]:
        """What struck, as JSON can say it."""
        with self._lock:
            return [{"fault": one.fault, "on": one.on, "at": one.at.isoformat()} for one in self._struck]


def read_rates(rates: Mapping[str, object]) -> Mapping[str, float]:
    """The same rates, checked. Raises `UnknownWordError` and ValueError."""
    checked: dict[str, float] = {}
    for fault, rate in rates.items():
        check_word("fault", fault, FAULTS)
        # nan compares false with everything.
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(f"the rate of {fault} is {rate!r}: give a probability from 0 to 1")
        checked[fault] = rate
    return MappingProxyType(checked)
