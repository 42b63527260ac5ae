"""The long form: ``python -m tests.crash``. Exits with 1 when a promise was broken."""

import enum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.crash.plan import Plan, plan_of
from tests.crash.report import report
from tests.crash.run import Ran, run
from tests.crash.scene import ENGINES, FLEETS

Database = enum.StrEnum("Database", {name: name for name in FLEETS})
Engine = enum.StrEnum("Engine", {name: name for name in ENGINES})

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def crash(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="In each, a process is killed.")] = 200,
    database: Annotated[
        Database, typer.Option(help="Where the application keeps its things.")
    ] = Database.sqlite,
    engine: Annotated[Engine, typer.Option(help="What wakes the workers.")] = Engine.embedded,
    seed: Annotated[int, typer.Option(help="The plan follows from it; the timing is the machine's own.")] = 0,
) -> None:
    """Kill the processes of an application again and again, and hold what it says against what really happened."""
    if database not in ENGINES[engine]:
        raise typer.BadParameter(f"{engine} runs on {', '.join(ENGINES[engine])}", param_hint="--engine")
    plan = plan_of(seed, rounds=rounds, database=database.value, engine=engine.value)
    ran = _run(plan, Console(stderr=True))
    report(Console(), ran)
    if ran.balance.broken:
        raise typer.Exit(1)


def _run(plan: Plan, aside: Console) -> Ran:
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=aside, disable=not aside.is_terminal) as shown:
        task = shown.add_task("starting", total=len(plan.rounds))
        return run(plan, on_step=lambda what, done: shown.update(task, description=what, completed=done))


if __name__ == "__main__":
    app()
