"""Deliveries come twice, late, early, out of order and for others: none of it raises."""

import pytest

from bankbridge.machine.advance import Transition
from bankbridge.machine.events import (
    CancelRequested,
    ProviderEvent,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshSucceeded,
    RefreshVanished,
)
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import LinkRefreshed
from bankbridge.machine.notices import (
    Ignored,
    MovementsAmended,
    MovementsRemoved,
    Notice,
    NotUnderstood,
    Statement,
    Subject,
    TestDelivery,
    Why,
    receive,
)
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import Status
from bankbridge.words.ids import LinkId, RefreshId
from tests.machine.stories import (
    AGAIN,
    EVERY,
    FOR_GOOD,
    HINTS,
    ONE_WORD,
    PROVIDER_EVENT_TYPES,
    WRONG,
    A,
    B,
    answered,
    at,
    failed,
    in_status,
    offered,
    rejected,
    reported,
    started,
    tell,
    vanished,
    wish,
    woken,
)


def about_account(says: Statement, *, minute: float | None = 2) -> Notice:
    """As Fintoc says it: neither intent nor link."""
    about = Subject(account_id=A)
    return Notice(
        type="account", about=about, says=says, occurred_at=None if minute is None else at(minute), raw={}
    )


def about_refresh(says: Statement, refresh_id: str = "ri_1") -> Notice:
    """As Rail says it."""
    about = Subject(refresh_id=RefreshId(refresh_id), link_id=LinkId("link_1"))
    return Notice(type="refresh", about=about, says=says, occurred_at=at(-60), raw={})


def hear(
    intent: RefreshIntent, notice: Notice, policy: Policy = EVERY, minute: float = 2
) -> RefreshIntent | Why:
    heard = receive(intent, notice, now=at(minute), policy=policy)
    match heard:
        case Transition(intent=after):
            return after
        case Ignored(why=why):
            return why


def test_a_refresh_is_found_by_its_id_whatever_the_time():
    running = tell(wish(), started())
    after = hear(running, about_refresh(RefreshSucceeded()), ONE_WORD)
    assert isinstance(after, RefreshIntent)
    assert after.status is Status.SUCCEEDED


def test_another_refresh_is_not_ours():
    running = tell(wish(), started())
    assert hear(running, about_refresh(RefreshSucceeded(), "ri_of_another")) is Why.ANOTHER_REFRESH
    assert hear(wish(), about_refresh(RefreshSucceeded())) is Why.ANOTHER_REFRESH


def test_a_past_attempt_is_found_by_its_id():
    second = tell(wish(), started(), RefreshFailed(failure=AGAIN), woken(), minute=3)
    after = hear(second, about_refresh(RefreshSucceeded()), ONE_WORD, minute=4)
    assert isinstance(after, RefreshIntent)
    assert after.status is Status.REQUESTED
    assert after.past[0].end != second.past[0].end
    assert hear(after, about_refresh(RefreshSucceeded()), ONE_WORD, minute=5) is Why.NOTHING_NEW


def test_an_account_is_the_running_attempts():
    running = tell(wish(), started(A, B))
    after = hear(running, about_account(reported(A, minute=2)))
    assert isinstance(after, RefreshIntent)
    assert after.attempt.having(reported(A).result.status) == (reported(A, minute=2).result,)


def test_a_second_copy_is_nothing_new():
    once = hear(tell(wish(), started(A, B)), about_account(reported(A)))
    assert isinstance(once, RefreshIntent)
    assert hear(once, about_account(reported(A))) is Why.NOTHING_NEW


def test_what_is_older_than_the_start_is_of_before():
    running = tell(wish(), started(A, B, minute=5), minute=6)
    assert hear(running, about_account(reported(A, minute=4), minute=4)) is Why.BEFORE_THE_ATTEMPT
    assert isinstance(hear(running, about_account(reported(A, minute=5), minute=5)), RefreshIntent)


@pytest.mark.parametrize(("minute", "counts"), [(-1, False), (0.5, True)])
def test_before_the_answer_to_the_create_it_is_kept_and_the_start_sorts_it_out(minute: float, counts: bool):
    early = hear(wish(), about_account(reported(A, minute=minute), minute=minute))
    assert isinstance(early, RefreshIntent)
    assert early.status is Status.REQUESTED
    for start in (started(A), started(A, minute=0)):
        assert bool(tell(early, start, policy=EVERY).attempt.accounts) is counts


