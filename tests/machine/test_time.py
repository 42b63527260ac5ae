"""Silence is a state: every intent that is not over has a next wake-up, and none waits for ever."""

from datetime import timedelta

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bankbridge.machine.advance import LINK_GONE, Transition, advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.effects import CancelRefresh, CreateRefresh, Effect, ReadRefresh
from bankbridge.machine.events import (
    Canceler,
    CancelRequested,
    CreateRefused,
    CreateUnclear,
    Event,
    LinkLost,
    ReadFinished,
    RefreshCanceled,
    RefreshFailed,
    RefreshSucceeded,
    RefreshVanished,
)
from bankbridge.machine.intent import RefreshIntent, key_of
from bankbridge.machine.joint import NO_ANSWER
from bankbridge.machine.policy import Policy, Timing
from bankbridge.machine.status import TABLE, Status
from bankbridge.words.ids import IntentId, RefreshId
from bankbridge.words.reasons import Failure, Reason
from tests.machine.stories import (
    AGAIN,
    EVENT_TYPES,
    EVERY,
    FOR_GOOD,
    HINTS,
    ONE_WORD,
    A,
    B,
    any_of,
    at,
    failed,
    in_status,
    offered,
    reported,
    started,
    tell,
    wish,
    woken,
)

CANCELS = Policy(can_cancel=True)
READ: tuple[Effect, ...] = (ReadRefresh(attempt=1, refresh_id=RefreshId("ri_1")),)


def wake(intent: RefreshIntent, *, minute: float, policy: Policy = ONE_WORD) -> Transition:
    return advance(intent, woken(), now=at(minute), policy=policy)


# --- never without a wake-up -----------------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(any_of(kind) for kind in EVENT_TYPES),
                    failed(A, AGAIN),
                    failed(B, AGAIN),
                    RefreshFailed(failure=FOR_GOOD),
                    ReadFinished(failure=attrs.evolve(AGAIN, not_before=at(500))),
                    offered("p2", minute=3, until=40),
                ]
            ),
            st.sampled_from([0, 0, 1, 7, 45]),
        ),
        max_size=12,
    ),
    policy=st.sampled_from([ONE_WORD, EVERY, HINTS]),
    attended=st.booleans(),
)
def test_whatever_happens_it_is_over_or_wakes_and_in_the_end_it_is_over(events, policy, attended):
    intent, minute = wish(attended=attended), 0.0
    for event, passed in events:
        minute += passed
        if type(event) in TABLE[intent.status]:
            intent = tell(intent, event, policy=policy, minute=minute)
        assert intent.status.terminal == (intent.wake is None) == (intent.ended_at is not None)
    for _ in range(200):
        if intent.wake is None:
            return
        minute = max(minute, (intent.wake.at - at()) / timedelta(minutes=1))
        intent = tell(intent, woken(), policy=policy, minute=minute)
        if ReadFinished in TABLE[intent.status] and intent.status is not Status.BACKING_OFF:
            intent = tell(intent, ReadFinished(failure=AGAIN), policy=policy, minute=minute)
    pytest.fail(f"still waits: {intent}")


@pytest.mark.parametrize("status", [status for status in Status if not status.terminal])
def test_a_dead_worker_leaves_a_wake_up_behind(status: Status):
    """Between a wake-up and the answer to what it asked for, anybody may be killed."""
    woken_once = wake(in_status(status), minute=5, policy=EVERY)
    assert woken_once.effects
    assert woken_once.intent.wake is not None
    assert woken_once.intent.wake.at > at(5)


def test_a_wake_up_has_the_version_that_set_it_until_another_is_set():
    intent = wish()
    assert (intent.version, intent.wake and intent.wake.version) == (0, 0)
    asked = tell(intent, woken(), minute=0)
    running = tell(asked, started(A, B), policy=EVERY, minute=1)
    assert (running.version, running.wake and running.wake.version) == (2, 2)
    heard = tell(running, reported(A, minute=2), policy=EVERY, minute=2)
    assert heard.version == 3
    assert heard.wake == running.wake
    assert (heard.wake and heard.wake.version) == 2
    looked = tell(heard, woken(), policy=EVERY, minute=3)
    assert (looked.version, looked.wake and looked.wake.version) == (4, 4)


# --- the create ------------------------------------------------------------------------------------------


def test_a_wish_is_due_at_once_and_asks_under_its_own_key():
    intent = wish()
    assert intent.wake is not None
    assert (intent.wake.at, intent.wake.purpose) == (at(), WakePurpose.CREATE)
    assert wake(intent, minute=0).effects == (CreateRefresh(attempt=1, key=key_of(IntentId("int_1"), 1)),)


