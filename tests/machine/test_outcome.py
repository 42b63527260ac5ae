"""What an application is told: the next step, and who must take it."""

import attrs
import pytest

from bankbridge.machine.events import (
    CancelRequested,
    CreateRefused,
    ReadFinished,
    RefreshFailed,
    RefreshRejected,
    RefreshSucceeded,
)
from bankbridge.machine.outcome import (
    STEP_AFTER,
    ActAtBank,
    AskSupport,
    AskToTryAgain,
    FetchMovements,
    MendConfiguration,
    NextStep,
    Nothing,
    OpenWidget,
    Reconnect,
    RefreshLater,
    UnlockAtBank,
    WaitUntil,
    outcome_of,
)
from bankbridge.machine.policy import NEVER, Policy
from bankbridge.machine.status import Status
from bankbridge.words.reasons import REJECTIONS, Actor, Failure, Reason
from tests.machine.stories import (
    AGAIN,
    EVERY,
    FOR_GOOD,
    HINTS,
    A,
    B,
    C,
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

PATIENT = Policy(retry=dict.fromkeys(Reason, NEVER))


@pytest.mark.parametrize(
    ("status", "step", "actor"),
    [
        (Status.REQUESTED, WaitUntil, Actor.NOBODY),
        (Status.IN_PROGRESS, WaitUntil, Actor.NOBODY),
        (Status.REQUIRES_MFA, OpenWidget, Actor.PERSON),
        (Status.BACKING_OFF, WaitUntil, Actor.NOBODY),
        (Status.SUCCEEDED, FetchMovements, Actor.NOBODY),
        (Status.PARTIAL, FetchMovements, Actor.NOBODY),
        (Status.FAILED, AskSupport, Actor.SUPPORT),
        (Status.REJECTED, Reconnect, Actor.PERSON),
        (Status.CANCELED, Nothing, Actor.NOBODY),
        (Status.LOST, RefreshLater, Actor.NOBODY),
    ],
)
def test_every_status_has_a_next_step(status: Status, step: type[NextStep], actor: Actor):
    outcome = outcome_of(in_status(status))
    assert type(outcome.next_step) is step
    assert outcome.actor is actor
    assert outcome.status is status


def test_every_reason_has_a_next_step():
    assert set(STEP_AFTER) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_next_step_after_an_end_for_every_reason(reason: Reason):
    failure = Failure(reason=reason, code="their code", message="their words")
    word = RefreshRejected(failure=failure) if reason in REJECTIONS else RefreshFailed(failure=failure)
    outcome = outcome_of(tell(wish(), started(), word, policy=PATIENT))
    assert outcome.next_step == STEP_AFTER[reason]
    assert outcome.failure == failure
    match outcome.next_step:
        case AskToTryAgain(reason=named) | Reconnect(reason=named):
            assert (outcome.actor, named) == (Actor.PERSON, reason)
        case ActAtBank():
            assert outcome.actor is Actor.PERSON
        case UnlockAtBank():
            assert outcome.actor is Actor.BANK
        case AskSupport():
            assert outcome.actor in (Actor.SUPPORT, Actor.OPERATOR)
        case MendConfiguration():
            assert outcome.actor is Actor.OPERATOR
        case _:
            assert (outcome.next_step, outcome.actor) == (RefreshLater(), Actor.NOBODY)


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        (Reason.CREDENTIALS_REJECTED, Reconnect(reason=Reason.CREDENTIALS_REJECTED)),
        (Reason.CREDENTIALS_UNCONFIRMED, Reconnect(reason=Reason.CREDENTIALS_UNCONFIRMED)),
        (Reason.CREDENTIALS_LOCKED, UnlockAtBank()),
        (Reason.MFA_EXPIRED, AskToTryAgain(reason=Reason.MFA_EXPIRED)),
        (Reason.PROVIDER_ERROR, RefreshLater()),
        (Reason.LINK_GONE, Reconnect(reason=Reason.LINK_GONE)),
        (Reason.NEEDS_SUPPORT, AskSupport()),
        (Reason.CONFIGURATION, MendConfiguration()),
        (Reason.ACTION_NEEDED_AT_BANK, ActAtBank()),
    ],
)
def test_the_steps_that_the_domain_decided(reason: Reason, step: NextStep):
    assert STEP_AFTER[reason] == step


