"""What a replay found, as a table, as lines of JSON, and in numbers."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs
from rich import box
from rich.table import Table
from rich.text import Text

from bankbridge.machine.outcome import Nothing, WaitUntil
from bankbridge.shells.replay import NowUnderstood, Replayed, Said, Turn, Verdict
from bankbridge.shells.righting import DONE, PUT_BACK

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@attrs.define(kw_only=True)
class Tally:
    """What was found, in numbers. ``why`` counts what is missing where not enough is stored."""

    applying: bool = False
    verdicts: Counter[Verdict] = attrs.field(factory=Counter[Verdict])
    understood: int = 0
    unfit: int = 0
    done: int = 0
    why: Counter[str] = attrs.field(factory=Counter[str])

    @property
    def intents(self) -> int:
        """How many intents were told again, or could not be."""
        return self.verdicts.total()

    @property
    def shown(self) -> int:
        """How many rows there are."""
        return self.verdicts[Verdict.DIFFERS] + self.understood

    @property
    def differing(self) -> int:
        """How many differ still."""
        return self.shown - self.done

    def count(self, one: Replayed | NowUnderstood) -> None:
        """Count one."""
        self.done += one.applied in (DONE, PUT_BACK)
        if isinstance(one, NowUnderstood):
            self.understood += 1
            return
        self.verdicts[one.verdict] += 1
        self.unfit += one.unfit
        if one.why is not None:
            # Ids would make each of them one of its kind.
            self.why[re.sub(r"delivery \S+", "a delivery", one.why)] += 1


def summary(tally: Tally) -> Iterator[str]:
    """The counts, in words."""
    counts = tally.verdicts
    same, differs = counts[Verdict.SAME], counts[Verdict.DIFFERS]
    untold = counts[Verdict.NOT_ENOUGH_STORED]
    yield f"{tally.intents:,} intents: {same:,} same, {differs:,} differ, {untold:,} not enough is stored"
    for why, count in tally.why.most_common(10):
        yield f"  {count:,}: {why}"
    if tally.understood:
        yield f"{tally.understood:,} deliveries that were not understood mean something now"
    if tally.unfit:
        yield f"{tally.unfit:,} recorded events do not fit the stories as they are told now"
    if tally.applying:
        yield f"{tally.done:,} put right or put back, {tally.differing:,} left alone"


# --- for a person ----------------------------------------------------------------------------------------


def table(found: Sequence[Replayed | NowUnderstood], *, applying: bool) -> Table:
    """What differs: what was said, what would be said now, and where it turns."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in (
        "what",
        "was said",
        "would be said now",
        "turns at",
        *(["put right?"] if applying else []),
    ):
        made.add_column(heading, overflow="fold")
    for one in found:
        match one:
            case Replayed():
                what = f"intent {one.intent_id}\n{one.connection}, link {one.link_id}"
                cells = [what, _said(one.was), _said(one.now), _turn(one.turn)]
                if one.unfit:
                    cells[2] += f"\n({one.unfit} events do not fit)"
            case NowUnderstood():
                cells = [
                    f"delivery {one.delivery_id}",
                    "not understood",
                    "\n".join(one.says),
                    f"received {_moment(one.received_at)}",
                ]
        # As text: what a provider wrote must not be taken for colours.
        made.add_row(*map(Text, (*cells, *([one.applied or ""] if applying else []))))
    return made


def _said(said: Said | None) -> str:
    if said is None:
        return ""
    one = said.outcome
    status = one.status.value.replace("_", " ")
    failure = one.failure
    if failure is not None:
        status += f": {failure.reason.value.replace('_', ' ')}" + (
            f" ({failure.code})" if failure.code else ""
        )
    steps = [step for step in (one.next_step, one.then) if not isinstance(step, Nothing | WaitUntil)]
    lines = [status, *([", then ".join(_words(step) for step in steps)] if steps else [])]
    if said.wake is not None:
        lines.append(f"looks again {_moment(said.wake.at)}")
    return "\n".join(lines)


def _words(step: object) -> str:
    return _HUMP.sub(" ", type(step).__name__).lower()


def _turn(turn: Turn | None) -> str:
    if turn is None:
        return ""
    where = "" if turn.delivery_id is None else f"\ndelivery {turn.delivery_id}"
    return f"{turn.told}\n{_moment(turn.at)}{where}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


# --- for a program ---------------------------------------------------------------------------------------


def as_line(one: Replayed | NowUnderstood) -> str:
    """One thing that differs, as a line of JSON."""
    match one:
        case Replayed():
            data: dict[str, Any] = {
                "intent": one.intent_id,
                "connection": one.connection,
                "link": one.link_id,
                "was": _data(one.was),
                "now": _data(one.now),
                "turn": None if one.turn is None else attrs.asdict(one.turn),
                "unfit": one.unfit,
                "applied": one.applied,
            }
        case NowUnderstood():
            data = {
                "delivery": one.delivery_id,
                "connection": one.connection,
                "received_at": one.received_at,
                "says": one.says,
                "applied": one.applied,
            }
    return json.dumps(data, default=datetime.isoformat)


def _data(said: Said | None) -> dict[str, Any] | None:
    if said is None:
        return None
    one = said.outcome
    return {
        "status": one.status.value,
        "reason": None if one.failure is None else one.failure.reason.value,
        "code": None if one.failure is None else one.failure.code,
        "next_step": type(one.next_step).__name__,
        "then": type(one.then).__name__,
        "fresh": one.fresh,
        "stale": one.stale,
        "wake_at": None if said.wake is None else said.wake.at,
    }


def as_json(tally: Tally) -> str:
    """The counts, as a line of JSON."""
    counts = {verdict.name.lower(): tally.verdicts[verdict] for verdict in Verdict}
    return json.dumps(
        {
            "intents": tally.intents,
            **counts,
            "why_not": dict(tally.why),
            "understood": tally.understood,
            "unfit": tally.unfit,
            "done": tally.done,
        }
    )