def test_a_second_create_after_a_crash_has_the_same_key_and_looks_first():
    first = wake(wish(), minute=0)
    second = wake(first.intent, minute=1)
    assert second.effects == (CreateRefresh(attempt=1, key=wish().attempt.key, look_first=True),)


def test_an_unclear_create_keeps_its_key_and_is_asked_again_more_and_more_slowly():
    intent, waited = tell(wish(), woken(), minute=0), []
    for _ in range(4):
        intent = tell(intent, CreateUnclear(detail="no answer"), minute=1)
        assert intent.wake is not None
        waited.append((intent.wake.at - at(1)).total_seconds())
    assert waited == [30, 60, 120, 240]
    assert intent.status is Status.REQUESTED
    assert intent.attempt.key == wish().attempt.key


@pytest.mark.parametrize(("replays", "answered"), [(True, False), (False, True), (False, False)])
def test_a_key_is_kept_unless_an_answered_error_would_be_replayed(replays: bool, answered: bool):
    policy = Policy(new_key_after_answer=replays)
    unclear = tell(wish(), woken(), CreateUnclear(detail="500", answered=answered), policy=policy)
    assert unclear.attempt.key == wish().attempt.key


def test_a_key_whose_error_would_be_replayed_is_replaced_by_the_next_one():
    policy = Policy(new_key_after_answer=True)
    error = CreateUnclear(detail="500", answered=True)
    first = tell(wish(), woken(), error, policy=policy)
    second = tell(first, error, policy=policy)
    keys = [intent.attempt.key for intent in (wish(), first, second)]
    assert len(set(keys)) == 3
    assert keys[1] == key_of(IntentId("int_1"), 1, 1)


def test_a_create_answered_with_errors_time_after_time_counts_as_refused():
    error = CreateUnclear(detail="HTTP 500", answered=True)
    intent = tell(wish(), woken(), *[error] * (ONE_WORD.timing.answered_errors - 1))
    assert intent.status is Status.REQUESTED
    refused = tell(intent, error)
    assert refused.status is Status.BACKING_OFF
    assert refused.failure is not None
    assert (refused.failure.reason, refused.failure.code) == (Reason.PROVIDER_ERROR, "HTTP 500")


def test_a_create_that_once_had_no_answer_is_never_called_refused():
    """It may run. A new attempt with a new key could start a second refresh beside it."""
    lost, error = CreateUnclear(detail="no answer"), CreateUnclear(detail="HTTP 500", answered=True)
    intent = tell(wish(), woken(), lost, *[error] * (ONE_WORD.timing.answered_errors + 3))
    assert (intent.status, intent.attempt.key) == (Status.REQUESTED, wish().attempt.key)
    assert tell(intent, error, minute=20).status is Status.LOST


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.COOLDOWN, Reason.ALREADY_IN_PROGRESS])
def test_a_create_that_had_no_answer_and_is_then_turned_away_at_the_door_is_asked_again(reason: Reason):
    """The door says the same whatever became of the first: another attempt could start a second refresh."""
    turned_away = CreateRefused(failure=Failure(reason=reason, not_before=at(9)))
    unanswered = tell(wish(), woken(), CreateUnclear(detail="no answer"))
    intent = tell(unanswered, turned_away)
    assert (intent.status, intent.attempt.number) == (Status.REQUESTED, 1)
    assert intent.attempt.key == wish().attempt.key
    assert intent.wake is not None
    assert intent.wake.at == at(9)
    replays = Policy(new_key_after_answer=True)
    assert tell(unanswered, turned_away, policy=replays).attempt.key != wish().attempt.key
    killed = tell(wish(), woken(), woken(), turned_away)
    assert killed.status is Status.REQUESTED, "the process died with the create under way"
    answered = tell(wish(), woken(), CreateUnclear(detail="HTTP 500", answered=True), turned_away)
    assert answered.status is Status.BACKING_OFF, "nobody doubts that nothing runs"
    assert tell(unanswered, CreateRefused(failure=FOR_GOOD)).status is Status.FAILED


@pytest.mark.parametrize("event", [woken(), CreateUnclear(detail="no answer")])
def test_a_create_that_stays_unclear_is_lost_at_the_deadline(event: Event):
    assert tell(wish(), event, minute=19.9).status is Status.REQUESTED
    lost = tell(wish(), event, minute=20)
    assert (lost.status, lost.failure, lost.wake) == (Status.LOST, NO_ANSWER, None)


@pytest.mark.parametrize("event", [woken(), CreateUnclear(detail="no answer")])
def test_what_was_heard_meanwhile_counts_at_the_deadline(event: Event):
    assert tell(wish(), RefreshSucceeded(), event, minute=20).status is Status.SUCCEEDED


# --- reading ---------------------------------------------------------------------------------------------