def test_what_the_wait_is_until():
    waiting = tell(wish(), CreateRefused(failure=Failure(reason=Reason.COOLDOWN)))
    assert waiting.wake is not None
    outcome = outcome_of(waiting)
    assert outcome.next_step == WaitUntil(at=waiting.wake.at)
    assert outcome.failure is not None
    assert outcome.actor is Actor.NOBODY


def test_a_success_of_the_link_names_the_links_accounts():
    done = tell(wish(), started(), RefreshSucceeded(new_movements=0))
    assert outcome_of(done, (B, A)).next_step == FetchMovements(accounts=(A, B), new_movements=0)


def test_a_success_by_account_adds_their_counts_up():
    done = tell(wish(), started(A, B), reported(A, new=2), reported(B, new=3), policy=HINTS)
    assert outcome_of(done, (C,)).next_step == FetchMovements(accounts=(A, B), new_movements=5)
    uncounted = tell(wish(), started(A), reported(A), policy=HINTS)
    assert outcome_of(uncounted).next_step == FetchMovements(accounts=(A,), new_movements=None)


def test_a_partial_names_what_is_fresh_what_is_stale_and_what_then():
    outcome = outcome_of(
        tell(wish(), started(A, B, C), reported(A), rejected(B), failed(C), policy=HINTS), (A, B, C)
    )
    assert (outcome.fresh, outcome.stale) == ((A,), (B, C))
    assert outcome.next_step == FetchMovements(accounts=(A,))
    assert outcome.then == Reconnect(reason=Reason.CREDENTIALS_REJECTED)
    assert [result.account_id for result in outcome.results] == [A, B, C]


def test_a_vanished_account_is_neither_fresh_nor_stale():
    by_hints = tell(wish(), started(A, B, C), reported(A), failed(B), vanished(C), policy=HINTS)
    assert (outcome_of(by_hints).fresh, outcome_of(by_hints).stale) == ((A,), (B,))
    by_word = tell(wish(), started(A, B), vanished(B), RefreshSucceeded(), policy=EVERY)
    assert (outcome_of(by_word).fresh, outcome_of(by_word).stale) == ((A,), ())


def test_an_appeared_account_is_worth_fetching():
    assert outcome_of(tell(wish(), started(A), reported(C), reported(A), policy=HINTS)).fresh == (A, C)


def test_nothing_is_stale_before_the_end():
    assert outcome_of(tell(wish(), started(A, B), reported(A), policy=HINTS)).stale == ()


@pytest.mark.parametrize("ended", [CancelRequested(), ReadFinished()])
def test_a_late_success_leaves_the_status_and_names_what_to_fetch(ended):
    over = tell(wish(), started(), ended, minute=60)
    late = tell(over, RefreshSucceeded(new_movements=4), minute=61)
    assert late.status is over.status
    outcome = outcome_of(late, (A, B))
    assert outcome.next_step == FetchMovements(accounts=(A, B), new_movements=4)
    assert outcome.then == outcome_of(over).next_step


def test_an_earlier_attempts_fresh_account_is_named_too():
    first = tell(wish(), started(A, B), reported(A), RefreshFailed(failure=AGAIN))
    assert first.status is Status.BACKING_OFF
    second = tell(first, woken(), started(A, B), RefreshFailed(failure=FOR_GOOD), minute=5)
    outcome = outcome_of(second)
    assert (outcome.status, outcome.fresh, outcome.stale, outcome.attempts) == (Status.FAILED, (A,), (B,), 2)
    assert (outcome.next_step, outcome.then) == (FetchMovements(accounts=(A,)), AskSupport())


def test_a_late_fact_may_say_better_why():
    over = tell(wish(), started(A, B), reported(A), failed(B), RefreshFailed(failure=FOR_GOOD), policy=EVERY)
    better = attrs.evolve(FOR_GOOD, code="read", message="from the read")
    told = tell(over, attrs.evolve(failed(B), result=_read(better)), policy=EVERY)
    assert (told.status, told.failure) == (Status.PARTIAL, better)


def _read(failure: Failure):
    return attrs.evolve(failed(B, failure).result, read=True)


def test_a_late_prompt_tells_a_wrong_code_from_wrong_credentials():
    assert outcome_of(tell(in_status(Status.REJECTED), offered(), policy=EVERY)).next_step == AskToTryAgain(
        reason=Reason.MFA_REJECTED
    )


def test_no_outcome_shows_a_token():
    assert "secret of p1" not in repr(outcome_of(in_status(Status.REQUIRES_MFA)))
