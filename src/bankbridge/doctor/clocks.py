"""Two clocks held against each other: deliveries are refused when their time is too far from ours."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge.doctor.checks import Check, ok, problem, warning

NAME: Final = "clock"

NOTICEABLE: Final = timedelta(seconds=5)
"""More than a machine with time synchronisation is ever off."""

DANGEROUS: Final = timedelta(seconds=60)
"""Deliveries that are repeated or late come near their tolerance, which is usually 300 s."""

_REMEDY: Final = (
    "switch time synchronisation on: timedatectl set-ntp true; then look with timedatectl timesync-status"
)


@attrs.frozen(kw_only=True)
class Reading:
    """Somebody else's time, read between two of ours. ``coarse``: how far its own steps are apart."""

    theirs: datetime
    before: datetime
    after: datetime
    coarse: timedelta = timedelta()

    @property
    def ahead(self) -> timedelta:
        """How far our clock is surely ahead of theirs, negative if it is behind; nothing if it may be right."""
        if self.before > self.theirs + self.coarse:
            return self.before - self.theirs - self.coarse
        return min(self.after - self.theirs, timedelta())


def read(ask: Callable[[], datetime | None], clock: Callable[[], datetime]) -> Reading | None:
    """Ask for somebody else's time."""
    before = clock()
    theirs = ask()
    return None if theirs is None else Reading(theirs=theirs, before=before, after=clock())


def judge_clock(reading: Reading, whose: str, *, tolerance: timedelta) -> Check:
    """Hold our clock against ``whose``; ``tolerance`` is how far a delivery's time may be from ours."""
    off = abs(reading.ahead)
    if off < min(NOTICEABLE, tolerance / 2):
        return ok(NAME, f"agrees with {whose}")
    way = "ahead of" if reading.ahead > timedelta() else "behind"
    says = f"this machine's clock is {off.total_seconds():,.0f} s {way} {whose}"
    if off < min(DANGEROUS, tolerance / 2):
        return warning(NAME, says, _REMEDY)
    says += f"; deliveries are refused from {tolerance.total_seconds():g} s on"
    return problem(NAME, says, _REMEDY)
