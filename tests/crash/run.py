"""One run from its plan to its balance: the rounds with their kills, the rest, and the books."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from tests.crash.balance import Balance, balance_of
from tests.crash.books import Books, books_of
from tests.crash.door import Snare
from tests.crash.people import People
from tests.crash.plan import Kill, Plan, Round
from tests.crash.processes import PATIENCE, wait_for
from tests.crash.scene import SPEED, Scene, scene_of

_CATCH: Final = 20.0
"""How long a round waits, in real seconds, for somebody to come to its moment; then it kills at any."""


@attrs.frozen(kw_only=True)
class Ran:
    """What came of a run."""

    plan: Plan
    balance: Balance
    books: Books = attrs.field(repr=False)
    kills: Mapping[str, int]
    """By moment."""
    killed: Mapping[str, int]
    """By process."""
    counts: Mapping[str, int]
    errors: Mapping[str, int]
    died: Mapping[str, list[int]]
    """Processes that ended though nobody had killed them, and how."""
    faults: Mapping[str, int]
    virtual: float
    seconds: float


def run(
    plan: Plan,
    *,
    on_step: Callable[[str, int], None] = lambda _what, _done: None,
    speed: float = SPEED,
    cluster: str | None = None,
) -> Ran:
    """Play a plan. ``on_step`` is told what goes on, and how many rounds are over; the others are `scene_of`'s."""
    began = time.monotonic()
    with scene_of(plan, speed=speed, cluster=cluster) as scene:
        start = scene.clock.now()
        people = People(scene)
        scene.turn(plan.rates)
        for one in plan.rounds:
            on_step(one.kill.moment, one.number)
            _play(scene, people, one)
        on_step("coming to rest", len(plan.rounds))
        _rest(scene, people)
        books = books_of(scene, people)
        died = scene.fleet.died()
        return Ran(
            plan=plan,
            balance=balance_of(books),
            books=books,
            kills=dict(scene.kills),
            killed=dict(scene.fleet.killed),
            counts={"database connections cut": scene.cuts.total()},
            errors=dict(scene.errors),
            died=died,
            faults=books.faults,
            virtual=(scene.clock.now() - start).total_seconds(),
            seconds=time.monotonic() - began,
        )


# --- a round ---------------------------------------------------------------------------------------------------------


def _play(scene: Scene, people: People, one: Round) -> None:
    for life in one.lives:
        people.begin(life)
    if one.cuts and "://" in scene.database:
        time.sleep(one.kill.delay / 2)
        scene.cuts["connections"] += scene.ledger.cut()
    _kill(scene, one.kill)
    if not scene.plan.brief:
        # Whoever is killed next should be at work, not still starting.
        scene.fleet.await_all()


def _kill(scene: Scene, kill: Kill) -> None:
    caught = False
    if kill.moment.startswith("create "):
        caught = _at_create(scene, kill)
    elif kill.moment.startswith(("delivery ", "intent ")):
        caught = _at_trap(scene, kill)
    if caught:
        scene.kills[kill.moment] += 1
        return
    time.sleep(kill.delay)
    names = sorted(scene.fleet.processes)
    if kill.moment != "all at once":
        names = [names[kill.victim % len(names)]]
    scene.fleet.kill(*names, down=kill.down)
    scene.kills["all at once" if len(names) > 1 else "any time"] += 1


def _at_create(scene: Scene, kill: Kill) -> bool:
    """Kill whoever asks next for a refresh, at this moment of it."""
    snare = Snare(kill.moment, lambda name: scene.fleet.kill(name, down=kill.down))
    for door in scene.doors.values():
        door.snare = snare
    try:
        if snare.has_sprung.wait(_CATCH) or not snare.catches():
            # It may have caught somebody a moment ago.
            return snare.has_sprung.wait(PATIENCE)
        return False
    finally:
        for door in scene.doors.values():
            door.snare = None


def _at_trap(scene: Scene, kill: Kill) -> bool:
    """Let a process kill itself when it comes to this moment."""
    role = "web" if kill.moment.startswith("delivery ") else ""
    those = sorted(scene.fleet.named(role), key=lambda one: one.name)
    victim = those[kill.victim % len(those)]
    wait_for(f"{victim.name} works", lambda: victim.is_ready)
    return scene.fleet.trap(victim.name, kill.moment, down=kill.down, patience=_CATCH)


# --- the rest --------------------------------------------------------------------------------------------------------


def _rest(scene: Scene, people: People) -> None:
    """Return when nothing goes wrong any more, every wish is over and every delivery was taken or is lost."""
    scene.turn({})
    patience = PATIENCE * 3
    wait_for("every wish is over", lambda: people.busy == 0, patience=patience)
    wait_for("no intent is open", lambda: not scene.ledger.open, patience=patience)
    wait_for("every delivery was taken", lambda: not _pending(scene), patience=patience)
    wait_for("the inbox is empty", lambda: scene.ledger.waiting() == 0, patience=patience)
    people.close()


def _pending(scene: Scene) -> list[dict[str, Any]]:
    return [
        one
        for emulator in scene.emulators.values()
        for one in emulator.truth()["deliveries"]
        if not one["lost"] and 200 not in one["statuses"]
    ]
