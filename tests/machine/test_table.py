"""The table is the truth: what it allows happens in some story, and what it does not have never does."""

from collections import deque
from collections.abc import Iterator

import attrs
import pytest

from bankbridge.machine.advance import Transition, advance
from bankbridge.machine.attempt import Attempt
from bankbridge.machine.events import (
    AccountReported,
    CancelRequested,
    CreateRefused,
    CreateUnclear,
    Event,
    LinkLost,
    ReadFinished,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshSucceeded,
    RefreshVanished,
)
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.joint import NotYet, Over, Verdict
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import TABLE, TERMINAL, Status
from bankbridge.words.errors import ImpossibleEventError
from bankbridge.words.reasons import Failure, Reason
from tests.machine.stories import (
    AGAIN,
    EVENT_TYPES,
    EVERY,
    FOR_GOOD,
    HINTS,
    ONE_WORD,
    UNSURE,
    WRONG,
    A,
    B,
    answered,
    any_of,
    at,
    failed,
    in_status,
    offered,
    rejected,
    reported,
    started,
    tell,
    wish,
    without_bookkeeping,
    woken,
)

_ANY_PROVIDER: tuple[Event, ...] = (
    woken(),
    ReadFinished(),
    CreateRefused(failure=AGAIN),
    offered(),
    RefreshSucceeded(),
    RefreshFailed(failure=AGAIN),
    RefreshRejected(failure=WRONG),
    RefreshCanceled(),
    RefreshVanished(),
)
_ONE_WORD = (
    *_ANY_PROVIDER,
    started(),
    CreateRefused(failure=FOR_GOOD),
    CreateRefused(failure=WRONG),
    CreateRefused(failure=Failure(reason=Reason.RATE_LIMITED)),
    CreateUnclear(detail="no answer"),
    CancelRequested(),
    LinkLost(),
    RefreshProgressed(),
    offered("p2", minute=0.6),
    answered(),
    answered("p2"),
    RefreshFailed(failure=FOR_GOOD),
    RefreshFailed(failure=attrs.evolve(AGAIN, or_wrong_code=True)),
    RefreshRejected(failure=UNSURE),
)
_ACCOUNTS = (
    *_ANY_PROVIDER,
    started(A, B),
    ReadFinished(failure=AGAIN),
    reported(A, minute=0.2),
    failed(A, AGAIN),
    failed(B, AGAIN, minute=0.2),
    failed(B),
    rejected(B),
    reported(B, minute=2),
    reported(A, minute=0.1, read=True),
    failed(B, minute=3),
)
_MINUTES = (1, 120)

Move = tuple[Status, type[Event], Status]
_A_RULE_MAY_SAY = set(Status) - {Status.REQUESTED, Status.CANCELED, Status.LOST}


def _moves(policy: Policy, alphabet: tuple[Event, ...], depth: int) -> Iterator[Move]:
    """Every move that a story of up to ``depth`` of these events makes before it is over."""
    known: set[tuple[RefreshIntent, bool, float]] = set()
    queue: deque[tuple[RefreshIntent, float, int]] = deque([(wish(), _MINUTES[0], 0)])
    while queue:
        intent, since, length = queue.popleft()
        for minute in (minute for minute in _MINUTES if minute >= since):
            for event in (event for event in alphabet if type(event) in TABLE[intent.status]):
                after = tell(intent, event, policy=policy, minute=minute)
                yield intent.status, type(event), after.status
                state = without_bookkeeping(after), after.attempt.unanswered > 0, minute
                if not after.status.terminal and length + 1 < depth and state not in known:
                    known.add(state)
                    queue.append((after, minute, length + 1))


@attrs.frozen
class Says:
    """A rule of an application's own."""

    status: Status

    def judge(self, attempt: Attempt) -> Verdict:
        return (
            NotYet()
            if self.status in (Status.IN_PROGRESS, Status.REQUIRES_MFA)
            else self.by_evidence(attempt)
        )

    def by_evidence(self, attempt: Attempt) -> Over:
        if self.status is Status.BACKING_OFF:
            return Over(status=Status.FAILED, failure=AGAIN)
        return Over(status=self.status, failure=None)


