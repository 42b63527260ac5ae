"""What the long form says at its end."""

import shlex
from collections.abc import Mapping
from typing import Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.crash.balance import DOUBLED, EXTRA, LOST, WRONG
from tests.crash.plan import Plan
from tests.crash.run import Ran

_SHOWN: Final = 40


def command_for(plan: Plan) -> str:
    """The command that plays the same plan again."""
    words = ["python", "-m", "tests.crash", "--rounds", str(len(plan.rounds)), "--database", plan.database]
    return shlex.join([*words, "--engine", plan.engine, "--seed", str(plan.seed)])


def report(console: Console, ran: Ran) -> None:
    """Kills, faults, and the balance, with every broken promise."""
    for title, counts in (
        ("Killed, by process", ran.killed),
        ("Rounds, by the moment of the kill", ran.kills),
        ("What went wrong besides", {**ran.faults, **ran.counts}),
        ("What the application answered instead, and was asked again", ran.errors),
    ):
        if counts:
            console.print(title, style="italic", highlight=False)
            console.print(_counted(counts))
    for name, codes in ran.died.items():
        console.print(f"{name} ended by itself {len(codes)} times: {codes}", style="yellow", highlight=False)
    console.print(_balance(ran))
    for one in ran.balance.broken[:_SHOWN]:
        console.print(
            f"[red]{one.promise}[/] ({one.link or 'all'}): {escape(one.says)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"{len(ran.plan.rounds)} rounds on {ran.plan.database}, engine {ran.plan.engine}, seed {ran.plan.seed}: "
        f"{sum(ran.killed.values())} processes killed in {ran.seconds:.0f} s; {ran.virtual / 3600:.1f} h went by at "
        "the providers",
        highlight=False,
        soft_wrap=True,
    )
    if ran.balance.broken:
        console.print(
            f"{len(ran.balance.broken)} promises broken; again: {command_for(ran.plan)}", style="red"
        )
    else:
        console.print("Every promise was kept.", style="green")


def _balance(ran: Ran) -> Table:
    balance = ran.balance
    table = Table(title="Balance", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("", "in all", "", "of them"):
        table.add_column(heading, no_wrap=True, justify="right" if heading else "left")
    for what, count, wrong, promise in (
        ("deliveries acknowledged", balance.deliveries, "lost", LOST),
        ("effects", balance.effects, "doubled", DOUBLED),
        ("refreshes at the providers", balance.refreshes, "extra", EXTRA),
        ("intents", balance.intents, "not in the truth", WRONG),
    ):
        table.add_row(what, f"{count:,}", wrong, str(balance.count(promise)))
    return table


def _counted(counts: Mapping[str, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    for name, count in sorted(counts.items()):
        table.add_row(name.replace("_", " "), f"{count:,}")
    return table
