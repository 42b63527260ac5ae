"""The retry table and what bounds it."""

from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.events import CreateRefused, ReadFinished, RefreshFailed, RefreshRejected
from bankbridge.machine.intent import RefreshIntent, Scope, key_of
from bankbridge.machine.policy import RETRY_TABLE, GiveUp, Policy, Rule, Timing, TryAgain, decide
from bankbridge.machine.status import Status
from bankbridge.words.ids import IntentId
from bankbridge.words.reasons import Failure, Reason
from tests.machine.stories import AGAIN, UNSURE, at, offered, started, tell, wish, woken

EXACT = Policy(jitter=0)
MINUTES = timedelta(minutes=1)


def waits(reason: Reason, policy: Policy = EXACT, **failure) -> list[float]:
    """The waits in minutes before each retry, if every attempt ends with this reason."""
    intent, now = tell(wish(), woken()), at()
    found: list[float] = []
    while True:
        failing = Failure(reason=reason, **failure)
        match decide(intent, failing, now=now, policy=policy):
            case GiveUp():
                return found
            case TryAgain(at=then):
                found.append((then - now) / MINUTES)
        intent = tell(intent, CreateRefused(failure=failing), policy=policy, minute=(now - at()) / MINUTES)
        intent = tell(intent, woken(WakePurpose.BACKOFF), minute=(then - at()) / MINUTES)
        now = then


def test_the_table_is_complete():
    assert set(RETRY_TABLE) == set(Reason)


def test_every_rule_can_be_carried_out():
    for reason, rule in RETRY_TABLE.items():
        assert rule.times == 0 or rule.waits or rule.after_cooldown, reason


@pytest.mark.parametrize("reason", [Reason.INSTITUTION_UNAVAILABLE, Reason.PROVIDER_ERROR])
def test_what_mends_itself_is_tried_again_four_times(reason: Reason):
    assert waits(reason) == [1, 5, 15, 60]


def test_unconfirmed_credentials_are_tried_once_more_not_before_an_hour():
    assert waits(Reason.CREDENTIALS_UNCONFIRMED) == [60]


@pytest.mark.parametrize(
    "reason",
    [
        Reason.CREDENTIALS_REJECTED,
        Reason.CREDENTIALS_LOCKED,
        Reason.MFA_REJECTED,
        Reason.MFA_EXPIRED,
        Reason.NEEDS_SUPPORT,
        Reason.NOT_PERMITTED,
        Reason.UNKNOWN,
    ],
)
def test_what_somebody_must_lift_is_never_tried_by_itself(reason: Reason):
    assert waits(reason) == []


def test_a_cooldown_is_waited_for_in_full_from_now_where_the_provider_says_no_time():
    policy = attrs.evolve(
        EXACT, cooldowns={Scope.LATEST: timedelta(minutes=5), Scope.HISTORICAL: timedelta(minutes=60)}
    )
    cooldown = Failure(reason=Reason.COOLDOWN)
    for scope, minutes in ((Scope.LATEST, 12), (Scope.HISTORICAL, 67)):
        assert decide(wish(scope=scope), cooldown, now=at(7), policy=policy) == TryAgain(at=at(minutes))
    told = attrs.evolve(cooldown, not_before=at(9))
    assert decide(wish(), told, now=at(7), policy=policy) == TryAgain(at=at(9))


def test_a_cooldown_nobody_knows_the_length_of_is_five_minutes():
    assert decide(wish(), Failure(reason=Reason.COOLDOWN), now=at(1), policy=EXACT) == TryAgain(at=at(6))


def test_an_http_rate_limit_spends_no_attempt():
    rates = [CreateRefused(failure=Failure(reason=Reason.RATE_LIMITED))] * 20
    intent = wish()
    for number, event in enumerate(rates):
        intent = tell(intent, event, policy=EXACT, minute=number)
        intent = tell(intent, woken(), minute=number + 0.5)
    assert isinstance(decide(intent, AGAIN, now=at(30), policy=EXACT), TryAgain)


def test_attempts_that_spend_are_bounded_over_all_reasons():
    policy = attrs.evolve(EXACT, most_attempts=3)
    reasons = [Reason.INSTITUTION_UNAVAILABLE, Reason.PROVIDER_ERROR]
    intent = wish()
    for number, reason in enumerate(reasons):
        refused = CreateRefused(failure=Failure(reason=reason))
        intent = tell(
            tell(intent, refused, policy=policy, minute=number * 10), woken(), minute=number * 10 + 5
        )
    session = Failure(reason=Reason.SESSION_CONFLICT)
    assert decide(intent, session, now=at(30), policy=policy) == GiveUp()


def test_no_retry_starts_after_the_intents_age():
    assert isinstance(decide(wish(), AGAIN, now=at(24 * 60 - 2), policy=EXACT), TryAgain)
    assert decide(wish(), AGAIN, now=at(24 * 60), policy=EXACT) == GiveUp()
    told = attrs.evolve(AGAIN, not_before=at(25 * 60))
    assert decide(wish(), told, now=at(1), policy=EXACT) == GiveUp()
    assert sum(waits(Reason.RATE_LIMITED)) <= 24 * 60


