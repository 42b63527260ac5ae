"""What fits nothing yet waits for its link, its account or its refresh, is heard once, and not waited with for ever."""

import json
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest

from bankbridge import DataArrived, MovementsChanged, Status
from bankbridge.machine.notices import MovementsAmended, Notice, Subject
from bankbridge.shells.parking import PARKED_FOR
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, DeliveryId, LinkId
from bankbridge_rail import Rail
from tests.deliveries import signed
from tests.stages import PROVIDERS, START, staged
from tests.store import values as v

SECOND = timedelta(seconds=1)


def event(event_type: str, name: str = "evt_1", *, at=START + 2 * SECOND, **data: object) -> dict[str, Any]:
    return {"id": name, "type": event_type, "created_at": at.isoformat(), "data": data}


def send(stage, body) -> None:
    (name,) = stage.emulators
    raw = json.dumps(body).encode()
    headers = signed(f"{name.capitalize()}-Signature", "whsec_unused", raw, stage.clock.now())
    assert stage.bridge.receive(name, headers, raw).status == 200


@contextmanager
def quiet(name, store, **options):
    """A stage without webhooks but those that a test sends, and what it tells."""
    told: list[Any] = []
    with staged(name, webhooks=False, store=store, on_news=told.append, **options) as stage:
        yield stage, told


def kinds(told, kind):
    return [news for news in told if isinstance(news, kind)]


def parked(stage, **about) -> int:
    (name,) = stage.emulators
    found: int = stage.store.transact(lambda tx: len(tx.parked_for(Subject(**about), name)))
    return found


def succeeded(account: str) -> dict[str, Any]:
    return event("account.refresh_intent.succeeded", refreshed_object_id=account, new_movements=4)


# --- its link or its account appears


def test_an_account_of_a_link_that_is_added(store):
    with quiet("fintoc", store) as (stage, told):
        link = stage.emulator.add_link()
        account = link.account_ids[0]
        send(stage, succeeded(account))
        assert (parked(stage, account_id=account), told) == (1, [])
        stage.bridge.add_link("fintoc", link.link_id, token=link.link_token)
        arrived = DataArrived(link_id=LinkId(link.link_id), accounts=(account,), new_movements=4)
        assert kinds(told, DataArrived) == [arrived]
        assert parked(stage, account_id=account) == 0
        stage.bridge.reconcile_link(link.link_id)
        assert len(kinds(told, DataArrived)) == 1


@pytest.mark.parametrize("look", ["reconcile_link", "accounts"])
def test_an_account_that_a_look_at_its_link_finds(store, look):
    with quiet("fintoc", store) as (stage, told):
        link = stage.link()
        added = stage.emulator.add_account(link.link_id)
        send(stage, succeeded(added))
        assert parked(stage, account_id=added) == 1
        found = getattr(stage.bridge, look)(link.link_id)
        assert look == "reconcile_link" or added in [account.id for account in found]
        assert [news.accounts for news in kinds(told, DataArrived)] == [(added,)]
        assert parked(stage, account_id=added) == 0


def test_a_link_of_which_an_event_tells_before_it_is_added(store):
    with quiet("rail", store) as (stage, told):
        link = stage.emulator.add_link()
        send(stage, event("link.refreshed", id=link.link_id, new_movements_count=5))
        assert parked(stage, link_id=link.link_id) == 1
        stage.bridge.add_link("rail", link.link_id)
        assert [news.new_movements for news in kinds(told, DataArrived)] == [5]
        assert parked(stage, link_id=link.link_id) == 0


@attrs.frozen(kw_only=True)
class RailByAccount(Rail):
    """As another provider may be: some of its events name an account and nothing else."""

    def translate(self, delivery: Delivery) -> list[Notice]:
        raw = json.loads(delivery.body)
        if raw["type"] != "movements.changed":
            return list(super().translate(delivery))
        account = AccountId(raw["data"]["account_id"])
        says = MovementsAmended(account_id=account, movement_ids=())
        return [Notice(type=raw["type"], about=Subject(account_id=account), says=says, raw=raw)]


def changed(account: str) -> dict[str, Any]:
    return event("movements.changed", "evt_changed", account_id=account)


def test_an_account_of_which_an_event_tells(store, monkeypatch):
    monkeypatch.setitem(PROVIDERS, "rail", RailByAccount)
    with quiet("rail", store) as (stage, told):
        link = stage.link()
        send(stage, changed("acc_new"))
        assert parked(stage, account_id="acc_new") == 1
        send(stage, event("account.created", "evt_created", id="acc_new", link_id=link.link_id))
        assert [news.account_id for news in kinds(told, MovementsChanged)] == ["acc_new"]
        assert parked(stage, account_id="acc_new") == 0


