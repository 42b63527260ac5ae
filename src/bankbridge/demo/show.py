"""What a person sees of the demonstration, and the same as data."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bankbridge.demo.play import Played, Verdict
from bankbridge.machine.outcome import Nothing, Outcome
from bankbridge.machine.status import Status

_STYLES = {
    Status.SUCCEEDED: "green",
    Status.PARTIAL: "yellow",
    Status.FAILED: "red",
    Status.REJECTED: "magenta",
    Status.CANCELED: "blue",
    Status.LOST: "bold red",
    Status.REQUIRES_MFA: "bold cyan",
    Status.BACKING_OFF: "dim yellow",
}


def words(name: str) -> str:
    """``requires_mfa`` and ``FetchMovements`` as a person reads them."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return spaced.replace("_", " ").strip()


def step_words(outcome: Outcome) -> str:
    """The next step, and what is left after it, as a person reads them."""
    steps = [step for step in (outcome.next_step, outcome.then) if not isinstance(step, Nothing)]
    return ", then ".join(words(type(step).__name__) for step in steps) or "nothing"


@contextmanager
def progress(console: Console) -> Generator["Progress"]:
    """Show how the scenarios get on: a table that changes in place, or lines where there is no terminal."""
    shown = Progress(console)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            shown.live = live
            yield shown
    else:
        yield shown


class Progress:
    """Shows each change once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: dict[int, Status] = {}
        self.live: Live | None = None

    def watch(self, under_way: Sequence[Played]) -> None:
        """Show what is under way."""
        if self.live is not None:
            self.live.update(_board(under_way))
            return
        for place, played in enumerate(under_way):
            status = played.outcome.status
            if self._seen.get(place) is not status:
                self._seen[place] = status
                self._console.print(
                    f"{played.scenario.provider}: {played.scenario.title}: {words(status.value)}"
                )


def _board(under_way: Sequence[Played]) -> Table:
    done = sum(played.outcome.status.terminal for played in under_way)
    table = Table(
        title=f"{done} of {len(under_way)} over", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for heading in ("provider", "scenario", "status", "next step"):
        table.add_column(heading, no_wrap=True)
    for played in under_way:
        outcome = played.outcome
        table.add_row(
            played.scenario.provider,
            played.scenario.title,
            _status(outcome.status),
            step_words(outcome),
        )
    return table


def _status(status: Status) -> Text:
    return Text(words(status.value), style=_STYLES.get(status, ""))


def closing_table(verdicts: Sequence[Verdict]) -> Table:
    """Every scenario: what the provider said, what it came to, who must act, and whether the truth agrees."""
    table = Table(
        title="What each provider said, and the one outcome it came to",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("provider", no_wrap=True)
    table.add_column("scenario", max_width=16)
    table.add_column("the provider said (verbatim)", overflow="fold", min_width=33)
    table.add_column("outcome", no_wrap=True)
    table.add_column("next step", max_width=16)
    table.add_column("who acts", no_wrap=True)
    table.add_column("truth", no_wrap=True)
    provider = None
    for verdict in verdicts:
        outcome = verdict.outcome
        if provider not in (None, verdict.scenario.provider):
            table.add_section()
        provider = verdict.scenario.provider
        result = _status(outcome.status)
        if outcome.failure is not None:
            result.append(f"\n{words(outcome.failure.reason.value)}", style="dim")
        truth = Text("agrees", style="green") if not verdict.differs else Text("DIFFERS", style="bold red")
        table.add_row(
            provider,
            verdict.scenario.title,
            verdict.said,
            result,
            step_words(outcome),
            outcome.actor.value,
            truth,
        )
    return table


def report(console: Console, verdicts: Sequence[Verdict], *, seconds: float) -> None:
    """The closing table, what differs, and how many agree."""
    console.print(closing_table(verdicts))
    for verdict in verdicts:
        for difference in verdict.differs:
            console.print(f"{verdict.scenario.provider}: {verdict.scenario.title}: {difference}", style="red")
    agree = sum(not verdict.differs for verdict in verdicts)
    style = "green" if agree == len(verdicts) else "red"
    summary = f"{agree} of {len(verdicts)} outcomes agree with the emulators' truth; {seconds:.0f} s."
    console.print(summary, style=style, highlight=False)


def report_json(verdicts: Sequence[Verdict]) -> str:
    """The same as data."""
    return json.dumps(as_data(verdicts), indent=2, ensure_ascii=False)


def as_data(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The closing table as JSON's types."""
    return [
        {
            "provider": verdict.scenario.provider,
            "scenario": verdict.scenario.title,
            "said": verdict.said,
            "outcome": verdict.outcome.status.value,
            "reason": None if verdict.outcome.failure is None else verdict.outcome.failure.reason.value,
            "next_step": type(verdict.outcome.next_step).__name__,
            "then": type(verdict.outcome.then).__name__,
            "actor": verdict.outcome.actor.value,
            "attempts": verdict.outcome.attempts,
            "fresh_accounts": list(verdict.outcome.fresh),
            "stale_accounts": list(verdict.outcome.stale),
            "differs": list(verdict.differs),
        }
        for verdict in verdicts
    ]