@given(
    reason=st.sampled_from([reason for reason, rule in RETRY_TABLE.items() if rule.times != 0]),
    told=st.none() | st.integers(0, 300),
    name=st.text(min_size=1, max_size=8),
    now=st.integers(0, 600),
)
def test_jitter_is_within_bounds_the_same_each_time_and_never_shortens(reason, told, name, now):
    policy = Policy(cooldowns={Scope.LATEST: timedelta(minutes=5)})
    failure = Failure(reason=reason, not_before=None if told is None else at(told))
    intent = wish(name=name)
    exact = decide(intent, failure, now=at(now), policy=attrs.evolve(policy, jitter=0))
    spread = decide(intent, failure, now=at(now), policy=policy)
    assert isinstance(exact, TryAgain)
    assert isinstance(spread, TryAgain)
    assert exact.at <= spread.at <= exact.at + (exact.at - at(now)) * policy.jitter
    assert spread.at >= (failure.not_before or at(now))
    assert spread == decide(intent, failure, now=at(now), policy=policy)


def test_intents_do_not_wake_in_step():
    times = {decide(wish(name=f"int_{number}"), AGAIN, now=at(), policy=Policy()) for number in range(50)}
    assert len(times) == 50


def test_a_wait_that_has_begun_stays_as_it_is():
    waiting = tell(wish(), started(), RefreshFailed(failure=AGAIN), minute=1)
    assert waiting.wake is not None
    more = attrs.evolve(AGAIN, message="and what it means")
    told = tell(waiting, RefreshFailed(failure=more), minute=1.5)
    assert told.wake == waiting.wake
    assert told.failure in (AGAIN, more)
    too_soon = attrs.evolve(more, not_before=at(30), code="z")
    assert _wake_at(tell(waiting, RefreshFailed(failure=too_soon), minute=1.5)) >= at(30)


def test_another_reason_has_a_wait_of_its_own():
    waiting = tell(wish(attended=True), started(), RefreshFailed(failure=AGAIN), minute=1)
    unsure = attrs.evolve(UNSURE, or_wrong_code=False)
    assert _wake_at(tell(waiting, RefreshRejected(failure=unsure), minute=1.5)) >= at(61)


def _wake_at(intent: RefreshIntent):
    assert intent.status is Status.BACKING_OFF
    assert intent.wake is not None
    return intent.wake.at


def test_nobody_there_is_never_prompted_twice():
    story = (started(), offered(), RefreshFailed(failure=AGAIN))
    assert tell(wish(), *story).status is Status.FAILED
    assert tell(wish(attended=True), *story).status is Status.BACKING_OFF
    late = tell(tell(wish(), started(), RefreshFailed(failure=AGAIN)), offered())
    assert late.status is Status.FAILED


def test_a_rule_may_be_replaced():
    policy = attrs.evolve(EXACT, retry={**RETRY_TABLE, Reason.UNKNOWN: Rule(waits=(MINUTES,), times=2)})
    assert waits(Reason.UNKNOWN, policy) == [1, 1]


def test_a_table_is_whole_and_stays_as_it_is():
    rows = {Reason.UNKNOWN: Rule(waits=(MINUTES,), times=2)}
    policy = attrs.evolve(EXACT, retry=rows)
    rows.clear()
    assert waits(Reason.UNKNOWN, policy) == [1, 1]
    assert waits(Reason.PROVIDER_ERROR, policy) == [1, 5, 15, 60]


def test_a_rule_that_tries_again_says_after_how_long():
    with pytest.raises(ValueError, match="waits: at least one"):
        Rule(times=3)


def test_a_rule_s_own_jitter_comes_before_the_policy_s():
    policy = attrs.evolve(
        EXACT, retry={Reason.UNKNOWN: Rule(waits=(MINUTES,), times=1, jitter=1)}, jitter=0.0
    )
    assert waits(Reason.PROVIDER_ERROR, policy) == [1, 5, 15, 60]
    (wait,) = waits(Reason.UNKNOWN, policy)
    assert 1 < wait < 2


def test_a_bank_may_have_a_policy_of_its_own():
    policy = attrs.evolve(EXACT, institutions={"santander": attrs.evolve(EXACT, most_attempts=1)})
    assert policy.at("santander").most_attempts == 1
    assert policy.at("bci") is policy.at(None) is policy


def test_keys_follow_from_intent_and_attempt():
    keys = [key_of(IntentId(name), attempt, ask) for name in "ab" for attempt in (1, 2) for ask in (0, 1)]
    assert len(set(keys)) == len(keys)
    assert key_of(IntentId("a"), 1) == keys[0]


def test_polls_never_wait_longer_than_the_longest_however_often_we_looked():
    policy = Policy(timing=Timing(attempt=timedelta(days=30)))
    intent = tell(wish(), started(), policy=policy)
    for look in range(1, 100):
        intent = tell(intent, ReadFinished(), policy=policy, minute=5 * look)
    assert intent.attempt.reads == 99
    assert intent.wake is not None
    assert intent.wake.at == at(5 * 99) + policy.timing.longest_poll