def test_between_attempts_an_accounts_event_is_the_providers_own():
    waiting = tell(wish(), started(A), failed(A, AGAIN), RefreshFailed(failure=AGAIN), policy=EVERY)
    assert waiting.status is Status.BACKING_OFF
    assert hear(waiting, about_account(reported(A, minute=3), minute=3)) is Why.NOT_RUNNING


def test_the_next_attempt_does_not_take_the_last_ones_events():
    waiting = tell(wish(), started(A), failed(A, AGAIN), RefreshFailed(failure=AGAIN), policy=EVERY)
    second = tell(waiting, woken(), started(A, refresh_id="ri_2"), policy=EVERY, minute=10)
    assert hear(second, about_account(reported(A, minute=9), minute=9)) is Why.BEFORE_THE_ATTEMPT


def test_an_event_without_a_time_is_believed_only_while_something_runs():
    running = tell(wish(), started(A, B))
    assert isinstance(hear(running, about_account(reported(A), minute=None)), RefreshIntent)
    over = tell(running, RefreshSucceeded())
    assert hear(over, about_account(reported(A), minute=None)) is Why.NOT_RUNNING


def test_a_background_refresh_after_the_end_is_not_ours():
    """It looks the same, and must not make a fresh account stale."""
    over = tell(wish(), started(A, B), reported(A), failed(B), RefreshFailed(failure=FOR_GOOD), policy=EVERY)
    assert over.status is Status.PARTIAL
    assert hear(over, about_account(failed(A, minute=9), minute=9), minute=9) is Why.NOT_RUNNING


def test_a_late_event_of_a_refresh_that_the_provider_has_not_ended_is_kept_until_its_deadline():
    canceled = tell(wish(), started(A, B), policy=EVERY)
    canceled = tell(canceled, CancelRequested(), policy=EVERY)
    late = hear(canceled, about_account(reported(A, minute=9), minute=9), minute=9)
    assert isinstance(late, RefreshIntent)
    assert late.status is Status.CANCELED
    assert hear(canceled, about_account(reported(A, minute=21), minute=21), minute=21) is Why.NOT_RUNNING


@pytest.mark.parametrize(
    "says",
    [
        LinkRefreshed(),
        MovementsAmended(account_id=A),
        MovementsRemoved(account_id=None),
        TestDelivery(),
        NotUnderstood(why="a type of tomorrow"),
    ],
)
def test_what_is_not_about_a_refresh_is_no_intents_business(says: Statement):
    assert hear(in_status(Status.IN_PROGRESS), about_account(says)) is Why.NOT_ABOUT_A_REFRESH


def test_a_notice_never_shows_its_raw_form():
    notice = Notice(type="x", about=Subject(), says=TestDelivery(), raw={"widget_token": "s3cret"})
    assert "s3cret" not in repr(notice)


# --- never raises ----------------------------------------------------------------------------------------

SAID: tuple[ProviderEvent, ...] = (
    RefreshProgressed(),
    offered(),
    offered("p2", minute=3),
    answered(),
    *(kind(account) for kind in (reported, failed, rejected, vanished) for account in (A, B)),
    failed(A, AGAIN, minute=3),
    RefreshSucceeded(),
    RefreshFailed(failure=AGAIN),
    RefreshFailed(failure=FOR_GOOD),
    RefreshRejected(failure=WRONG),
    RefreshCanceled(),
    RefreshVanished(),
)


@pytest.mark.parametrize("policy", [ONE_WORD, EVERY, HINTS], ids=["one word", "confirmed", "hints"])
@pytest.mark.parametrize("status", Status)
def test_no_two_provider_events_in_any_status_raise(status: Status, policy: Policy):
    assert {type(event) for event in SAID} == set(PROVIDER_EVENT_TYPES)
    for first in SAID:
        after = hear(in_status(status), about_account(first), policy)
        intent = after if isinstance(after, RefreshIntent) else in_status(status)
        for second in SAID:
            for notice in (about_account(second), about_refresh(second)):
                receive(intent, notice, now=at(2), policy=policy)
