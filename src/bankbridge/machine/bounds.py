"""How far a text may change the policy: every number has bounds, and where they keep somebody safe, the reason.

They hold for what is read from a file. Values that Python code makes are taken as they are.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from bankbridge.machine.policy import Rule
from bankbridge.words.durations import words_of_duration
from bankbridge.words.reasons import ACTORS, Actor, Reason

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@attrs.frozen
class Bound:
    """From ``least`` to ``most``, both allowed. ``why`` is said where a person may wonder."""

    least: Any
    most: Any
    why: str = ""

    def problem(self, value: float | timedelta) -> str | None:
        """What is wrong with a value of the same kind, or nothing."""
        if self.least <= value <= self.most:
            return None
        return f"must be from {said(self.least)} to {said(self.most)}{self.why and ': '}{self.why}"


BOUNDS: Final[Mapping[str, Bound]] = MappingProxyType(
    {
        "most_attempts": Bound(1, 10, "each attempt may be a login at the bank"),
        "jitter": Bound(0, 1),
        # The third failure in a row expires a link at Rail: https://docs.rail.cl/concepts/events
        "refused_logins": Bound(
            1, 2, "a third refused login expires links and locks people out of their bank"
        ),
        "abandoned_prompts": Bound(1, 4, "people have been locked out by five prompts that nobody answered"),
        "timing.first_poll": Bound(_SECOND, _HOUR),
        "timing.poll_factor": Bound(1, 10),
        "timing.longest_poll": Bound(
            _SECOND, _HOUR, "a webhook that is lost is made up for by the next look"
        ),
        "timing.poll_floor": Bound(_SECOND, _HOUR),
        "timing.attempt": Bound(_MINUTE, _DAY),
        "timing.prompt": Bound(_MINUTE, _DAY),
        "timing.prompt_margin": Bound(timedelta(0), 10 * _MINUTE),
        "timing.after_prompt": Bound(_MINUTE, _DAY),
        "timing.unread": Bound(_MINUTE, 7 * _DAY),
        "timing.unclear": Bound(5 * _SECOND, _HOUR),
        "timing.answered_errors": Bound(1, 10),
        "timing.intent": Bound(10 * _MINUTE, 30 * _DAY),
        "cooldowns": Bound(timedelta(0), 7 * _DAY),
        "waits": Bound(
            _MINUTE, 7 * _DAY, "a try may be a login, and what is down is seldom up again at once"
        ),
        "times": Bound(0, 1000),
    }
)
"""By the path below ``policy``; ``waits``, ``times`` and ``jitter`` also hold in each row of the table."""

FREE: Final = frozenset({Reason.COOLDOWN, Reason.ALREADY_IN_PROGRESS, Reason.RATE_LIMITED})
"""What has cost no login: only these need not count as attempts."""

UNCONFIRMED_WAIT: Final = _HOUR
"""How long Fintoc wants us to wait.
https://docs.fintoc.com/guides/movements/refresh-intents-walkthrough/refresh-intents-errors"""


def problems_of_rule(reason: Reason, rule: Rule) -> Iterator[tuple[str, str]]:
    """What is unsafe about a row, each with its field."""
    if rule.times != 0 and ACTORS[reason] in (Actor.PERSON, Actor.BANK):
        who = "the person" if ACTORS[reason] is Actor.PERSON else "the bank"
        yield "times", f"must be 0: {who} must act first, and another login before that can only do harm"
        return
    if not rule.spends and reason not in FREE:
        yield "spends", "must be true: the attempt may have been a login at the bank"
    if reason is Reason.CREDENTIALS_UNCONFIRMED and rule.times != 0:
        if rule.times is None or rule.times > 1:
            yield "times", "must be 0 or 1: the bank refused the person, and repeats can lock the login"
        if any(wait < UNCONFIRMED_WAIT for wait in rule.waits):
            yield "waits", "must be at least 1 h each: sooner, another refused login can lock the person out"


def said(value: float | timedelta) -> str:
    """A number or a duration as it is written."""
    return words_of_duration(value) if isinstance(value, timedelta) else f"{value:g}"
