"""What must hold after a run, whatever went wrong in it. Counted from the truth, never from our own counters."""

import itertools
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs

from bankbridge import Reason, Status
from bankbridge.machine.attempt import Attempt
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.outcome import Outcome
from bankbridge.machine.policy import Timing
from bankbridge.shells.linking import Story
from tests.chaos.play import Living, Play
from tests.chaos.scene import Request, Scene
from tests.chaos.truths import Case, Truth, differences, keys_of, when
from tests.stages import PROVIDERS

REFUSED_LOGINS: Final = 2
ABANDONED_PROMPTS: Final = 2
"""The lockout guard's budgets between two acts of a person."""

MOST_REFRESHES: Final = 5
"""How many refreshes one wish may cost, all retries counted."""

LONGEST_ATTEMPT: Final = Timing().attempt
"""After this an attempt that nothing is heard of is given up."""

RAIL_REQUESTS: Final = 100
RAIL_PERIOD: Final = timedelta(minutes=1)
"""https://docs.rail.cl/guides/mfa-handling"""

FLOORS: Final[Mapping[str, timedelta]] = {
    "rail": timedelta(seconds=5),  # https://docs.rail.cl/guides/mfa-handling
    "fintoc": PROVIDERS["fintoc"].capabilities.poll_floor,
}
"""How far apart two polls of one refresh must be."""


@attrs.frozen(kw_only=True)
class Broken:
    """A promise that was not kept: which, at which link (or none), and how."""

    promise: str
    link: str | None
    says: str


@attrs.frozen(kw_only=True)
class Known:
    """What really happened at the providers, and what we make of it."""

    truths: Mapping[str, Truth]
    stories: Mapping[str, Story]
    slack: timedelta = timedelta(0)
    """How much older than its commit a time of ours may be."""

    def link(self, living: Living) -> Truth:
        """What happened at the provider to a link."""
        link: Truth = self.truths[living.life.provider]["links"][living.key]
        return link

    def cases(self, living: Living) -> Iterator[Case]:
        """A link's intents, the ones that are over."""
        link = self.link(living)
        for intent_id in living.intents:
            story = self.stories[intent_id]
            if story.intent.ended_at is not None:
                yield Case(
                    provider=living.life.provider,
                    intent=story.intent,
                    outcome=story.outcome,
                    link=link,
                    canceled_at=living.canceled.get(intent_id),
                    is_deleted=link["status"] == "deleted",
                    backgrounds=tuple(living.backgrounds),
                    slack=self.slack,
                )


@attrs.frozen(kw_only=True)
class Found(Known):
    """All there is to be held against each other."""

    play: Play

    @property
    def parked(self) -> list[tuple[str, str | None]]:
        """Every notice that fits nothing yet: its delivery, and the refresh it names."""
        return parked_in(self.play.scene)


def broken_promises(found: Found) -> Iterator[Broken]:
    """Everything that does not hold."""
    for living in found.play.lives:
        for promise, says in broken_at(found, living):
            yield Broken(promise=promise, link=living.life.name, says=says)
    for promise, says in _of_all(found):
        yield Broken(promise=promise, link=None, says=says)


def broken_at(found: Known, living: Living) -> Iterator[tuple[str, str]]:
    """What does not hold of one link: the promise, and how it is broken."""
    for intent_id in living.intents:
        status = found.stories[intent_id].intent.status
        if not status.terminal:
            yield "every intent ends", f"{intent_id} is {status.value}"
    for case in found.cases(living):
        for says in differences(case):
            yield "the outcome is the truth", f"{case.intent.id} {says}"
    yield from (("one refresh per attempt", says) for says in _refreshes(found, living))
    yield from (("the lockout budgets hold", says) for says in _budgets(found, living))


def _of_all(found: Found) -> Iterator[tuple[str, str]]:
    for before, after in found.play.joins:
        yield "asks join", f"{after} was made while {before} was open"
    for provider, door in found.play.scene.doors.items():
        yield from (("no poll too fast", f"{provider} {says}") for says in _polls(provider, door.seen))
    if "rail" in found.play.scene.doors:
        yield from (("Rail's limit", says) for says in _rate(found.play.scene.doors["rail"].seen))
    yield from (("no delivery lost", says) for says in _deliveries(found))


# --- refreshes -------------------------------------------------------------------------------------------------------


