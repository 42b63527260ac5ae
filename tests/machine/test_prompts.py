"""Prompts: offered, answered, wrong, expired."""

import itertools

import pytest

from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import WakePurpose, prompt_id
from bankbridge.machine.effects import ReadRefresh
from bankbridge.machine.events import (
    ReadFinished,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshSucceeded,
)
from bankbridge.machine.outcome import AskToTryAgain, OpenWidget, Reconnect, outcome_of
from bankbridge.machine.status import Status
from bankbridge.words.ids import PromptId, RefreshId
from bankbridge.words.reasons import Actor, Failure, Reason
from tests.machine.stories import (
    AGAIN,
    EVERY,
    ONE_WORD,
    UNSURE,
    WRONG,
    A,
    B,
    answered,
    at,
    offered,
    reported,
    started,
    tell,
    vanished,
    wish,
    woken,
)


def test_a_prompt_is_the_persons_to_answer_before_its_end():
    intent = tell(wish(), started(), offered(until=10))
    outcome = outcome_of(intent)
    assert intent.status is Status.REQUIRES_MFA
    assert isinstance(outcome.next_step, OpenWidget)
    assert outcome.next_step.prompt == outcome.prompt == intent.attempt.prompts[0]
    assert outcome.actor is Actor.PERSON
    assert outcome.next_step.prompt.expires_at == at(10)


def test_a_prompt_without_an_end_gets_the_policys():
    intent = tell(wish(), started(), offered(minute=2))
    assert intent.attempt.prompts[0].expires_at == at(2) + ONE_WORD.timing.prompt


def test_an_answer_sets_it_going_again():
    intent = tell(wish(), started(), offered(), answered())
    assert intent.status is Status.IN_PROGRESS
    assert outcome_of(intent).prompt is None
    assert tell(wish(), started(), answered(), offered()).status is Status.IN_PROGRESS


def test_progress_alone_is_no_answer():
    """Rail's status while a solved prompt is worked on is not documented."""
    assert tell(wish(), started(), offered(), RefreshProgressed()).status is Status.REQUIRES_MFA


def test_an_accounts_result_shows_that_the_person_was_let_in():
    waiting = tell(wish(), started(A, B), offered(minute=1), policy=EVERY)
    assert tell(waiting, reported(A, minute=2), policy=EVERY).status is Status.IN_PROGRESS
    assert tell(waiting, vanished(A, minute=2), policy=EVERY).status is Status.REQUIRES_MFA
    assert tell(waiting, reported(A, minute=0.5), policy=EVERY).status is Status.REQUIRES_MFA


def test_a_second_prompt_takes_the_place_of_the_first():
    """Nobody says that the first was answered wrongly; the next one says it."""
    twice = tell(wish(), started(), offered("p1", minute=1), offered("p2", minute=2))
    assert twice.attempt.open_prompt is not None
    assert twice.attempt.open_prompt.id == "p2"
    assert tell(twice, answered("p1")).status is Status.REQUIRES_MFA
    assert tell(twice, answered("p2")).status is Status.IN_PROGRESS


def test_of_two_tellings_of_one_prompt_the_earlier_counts():
    for first, second in itertools.permutations((offered(minute=1, until=11), offered(minute=3, until=11))):
        assert tell(wish(), started(), first, second).attempt.prompts[0].offered_at == at(1)


def test_a_prompts_end_is_looked_at_after_a_margin_and_extends_the_deadline():
    intent = tell(wish(), started(), offered(until=15), minute=14.9)
    assert intent.wake is not None
    assert intent.wake.purpose is WakePurpose.POLL
    later = tell(intent, ReadFinished(), minute=15)
    assert later.wake is not None
    assert (later.wake.at, later.wake.purpose) == (
        at(15) + ONE_WORD.timing.prompt_margin,
        WakePurpose.PROMPT_EXPIRY,
    )
    believed = tell(wish(), started(), offered(until=15), answered(), ReadFinished(), minute=24.9)
    assert believed.status is Status.IN_PROGRESS
    assert tell(believed, ReadFinished(), minute=25).status is Status.LOST


def test_an_overdue_prompt_expires_only_after_a_read():
    waiting = tell(wish(), started(), offered(until=10))
    due = advance(waiting, woken(WakePurpose.PROMPT_EXPIRY), now=at(10.6), policy=ONE_WORD)
    assert due.intent.status is Status.REQUIRES_MFA
    assert due.effects == (ReadRefresh(attempt=1, refresh_id=RefreshId("ri_1")),)
    assert tell(due.intent, RefreshSucceeded(), ReadFinished(), minute=10.6).status is Status.SUCCEEDED
    unread = tell(due.intent, ReadFinished(failure=AGAIN), minute=10.6)
    assert unread.status is Status.REQUIRES_MFA
    expired = tell(unread, ReadFinished(), minute=10.7)
    assert expired.status is Status.FAILED
    assert expired.failure == Failure(reason=Reason.MFA_EXPIRED, ours=True)
    assert outcome_of(expired).next_step == AskToTryAgain(reason=Reason.MFA_EXPIRED)


def test_a_prompt_within_its_margin_is_believed_in():
    waiting = tell(wish(), started(), offered(until=10))
    assert tell(waiting, ReadFinished(), minute=10.4).status is Status.REQUIRES_MFA


def test_the_providers_word_for_an_expired_prompt_replaces_ours():
    ours = tell(tell(wish(), started(), offered(until=10)), ReadFinished(), minute=11)
    theirs = Failure(reason=Reason.MFA_EXPIRED, code="requires_mfa_user_timeout")
    assert tell(ours, RefreshFailed(failure=theirs), minute=12).failure == theirs


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_rejection_after_a_prompt_was_the_code_in_every_order(order):
    events = (started(), offered(), RefreshRejected(failure=WRONG))
    intent = tell(wish(), *(events[index] for index in order))
    assert intent.status is Status.REJECTED
    assert intent.failure is not None
    assert (intent.failure.reason, intent.failure.code) == (Reason.MFA_REJECTED, "wrong")
    assert outcome_of(intent).next_step == AskToTryAgain(reason=Reason.MFA_REJECTED)


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_rejection_without_a_prompt_was_the_credentials(order):
    events = (started(), RefreshRejected(failure=WRONG))
    intent = tell(wish(), *(events[index] for index in order))
    assert intent.failure == WRONG
    assert outcome_of(intent).next_step == Reconnect(reason=Reason.CREDENTIALS_REJECTED)


def test_a_late_prompt_stops_the_retry_of_unconfirmed_credentials():
    waiting = tell(wish(attended=True), started(), RefreshRejected(failure=UNSURE))
    assert waiting.status is Status.BACKING_OFF
    told = tell(waiting, offered())
    assert told.status is Status.REJECTED
    assert told.failure is not None
    assert told.failure.reason is Reason.MFA_REJECTED


def test_the_history_is_the_attempts_own():
    """A prompt of the attempt before says nothing of this one's rejection."""
    again = tell(wish(attended=True), started(), offered(), RefreshFailed(failure=AGAIN))
    second = tell(again, woken(), started(refresh_id="ri_2"), RefreshRejected(failure=WRONG), minute=5)
    assert second.failure == WRONG


def test_a_prompts_id_can_be_logged_and_its_token_cannot():
    prompt = offered("p1").prompt
    assert prompt.token not in repr(prompt)
    assert prompt_id("one") == prompt_id("one") != prompt_id("two")
    assert prompt_id("one") != PromptId("one")