def test_an_account_of_which_a_parked_event_tells(store, monkeypatch):
    monkeypatch.setitem(PROVIDERS, "rail", RailByAccount)
    with quiet("rail", store) as (stage, told):
        link = stage.emulator.add_link()
        send(stage, changed("acc_new"))
        send(stage, event("account.created", "evt_created", id="acc_new", link_id=link.link_id))
        assert [parked(stage, account_id="acc_new"), parked(stage, link_id=link.link_id)] == [2, 1]
        stage.bridge.add_link("rail", link.link_id)
        assert [news.account_id for news in kinds(told, MovementsChanged)] == ["acc_new"]
        assert parked(stage, account_id="acc_new") == 0


# --- its refresh appears


@contextmanager
def meanwhile(stage, act):
    """Act while the answer to a create is on its way."""
    real = stage.bridge._client.request

    def request(**arguments):
        if arguments["method"] != "POST":
            return real(**arguments)
        answer = real(**arguments)
        act(answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.bridge._client, "request", request)
        yield


def ended(link, refresh_id) -> dict[str, Any]:
    about = {"id": refresh_id, "link_id": link.link_id}
    return event("refresh_intent.succeeded", f"evt_{refresh_id}", **about, status="succeeded")


def test_a_refresh_that_ends_before_we_are_told_its_id(store):
    with quiet("rail", store) as (stage, _):
        link = stage.link("stuck")

        def end(answer):
            send(stage, ended(link, answer.json()["id"]))
            assert parked(stage, link_id=link.link_id) == 1

        with meanwhile(stage, end):
            intent = stage.bridge.refresh(link.link_id)
        assert intent.status is Status.SUCCEEDED
        assert parked(stage, link_id=link.link_id) == 0


def test_a_refresh_of_somebody_else_that_turns_out_to_be_ours(store):
    with quiet("rail", store, switches={"second_intent": "running_one"}) as (stage, _):
        link = stage.link("stuck")
        headers = {"Authorization": f"Bearer {stage.emulator.secret_key}"}
        with httpx.Client(base_url=stage.urls["rail"], headers=headers) as somebody:
            made = somebody.post("/v1/refresh_intents", json={"link_id": link.link_id}).json()

        def end(_answer):
            send(stage, ended(link, made["id"]))
            assert parked(stage, link_id=link.link_id) == 1

        with meanwhile(stage, end):
            intent = stage.bridge.refresh(link.link_id)
        assert (intent.status, intent.attempt.refresh_id) == (Status.SUCCEEDED, made["id"])
        assert parked(stage, link_id=link.link_id) == 0


def test_a_refresh_of_somebody_else_while_ours_is_canceled(store):
    with quiet("rail", store) as (stage, told):
        link = stage.link("rate_limited")
        foreign = ended(link, "ri_foreign")

        def cancel(_answer):
            send(stage, foreign)
            (running,) = stage.store.transact(lambda tx: tx.intents(v.link(link.link_id), limit=2))
            assert (parked(stage, link_id=link.link_id), kinds(told, DataArrived)) == (1, [])
            stage.bridge.cancel(running.id)
            assert parked(stage, link_id=link.link_id) == 0

        with meanwhile(stage, cancel):
            assert stage.bridge.refresh(link.link_id).status is Status.CANCELED
        assert len(kinds(told, DataArrived)) == 1


def test_a_refresh_of_somebody_else_whose_link_is_deleted_while_ours_is_asked_for(store):
    with quiet("rail", store) as (stage, _):
        link = stage.link("stuck")

        def delete(_answer):
            send(stage, ended(link, "ri_foreign"))
            assert parked(stage, link_id=link.link_id) == 1
            send(stage, event("link.deleted", "evt_deleted", id=link.link_id))
            assert parked(stage, link_id=link.link_id) == 0

        with meanwhile(stage, delete):
            assert stage.bridge.refresh(link.link_id).status is Status.FAILED


# --- nothing appears


def test_it_waits_as_long_as_is_said_and_no_longer(store):
    with quiet("fintoc", store) as (stage, told):
        link = stage.emulator.add_link()
        first, second, *_ = link.account_ids
        send(stage, succeeded(first))
        stage.clock.advance(SECOND)
        send(stage, {**succeeded(second), "id": "evt_2"})
        stage.pass_time(PARKED_FOR.total_seconds() - 0.5)
        assert [parked(stage, account_id=account) for account in (first, second)] == [0, 1]
        stage.bridge.add_link("fintoc", link.link_id, token=link.link_token)
        assert [news.accounts for news in kinds(told, DataArrived)] == [(second,)]
        # The delivery itself is kept: for how long is retention's to say.
        assert stage.store.transact(lambda tx: tx.delivery(DeliveryId("fintoc/evt_1"))) is not None


def test_what_is_over_is_not_heard_even_where_nobody_has_drained_since(store):
    with quiet("fintoc", store) as (stage, told):
        link = stage.emulator.add_link()
        send(stage, succeeded(link.account_ids[0]))
        stage.clock.advance(PARKED_FOR + SECOND)
        stage.bridge.add_link("fintoc", link.link_id, token=link.link_token)
        assert kinds(told, DataArrived) == []
