"""When an attempt is over, and how."""

import attrs
import pytest

from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import AccountStatus
from bankbridge.machine.effects import ReadRefresh
from bankbridge.machine.events import (
    CreateRefused,
    Event,
    RefreshCanceled,
    RefreshFailed,
    RefreshRejected,
    RefreshSucceeded,
    RefreshVanished,
)
from bankbridge.machine.outcome import outcome_of
from bankbridge.machine.status import Status
from bankbridge.words.ids import RefreshId
from bankbridge.words.reasons import Reason
from tests.machine.stories import (
    AGAIN,
    EVERY,
    FOR_GOOD,
    HINTS,
    ONE_WORD,
    WRONG,
    A,
    B,
    C,
    at,
    failed,
    rejected,
    reported,
    started,
    tell,
    vanished,
    wish,
)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        (RefreshSucceeded(), Status.SUCCEEDED),
        (RefreshFailed(failure=FOR_GOOD), Status.FAILED),
        (RefreshFailed(failure=AGAIN), Status.BACKING_OFF),
        (RefreshRejected(failure=WRONG), Status.REJECTED),
        (RefreshCanceled(), Status.CANCELED),
        (RefreshVanished(), Status.IN_PROGRESS),
    ],
)
def test_one_word_ends_a_link(word: Event, status: Status):
    assert tell(wish(), started(), word, policy=ONE_WORD).status is status


@pytest.mark.parametrize(
    ("results", "status", "reason"),
    [
        ((reported(A), reported(B), reported(C)), Status.SUCCEEDED, None),
        ((reported(A), failed(B), reported(C)), Status.PARTIAL, Reason.NEEDS_SUPPORT),
        ((reported(A), rejected(B), failed(C)), Status.PARTIAL, Reason.CREDENTIALS_REJECTED),
        ((failed(A), failed(B), failed(C)), Status.FAILED, Reason.NEEDS_SUPPORT),
        ((failed(A), rejected(B), failed(C)), Status.REJECTED, Reason.CREDENTIALS_REJECTED),
        ((failed(A, AGAIN), failed(B, AGAIN), failed(C, AGAIN)), Status.BACKING_OFF, Reason.PROVIDER_ERROR),
        ((reported(A), vanished(B), reported(C)), Status.SUCCEEDED, None),
        ((reported(A), failed(B), vanished(C)), Status.PARTIAL, Reason.NEEDS_SUPPORT),
        ((vanished(A), failed(B), vanished(C)), Status.FAILED, Reason.NEEDS_SUPPORT),
        ((vanished(A), reported(B, AccountStatus.FAILED), vanished(C)), Status.FAILED, Reason.UNKNOWN),
        (
            (failed(A), reported(B, AccountStatus.REJECTED), vanished(C)),
            Status.REJECTED,
            Reason.NEEDS_SUPPORT,
        ),
    ],
)
def test_every_account_is_waited_for_and_counts(results, status: Status, reason: Reason | None):
    before = tell(wish(), started(A, B, C), *results[:2], policy=HINTS)
    assert before.status is Status.IN_PROGRESS
    after = tell(before, results[2], policy=HINTS)
    assert after.status is status
    assert (after.failure and after.failure.reason) is reason


def test_one_failed_account_does_not_end_it_while_others_run():
    assert tell(wish(), started(A, B, C), failed(A), rejected(B), policy=HINTS).status is Status.IN_PROGRESS


def test_an_account_that_appeared_is_not_waited_for_but_its_data_counts():
    intent = tell(wish(), started(A), reported(C), policy=HINTS)
    assert intent.status is Status.IN_PROGRESS
    ended = tell(intent, reported(A), policy=HINTS)
    assert ended.status is Status.SUCCEEDED
    assert outcome_of(ended).fresh == (A, C)


def test_an_account_that_appeared_and_failed_changes_nothing():
    assert tell(wish(), started(A), failed(C), reported(A), policy=HINTS).status is Status.SUCCEEDED


