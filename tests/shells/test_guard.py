"""Nobody is locked out of their bank: every way to a new refresh goes through the guard, in either colour."""

from datetime import timedelta

import attrs
import pytest

from bankbridge import (
    AskToTryAgain,
    BankBridge,
    FetchMovements,
    LinkStatus,
    MendConfiguration,
    Reason,
    Reconnect,
    Scope,
    Status,
    UnlockAtBank,
)
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge_rail import Rail
from tests.stages import COLOURS, staged


@pytest.mark.parametrize("colour", COLOURS)
def test_two_refused_logins_close_every_way_until_the_person_connects_again(colour):
    with staged("fintoc", colour=colour) as stage:
        link = stage.link("rejects_unconfirmed", "rejects_unconfirmed", "succeeds")
        intent = stage.bridge.refresh(link.link_id)
        outcome = stage.play([intent.id])[intent.id]
        assert (outcome.status, outcome.attempts) == (Status.REJECTED, 2)
        assert isinstance(outcome.next_step, Reconnect)
        blockers = stage.bridge.why_not_now(link.link_id)
        assert [one.failure.reason for one in blockers] == [Reason.CREDENTIALS_REJECTED]

        ways = [
            lambda: stage.bridge.refresh(link.link_id),
            lambda: stage.bridge.refresh(link.link_id, attended=True),
            lambda: stage.bridge.retry(intent.id),
        ]
        for way in ways:
            refused = way()
            assert (refused.status, refused.failure.ours) == (Status.REJECTED, True)
            stage.pass_time(3 * 3600)
        assert len(stage.truth(link)["creates"]) == stage.truth(link)["refused_logins"] == 2

        stage.emulator.reconnect(link.link_id)
        assert stage.bridge.reconnected(link.link_id).credential_version == 2
        assert stage.bridge.why_not_now(link.link_id) == ()
        again = stage.bridge.refresh(link.link_id)
        assert stage.play([again.id])[again.id].status is Status.SUCCEEDED


