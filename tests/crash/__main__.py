"""The long form: ``python -m tests.crash``. Exits with 1 when a promise was broken."""

from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.crash.plan import Plan, plan_of
from tests.crash.report import report
from tests.crash.run import Ran, run
from tests.crash.scene import ENGINES, FLEETS

_SELDOM: Final = 20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def crash(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="In each, a process is killed.")] = 200,
    database: Annotated[str, typer.Option(help=", ".join(FLEETS))] = "sqlite",
    engine: Annotated[str, typer.Option(help=", ".join(ENGINES))] = "embedded",
    seed: Annotated[int, typer.Option(help="The plan follows from it; the timing is the machine's own.")] = 0,
) -> None:
    """Kill the processes of an application again and again, and hold what it says against what really happened."""
    for value, known in ((database, FLEETS), (engine, ENGINES)):
        if value not in known:
            raise typer.BadParameter(f"{value!r}: known are {', '.join(known)}")
    if database not in ENGINES[engine]:
        raise typer.BadParameter(f"{engine} does not work on {database}")
    plan = plan_of(seed, rounds=rounds, database=database, engine=engine)
    ran = _run(plan, Console(stderr=True))
    report(Console(), ran)
    if ran.balance.broken:
        raise typer.Exit(1)


def _run(plan: Plan, aside: Console) -> Ran:
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=aside, disable=not aside.is_terminal) as shown:
        task = shown.add_task("starting", total=len(plan.rounds))

        def step(what: str, done: int) -> None:
            shown.update(task, description=what, completed=done)
            if not aside.is_terminal and done % _SELDOM == 0:
                aside.print(f"{done} of {len(plan.rounds)} rounds", highlight=False)

        return run(plan, on_step=step)


if __name__ == "__main__":
    app()
