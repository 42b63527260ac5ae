"""The link's own small machine, its budgets, and what stands against a refresh."""

from datetime import datetime, timedelta

import attrs
import pytest

from bankbridge.machine.events import (
    CancelRequested,
    CreateRefused,
    Event,
    LinkLost,
    ReadFinished,
    RefreshFailed,
    RefreshRejected,
    RefreshSucceeded,
)
from bankbridge.machine.intent import RefreshIntent, Scope
from bankbridge.machine.link import (
    LINK_TABLE,
    AccountAppeared,
    AccountVanished,
    CredentialsChanged,
    Link,
    LinkConnected,
    LinkDeleted,
    LinkEvent,
    LinkExpired,
    LinkRefreshed,
    LinkStatus,
    account_for,
    blockers_of,
    observe,
)
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import Status
from bankbridge.words.ids import ConnectionName, LinkId
from bankbridge.words.reasons import Actor, Failure, Reason
from tests.machine.stories import (
    AGAIN,
    EVERY,
    UNSURE,
    WRONG,
    A,
    B,
    C,
    at,
    failed,
    offered,
    reported,
    started,
    tell,
    wish,
    woken,
)

EVENTS: tuple[LinkEvent, ...] = (
    LinkConnected(),
    LinkRefreshed(),
    LinkExpired(code="rejected_credentials"),
    CredentialsChanged(),
    LinkDeleted(),
    AccountAppeared(account_id=C),
    AccountVanished(account_id=A),
)
LOCKED = Failure(reason=Reason.CREDENTIALS_LOCKED)


def link(**changes) -> Link:
    made = Link(
        id=LinkId("link_1"), connection=ConnectionName("bank data"), token="link_secret", accounts=(A, B)
    )
    return attrs.evolve(made, **changes)


# --- events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", LinkStatus)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_from_every_status(status: LinkStatus, event: LinkEvent):
    after = observe(link(status=status), event, now=at())
    if status is LinkStatus.DELETED:
        assert after == link(status=status)
    else:
        assert after.status is LINK_TABLE.get(type(event), status)


@pytest.mark.parametrize("event", [event for event in EVENTS if not isinstance(event, LinkConnected)])
def test_telling_it_twice_changes_nothing(event: LinkEvent):
    once = observe(link(), event, now=at(1), occurred_at=at())
    assert observe(once, event, now=at(2), occurred_at=at()) == once


def test_a_new_connection_is_a_new_credential_with_new_budgets():
    again = observe(link(refused_logins=2, abandoned_prompts=1), LinkConnected(), now=at())
    assert (again.credential_version, again.refused_logins, again.abandoned_prompts) == (2, 0, 0)


def test_the_news_of_a_connection_that_comes_late_does_not_renew_what_was_spent_since():
    spent = after(started(), RefreshRejected(failure=UNSURE))
    assert spent.counted_at is not None
    late = observe(spent, LinkConnected(), now=at(90), occurred_at=spent.counted_at - timedelta(hours=1))
    assert (late.credential_version, late.refused_logins) == (spent.credential_version, 1)
    again = observe(spent, LinkConnected(), now=at(90), occurred_at=spent.counted_at + timedelta(hours=1))
    assert (again.credential_version, again.refused_logins) == (spent.credential_version + 1, 0)


def test_accounts_come_and_go():
    assert observe(link(), AccountAppeared(account_id=C), now=at()).accounts == (A, B, C)
    assert observe(link(), AccountVanished(account_id=A), now=at()).accounts == (B,)


@pytest.mark.parametrize("event", [AccountAppeared(account_id=C), AccountVanished(account_id=C)])
def test_one_account_does_not_pass_for_all_before_the_first_look(event: LinkEvent):
    assert observe(link(accounts=None), event, now=at()).accounts is None


def test_the_freshest_refresh_counts():
    fresh = observe(link(), LinkRefreshed(), now=at(9), occurred_at=at(5))
    assert fresh.refreshed_at == at(5)
    assert observe(
        link(refreshed_at=at(7)), LinkRefreshed(), now=at(9), occurred_at=at(5)
    ).refreshed_at == at(7)


def test_an_event_that_comes_late_does_not_undo_a_newer_one():
    told: list[tuple[LinkEvent, datetime]] = [(LinkRefreshed(), at(1)), (LinkExpired(), at(2))]
    for order in (told, told[::-1]):
        known = link()
        for event, occurred_at in order:
            known = observe(known, event, now=at(5), occurred_at=occurred_at)
        assert known.status is LinkStatus.EXPIRED
    assert observe(known, LinkDeleted(), now=at(5), occurred_at=at(1)).status is LinkStatus.DELETED