def test_where_every_account_vanished_only_the_provider_ends_it():
    nobody = tell(wish(), started(A, B), vanished(A), vanished(B), policy=HINTS)
    assert nobody.status is Status.IN_PROGRESS
    assert tell(nobody, RefreshSucceeded(), policy=HINTS).status is Status.SUCCEEDED
    vain = tell(nobody, RefreshVanished(), policy=HINTS)
    assert vain.status is Status.FAILED
    assert vain.failure is not None
    assert vain.failure.reason is Reason.LINK_EXPIRED
    assert vain.failure.message == "every account of the link vanished"


def test_hints_alone_end_nothing_where_the_provider_can_be_asked():
    intent = tell(wish(), started(A, B), reported(A), policy=EVERY)
    hinted = advance(intent, reported(B), now=at(2), policy=EVERY)
    assert hinted.intent.status is Status.IN_PROGRESS
    assert hinted.effects == (ReadRefresh(attempt=1, refresh_id=RefreshId("ri_1")),)
    assert tell(hinted.intent, RefreshSucceeded(), policy=EVERY).status is Status.SUCCEEDED


def test_hints_are_confirmed_as_soon_as_the_start_is_known():
    intent = tell(wish(), reported(A), policy=EVERY)
    late = advance(intent, started(A), now=at(2), policy=EVERY)
    assert late.effects == (ReadRefresh(attempt=1, refresh_id=RefreshId("ri_1")),)


def test_hints_are_enough_where_the_provider_knows_nothing_any_more():
    intent = tell(wish(), started(A, B), RefreshVanished(), reported(A), policy=EVERY)
    assert intent.status is Status.IN_PROGRESS
    assert tell(intent, failed(B), policy=EVERY).status is Status.PARTIAL


def test_the_providers_success_wins_over_hints():
    """Another refresh's events look the same."""
    intent = tell(wish(), started(A, B), failed(A), RefreshSucceeded(), policy=EVERY)
    assert intent.status is Status.SUCCEEDED
    assert outcome_of(intent).fresh == (A, B)


def test_a_failure_of_the_whole_waits_for_the_accounts_that_owe_their_result():
    intent = tell(wish(), started(A, B), RefreshFailed(failure=FOR_GOOD), failed(A), policy=EVERY)
    assert intent.status is Status.IN_PROGRESS
    assert tell(intent, reported(B), policy=EVERY).status is Status.PARTIAL


def test_a_failure_of_the_whole_without_an_expected_set_ends_it():
    start = attrs.evolve(started(), expected=())
    assert tell(wish(), start, RefreshFailed(failure=FOR_GOOD), policy=EVERY).status is Status.FAILED


def test_a_read_beats_a_hint_then_the_later_counts_then_the_worse():
    hint, later = failed(A, minute=2), reported(A, minute=3)
    read = reported(A, minute=1, read=True, new=7)
    for events, counts in (
        ((hint, later), later),
        ((later, hint), later),
        ((hint, read), read),
        ((read, later), read),
        ((reported(A, minute=2), hint), hint),
    ):
        intent = tell(wish(), started(A, B), *events, policy=EVERY)
        assert intent.attempt.accounts == (counts.result,)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_hint_older_than_the_start_is_another_refreshs(order):
    events = (started(A, minute=5), reported(A, minute=4))
    intent = tell(wish(), *(events[index] for index in order), policy=HINTS, minute=6)
    assert intent.status is Status.IN_PROGRESS
    assert intent.attempt.accounts == ()
    assert tell(intent, reported(A, minute=5), policy=HINTS, minute=6).status is Status.SUCCEEDED


def test_a_start_beats_a_refusal_of_the_same_create_in_either_order():
    """Two workers asked; the second was told that one runs."""
    refused = CreateRefused(failure=AGAIN)
    in_time, late = (tell(wish(), *events) for events in ((started(), refused), (refused, started())))
    assert in_time.status is late.status is Status.IN_PROGRESS
    assert in_time.attempt == late.attempt


def test_a_refusal_stands_whatever_is_heard_of_other_refreshes():
    for events in (
        (reported(A), CreateRefused(failure=FOR_GOOD)),
        (CreateRefused(failure=FOR_GOOD), reported(A)),
    ):
        refused = tell(wish(), *events, policy=HINTS)
        assert refused.status is Status.FAILED
        assert refused.failure == FOR_GOOD
    refused = tell(wish(), RefreshSucceeded(), CreateRefused(failure=WRONG))
    assert refused.status is Status.REJECTED
