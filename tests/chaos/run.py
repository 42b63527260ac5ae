"""One run from its plan to its report: play it, read what it left behind, and hold everything against the truth."""

import hashlib
import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import attrs

from bankbridge.emulation import FAULTS
from tests.chaos.listening import listening
from tests.chaos.plan import Plan
from tests.chaos.play import EndlessError, Play
from tests.chaos.promises import Broken, Found, broken_promises, reason_of, worst_minute
from tests.chaos.reading import rows_that_differ, secrets_seen
from tests.chaos.scene import Scene, scene_of

_LATE_ROWS: Final = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class Ran:
    """What came of one run. ``truth`` is all that happened in it, in words that are the same in every run."""

    plan: Plan
    broken: tuple[Broken, ...]
    truth: str = attrs.field(repr=False)
    outcomes: Mapping[tuple[str, str, str], int]
    """Provider, status and reason, counted."""
    faults: Mapping[str, int]
    counts: Mapping[str, int]
    virtual: timedelta
    seconds: float

    @property
    def fingerprint(self) -> str:
        """Two runs that differ in anything differ in this."""
        return hashlib.sha256(self.truth.encode()).hexdigest()[:16]


def run(
    plan: Plan, *, on_step: Callable[[Play], None] = lambda _: None, options: Mapping[str, Any] | None = None
) -> Ran:
    """Play a plan. ``options`` go to every bridge: that is how a test breaks a guard."""
    began = time.monotonic()
    with listening() as heard, scene_of(plan, options or {}) as scene:
        play = Play(plan, scene, on_step)
        scene.turn(plan.rates)
        broken: list[Broken] = []
        start = scene.clock.now()
        try:
            play.run()
        except EndlessError as error:
            broken.append(Broken(promise="every intent ends", link=None, says=str(error)))
        except Exception as error:  # noqa: BLE001 (whatever it is, the seed that shows it must be told)
            says = "".join(traceback.format_exception(error)[-3:])
            broken.append(Broken(promise="nothing is raised that nobody expects", link=None, says=says))
        ended = scene.clock.now()
        found = _found(play)
        broken += broken_promises(found)
        counts = _counts(found)
        broken += _read(play)
        broken += [
            Broken(promise="no secret is seen", link=None, says=says)
            for says in secrets_seen(_secrets(play), [*heard, *play.errors], scene.store_file)
        ]
        return Ran(
            plan=plan,
            broken=tuple(broken),
            truth=_in_words(found),
            outcomes=_outcomes(found),
            faults=_faults(found, scene),
            counts=counts,
            virtual=ended - start,
            seconds=time.monotonic() - began,
        )


def _found(play: Play) -> Found:
    scene = play.scene
    return Found(
        play=play,
        truths={name: emulator.truth() for name, emulator in scene.emulators.items()},
        stories={
            intent_id: scene.bridge.explain(intent_id)
            for living in play.lives
            for intent_id in living.intents
        },
    )


def _read(play: Play) -> list[Broken]:
    """Read all rows, once those that come late have come; only the data's faults strike now."""
    scene = play.scene
    scene.fate.is_over = True
    scene.turn({name: rate for name, rate in play.plan.rates.items() if FAULTS[name].side == "data"})
    scene.clock.advance(_LATE_ROWS)
    scene.settle()
    return [
        Broken(promise="all rows are read", link=living.life.name, says=says)
        for living, says in rows_that_differ(play)
    ]


def _secrets(play: Play) -> dict[str, str]:
    named = dict(play.scene.secrets)
    named |= {
        f"the token of {one.life.name}": one.link.link_token for one in play.lives if one.link.link_token
    }
    named |= {f"widget token {number}": token for number, token in enumerate(sorted(play.tokens))}
    return named | {f"account number {number}": one for number, one in enumerate(sorted(play.scene.numbers))}


# --- what is told of it ----------------------------------------------------------------------------------------------


def _in_words(found: Found) -> str:
    """The truths and the outcomes as text; only the order in which deliveries were begun is not told."""
    truths: dict[str, Any] = {}
    for name, truth in found.truths.items():
        told = dict(truth)
        for part in ("deliveries", "faults"):
            told[part] = sorted(truth.get(part, []), key=lambda one: json.dumps(one, sort_keys=True))
        truths[name] = told
    outcomes = {
        intent_id: [str(story.outcome.status), str(reason_of(story.outcome)), sorted(story.outcome.fresh)]
        for intent_id, story in found.stories.items()
    }
    return json.dumps({"truths": truths, "outcomes": outcomes}, sort_keys=True, indent=1)


def _outcomes(found: Found) -> Mapping[tuple[str, str, str], int]:
    counted: Counter[tuple[str, str, str]] = Counter()
    for living in found.play.lives:
        for intent_id in living.intents:
            outcome = found.stories[intent_id].outcome
            reason = reason_of(outcome)
            counted[living.life.provider, outcome.status.value, "" if reason is None else reason.value] += 1
    return counted


def _faults(found: Found, scene: Scene) -> Mapping[str, int]:
    counted = Counter(one["fault"] for truth in found.truths.values() for one in truth.get("faults", []))
    counted["the process died"] = scene.fate.deaths
    counted["the process restarted"] = found.play.restarts
    return counted


def _counts(found: Found) -> Mapping[str, int]:
    scene = found.play.scene
    polls = [
        one
        for door in scene.doors.values()
        for one in door.seen
        if "/refresh_intents/" in one.path and one.method == "GET"
    ]
    return {
        "intents": sum(len(living.intents) for living in found.play.lives),
        "refreshes": sum(
            len(link["intents"]) for truth in found.truths.values() for link in truth["links"].values()
        ),
        "requests": sum(len(door.seen) for door in scene.doors.values()),
        "polls": len(polls),
        "deliveries": len(scene.receiver.taken),
        "deliveries known already": len(scene.receiver.taken) - len(set(scene.receiver.taken)),
        "deliveries refused": scene.receiver.refused,
        "parked at the end": len(found.parked),
        "errors told to the application": len(found.play.errors),
        "Rail's worst minute": worst_minute(scene.doors["rail"].seen) if "rail" in scene.doors else 0,
    }