def test_polls_grow_from_the_first_to_the_longest():
    intent, now, waited = tell(wish(), started(), minute=0), 0.0, []
    for _ in range(6):
        assert intent.wake is not None
        assert intent.wake.purpose is WakePurpose.POLL
        waited.append((intent.wake.at - at(now)).total_seconds())
        now += waited[-1] / 60
        due = wake(intent, minute=now)
        assert due.effects == READ
        intent = tell(due.intent, ReadFinished(), minute=now)
    assert waited == [30, 60, 120, 240, 300, 300]


def test_a_hint_asks_for_no_read_sooner_than_the_provider_allows():
    running = tell(wish(), started(A, B), reported(A), policy=EVERY)
    looked = wake(running, minute=1.5, policy=EVERY)
    assert looked.effects == READ
    read = tell(looked.intent, ReadFinished(), policy=EVERY, minute=1.5)
    soon = advance(read, reported(B), now=at(1.55), policy=EVERY)
    assert soon.effects == ()
    assert soon.intent.wake is not None
    assert soon.intent.wake.at == at(1.5) + EVERY.timing.poll_floor
    assert advance(read, reported(B), now=at(1.6), policy=EVERY).effects == READ


def test_no_other_wake_up_presses_a_read_either():
    running = tell(wish(), started(), offered(minute=0.5, until=10.5))
    looked = wake(running, minute=10.99)
    assert looked.effects == READ
    assert looked.intent.wake is not None
    assert looked.intent.wake.at == at(10.99) + ONE_WORD.timing.poll_floor, (
        "not at the prompt's end, half a second later"
    )


def test_a_wait_may_grow_as_fast_as_an_application_likes():
    fast = attrs.evolve(ONE_WORD, timing=Timing(poll_factor=1000.0, longest_poll=timedelta(days=30)))
    intent = tell(wish(), started(), *[ReadFinished()] * 12, policy=fast)
    assert intent.wake is not None
    assert intent.wake.at == at(20), "the deadline"
    assert intent.attempt.read_at == at(1) + timedelta(days=30)


def test_a_read_that_is_told_to_wait_waits():
    told = ReadFinished(failure=attrs.evolve(AGAIN, not_before=at(4)))
    intent = tell(wish(), started(), told, minute=1)
    assert intent.wake is not None
    assert intent.wake.at == at(4)
    soon = ReadFinished(failure=attrs.evolve(AGAIN, not_before=at(1.1)))
    assert tell(wish(), started(), soon, minute=1).wake.at == at(2)  # type: ignore[union-attr]


def test_at_the_deadline_it_is_read_once_more_and_ends_by_evidence():
    intent = tell(wish(), started(A, B), reported(A), policy=EVERY)
    due = wake(intent, minute=20, policy=EVERY)
    assert due.effects == READ
    ended = tell(due.intent, ReadFinished(), policy=EVERY, minute=20)
    assert (ended.status, ended.failure) == (Status.PARTIAL, NO_ANSWER)


def test_a_provider_that_cannot_be_read_at_the_deadline_is_given_longer():
    unread = ReadFinished(failure=AGAIN)
    intent = tell(wish(), started(A, B), reported(A), unread, policy=EVERY, minute=20)
    assert intent.status is Status.IN_PROGRESS
    assert intent.wake is not None
    assert at(20) < intent.wake.at <= at(20) + EVERY.timing.longest_poll
    assert tell(intent, RefreshSucceeded(), policy=EVERY, minute=50).status is Status.SUCCEEDED
    assert tell(intent, ReadFinished(), policy=EVERY, minute=50).status is Status.PARTIAL
    assert tell(intent, unread, policy=EVERY, minute=79.9).status is Status.IN_PROGRESS
    assert tell(intent, unread, policy=EVERY, minute=80).status is Status.PARTIAL


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((), Status.LOST),
        ((RefreshVanished(),), Status.LOST),
        ((reported(A),), Status.PARTIAL),
        ((reported(A), reported(B)), Status.SUCCEEDED),
        ((failed(A),), Status.FAILED),
        ((failed(A, AGAIN),), Status.BACKING_OFF),
        ((RefreshFailed(failure=FOR_GOOD),), Status.FAILED),
    ],
)
def test_a_deadline_ends_by_what_is_known_and_is_lost_only_without_any(events, status: Status):
    running = tell(wish(), started(A, B), *events, policy=EVERY)
    assert running.status is Status.IN_PROGRESS
    assert tell(running, ReadFinished(), policy=EVERY, minute=19.9).status is Status.IN_PROGRESS
    assert tell(running, ReadFinished(), policy=EVERY, minute=20).status is status


def test_what_is_heard_of_an_attempt_given_up_at_its_deadline_does_not_revive_it():
    given_up = tell(
        tell(wish(), started(A, B), failed(A, AGAIN), policy=EVERY), ReadFinished(), policy=EVERY, minute=20
    )
    for event in (reported(B, minute=21), offered(minute=21)):
        assert tell(given_up, event, policy=EVERY, minute=21).status in (Status.BACKING_OFF, Status.FAILED)


