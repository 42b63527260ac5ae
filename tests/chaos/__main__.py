"""The long form: ``python -m tests.chaos``. Exits with 1 when a promise was broken.

A run follows from its seed alone, so what it shows can be shown again::

    python -m tests.chaos --seed 7
"""

from collections.abc import Mapping
from typing import Annotated

import attrs
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bankbridge.emulation import read_rates
from tests.chaos.plan import COLOURS, RATES, STORES, Plan, plan_of
from tests.chaos.play import Play
from tests.chaos.promises import Broken
from tests.chaos.report import report
from tests.chaos.run import Ran, run
from tests.stages import PROVIDERS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def chaos(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Play this many seeds, from 0.")] = 20,
    seed: Annotated[int | None, typer.Option(help="Play this one only.")] = None,
    intents: Annotated[int, typer.Option(min=1, help="Wishes per seed, over all providers.")] = 100,
    providers: Annotated[str, typer.Option(help="Which, separated by commas.")] = ",".join(PROVIDERS),
    colour: Annotated[
        str | None, typer.Option(help="blocking or async; by default each in its turn.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="memory or sqlite; by default each in its turn.")] = None,
    faults: Annotated[
        str, typer.Option(help="all, none, or the rates of those that strike: drop=0.1,…")
    ] = "all",
    only: Annotated[str | None, typer.Option(help="Play one link of each seed only, such as rail/3.")] = None,
    twice: Annotated[
        bool, typer.Option("--twice", help="Play each seed twice, and compare the truths.")
    ] = False,
) -> None:
    """Play many refreshes while everything goes wrong, and hold every promise against what really happened."""
    names = tuple(providers.split(","))
    for value, known in (
        (colour, COLOURS),
        (store, STORES),
        *((n, PROVIDERS) for n in names),
    ):
        if value is not None and value not in known:
            raise typer.BadParameter(f"{value!r}: known are {', '.join(known)}")
    plans = [
        plan_of(
            number,
            intents=intents,
            providers=names,
            colour=colour,
            store=store,
            rates=_rates(faults),
            only=only,
        )
        for number in (range(seeds) if seed is None else (seed,))
    ]
    if only is not None and not any(plan.lives for plan in plans):
        last = plan_of(plans[-1].seed, intents=intents, providers=names).lives[-1]
        raise typer.BadParameter(
            f"{only!r} is no link of these runs: they go from {names[0]}/0 to {last.name}"
        )
    ran = _compared(_play(plans, times=2)) if twice else _play(plans, times=1)
    report(Console(), ran, intents=intents, providers=names)
    if any(one.broken for one in ran):
        raise typer.Exit(1)


def _rates(faults: str) -> Mapping[str, float]:
    if faults in ("all", "none"):
        return RATES if faults == "all" else {}
    rates: dict[str, float] = {}
    for one in faults.split(","):
        name, _, rate = one.partition("=")
        try:
            rates |= read_rates({name: float(rate or "nan")})
        except ValueError as error:
            raise typer.BadParameter(f"{one!r}: {error}", param_hint="--faults") from None
    return rates


def _play(plans: list[Plan], *, times: int) -> list[Ran]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    aside = Console(stderr=True)
    ran: list[Ran] = []
    with Progress(*columns, console=aside, disable=not aside.is_terminal) as shown:
        task = shown.add_task("intents", total=times * sum(map(_wishes, plans)))
        for plan in (plan for plan in plans for _ in range(times)):
            before = sum(_wishes(one.plan) for one in ran)

            def step(play: Play, before: int = before) -> None:
                shown.update(task, completed=before + play.over)

            shown.update(task, description=f"seed {plan.seed}, {plan.colour}, {plan.store}")
            ran.append(run(plan, on_step=step))
            if ran[-1].broken:
                aside.print(f"seed {plan.seed}: {len(ran[-1].broken)} promises broken", style="red")
    return ran


def _wishes(plan: Plan) -> int:
    return sum(len(life.wishes) for life in plan.lives)


def _compared(ran: list[Ran]) -> list[Ran]:
    """Each seed was played twice: a second truth is a broken promise of the second run."""
    return [one for pair in zip(ran[::2], ran[1::2], strict=True) for one in (pair[0], _held_against(*pair))]


def _held_against(one: Ran, other: Ran) -> Ran:
    if one.truth == other.truth:
        return other
    lines = zip(one.truth.splitlines(), other.truth.splitlines(), strict=False)
    says = next(
        (f"{a.strip()} and then {b.strip()}" for a, b in lines if a != b), "one goes on where the other ends"
    )
    told = Broken(promise="the same seed gives the same truth", link=None, says=says)
    return attrs.evolve(other, broken=(*other.broken, told))


if __name__ == "__main__":
    app()