def test_the_token_never_shows():
    assert "link_secret" not in repr(link())


# --- budgets ---------------------------------------------------------------------------------------------


def after(*events: Event, before: Link | None = None, policy: Policy = EVERY, **kind) -> Link:
    """The link after an intent was told these events, accounted for after each of them."""
    intent, known, minute = wish(**kind), before or link(), 1.0
    for event in events:
        if isinstance(event, ReadFinished):
            minute = 60
        then = tell(intent, event, policy=policy, minute=minute)
        known = account_for(known, intent, then, now=at(minute), policy=policy)
        assert account_for(known, then, then, now=at(minute), policy=policy) == known
        intent = then
    return known


REJECTED = (started(), RefreshRejected(failure=WRONG))


def test_a_running_refresh_costs_nothing():
    assert after(started(A, B), offered(), reported(A)) == link()


@pytest.mark.parametrize(
    ("events", "status", "refused", "abandoned"),
    [
        (REJECTED, LinkStatus.NEEDS_RECONNECT, 1, 0),
        ((started(), RefreshRejected(failure=UNSURE)), LinkStatus.ACTIVE, 1, 0),
        ((started(), RefreshRejected(failure=LOCKED)), LinkStatus.LOCKED, 1, 0),
        ((started(), offered(), RefreshRejected(failure=WRONG)), LinkStatus.ACTIVE, 1, 0),
        ((started(), offered(), ReadFinished()), LinkStatus.ACTIVE, 0, 1),
        ((started(), RefreshFailed(failure=AGAIN)), LinkStatus.ACTIVE, 0, 0),
        ((started(), ReadFinished()), LinkStatus.ACTIVE, 0, 0),
        ((started(), CancelRequested()), LinkStatus.ACTIVE, 0, 0),
        ((started(), LinkLost()), LinkStatus.DELETED, 0, 0),
        # The provider refused without asking the bank: no login was spent.
        ((CreateRefused(failure=WRONG),), LinkStatus.NEEDS_RECONNECT, 0, 0),
        ((CreateRefused(failure=UNSURE),), LinkStatus.ACTIVE, 0, 0),
        ((CreateRefused(failure=Failure(reason=Reason.LINK_EXPIRED)),), LinkStatus.EXPIRED, 0, 0),
    ],
)
def test_what_an_end_costs(events, status: LinkStatus, refused: int, abandoned: int):
    spent = after(*events)
    assert (spent.status, spent.refused_logins, spent.abandoned_prompts) == (status, refused, abandoned)


def test_a_success_clears_the_budgets_and_starts_the_cooldown():
    policy = attrs.evolve(EVERY, cooldowns={Scope.LATEST: timedelta(minutes=5)})
    spent = link(refused_logins=1, abandoned_prompts=1, status=LinkStatus.NEEDS_RECONNECT)
    fresh = after(started(A), RefreshSucceeded(), before=spent, policy=policy)
    assert (fresh.status, fresh.refused_logins, fresh.abandoned_prompts) == (LinkStatus.ACTIVE, 0, 0)
    assert (fresh.refreshed_at, fresh.cooldown_until) == (at(1), at(6))
    assert after(started(A), RefreshSucceeded(), policy=policy, scope=Scope.HISTORICAL).cooldown_until is None


def test_a_partial_success_was_a_login_too():
    word = RefreshFailed(failure=AGAIN)
    fresh = after(started(A, B), reported(A), failed(B), word, before=link(refused_logins=1))
    assert (fresh.refused_logins, fresh.refreshed_at) == (0, at(1))


def test_each_refused_attempt_counts_once():
    events = (started(), RefreshRejected(failure=UNSURE))
    intent = tell(wish(), *events)
    once = account_for(link(), wish(), intent, now=at(1), policy=EVERY)
    second = tell(intent, woken(), started(refresh_id="ri_2"), minute=90)
    assert account_for(once, intent, second, now=at(90), policy=EVERY) == once
    rejected_again = tell(second, RefreshRejected(failure=UNSURE), minute=91)
    assert account_for(once, second, rejected_again, now=at(91), policy=EVERY).refused_logins == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_wrong_code_needs_no_new_connection_in_whatever_order_it_is_told(order):
    story = (started(), offered(), RefreshRejected(failure=WRONG))
    spent = after(*(story[index] for index in order))
    assert (spent.status, spent.refused_logins) == (LinkStatus.ACTIVE, 1)


def test_a_late_success_between_attempts_is_a_success():
    fresh = after(started(), RefreshRejected(failure=UNSURE), RefreshSucceeded())
    assert (fresh.refused_logins, fresh.refreshed_at) == (0, at(1))