def test_a_refresh_the_provider_does_not_know_yet_may_be_known_in_a_moment():
    intent = tell(wish(), started(), RefreshVanished(), ReadFinished())
    assert intent.status is Status.IN_PROGRESS
    assert tell(intent, RefreshSucceeded()).status is Status.SUCCEEDED


# --- attempts --------------------------------------------------------------------------------------------


def test_the_next_attempt_begins_when_its_wait_is_over():
    waiting = tell(wish(), started(), RefreshFailed(failure=AGAIN))
    due = wake(waiting, minute=3)
    assert due.intent.status is Status.REQUESTED
    assert due.effects == (CreateRefresh(attempt=2, key=key_of(IntentId("int_1"), 2)),)
    assert due.intent.past == (attrs.evolve(waiting.attempt, failure=AGAIN),)
    assert (due.intent.attempt.asked_at, due.intent.failure) == (at(3), None)


def test_what_comes_for_an_earlier_attempt_is_kept_there_and_changes_nothing_else():
    second = tell(wish(), started(), RefreshFailed(failure=AGAIN), woken(), minute=3)
    late = advance(second, RefreshSucceeded(), now=at(4), policy=ONE_WORD, attempt=1)
    assert late.effects == ()
    assert late.intent.past[0].end != second.past[0].end
    assert attrs.evolve(late.intent, past=second.past, version=second.version) == second
    assert advance(late.intent, RefreshSucceeded(), now=at(5), policy=ONE_WORD, attempt=1) == Transition(
        intent=late.intent
    )


@pytest.mark.parametrize("status", Status)
def test_a_read_of_an_earlier_attempt_may_end_at_any_time(status: Status):
    """It was on its way when a webhook ended the attempt."""
    intent = in_status(status)
    assert advance(intent, ReadFinished(), now=at(2), policy=ONE_WORD, attempt=0).intent == intent


# --- canceling and losing the link -----------------------------------------------------------------------


@pytest.mark.parametrize("events", [(started(),), (started(), offered())])
def test_a_cancel_of_what_runs_asks_the_provider_where_it_can(events):
    running = tell(wish(), *events)
    cancel = CancelRequested(by=Canceler.PERSON)
    assert advance(running, cancel, now=at(2), policy=CANCELS).effects == (
        CancelRefresh(attempt=1, refresh_id=RefreshId("ri_1")),
    )
    assert advance(running, cancel, now=at(2), policy=ONE_WORD).effects == ()
    assert advance(running, cancel, now=at(2), policy=ONE_WORD).intent.status is Status.CANCELED


@pytest.mark.parametrize("status", [Status.REQUESTED, Status.BACKING_OFF])
def test_a_cancel_of_what_does_not_run_asks_nobody(status: Status):
    canceled = advance(in_status(status), CancelRequested(), now=at(2), policy=CANCELS)
    assert (canceled.intent.status, canceled.effects) == (Status.CANCELED, ())


def test_a_start_that_is_known_only_after_the_cancel_asks_for_one():
    canceled = tell(wish(), woken(), CancelRequested(), policy=CANCELS)
    late = advance(canceled, started(), now=at(2), policy=CANCELS)
    assert late.effects == (CancelRefresh(attempt=1, refresh_id=RefreshId("ri_1")),)
    assert late.intent.status is Status.CANCELED
    assert advance(late.intent, started(), now=at(3), policy=CANCELS).effects == ()


def test_what_is_already_over_there_is_not_canceled():
    canceled = tell(wish(), RefreshSucceeded(), CancelRequested(), policy=CANCELS)
    assert advance(canceled, started(), now=at(2), policy=CANCELS).effects == ()


def test_the_provider_may_cancel_too():
    for events in ((started(), RefreshCanceled()), (RefreshCanceled(), started())):
        canceled = tell(wish(), *events)
        assert (canceled.status, canceled.failure) == (Status.CANCELED, None)


@pytest.mark.parametrize("status", [status for status in Status if not status.terminal])
def test_a_deleted_link_fails_what_is_not_over_and_nothing_says_it_better(status: Status):
    gone = tell(in_status(status), LinkLost(), policy=EVERY, minute=2)
    assert (gone.status, gone.failure) == (Status.FAILED, LINK_GONE)
    events = (failed(A), failed(B), RefreshFailed(failure=FOR_GOOD))
    assert tell(gone, *events, policy=EVERY, minute=3).failure == LINK_GONE


@pytest.mark.parametrize("status", [status for status in Status if status.terminal])
def test_a_deleted_link_changes_nothing_that_is_over(status: Status):
    assert tell(in_status(status), LinkLost(), minute=70) == in_status(status)
