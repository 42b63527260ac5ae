"""Exactly once where it counts: whatever is lost or killed when, one refresh per attempt at the provider."""

from datetime import timedelta

import attrs
import httpx
import pytest

from bankbridge import BankBridge, Reason, Status, TransportError
from bankbridge.machine.effects import CreateRefresh, ReadRefresh
from bankbridge.machine.intent import key_of
from bankbridge.shells import refreshing
from bankbridge.shells.jobs import Call, Transact
from bankbridge.store import StoredDelivery
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge.webhooks import Delivery
from bankbridge.wire import Running
from bankbridge.words.ids import ConnectionName, DeliveryId, IntentId
from tests.stages import COLOURS, bridged, staged

FIRST_KEY = key_of(IntentId("rfi_1"), 1)


class Killed(BaseException):
    """The process is gone in the middle of something."""


def die(*_arguments, **_named):
    raise Killed


@pytest.fixture(params=["memory", "sqlite"])
def reopened(request, tmp_path):
    """Stores over the same data, as a process and the one after it open them."""
    memory, keys, opened = MemoryStore(), [new_key()], []

    def store():
        if request.param == "memory":
            return memory
        opened.append(sqlite_store(tmp_path / "bridge.db", keys=keys))
        return opened[-1]

    yield store
    for one in opened:
        one.close()


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_killed_before_the_create(provider, reopened):
    with staged(provider, webhooks=False, store=reopened()) as stage:
        link = stage.link()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage.bridge._client, "request", die)
            with pytest.raises(Killed):
                stage.bridge.refresh(link.link_id)
        assert stage.truth(link)["creates"] == []
        with bridged("blocking", stage.providers, clock=stage.clock.now, store=reopened()) as other:
            stage.bridge = other
            assert other.refresh(link.link_id).id == "rfi_1", "the wish was stored before anything was asked"
            outcome = stage.play(["rfi_1"])["rfi_1"]
            assert outcome.status is Status.SUCCEEDED
        (create,) = stage.truth(link)["creates"]
        assert create["idempotency_key"] == FIRST_KEY


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_killed_after_the_create(provider, reopened):
    with staged(provider, webhooks=False, store=reopened()) as stage:
        link = stage.link()
        with pytest.MonkeyPatch.context() as patch:
            real = stage.bridge._client.request

            def die_after(**arguments):
                answer = real(**arguments)
                return die() if arguments["method"] == "POST" else answer

            patch.setattr(stage.bridge._client, "request", die_after)
            with pytest.raises(Killed):
                stage.bridge.refresh(link.link_id)
        with bridged("blocking", stage.providers, clock=stage.clock.now, store=reopened()) as other:
            stage.bridge = other
            assert stage.play(["rfi_1"])["rfi_1"].status is Status.SUCCEEDED
        truth = stage.truth(link)
        assert len(truth["intents"]) == 1
        assert {create["idempotency_key"] for create in truth["creates"]} == {FIRST_KEY}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("webhooks", ["normal", "lost"])
@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_a_lost_answer_is_one_refresh(provider, webhooks, colour):
    with staged(provider, colour=colour) as stage:
        link = stage.link("response_lost", webhooks=webhooks)
        intent = stage.bridge.refresh(link.link_id)
        outcome = stage.play([intent.id])[intent.id]
        assert (outcome.status, outcome.attempts) == (Status.SUCCEEDED, 1)
        assert len(stage.truth(link)["intents"]) == 1


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_too_many_requests_after_a_lost_answer_start_no_second_refresh(provider):
    with staged(provider, webhooks=False) as stage:
        link = stage.link("response_lost")
        intent = stage.bridge.refresh(link.link_id)
        stage.emulator.faults.next("throttled")
        outcome = stage.play([intent.id])[intent.id]
        assert (outcome.status, outcome.attempts) == (Status.SUCCEEDED, 1)
        assert len(stage.truth(link)["intents"]) == 1