def test_the_providers_better_word_takes_an_abandoned_prompt_back():
    unavailable = Failure(reason=Reason.INSTITUTION_UNAVAILABLE)
    spent = after(started(), offered(), ReadFinished(), RefreshFailed(failure=unavailable))
    assert spent.abandoned_prompts == 0


def test_a_link_that_was_locked_meanwhile_stays_locked():
    locked = link(status=LinkStatus.LOCKED)
    assert after(started(), RefreshFailed(failure=AGAIN), before=locked) == locked


def test_a_deleted_link_has_no_account():
    gone = link(status=LinkStatus.DELETED)
    assert after(*REJECTED, before=gone) == gone


def test_an_event_older_than_a_refresh_does_not_undo_what_it_showed():
    fresh = after(started(A), RefreshSucceeded())
    assert observe(fresh, LinkExpired(), now=at(2), occurred_at=at(0.5)) == fresh


# --- why not now -----------------------------------------------------------------------------------------


def reasons(known: Link, *, attended: bool = False, minute: float = 0) -> list[Reason]:
    return [
        blocker.failure.reason
        for blocker in blockers_of(known, attended=attended, now=at(minute), policy=Policy())
    ]


def test_nothing_stands_against_a_good_link():
    assert reasons(link()) == []


@pytest.mark.parametrize(
    ("status", "reason", "actor"),
    [
        (LinkStatus.NEEDS_RECONNECT, Reason.CREDENTIALS_REJECTED, Actor.PERSON),
        (LinkStatus.LOCKED, Reason.CREDENTIALS_LOCKED, Actor.BANK),
        (LinkStatus.PAUSED, Reason.NOT_PERMITTED, Actor.OPERATOR),
        (LinkStatus.EXPIRED, Reason.LINK_EXPIRED, Actor.PERSON),
        (LinkStatus.DELETED, Reason.LINK_GONE, Actor.PERSON),
    ],
)
def test_a_status_blocks_until_somebody_acts(status: LinkStatus, reason: Reason, actor: Actor):
    (blocker,) = blockers_of(link(status=status), attended=True, now=at(), policy=Policy())
    assert (blocker.failure.reason, blocker.actor, blocker.until) == (reason, actor, None)
    assert blocker.failure.ours


def test_the_lockout_guard_holds_also_where_a_person_is_there():
    assert reasons(link(refused_logins=1)) == []
    assert reasons(link(refused_logins=2), attended=True) == [Reason.CREDENTIALS_REJECTED]
    assert reasons(observe(link(refused_logins=2), LinkConnected(), now=at())) == []


def test_a_reconnect_is_asked_for_once():
    assert reasons(link(refused_logins=3, status=LinkStatus.NEEDS_RECONNECT)) == [Reason.CREDENTIALS_REJECTED]


def test_abandoned_prompts_block_until_the_person_starts_the_next():
    assert reasons(link(abandoned_prompts=1)) == []
    assert reasons(link(abandoned_prompts=2)) == [Reason.MFA_EXPIRED]
    assert reasons(link(abandoned_prompts=2), attended=True) == []


def test_a_cooldown_blocks_until_its_end():
    cooling = link(cooldown_until=at(5))
    (blocker,) = blockers_of(cooling, attended=True, now=at(4.9), policy=Policy())
    assert (blocker.failure.reason, blocker.until, blocker.failure.not_before) == (
        Reason.COOLDOWN,
        at(5),
        at(5),
    )
    assert blocker.actor is Actor.NOBODY
    assert reasons(cooling, minute=5) == []


def test_everything_that_blocks_is_named():
    worst = link(refused_logins=2, abandoned_prompts=2, cooldown_until=at(5))
    assert reasons(worst) == [Reason.CREDENTIALS_REJECTED, Reason.MFA_EXPIRED, Reason.COOLDOWN]


def test_no_story_gets_round_the_guard():
    """Whatever the intents do, the bank refuses no third login before the person acts."""
    known, logins = link(), 0
    for number in range(10):
        if blockers_of(known, attended=True, now=at(), policy=Policy()):
            break
        intent: RefreshIntent = wish(name=f"int_{number}", attended=True)
        for _ in range(5):
            if intent.status is Status.BACKING_OFF:
                if blockers_of(known, attended=True, now=at(), policy=Policy()):
                    break
                intent = tell(intent, woken(), minute=number)
            logins += 1
            then = tell(intent, started(), RefreshRejected(failure=UNSURE), minute=number)
            known = account_for(known, intent, then, now=at(number), policy=Policy())
            intent = then
            if intent.status.terminal:
                break
    assert logins == 2
