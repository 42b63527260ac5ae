"""What the processes announce of intents, written down one line each, by all of them into one file."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from bankbridge import OutcomeChanged
from bankbridge.machine.outcome import Outcome
from bankbridge.shells.news import News

Told: TypeAlias = tuple[str, str, str | None, int, tuple[str, ...]]
"""An intent's id, its status and reason, how many attempts it had, and the accounts that are fresh."""


def told_of(outcome: Outcome) -> Told:
    """What makes one announcement another one."""
    reason = None if outcome.failure is None else outcome.failure.reason.value
    return outcome.intent_id, outcome.status.value, reason, outcome.attempts, outcome.fresh


def announcer(path: Path) -> Callable[[News], None]:
    """What a process is given to be told the news."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def announce(item: News) -> None:
        if isinstance(item, OutcomeChanged):
            # One write, so that lines of several processes do not mix, and no half line is left behind.
            os.write(file, json.dumps(told_of(item.outcome)).encode() + b"\n")

    return announce


def read(path: Path) -> Sequence[Told]:
    """Everything that was announced."""
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [(*rest, tuple(fresh)) for *rest, fresh in lines]
