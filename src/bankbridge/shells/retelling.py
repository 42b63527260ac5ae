"""An intent's story told again, from what is stored, with today's translation and today's policy.

A story has three kinds of steps. What a *delivery* said is translated anew and received as if it had come today. What
our own code saw (a create's answer, what a read found, a wake-up, a cancel, what stood against a link) nobody can ask
for again, so it is told as it was written down. And a *stray*, a delivery that changed no intent then, is told when it
was drained, since it may mean something now. Pure: no store, no clock, no provider is asked anything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

import attrs

from bankbridge.codec import decode
from bankbridge.machine import events as ev
from bankbridge.machine.advance import Transition, advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.effects import CreateRefresh, Effect
from bankbridge.machine.intent import RefreshIntent, new_intent
from bankbridge.machine.link import Link, LinkEvent
from bankbridge.machine.notices import Ignored, Notice, receive
from bankbridge.machine.status import Status
from bankbridge.shells.connections import Connection
from bankbridge.shells.replay import REPLAYED, Heard, Record, Replayed, Turn, Verdict, said_of
from bankbridge.shells.routing import meant_for
from bankbridge.shells.telling import woken_now
from bankbridge.store import LogEntry
from bankbridge.words.errors import ImpossibleEventError, PayloadError
from bankbridge.words.ids import AccountId


def replayed(record: Record, connection: Connection) -> Replayed:
    """Tell the story of ``record`` again, translated anew, under the connection's policy."""
    stored = record.intent
    result = Replayed(
        intent_id=stored.id,
        connection=stored.connection,
        link_id=stored.link_id,
        version=stored.version,
        verdict=Verdict.SAME,
        was=said_of(stored, record.link),
    )
    steps = _steps_of(record)
    if isinstance(steps, str):
        return attrs.evolve(result, verdict=Verdict.NOT_ENOUGH_STORED, why=steps)
    story = _Retelling(record, connection)
    for step in _merged(steps, record.strays):
        story.take(step)
    story.settle()
    now = said_of(story.intent, record.link)
    result = attrs.evolve(result, unfit=story.unfit, used=tuple(story.used))
    if now.gist == result.was.gist:
        return result
    turn = story.turn or story.last
    return attrs.evolve(result, verdict=Verdict.DIFFERS, now=now, turn=turn, intent=story.intent)


def accounts_of(intent: RefreshIntent, link: Link) -> frozenset[AccountId]:
    """Every account that the link of an intent has, or the intent ever had to do with."""
    attempts = (intent.attempt, *intent.past)
    expected = (account for attempt in attempts for account in attempt.expected or ())
    reported = (result.account_id for attempt in attempts for result in attempt.accounts)
    return frozenset((*(link.accounts or ()), *expected, *reported))


# --- the steps -------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class _Own:
    """What our own code saw, and the status that it led to then."""

    at: datetime
    event: ev.Event
    attempt: int
    after: Status


@attrs.frozen(kw_only=True)
class _Delivered:
    """What a delivery says, and the status that it led to then; ``None`` for a stray. ``first``: its adoption."""

    heard: Heard
    at: datetime
    first: tuple[_Own, ...] = ()
    after: Status | None = None


_Step: TypeAlias = _Own | _Delivered

_EVENTS: Final[Mapping[str, type[ev.Event]]] = {
    kind.__name__: kind for kind in (*ev.OwnEvent.__args__, *ev.ProviderEvent.__args__)
}


def _steps_of(record: Record) -> list[_Step] | str:
    """The log as steps, or what is missing in it."""
    if (gap := _gap_in(record)) is not None:
        return gap
    steps: list[_Step] = []
    for entry in record.entries:
        if entry.event == REPLAYED:
            continue
        own = _own(entry)
        if isinstance(own, str):
            return own
        if entry.delivery_id is None:
            if own is None:
                return f"{entry.event} was logged without what it said, by an older version"
            steps.append(own)
            continue
        heard = record.heard.get(entry.delivery_id)
        if heard is None:
            return f"delivery {entry.delivery_id} is no longer stored"
        if entry.event == ev.RefreshStarted.__name__ and own is None:
            return f"{entry.event} was logged without what it said, by an older version"
        first = (own,) if own is not None and isinstance(own.event, ev.RefreshStarted) else ()
        steps.append(_Delivered(heard=heard, at=entry.at, first=first, after=entry.after))
    return _grouped(steps)


def _gap_in(record: Record) -> str | None:
    entries = record.entries
    if not entries:
        return "its log was pruned, or never written"
    statuses = [Status.REQUESTED, *(entry.after for entry in entries)]
    if [entry.before for entry in entries] != statuses[:-1] or statuses[-1] is not record.intent.status:
        return "its log has gaps"
    return None


def _own(entry: LogEntry) -> _Own | str | None:
    if entry.told is None:
        return None
    kind = _EVENTS.get(entry.event)
    if kind is None:
        return f"{entry.event} is not known any more"
    try:
        event = decode(kind, entry.told)
    except PayloadError as error:
        return f"an event cannot be read any more: {error}"
    return _Own(at=entry.at, event=event, attempt=entry.attempt, after=entry.after)


def _grouped(steps: Sequence[_Step]) -> list[_Step]:
    """A delivery is told once, whole, however many lines it made in the log."""
    grouped: list[_Step] = []
    for step in steps:
        last = grouped[-1] if grouped else None
        if (
            isinstance(step, _Delivered)
            and isinstance(last, _Delivered)
            and (last.heard.delivery_id, last.at) == (step.heard.delivery_id, step.at)
        ):
            grouped[-1] = attrs.evolve(last, first=(*last.first, *step.first), after=step.after)
        else:
            grouped.append(step)
    return grouped


_FIRST: Final = datetime.min.replace(tzinfo=UTC)