def test_after_an_answered_error_fintoc_gets_a_new_key_and_rail_the_same():
    # Fintoc replays what it answered: https://docs.fintoc.com/reference/idempotent-requests
    for provider, keys in (("rail", 1), ("fintoc", 2)):
        with staged(provider, webhooks=False) as stage:
            link = stage.link("errors_500", "succeeds")
            intent = stage.bridge.refresh(link.link_id)
            assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
            sent = [create["idempotency_key"] for create in stage.truth(link)["creates"]]
            assert sent[0] == FIRST_KEY
            assert len(set(sent[:2])) == keys
            assert len(stage.truth(link)["intents"]) == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_nobody_is_there(colour):
    with staged("rail", webhooks=False, colour=colour) as stage:
        link = stage.link()
        gone = attrs.evolve(stage.providers["rail"], base_url="http://127.0.0.1:1")
        with bridged(colour, {"rail": gone}, clock=stage.clock.now, store=stage.store) as cut_off:
            intent = cut_off.refresh(link.link_id)
            assert (intent.status, intent.attempt.unclear) == (Status.REQUESTED, 1)
            with pytest.raises(TransportError, match=r"^rail: no answer to GET \(ConnectError\)$"):
                list(cut_off.accounts(link.link_id))
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
        assert len(stage.truth(link)["intents"]) == 1


def test_a_read_without_an_answer_is_made_again():
    with staged("rail", webhooks=False) as stage:
        link = stage.link()
        intent = stage.bridge.refresh(link.link_id)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage.bridge._client, "request", _no_network)
            stage.pass_time(30)
        assert stage.bridge.outcome(intent.id).status is Status.IN_PROGRESS
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED


def _no_network(**_arguments):
    raise httpx.ReadTimeout("too late")


def test_two_workers_wake_one_intent_once():
    with staged("rail", webhooks=False) as stage:
        link = stage.link()
        intent = stage.bridge.refresh(link.link_id)
        stage.clock.advance(stage.providers["rail"].capabilities.first_poll)
        with bridged("blocking", stage.providers, clock=stage.clock.now, store=stage.store) as other:
            assert [stage.bridge.wake_due(), other.wake_due()] == [1, 0]
        assert len(stage.truth(link)["intents"][0]["polls"]) == 1
        stage.play([intent.id])


def test_an_effect_of_an_attempt_that_is_past_does_nothing():
    with staged("rail", webhooks=False) as stage:
        link = stage.link()
        intent = stage.bridge.refresh(link.link_id)
        for effect in (
            ReadRefresh(attempt=7, refresh_id=None),
            CreateRefresh(attempt=7, key="k"),
        ):
            running = Running(refreshing.perform(stage.bridge._core, intent.id, [effect]))
            asked = []
            while not running.done:
                asked.append(type(running.asks))
                assert isinstance(running.asks, Transact)
                running.answer(stage.store.transact(running.asks.work))
            assert Call not in asked
        assert len(stage.truth(link)["creates"]) == 1


def test_a_poll_that_is_refused_waits_for_the_next():
    with staged("rail", webhooks=False) as stage:
        link = stage.link()
        intent = stage.bridge.refresh(link.link_id)
        stage.emulator._world.intent(stage.truth(link)["intents"][0]["id"]).is_gone = True
        outcome = stage.play([intent.id])[intent.id]
        assert (outcome.status, outcome.failure.reason) == (Status.LOST, Reason.NO_ANSWER)


def test_a_connection_that_is_no_longer_configured_stops_nobody_else(caplog):
    with staged("rail", "fintoc", webhooks=False) as stage:
        gone = stage.bridge.refresh(stage.link(provider="fintoc").link_id)
        here = stage.bridge.refresh(stage.link(provider="rail").link_id)
        left = StoredDelivery(
            id=DeliveryId("fintoc/evt_1"),
            delivery=Delivery(
                connection=ConnectionName("fintoc"), headers={}, body=b"{}", received_at=stage.clock.now()
            ),
        )
        stage.store.transact(lambda tx: tx.add_delivery(left))
        only_rail = {"rail": stage.providers["rail"]}
        with BankBridge(only_rail, store=stage.store, clock=stage.clock.now) as bridge:
            stage.clock.advance(timedelta(minutes=5))
            assert bridge.wake_due() == 1
            assert bridge.outcome(here.id).status is Status.SUCCEEDED
            assert bridge.outcome(gone.id).status is Status.IN_PROGRESS
        assert "not at a connection that is configured here (rail)" in caplog.text
        assert stage.store.transact(lambda tx: tx.waiting_deliveries(limit=1)) == []