def _refreshes(found: Known, living: Living) -> Iterator[str]:
    """One per idempotency key, one per attempt, all known to us, none while another runs, not too many per wish."""
    link = found.link(living)
    made = [one for one in link["intents"] if one.get("made_by", "client") == "client"]
    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for create in link["creates"]:
        if create["intent_id"] is not None:
            by_key[create["idempotency_key"]].add(create["intent_id"])
    yield from (f"key {key} made {len(ids)} refreshes" for key, ids in by_key.items() if len(ids) > 1)
    accounted: set[str] = set()
    for intent_id in living.intents:
        intent = found.stories[intent_id].intent
        ids = set().union(*(_made_for(found, living, intent, one) for one in (*intent.past, intent.attempt)))
        if len(ids) > MOST_REFRESHES:
            yield f"{intent_id}: {len(ids)} refreshes for one wish"
        yield from _of_attempts(found, living, intent)
        accounted |= ids
    yield from (f"{one['id']} was made for no attempt of ours" for one in made if one["id"] not in accounted)
    yield from _stacked(found, living, made)


def _of_attempts(found: Known, living: Living, intent: RefreshIntent) -> Iterator[str]:
    for attempt in (*intent.past, intent.attempt):
        ids = _made_for(found, living, intent, attempt)
        if len(ids) > 1:
            yield f"{intent.id}, attempt {attempt.number}: {len(ids)} refreshes"
        unknown = ids - {attempt.refresh_id}
        # Who cancels before an answer comes does not learn of the refresh, nor who never gets one.
        is_lost = intent.status is Status.LOST and attempt.unanswered > 0
        if unknown and intent.id not in living.canceled and not is_lost:
            yield f"{intent.id}, attempt {attempt.number} made {', '.join(unknown)} and knows {attempt.refresh_id}"


def _made_for(found: Known, living: Living, intent: RefreshIntent, attempt: Attempt) -> set[str]:
    """What the creates of an attempt made at the provider, by their idempotency keys."""
    keys = keys_of(intent, attempt)
    creates = found.link(living)["creates"]
    return {
        one["intent_id"] for one in creates if one["idempotency_key"] in keys and one["intent_id"] is not None
    }


def _stacked(found: Known, living: Living, made: list[Truth]) -> Iterator[str]:
    """A refresh that was started while another of the link ran, of which we had no reason to think that it was over."""
    given_up: dict[str, datetime | None] = {}
    for intent_id in living.intents:
        intent = found.stories[intent_id].intent
        for attempt in (intent.attempt, *intent.past):
            at = intent.ended_at if attempt is intent.attempt else attempt.asked_at + LONGEST_ATTEMPT
            given_up |= dict.fromkeys(_made_for(found, living, intent, attempt), at)
    for one, other in itertools.permutations(made, 2):
        began, ended = datetime.fromisoformat(other["created_at"]), when(one["ended_at"])
        was_running = datetime.fromisoformat(one["created_at"]) <= began and (ended is None or ended > began)
        given_up_at = given_up.get(one["id"])
        if was_running and (given_up_at is None or given_up_at > began):
            yield f"{other['id']} was started at {began.isoformat()} while {one['id']} ran"


# --- lockouts --------------------------------------------------------------------------------------------------------


def _budgets(found: Known, living: Living) -> Iterator[str]:
    """Refused logins and abandoned prompts in a row, in the order in which they came to pass at the provider."""
    refused = abandoned = 0
    for at, what in sorted(history(found, living)):
        match what:
            case "success" | "connected":
                refused = abandoned = 0
            case "person":
                abandoned = 0
            case "refused":
                refused += 1
                if refused > REFUSED_LOGINS:
                    yield f"{refused} refused logins in a row by {at.isoformat()}"
            case _:
                abandoned += 1
                if abandoned > ABANDONED_PROMPTS:
                    yield f"{abandoned} abandoned prompts in a row by {at.isoformat()}"
    for case in found.cases(living):
        prompts = [attempt.number for attempt in case.attempts if attempt.prompts]
        if not case.intent.attended and len(prompts) > 1:
            yield f"{case.intent.id}: nobody is there, and it prompted in attempts {prompts}"