@pytest.mark.parametrize("webhooks", ["normal", "lost"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_login_that_was_refused_after_we_canceled_counts_all_the_same(colour, webhooks):
    """Fintoc cannot cancel: the refresh runs on, and the bank may refuse it."""
    with staged("fintoc", colour=colour) as stage:
        link = stage.link("rejects_unconfirmed", webhooks=webhooks)
        for _ in range(4):
            intent = stage.bridge.refresh(link.link_id, attended=True)
            stage.pass_time(20)
            stage.bridge.cancel(intent.id)
            stage.pass_time(2 * 3600)
        assert stage.truth(link)["refused_logins"] == 2
        assert (intent.status, intent.failure.reason) == (Status.REJECTED, Reason.CREDENTIALS_REJECTED)
        stage.emulator.reconnect(link.link_id)
        stage.bridge.reconnected(link.link_id)
        assert stage.bridge.refresh(link.link_id).status is Status.IN_PROGRESS, (
            "what was before it does not count"
        )


def test_what_still_runs_after_we_canceled_is_not_joined_by_another():
    """The answer to the cancel was lost: at Rail, where nothing stops a second refresh, we wait for the first."""
    with staged("rail", webhooks=False) as stage:
        link = stage.link("succeeds")
        first = stage.bridge.refresh(link.link_id)
        stage.emulator.faults.next("reset")
        stage.bridge.cancel(first.id)
        second = stage.bridge.refresh(link.link_id)
        assert (second.status, second.failure.reason) == (Status.BACKING_OFF, Reason.ALREADY_IN_PROGRESS)
        assert stage.play([second.id])[second.id].status is Status.SUCCEEDED
        one, other = stage.truth(link)["intents"]
        assert one["ended_at"] <= other["created_at"]
        step = stage.bridge.outcome(first.id).next_step
        assert isinstance(step, FetchMovements), "a late success is real data"


def test_a_refresh_before_that_cannot_be_read_holds_the_next_one_back():
    with staged("fintoc", webhooks=False) as stage:
        link = stage.link("rejects_unconfirmed")
        first = stage.bridge.refresh(link.link_id)
        stage.bridge.cancel(first.id)
        stage.pass_time(600)
        stage.emulator.faults.rates = {"html_502": 1.0}
        second = stage.bridge.refresh(link.link_id)
        assert (second.status, second.failure.ours) == (Status.BACKING_OFF, True)
        stage.emulator.faults.rates = {}
        assert len(stage.truth(link)["creates"]) == 1


@pytest.mark.parametrize(
    ("provider", "word", "status", "step"),
    [
        ("rail", "rejects", LinkStatus.NEEDS_RECONNECT, Reconnect),
        ("fintoc", "rejects", LinkStatus.NEEDS_RECONNECT, Reconnect),
        ("fintoc", "refused_confirmed", LinkStatus.NEEDS_RECONNECT, Reconnect),
        ("fintoc", "locks", LinkStatus.LOCKED, UnlockAtBank),
    ],
)
def test_a_confirmed_refusal_closes_the_door_at_once(provider, word, status, step):
    with staged(provider) as stage:
        link = stage.link(word)
        intent = stage.bridge.refresh(link.link_id)
        assert isinstance(stage.play([intent.id])[intent.id].next_step, step)
        (stored,) = stage.bridge.links()
        assert stored.status is status
        assert stage.bridge.refresh(link.link_id).status is Status.REJECTED
        stage.pass_time(24 * 3600)
        assert len(stage.truth(link)["creates"]) == 1


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_abandoned_prompts_close_the_door_to_what_nobody_attends(provider):
    with staged(provider) as stage:
        link = stage.link("mfa")
        for _ in range(2):
            intent = stage.bridge.refresh(link.link_id)
            outcome = stage.play([intent.id])[intent.id]
            assert (outcome.failure.reason, outcome.attempts) == (Reason.MFA_EXPIRED, 1)
            assert isinstance(outcome.next_step, AskToTryAgain)
        refused = stage.bridge.refresh(link.link_id)
        assert (refused.status, refused.failure.reason) == (Status.FAILED, Reason.MFA_EXPIRED)
        assert stage.bridge.why_not_now(link.link_id) != ()
        # What was not started has shown nobody a prompt.
        assert stage.bridge.links()[0].abandoned_prompts == 2
        assert stage.bridge.why_not_now(link.link_id, attended=True) == ()
        # The person is there now.
        intent = stage.bridge.retry(refused.id)
        stage.pass_time(20)
        stage.emulator.person(link.link_id, "right_code")
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
        assert len(stage.truth(link)["intents"]) == 3


def test_a_cooldown_is_waited_for_and_no_failure():
    with staged("fintoc") as stage:
        link = stage.link()
        first = stage.bridge.refresh(link.link_id)
        stage.play([first.id])
        (blocker,) = stage.bridge.why_not_now(link.link_id)
        assert blocker.failure.reason is Reason.COOLDOWN
        assert blocker.until > stage.clock.now()
        second = stage.bridge.refresh(link.link_id)
        assert second.status is Status.BACKING_OFF
        assert len(stage.truth(link)["creates"]) == 1
        outcome = stage.play([second.id])[second.id]
        assert isinstance(outcome.next_step, FetchMovements)
        assert [create["status"] for create in stage.truth(link)["creates"]] == [201, 201]


def test_one_open_intent_per_link_whoever_asks():
    with staged("rail") as stage:
        link = stage.link("stuck")
        first = stage.bridge.refresh(link.link_id)
        assert stage.bridge.refresh(link.link_id).id == first.id
        assert stage.bridge.retry(first.id).id == first.id
        (busy,) = stage.bridge.why_not_now(link.link_id)
        assert busy.failure.reason is Reason.ALREADY_IN_PROGRESS
        assert len(stage.truth(link)["creates"]) == 1


def test_the_budget_survives_a_restart(tmp_path):
    keys = [new_key()]
    path = tmp_path / "bridge.db"
    with staged("fintoc", store=sqlite_store(path, keys=keys)) as stage:
        link = stage.link("rejects_unconfirmed")
        intent = stage.bridge.refresh(link.link_id)
        stage.play([intent.id])
        stage.store.close()
        stage.bridge._store = stage.store = sqlite_store(path, keys=keys)
        stage.clock.advance(timedelta(days=7))
        assert stage.bridge.refresh(link.link_id).status is Status.REJECTED
        assert len(stage.truth(link)["creates"]) == 2


def test_a_changed_password_ends_a_wait_that_would_be_in_vain():
    """Fintoc says so while the hour after an unconfirmed rejection is waited for."""
    with staged("fintoc") as stage:
        link = stage.link("rejects_unconfirmed", "succeeds")
        intent = stage.bridge.refresh(link.link_id)
        while stage.bridge.outcome(intent.id).status is not Status.BACKING_OFF:
            stage.pass_time(15)
        stage.emulator.change_credentials(link.link_id)
        stage.settle()
        outcome = stage.bridge.outcome(intent.id)
        assert (outcome.status, outcome.failure.reason) == (Status.REJECTED, Reason.CREDENTIALS_REJECTED)
        assert isinstance(outcome.next_step, Reconnect)
        stage.pass_time(2 * 3600)
        assert len(stage.truth(link)["creates"]) == 1


def test_a_scope_that_the_provider_does_not_have_is_never_asked_for():
    class LatestOnly(Rail):
        capabilities = attrs.evolve(Rail.capabilities, scopes=frozenset({Scope.LATEST}))

    with staged("rail") as stage:
        link = stage.link()
        provider = LatestOnly(**attrs.asdict(stage.providers["rail"]))
        with BankBridge({"rail": provider}, store=stage.store, clock=stage.clock.now) as bridge:
            refused = bridge.refresh(link.link_id, scope=Scope.HISTORICAL)
            outcome = bridge.outcome(refused.id)
            assert (outcome.status, outcome.next_step) == (Status.FAILED, MendConfiguration())
            assert stage.truth(link)["creates"] == []
            assert bridge.refresh(link.link_id).status is Status.IN_PROGRESS
