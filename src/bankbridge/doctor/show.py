"""What a person sees of an examination, as it goes on, and the same as data."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bankbridge.doctor.checks import Check, Verdict, WaitingFor, plural

_STYLES: Final[Mapping[Verdict, str]] = {
    Verdict.OK: "green",
    Verdict.WARNING: "bold yellow",
    Verdict.PROBLEM: "bold red",
    Verdict.SKIPPED: "dim",
}
_NAME: Final = 15


def watch(said: Iterable[Check | WaitingFor], console: Console) -> list[Check]:
    """Show each check when it is made, and while somebody must be waited for, whom."""
    checks: list[Check] = []
    with console.status("looking …") as status:
        for one in said:
            match one:
                case WaitingFor(what=what):
                    status.update(Text(f"waiting for {what} …"))
                case Check():
                    checks.append(one)
                    console.print(_row(one))
    console.print(_sum(checks))
    return checks


def _row(check: Check) -> Table:
    """The verdict, what it is about and what was seen; below it, on a line of its own, what to do."""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=max(len(verdict.value) for verdict in Verdict), style=_STYLES[check.verdict])
    row.add_column(width=_NAME)
    row.add_column(overflow="fold", style="dim" if check.verdict is Verdict.SKIPPED else "")
    row.add_row(check.verdict.value, check.name, Text(check.says))
    if check.remedy is not None:
        row.add_row("", "", Text(f"→ {check.remedy}", style="bold"))
    return row


def _sum(checks: Iterable[Check]) -> Text:
    verdicts = [check.verdict for check in checks]
    counts = [
        plural(verdicts.count(Verdict.PROBLEM), "problem"),
        plural(verdicts.count(Verdict.WARNING), "warning"),
    ]
    counts.append(f"{verdicts.count(Verdict.OK)} ok")
    if skipped := verdicts.count(Verdict.SKIPPED):
        counts.append(f"{skipped} not looked at")
    return Text(", ".join(counts), style=_STYLES[worst(verdicts)])


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """What all of them come to."""
    found = set(verdicts)
    return next((one for one in (Verdict.PROBLEM, Verdict.WARNING) if one in found), Verdict.OK)


def as_json(checks: Iterable[Check]) -> str:
    """All checks, for a program."""
    listed = list(checks)
    return json.dumps(
        {
            "verdict": worst(check.verdict for check in listed).value,
            "checks": [
                {
                    "name": check.name,
                    "verdict": check.verdict.value,
                    "says": check.says,
                    "remedy": check.remedy,
                }
                for check in listed
            ],
        },
        indent=2,
        ensure_ascii=False,
    )
