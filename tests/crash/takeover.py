"""A worker that holds work is gone for good: ``python -m tests.crash.takeover``. How long until others have done it?

The work is a create: the provider has been asked, and the one who asked is killed before the answer, or stands still
for ever. Nobody starts it again. By default time is the machine's own and the engine as it comes.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Final

import attrs
import typer

import bankbridge_rail.emulator
from bankbridge.emulation import EmulatedLink
from tests.crash.door import Door, Snare
from tests.crash.people import press
from tests.crash.plan import Plan
from tests.crash.processes import PATIENCE, wait_for
from tests.crash.scene import ENGINES, Scene, scene_of

TIMINGS: Final = {"rail": bankbridge_rail.emulator.Timings(sync=timedelta(seconds=1))}
"""How long the provider takes is not what is measured."""


@attrs.frozen(kw_only=True)
class TakenOver:
    """What came of it: ``held_by`` is gone, ``done_by`` asked again ``asked`` (real seconds) later, and ``over`` later
    all was done. ``refreshes`` are those at the provider: there must be one."""

    held_by: str
    done_by: str
    asked: float
    over: float
    status: str
    refreshes: int


def take_over(engine: str, *, how: str, speed: float = 1.0, cluster: str | None = None) -> TakenOver:
    """Let a worker go for good, in three on PostgreSQL, and wait until the others have done what it held."""
    plan = Plan(seed=0, database="postgresql", engine=engine, rounds=(), brief=True)
    with scene_of(plan, speed=speed, timings=TIMINGS, cluster=cluster) as scene:
        # The first create is answered 429, so that the second one is a worker's.
        link = scene.emulators["rail"].add_link(attempts=["rate_limited"])
        press(scene, "add_link", connection="rail", link_id=link.link_id, token=link.link_token)
        gone: list[tuple[float, str]] = []
        door = scene.doors["rail"]
        snare = door.snare = Snare("create came", _ending(scene, how, gone), only="worker")
        intent_id = press(scene, "refresh", link_id=link.link_id)
        wait_for("a worker asks", snare.has_sprung.is_set)
        return _taken_over(scene, door, link, intent_id, gone[0])


def _ending(scene: Scene, how: str, gone: list[tuple[float, str]]) -> Callable[[str], None]:
    def end(name: str) -> None:
        if how == "killed":
            scene.fleet.kill(name, down=float("inf"))
        else:
            scene.fleet.processes[name].freeze()
        gone.append((time.monotonic(), name))

    return end


def _taken_over(
    scene: Scene, door: Door, link: EmulatedLink, intent_id: str, gone: tuple[float, str]
) -> TakenOver:
    since, held_by = gone
    looks = scene.ledger.looks
    wait_for("another one asks", lambda: any(at > since for at, _ in door.creates))
    asked_at, done_by = next(one for one in door.creates if one[0] > since)
    wait_for("it is over", lambda: scene.ledger.is_over(intent_id, looks), patience=PATIENCE)
    over = time.monotonic() - since
    refreshes = scene.emulators["rail"].truth()["links"][link.link_id]["intents"]
    return TakenOver(
        held_by=held_by,
        done_by=done_by,
        asked=asked_at - since,
        over=over,
        status=press(scene, "outcome", answer="status", intent_id=intent_id),
        refreshes=len(refreshes),
    )


def main(*, engine: Annotated[str | None, typer.Option(help="By default each in its turn.")] = None) -> None:
    """Measure it, with the engine's own settings and in real time."""
    if engine not in (None, *ENGINES):
        raise typer.BadParameter(f"{engine!r}: known are {', '.join(ENGINES)}")
    for name in [engine] if engine else list(ENGINES):
        for how in ("killed", "frozen"):
            took = take_over(name, how=how)
            typer.echo(
                f"{name}: {took.held_by} was {how} while it held a create; {took.done_by} asked again after "
                f"{took.asked:.1f} s, all was {took.status} after {took.over:.1f} s, with {took.refreshes} refresh"
            )


if __name__ == "__main__":
    typer.run(main)
