"""What the long form says at its end."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.chaos.plan import RATES, Plan
from tests.chaos.run import Ran

_SHOWN: Final = 40


def command_for(plan: Plan, *, intents: int, providers: Sequence[str], only: str | None = None) -> str:
    """The one command that plays a run again."""
    words = ["python", "-m", "tests.chaos", "--seed", str(plan.seed), "--intents", str(intents)]
    words += ["--providers", ",".join(providers), "--colour", plan.colour, "--store", plan.store]
    if plan.rates != RATES:
        words += ["--faults", ",".join(f"{name}={rate:g}" for name, rate in plan.rates.items()) or "none"]
    return shlex.join([*words, "--only", only] if only else words)


def report(console: Console, ran: Sequence[Ran], *, intents: int, providers: Sequence[str]) -> None:
    """Outcomes, faults, totals, and every broken promise with the command that shows it."""
    console.print(_outcomes(ran))
    console.print(_counted("What went wrong on purpose", _sum(one.faults for one in ran)))
    console.print(_counted("What happened", _sum(one.counts for one in ran)))
    wishes = sum(one.counts["intents"] for one in ran)
    virtual = sum((one.virtual for one in ran), timedelta(0))
    seconds = sum(one.seconds for one in ran)
    console.print(
        f"{wishes} intents in {len(ran)} runs: {virtual} of virtual time in {seconds:.0f} s, "
        f"{wishes / seconds:.1f} intents/s",
        highlight=False,
    )
    broken = [(one, promise) for one in ran for promise in one.broken]
    for one, promise in broken[:_SHOWN]:
        where = promise.link or "all"
        console.print(
            f"[red]{promise.promise}[/] ({where}): {escape(promise.says)}", highlight=False, soft_wrap=True
        )
        again = command_for(one.plan, intents=intents, providers=providers)
        console.print(f"  [dim]{again}[/]", highlight=False, soft_wrap=True)
    if len(broken) > _SHOWN:
        console.print(f"[red]and {len(broken) - _SHOWN} more[/]")
    style, says = (
        ("red", f"{len(broken)} promises broken") if broken else ("green", "Every promise was kept.")
    )
    console.print(says, style=style)


def _outcomes(ran: Iterable[Ran]) -> Table:
    table = Table(title="Outcomes", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("provider", "status", "reason"):
        table.add_column(heading, no_wrap=True)
    table.add_column("intents", justify="right")
    total: Counter[tuple[str, str, str]] = Counter()
    for one in ran:
        total.update(one.outcomes)
    for (provider, status, reason), count in sorted(total.items()):
        table.add_row(provider, status, reason.replace("_", " "), str(count))
    return table


def _counted(title: str, counts: Mapping[str, int]) -> Table:
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, show_header=False, padding=(0, 1, 0, 0)
    )
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name.replace("_", " "), str(count))
    return table


def _sum(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    """Added up, but for what is a most of something."""
    total: Counter[str] = Counter()
    for one in counts:
        for name, count in one.items():
            total[name] = max(total[name], count) if name in _MOSTS else total[name] + count
    return total


_MOSTS: Final = frozenset({"Rail's worst minute"})