def history(found: Known, living: Living) -> Iterator[tuple[datetime, str]]:
    """What the lockout guard has to count at a link, as it came to pass at the provider, in no order."""
    for at in living.mended:
        yield at, "connected"
    for at, is_attended in living.asked:
        if is_attended:
            yield at, "person"
    canceled = {
        attempt.refresh_id
        for intent_id in living.canceled
        for attempt in [found.stories[intent_id].intent.attempt]
    }
    for one in found.link(living)["intents"]:
        ended_at = when(one["ended_at"])
        if ended_at is None or one.get("made_by", "client") != "client":
            continue
        if one["status"] == "succeeded" or any(
            it["status"] == "succeeded" for it in one["accounts"].values()
        ):
            yield ended_at, "success"
        elif one["status"] == "rejected" or one["error_code"] == "rejected_credentials":
            yield ended_at, "refused"
        elif one["error_code"] == "requires_mfa_user_timeout" and one["id"] not in canceled:
            yield ended_at, "abandoned"


# --- polls -----------------------------------------------------------------------------------------------------------


def _polls(provider: str, seen: list[Request]) -> Iterator[str]:
    polls: defaultdict[str, list[datetime]] = defaultdict(list)
    for request in seen:
        if (refresh_id := looked_at(request)) is not None:
            polls[refresh_id].append(request.at)
    for refresh_id, times in polls.items():
        for sooner, later in itertools.pairwise(times):
            if later - sooner < FLOORS[provider]:
                yield f"{refresh_id} was read at {sooner.isoformat()} and again {later - sooner} later"


def worst_minute(seen: list[Request]) -> int:
    """The most requests that any look at a refresh found in the minute before it, itself included.

    What an application asks for at once is its own doing; what the bridge does by itself is ours.
    """
    times = [request.at for request in seen]
    looks = (index for index, request in enumerate(seen) if looked_at(request) is not None)
    return max((index + 1 - bisect_right(times, times[index] - RAIL_PERIOD) for index in looks), default=0)


def looked_at(request: Request) -> str | None:
    """The refresh that a request looks at."""
    head, _, refresh_id = request.path.rstrip("/").rpartition("/")
    return refresh_id if request.method == "GET" and head.endswith("/refresh_intents") else None


def _rate(seen: list[Request]) -> Iterator[str]:
    if (worst := worst_minute(seen)) > RAIL_REQUESTS:
        yield f"a look was the request number {worst} in a minute"


# --- deliveries ------------------------------------------------------------------------------------------------------


def not_kept(
    acknowledged: Iterable[str],
    results: Mapping[str, str | None],
    stories: Mapping[str, Story],
    parked: Iterable[tuple[str, str | None]],
) -> Iterator[str]:
    """What was acknowledged is in the store and has been looked at, and what fits something is not parked."""
    for name in sorted(acknowledged):
        if name not in results:
            yield f"{name} was acknowledged and is not stored"
        elif results[name] is None:
            yield f"{name} was acknowledged and never looked at"
    ours = {
        attempt.refresh_id
        for story in stories.values()
        for attempt in (*story.intent.past, story.intent.attempt)
    }
    for name, refresh_id in parked:
        if refresh_id is not None and refresh_id in ours:
            yield f"{name} is parked, and {refresh_id} is known"


def _deliveries(found: Found) -> Iterator[str]:
    scene = found.play.scene
    taken = {f"{connection}/{event_id}" for connection, event_id in scene.receiver.taken}
    yield from not_kept(taken, results_in(scene), found.stories, found.parked)
    for provider, truth in found.truths.items():
        for delivery in truth["deliveries"]:
            statuses = delivery["statuses"]
            if not delivery["lost"] and (not statuses or statuses[-1] != 200):
                yield f"{provider}/{delivery['id']} was never taken: {statuses}"
            if any(status is None or status >= 500 for status in statuses):
                yield f"{provider}/{delivery['id']} was not answered: {statuses}"


def results_in(scene: Scene) -> dict[str, str | None]:
    """What became of every stored delivery; None where nothing has."""
    if scene.store_file is None:
        tables = scene.store._tables
        return {str(name): tables.results.get(name) for name in tables.deliveries}
    return dict(_rows(scene.store_file, "SELECT id, result FROM bankbridge_deliveries"))


def parked_in(scene: Scene) -> list[tuple[str, str | None]]:
    """Every parked notice: its delivery, and the refresh it names."""
    if scene.store_file is None:
        return [(one.delivery_id, one.about.refresh_id) for one in scene.store._tables.parked.values()]
    return _rows(scene.store_file, "SELECT delivery_id, refresh_id FROM bankbridge_parked")


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def reason_of(outcome: Outcome) -> Reason | None:
    """Why it is not a success."""
    return None if outcome.failure is None else outcome.failure.reason