def _merged(steps: Sequence[_Step], strays: Sequence[Heard]) -> Iterator[_Step]:
    """The log in its order, with each stray where it was drained."""
    waiting = list(strays)
    for step in steps:
        while waiting and _place(waiting[0], waiting[0].at) < (
            (step.at, _FIRST, 0) if isinstance(step, _Own) else _place(step.heard, step.at)
        ):
            yield _Delivered(heard=waiting[0], at=waiting.pop(0).at)
        yield step
    for stray in waiting:
        yield _Delivered(heard=stray, at=stray.at)


def _place(heard: Heard, at: datetime) -> tuple[datetime, datetime, int]:
    """What is drained at once is drained in the order of arrival."""
    return at, heard.received_at, heard.position


# --- the fold --------------------------------------------------------------------------------------------

_RUNNING: Final = frozenset({WakePurpose.POLL, WakePurpose.PROMPT_EXPIRY, WakePurpose.DEADLINE})
_WAKES: Final[Mapping[Status, frozenset[WakePurpose]]] = {
    Status.REQUESTED: frozenset({WakePurpose.CREATE}),
    Status.BACKING_OFF: frozenset({WakePurpose.BACKOFF}),
    Status.IN_PROGRESS: _RUNNING,
    Status.REQUIRES_MFA: _RUNNING,
}


class _Retelling:
    """The story so far."""

    def __init__(self, record: Record, connection: Connection) -> None:
        stored = record.intent
        self._record = record
        self._policy = connection.policy_of(record.link)
        self._granularity = connection.provider.capabilities.granularity
        self._accounts = accounts_of(stored, record.link)
        # What the last notice made the intent want, when, and when the provider had last been looked at before.
        self._wanted: list[Effect] = []
        self._wanted_at = stored.created_at
        self._looked_at: datetime | None = None
        self.intent = new_intent(
            intent_id=stored.id,
            connection=stored.connection,
            link_id=stored.link_id,
            scope=stored.scope,
            attended=stored.attended,
            now=stored.created_at,
            retry_of=stored.retry_of,
        )
        self.unfit = 0
        self.used: list[Heard] = []
        self.turn: Turn | None = None
        self.last: Turn | None = None

    def take(self, step: _Step) -> None:
        """Tell one step, and notice where the story leaves what is recorded."""
        before = said_of(self.intent, self._record.link).gist
        match step:
            case _Own():
                self._tell_own(step)
                here = Turn(at=step.at, told=type(step.event).__name__)
            case _Delivered(heard=heard):
                told = self.intent
                self._deliver(step)
                if step.after is None and self.intent != told:
                    self.used.append(heard)
                types = ", ".join(dict.fromkeys(notice.type for notice in heard.notices))
                here = Turn(at=step.at, told=types or "nothing", delivery_id=heard.delivery_id)
        is_changed = said_of(self.intent, self._record.link).gist != before
        leaves = is_changed if step.after is None else self.intent.status is not step.after
        if self.turn is None and leaves:
            self.turn = here
        if is_changed:
            self.last = here

    def settle(self) -> None:
        """Leave what the last notice made the intent want to whoever wakes it."""
        if self._wanted:
            self.intent = woken_now(self.intent, looked_at=self._looked_at, now=self._wanted_at)
        self._wanted = []

    def _tell_own(self, step: _Own) -> None:
        # What stood against the link then turned the create that was just wanted into a refusal.
        is_guard = isinstance(step.event, ev.CreateRefused) and bool(self._wanted)
        if is_guard:
            self._wanted = [effect for effect in self._wanted if not isinstance(effect, CreateRefresh)]
        self.settle()
        if (
            isinstance(step.event, ev.WokeUp)
            and step.event.purpose not in _WAKES.get(self.intent.status, frozenset())
        ) or step.attempt > self.intent.attempt.number:
            self.unfit += 1
        else:
            self._advance(step.event, step.at, step.attempt)

    def _deliver(self, step: _Delivered) -> None:
        for notice in step.heard.notices:
            self.settle()
            self._looked_at, self._wanted_at = self.intent.attempt.looked_at, step.at
            wanted: list[Effect] = []
            for own in step.first:
                wanted += self._advance(own.event, own.at, own.attempt)
            if self._is_about_us(notice, is_stray=step.after is None):
                wanted += self._hear(notice, step.at)
            self._wanted = wanted
        if not any(isinstance(effect, CreateRefresh) for effect in self._wanted):
            self.settle()

    def _hear(self, notice: Notice, at: datetime) -> Sequence[Effect]:
        says = notice.says
        if isinstance(says, ev.ProviderEvent):
            return self._step(lambda: receive(self.intent, notice, now=at, policy=self._policy))
        if isinstance(says, LinkEvent) and not self.intent.status.terminal:
            event = meant_for(self.intent, says, notice, now=at, granularity=self._granularity)
            if event is not None:
                return self._advance(event, at)
        return ()

    def _advance(self, event: ev.Event, at: datetime, attempt: int | None = None) -> Sequence[Effect]:
        return self._step(lambda: advance(self.intent, event, now=at, policy=self._policy, attempt=attempt))

    def _step(self, step: Callable[[], Transition | Ignored]) -> Sequence[Effect]:
        try:
            taken = step()
        except ImpossibleEventError:
            self.unfit += 1
            return ()
        if isinstance(taken, Ignored) or taken.intent == self.intent:
            return ()
        self.intent = taken.intent
        return taken.effects

    def _is_about_us(self, notice: Notice, *, is_stray: bool) -> bool:
        about, intent = notice.about, self.intent
        if about.link_id is not None:
            return about.link_id == intent.link_id
        # The accounts of a link come and go; what the log has of an account was about it then.
        return not is_stray or about.account_id is None or about.account_id in self._accounts