def _by_rules_of_an_application(wanted: set[Move]) -> Iterator[Move]:
    given_up = tell(tell(wish(), started(A, B), failed(B, AGAIN)), ReadFinished(), policy=HINTS, minute=60)
    for status, kind, target in wanted:
        before = given_up if status is Status.BACKING_OFF else in_status(status)
        # A read that cannot be made leaves the end to the deadline, also where a prompt is overdue.
        event = ReadFinished(failure=AGAIN) if kind is ReadFinished else any_of(kind)
        after = tell(before, event, policy=Policy(joint=Says(target)), minute=120)
        yield status, kind, after.status


def test_every_target_is_reached_by_a_story():
    wanted = {
        (status, event, target)
        for status, row in TABLE.items()
        for event, targets in row.items()
        for target in targets
    }
    wanted -= {
        (status, event, tell(in_status(status), any_of(event), minute=2).status)
        for status, row in TABLE.items()
        for event in row
    }
    wanted -= set(_moves(ONE_WORD, _ONE_WORD, depth=4))
    wanted -= set(_moves(HINTS, _ACCOUNTS, depth=4))
    by_rule = {(status, event, target) for status, event, target in wanted if target in _A_RULE_MAY_SAY}
    wanted -= set(_by_rules_of_an_application(by_rule))
    assert sorted(f"{a.value} --{e.__name__}--> {b.value}" for a, e, b in wanted) == []


def test_the_table_speaks_of_every_status_and_of_no_foreign_event():
    assert set(TABLE) == set(Status)
    assert {event for row in TABLE.values() for event in row} == set(EVENT_TYPES)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("event", EVENT_TYPES, ids=lambda event: event.__name__)
def test_the_matrix(status: Status, event: type[Event]):
    intent = in_status(status)
    targets = TABLE[status].get(event)
    if targets is None:
        with pytest.raises(ImpossibleEventError, match=f"int_1: {event.__name__} cannot happen while"):
            tell(intent, any_of(event), minute=2)
    else:
        assert tell(intent, any_of(event), minute=2).status in targets


@pytest.mark.parametrize("status", Status)
def test_only_our_own_events_can_be_impossible(status: Status):
    absent = {event.__name__ for event in EVENT_TYPES if event not in TABLE[status]}
    match status:
        case Status.REQUESTED:
            assert absent == {"ReadFinished"}
        case _ if status.terminal:
            assert absent == {"WokeUp", "CancelRequested"}
        case _:
            assert not absent


@pytest.mark.parametrize("status", [status for status in Status if status in TERMINAL])
@pytest.mark.parametrize("event", EVENT_TYPES, ids=lambda event: event.__name__)
def test_terminal_is_absorbing(status: Status, event: type[Event]):
    assert TABLE[status].get(event, (status,)) == (status,)


def test_a_rule_that_leads_out_of_the_table_is_found_out():
    class Hasty:
        def judge(self, attempt: Attempt) -> Over:
            return Over(status=Status.CANCELED)

        by_evidence = judge

    intent = tell(wish(), started(A), policy=EVERY)
    with pytest.raises(ImpossibleEventError, match="AccountReported led from in_progress to canceled"):
        tell(intent, reported(A), policy=Policy(joint=Hasty()))


def test_an_event_without_news_gives_the_very_same_intent():
    intent = tell(wish(), started(A, B), reported(A), policy=EVERY)
    assert _twice(intent, reported(A)) == Transition(intent=intent)
    assert _twice(intent, AccountReported(result=intent.attempt.accounts[0])).intent is intent


def _twice(intent: RefreshIntent, event: Event) -> Transition:
    return advance(intent, event, now=at(2), policy=EVERY)


def test_every_change_has_its_own_version():
    intent = wish()
    for event in (started(A), offered(), answered(), reported(A), RefreshSucceeded()):
        after = tell(intent, event, policy=EVERY)
        assert after.version == intent.version + 1
        intent = after
