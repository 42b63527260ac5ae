"""The emulated Rail's webhooks: when they come, how they are signed, what they hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from bankbridge.emulation import FAULTS, UnknownLinkError
from bankbridge_rail.emulator import SWITCHES
from bankbridge_rail.emulator.events import EVENT_TYPES
from tests.emulation.receiver import Receiver
from tests.rail.emulated import Rail, is_signed

PAYLOADS = Path(__file__).parent / "payloads"


def test_every_webhook_is_signed_and_has_an_id_of_its_own(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    rail.prompted(link_id)
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    steps = ("created", "requires_mfa", "succeeded")
    for event_type in ("link.created", *(f"refresh_intent.{step}" for step in steps), "link.refreshed"):
        rail.receiver.wait_for(event_type)
    received = rail.receiver.received
    assert len(received) == 5
    assert len({delivery.event["id"] for delivery in received}) == 5
    assert all(is_signed(delivery.headers, delivery.body, rail.secret) for delivery in received)
    assert not is_signed(received[0].headers, received[0].body, rail.secret.removeprefix("whsec_"))


def test_webhooks_lost_keeps_the_outcome_to_itself(rail):
    link_id = rail.emulator.add_link(webhooks="lost").link_id
    other_id = rail.emulator.add_link().link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.create(other_id)
    rail.pass_time(45)
    assert rail.intent(intent_id)["status"] == "succeeded"
    (other,) = rail.receiver.wait_for("refresh_intent.succeeded")
    assert other.event["data"]["link_id"] == other_id
    lost = [row["type"] for row in rail.emulator.truth()["deliveries"] if row["lost"]]
    assert lost == ["refresh_intent.succeeded", "link.refreshed"]


def test_webhooks_twice_sends_the_same_event_two_times(rail):
    link_id = rail.emulator.add_link(webhooks="twice").link_id
    rail.create(link_id)
    rail.pass_time(45)
    for event_type in ("refresh_intent.created", "refresh_intent.succeeded", "link.refreshed"):
        first, second = rail.receiver.wait_for(event_type, 2)
        assert first.body == second.body


@pytest.mark.parametrize(
    ("word", "status", "types"),
    [
        ("succeeds", "succeeded", {"refresh_intent.created", "refresh_intent.succeeded", "link.refreshed"}),
        ("rejects_slowly", "failed", {"refresh_intent.created", "refresh_intent.failed"}),
        ("mfa", "requires_mfa", {"refresh_intent.created", "refresh_intent.requires_mfa"}),
        ("stuck", "created", {"refresh_intent.created"}),
    ],
)
def test_webhooks_early_come_before_the_answer(rail, word, status, types):
    link_id = rail.emulator.add_link(attempts=[word], webhooks="early").link_id
    rail.receiver.wait_for("link.created")
    answer = rail.create(link_id).json()
    assert set(rail.receiver.types()) - {"link.created"} == types
    assert answer["status"] == "created"
    assert rail.intent(answer["id"])["status"] == status


def test_early_and_a_code_goes_on_as_usual(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"], webhooks="early").link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    assert rail.intent(intent_id)["status"] == "succeeded"


def test_a_failed_delivery_is_tried_again(serve):
    with Receiver(503) as receiver:
        rail = serve()
        wanted = {"url": receiver.url, "enabled_events": ["refresh_intent.created"]}
        secret = rail.http.post("/v1/webhook_endpoints", json=wanted).json()["secret"]
        rail.create(rail.emulator.add_link().link_id)
        receiver.wait_for("refresh_intent.created")
        rail.emulator.settle()
        rail.pass_time(3)
        first, second = receiver.wait_for("refresh_intent.created", 2)
        assert first.body == second.body
        assert first.headers["rail-signature"] != second.headers["rail-signature"]
        assert is_signed(second.headers, second.body, secret)
        assert receiver.types() == ["refresh_intent.created"] * 2


def test_events_about_accounts_and_links(rail):
    link = rail.emulator.add_link(accounts=1)
    account_id = rail.emulator.add_account(link.link_id)
    (created,) = rail.receiver.wait_for("account.created")
    assert created.event["data"]["id"] == account_id
    assert set(created.event["data"]) == {"object", "id", "link_id", "name", "type", "currency", "last_4"}
    rail.emulator.remove_account(account_id)
    (removed,) = rail.receiver.wait_for("account.removed")
    assert removed.event["data"] == {
        "object": "account",
        "id": account_id,
        "link_id": link.link_id,
        "status": "removed",
        "removed_at": "2026-06-03T15:00:00Z",
    }
    rail.emulator.expire_link(link.link_id)
    (expired,) = rail.receiver.wait_for("link.expired")
    assert expired.event["data"]["last_error_code"] == "rejected_credentials"
    assert rail.create(link.link_id).json()["error"]["code"] == "link_not_active"
    rail.emulator.delete_link(link.link_id)
    (deleted,) = rail.receiver.wait_for("link.deleted")
    assert set(deleted.event["data"]) == {"object", "id", "deleted_at"}
    with pytest.raises(UnknownLinkError, match="there is no link"):
        rail.emulator.delete_link(link.link_id)
    with pytest.raises(UnknownLinkError, match="there is no account"):
        rail.emulator.remove_account("acc_0")


# --- Endpoints -------------------------------------------------------------------------------------------------------

ENDPOINTS = "/v1/webhook_endpoints"


def endpoint(rail: Rail, **body: Any) -> dict[str, Any]:
    wanted = {"url": rail.receiver.url, "enabled_events": ["link.created"], **body}
    return rail.http.post(ENDPOINTS, json=wanted).raise_for_status().json()


def test_an_endpoint_is_read_changed_and_deleted(rail):
    (first,) = rail.http.get(ENDPOINTS).json()
    path = f"{ENDPOINTS}/{first['id']}"
    assert rail.http.get(path).json() == first
    changed = rail.http.patch(path, json={"enabled_events": ["link.deleted"]})
    assert changed.json() == {**first, "enabled_events": ["link.deleted"]}
    link_id = rail.emulator.add_link().link_id
    rail.emulator.delete_link(link_id)
    assert rail.told() == ["link.deleted"]
    assert rail.http.patch(path, json={"status": "disabled"}).json()["status"] == "disabled"
    rail.emulator.delete_link(rail.emulator.add_link().link_id)
    assert rail.http.patch(path, json={"status": "enabled"}).json() == changed.json()
    rail.emulator.delete_link(rail.emulator.add_link().link_id)
    assert rail.told() == ["link.deleted"] * 2
    assert rail.http.delete(path).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        assert rail.http.request(method, path).status_code == 404
    assert rail.http.get(ENDPOINTS).json() == []


def test_a_change_that_makes_no_sense_changes_nothing(rail):
    (first,) = rail.http.get(ENDPOINTS).json()
    path = f"{ENDPOINTS}/{first['id']}"
    for body in ({"url": "no"}, {"status": "gone"}, {"url": rail.receiver.url, "enabled_events": []}):
        assert rail.http.patch(path, json=body).status_code == 400
    assert rail.http.get(path).json() == first


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_test_event_of_any_type_is_the_documented_example(rail, event_type):
    hook = endpoint(rail)
    answer = rail.http.post(f"{ENDPOINTS}/{hook['id']}/test", json={"type": event_type})
    assert answer.status_code == 202
    rail.emulator.settle()
    (received,) = rail.receiver.received
    assert received.event["id"] == answer.json()["id"]
    assert is_signed(received.headers, received.body, hook["secret"])
    documented = json.loads((PAYLOADS / f"{event_type}.json").read_text("utf-8"))
    assert set(received.event["data"]) == set(documented["data"])
    assert received.event["type"] == event_type
    assert rail.told() == [event_type]


def test_a_test_event_of_an_unknown_type(rail):
    hook = endpoint(rail)
    assert rail.http.post(f"{ENDPOINTS}/{hook['id']}/test", json={"type": "link.went"}).status_code == 400
    assert rail.http.post(f"{ENDPOINTS}/we_0/test").status_code == 404


def test_endpoint_read(serve):
    rail = serve(endpoint_read="with_secret")
    (hook,) = rail.http.get(ENDPOINTS).json()
    assert hook["secret"] == rail.secret


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://127.0.0.1:1/", 201),
        ("http://localhost/", 201),
        ("https://example.com/", 201),
        ("http://example.com/", 400),
        ("http://10.0.0.1/", 400),
    ],
)
def test_http_urls(serve, url, status):
    rail = serve(http_urls="local_only")
    body = {"url": url, "enabled_events": ["*"]}
    assert rail.http.post(ENDPOINTS, json=body).status_code == status


def test_failing_endpoints_are_disabled(serve):
    rail = serve(failing_endpoints="disabled", retry_schedule="never")
    with Receiver(503, 200) as receiver:
        hook = endpoint(rail, url=receiver.url)
        path = f"{ENDPOINTS}/{hook['id']}"
        assert rail.http.get(path).json()["status"] == "enabled"
        rail.emulator.add_link()
        rail.emulator.settle()
        assert rail.http.get(path).json()["status"] == "disabled"
        rail.emulator.add_link()
        rail.emulator.settle()
        assert receiver.types() == ["link.created"]


def test_failing_endpoints_are_kept(serve):
    rail = serve(retry_schedule="never")
    with Receiver(503, 200) as receiver:
        endpoint(rail, url=receiver.url)
        for _ in range(2):
            rail.emulator.add_link()
            rail.emulator.settle()
        assert receiver.types() == ["link.created"] * 2


# --- Delivery --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", SWITCHES["retry_timestamp"].values)
def test_retry_timestamp(serve, reading):
    rail = serve(retry_timestamp=reading)
    with Receiver(503) as receiver:
        hook = endpoint(rail, url=receiver.url)
        rail.emulator.add_link()
        rail.emulator.settle()
        rail.pass_time(3)
        first, second = receiver.wait_for("link.created", 2)
    same = first.headers["rail-signature"] == second.headers["rail-signature"]
    assert same == (reading == "frozen")
    assert is_signed(second.headers, second.body, hook["secret"])


@pytest.mark.parametrize("reading", SWITCHES["retry_schedule"].values)
def test_retry_schedule(serve, reading):
    rail = serve(retry_schedule=reading, automatic_sync="off")
    with Receiver(*[503] * 20) as receiver:
        endpoint(rail, url=receiver.url)
        rail.emulator.add_link()
        rail.emulator.settle()
        for number in range(20):
            rail.pass_time(3 * 2**number)
        tries = len(receiver.types())
    assert tries == (18 if reading == "17_times" else 1)


def test_test_mode_webhooks(serve):
    rail = serve(test_mode_webhooks="none")
    rail.refreshed(rail.emulator.add_link().link_id)
    assert rail.told() == []
    rail.emulator.add_endpoint(rail.receiver.url, mode="live")
    rail.emulator.add_link(mode="live")
    assert rail.told() == ["link.created"]


def test_event_data(serve):
    rail = serve(event_data="full")
    link = rail.emulator.add_link(institution="bci")
    rail.refreshed(link.link_id)
    assert rail.event("link.refreshed")["bank_id"] == "bci"
    assert rail.event("refresh_intent.succeeded")["refresh_type"] == "full"
    rail.emulator.remove_account(link.account_ids[0])
    removed = rail.event("account.removed")
    assert (removed["status"], removed["currency"]) == ("removed", "CLP")


def test_movement_event(serve):
    rail = serve(movement_event="movements.created")
    link = rail.emulator.add_link(accounts=3)
    rail.refreshed(link.link_id)
    assert rail.event("movements.created") == {
        "object": "movements",
        "link_id": link.link_id,
        "new_movements_count": 5,
    }


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.side == "webhook"])
def test_every_fault_of_a_webhook_strikes_and_no_create_is_lost(serve, fault):
    rail = serve({"faults": {fault: 1}})
    link_id = rail.emulator.add_link().link_id
    rail.refreshed(link_id)
    rail.pass_time(600)
    truth = rail.emulator.truth()
    assert {one["fault"] for one in truth["faults"]} == {fault}
    assert all(link_id in one["on"] for one in truth["faults"])
    assert rail.link_truth(link_id)["intents"][0]["status"] == "succeeded"


def test_event_first_comes_before_the_answer(serve):
    rail = serve({"faults": {"event_first": 1}})
    intent_id = rail.begun(rail.emulator.add_link().link_id)
    assert [one.event["data"]["id"] for one in rail.receiver.received][-1] == intent_id
