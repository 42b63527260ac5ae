"""The webhooks of the emulated Fintoc: what they say, how they are signed, and how often they come."""

import hashlib
import hmac
import json
import time
from collections import Counter
from datetime import timedelta

import pytest

from bankbridge.emulation import UnknownWordError
from bankbridge_fintoc.emulator.events import EVENT_TYPES
from tests.fintoc.served import NOON, OPT_IN, OUTCOMES, code


def test_events_are_signed_and_look_like_the_published_ones(fintoc, receiver):
    endpoint = fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.create(link)
    fintoc.advance(minutes=1)
    headers, body = receiver.came.get(timeout=5)
    stamp, _, signature = headers["fintoc-signature"].removeprefix("t=").partition(",v1=")
    assert int(stamp) == int((NOON + timedelta(minutes=1)).timestamp())
    digest = hmac.new(endpoint["secret"].encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    assert digest.hexdigest() == signature
    event = json.loads(body)
    assert set(event) == {"id", "type", "mode", "created_at", "data", "object"}
    assert (event["object"], event["mode"]) == ("event", "test")
    assert event["created_at"] == "2026-03-02T12:01:00.000Z"
    new = event["data"].pop("new_movements")
    assert 1 <= new <= 4
    assert event["data"] == {
        "object": "refresh_intent",
        "refreshed_object": "account",
        "refreshed_object_id": link.account_ids[0],
        "status": "succeeded",
        "public_error": None,
        "created_at": "2026-03-02T12:00:00.000Z",
        "type": "only_last",
    }


def test_a_refused_delivery_comes_again(fintoc, receiver):
    fintoc.subscribe(receiver)
    receiver.answers = [500]
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.create(link)
    fintoc.advance(minutes=1)
    (first,) = receiver.events(1)
    # The answer may still be on its way to the sender, whose wait has then not begun.
    deadline = time.monotonic() + 5
    while not fintoc.emulator.truth()["deliveries"][0]["tries"] and time.monotonic() < deadline:
        time.sleep(0.001)
    fintoc.advance(seconds=3)
    assert receiver.events(1) == [first]
    assert fintoc.emulator.truth()["deliveries"][0]["id"] == first["id"]


@pytest.mark.parametrize(("mode", "times"), [("normal", 1), ("twice", 2)])
def test_events_come_as_often_as_the_mode_says(fintoc, receiver, mode, times):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(webhooks=mode)
    fintoc.create(link)
    fintoc.advance(minutes=2)
    ids = Counter(event["id"] for event in receiver.events(3 * times))
    assert sorted(ids.values()) == [times] * 3


def test_lost_events_are_never_sent_but_the_intent_ends(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(webhooks="lost", attempts=["rejects"])
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert [event["type"] for event in receiver.events(1)] == ["link.credentials_changed"]
    lost = [one for one in fintoc.emulator.truth()["deliveries"] if one["lost"]]
    assert [(one["type"], one["tries"]) for one in lost] == [("account.refresh_intent.rejected", 0)] * 3
    assert fintoc.story(link)["intents"][0]["status"] == "rejected"


def test_early_events_overtake_the_answer(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(webhooks="early", attempts=["mixed"])
    created = fintoc.create(link).json()
    assert receiver.came.qsize() == 3
    assert created["status"] == "created"
    assert fintoc.get(link, f"/v1/refresh_intents/{created['id']}").json()["status"] == "failed"


def test_background_refreshes_look_like_any_other(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    fintoc.advance(hours=1)
    fintoc.emulator.refresh_in_background(link.link_id)
    assert {event["type"] for event in receiver.events(3)} == {"account.refresh_intent.succeeded"}
    assert fintoc.get(link, "/v1/refresh_intents").json() == []
    assert fintoc.get(link, "/v1/accounts").json()[0]["refreshed_at"] == "2026-03-02T13:00:00.000Z"
    assert fintoc.create(link).status_code == 201


@pytest.mark.parametrize(("told", "sent"), [("all", 3), ("succeeded_only", 2), ("none", 0)])
def test_switch_background_events(serve, receiver, told, sent):
    fintoc = serve(background_events=told)
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    fintoc.emulator.refresh_in_background(link.link_id, "mixed")
    receiver.events(sent)
    assert len(fintoc.emulator.truth()["deliveries"]) == sent


def test_movements_change_and_vanish_with_an_event(fintoc, receiver):
    fintoc.subscribe(receiver, OPT_IN)
    link = fintoc.emulator.add_link()
    account = link.account_ids[0]
    modified = fintoc.emulator.modify_movements(account, 2)
    (event,) = receiver.events(1)
    assert event["data"]["account_id"] == account
    assert [row["id"] for row in event["data"]["movements_changed"]] == list(modified)
    path = f"/v1/accounts/{account}/movements/{modified[0]}"
    assert fintoc.get(link, path).json()["description"].endswith("(corregido)")
    removed = fintoc.emulator.remove_movements(account)
    (event,) = receiver.events(1)
    assert event["data"]["refreshed_object_id"] == account
    path = f"/v1/accounts/{account}/movements/{removed[0]}"
    assert code(fintoc.get(link, path)) == (404, "missing_resource")


@pytest.mark.parametrize(("keys", "named"), [("snake_case", "created_at"), ("camelCase", "createdAt")])
def test_a_test_event_is_about_nothing(serve, receiver, keys, named):
    fintoc = serve(test_event_keys=keys)
    endpoint = fintoc.subscribe(receiver)
    path = f"/v1/webhook_endpoints/{endpoint['id']}/test"
    sent = fintoc.client.post(path, json={"type": OUTCOMES[0]}).json()
    assert receiver.events(1) == [sent]
    assert named in sent
    assert named in sent["data"]
    assert "acc_00000000" in sent["data"].values()


def test_webhook_endpoints_show_their_secret_once_and_can_be_disabled(fintoc, receiver):
    created = fintoc.subscribe(receiver)
    path = f"/v1/webhook_endpoints/{created['id']}"
    assert created["secret"].startswith("whsec_")
    assert fintoc.client.get(path).json() == {**created, "secret": None}
    assert fintoc.client.get("/v1/webhook_endpoints").json() == [{**created, "secret": None}]
    assert fintoc.client.patch(path, json={"disabled": True}).json()["status"] == "disabled"
    fintoc.emulator.refresh_in_background(fintoc.emulator.add_link().link_id)
    assert fintoc.emulator.truth()["deliveries"] == []
    assert fintoc.client.patch(path, json={"disabled": False, "name": "mine"}).json()["name"] == "mine"
    assert fintoc.client.delete(path).status_code == 204
    assert code(fintoc.client.get(path)) == (404, "missing_resource")


def test_a_changed_password_is_told_once(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    for _ in range(2):
        fintoc.emulator.change_credentials(link.link_id)
    assert [event["type"] for event in receiver.events(1)] == ["link.credentials_changed"]
    assert len(fintoc.emulator.truth()["deliveries"]) == 1
    assert fintoc.client.get("/v1/links?status=login_required").json()[0]["id"] == link.link_id


def test_switch_event_public_error(serve, receiver):
    fintoc = serve(event_public_error="absent")
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(attempts=["fails"], accounts=1)
    fintoc.create(link)
    fintoc.advance(minutes=1)
    assert "public_error" not in receiver.events(1)[0]["data"]


# --- What sources disagree on -----------------------------------------------------------------------------------------


def test_the_whole_is_told_of_only_where_a_switch_says_so(serve, receiver):
    fintoc = serve(link_events="refresh_intent")
    fintoc.subscribe(receiver, ["refresh_intent.succeeded", "refresh_intent.failed"])
    link = fintoc.emulator.add_link(attempts=["mixed"])
    fintoc.create(link)
    fintoc.emulator.refresh_in_background(link.link_id)
    fintoc.advance(minutes=2)
    (event,) = receiver.events(1)
    assert event["type"] == "refresh_intent.failed"
    data = event["data"]
    assert (data["refreshed_object"], data["refreshed_object_id"]) == ("link", link.link_id)
    assert "id" not in data
    assert len(fintoc.emulator.truth()["deliveries"]) == 1


def test_switches_of_links_in_events(serve, receiver):
    fintoc = serve(event_link="reduced", event_link_token="null")
    fintoc.subscribe(receiver)
    fintoc.emulator.change_credentials(fintoc.emulator.add_link().link_id)
    data = receiver.events(1)[0]["data"]
    assert data["link_token"] is None
    assert {"active", "status", "refresh_status", "last_time_refreshed"}.isdisjoint(data)
    assert data["accounts"][0]["refreshed_at"] is None


def test_switch_event_created_at(serve, receiver):
    fintoc = serve(event_created_at="days_before")
    fintoc.subscribe(receiver)
    fintoc.create(fintoc.emulator.add_link(accounts=1))
    fintoc.advance(minutes=1)
    assert receiver.events(1)[0]["data"]["created_at"] == "2026-02-26T12:00:00.000Z"


@pytest.mark.parametrize("name", ["movements", "items"])
def test_switch_removed_payload(serve, receiver, name):
    fintoc = serve(removed_payload=name)
    fintoc.subscribe(receiver, OPT_IN)
    account = fintoc.emulator.add_link().account_ids[0]
    gone = fintoc.emulator.remove_movements(account, 2)
    data = receiver.events(1)[0]["data"]
    assert data["account_id"] == account
    assert [row["id"] for row in data[name]] == list(gone)


@pytest.mark.parametrize(
    ("flag", "shown"), [("both", {"status", "disabled"}), ("status", {"status"}), ("disabled", {"disabled"})]
)
def test_switch_endpoint_flag(serve, receiver, flag, shown):
    endpoint = serve(endpoint_flag=flag).subscribe(receiver)
    assert {"status", "disabled"} & set(endpoint) == shown


def test_switch_test_answer(serve, receiver):
    fintoc = serve(test_answer="endpoint")
    endpoint = fintoc.subscribe(receiver)
    answer = fintoc.client.post(f"/v1/webhook_endpoints/{endpoint['id']}/test", json={"type": OUTCOMES[1]})
    assert answer.json() == {**endpoint, "secret": None}
    assert receiver.events(1)[0]["data"]["status"] == "failed"


@pytest.mark.parametrize(
    ("rule", "url", "status"),
    [
        ("any", "http://somewhere", 201),
        ("https_or_local", "http://somewhere", 400),
        ("https_or_local", "https://somewhere", 201),
        ("https_or_local", "http://127.0.0.1:1", 201),
    ],
)
def test_switch_webhook_urls(serve, rule, url, status):
    fintoc = serve(webhook_urls=rule)
    body = {"url": url, "enabled_events": OUTCOMES}
    assert fintoc.client.post("/v1/webhook_endpoints", json=body).status_code == status


@pytest.mark.parametrize(("rule", "later"), [("fresh", 3), ("frozen", 0)])
def test_switch_retry_signature(serve, receiver, rule, later):
    fintoc = serve(retry_signature=rule)
    fintoc.subscribe(receiver)
    receiver.answers = [500]
    fintoc.emulator.refresh_in_background(fintoc.emulator.add_link(accounts=1).link_id)
    fintoc.emulator.settle()
    fintoc.advance(seconds=3)
    fintoc.emulator.settle()
    first, second = (
        int(receiver.came.get(timeout=5)[0]["fintoc-signature"].removeprefix("t=").partition(",")[0])
        for _ in range(2)
    )
    assert second - first == later


@pytest.mark.parametrize(("rule", "flag"), [("never", "enabled"), ("after_the_last_retry", "disabled")])
def test_switch_auto_disable(serve, receiver, rule, flag):
    fintoc = serve(auto_disable=rule)
    path = f"/v1/webhook_endpoints/{fintoc.subscribe(receiver)['id']}"
    receiver.answers = [500] * 18
    fintoc.emulator.refresh_in_background(fintoc.emulator.add_link(accounts=1).link_id)
    for retry in range(18):
        fintoc.emulator.settle()
        assert fintoc.client.get(path).json()["status"] == "enabled" if retry < 17 else True
        fintoc.advance(seconds=3 * 2**retry)
    fintoc.emulator.settle()
    assert fintoc.emulator.truth()["deliveries"][0]["tries"] == 18
    assert fintoc.client.get(path).json()["status"] == flag


# --- Events that were asked for ---------------------------------------------------------------------------------------


def test_a_triggered_event_goes_to_every_endpoint_that_wants_it(fintoc, receiver):
    for events in (OUTCOMES, OUTCOMES, OPT_IN):
        fintoc.subscribe(receiver, events)
    body = {"type": OUTCOMES[0], "overrides": {"new_movements": 7}}
    answer = fintoc.client.post("/v1/events/trigger", json=body)
    assert answer.status_code == 201
    assert receiver.events(2) == [answer.json()] * 2
    assert answer.json()["data"]["new_movements"] == 7
    assert code(fintoc.client.post("/v1/events/trigger", json={"type": "x"})) == (
        400,
        "invalid_webhook_subscription",
    )
    bad = {"type": OUTCOMES[0], "overrides": 3}
    assert code(fintoc.client.post("/v1/events/trigger", json=bad)) == (400, "invalid_hash")
    assert code(fintoc.client.post("/v1/events/trigger", json={})) == (400, "missing_parameter")


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_type_can_be_tried(fintoc, receiver, event_type):
    endpoint = fintoc.subscribe(receiver)
    sent = fintoc.client.post(f"/v1/webhook_endpoints/{endpoint['id']}/test", json={"type": event_type})
    assert receiver.events(1) == [sent.json()]
    assert sent.json()["type"] == event_type


def test_an_endpoint_can_be_made_without_a_request(fintoc, receiver):
    secret = fintoc.emulator.add_endpoint(receiver.url, events=OUTCOMES, secret="whsec_mine")
    assert secret == "whsec_mine"
    assert fintoc.emulator.add_endpoint(receiver.url, mode="live").startswith("whsec_live_")
    fintoc.emulator.refresh_in_background(fintoc.emulator.add_link(accounts=1).link_id)
    assert receiver.events(1)[0]["mode"] == "test"
    with pytest.raises(UnknownWordError, match="succeeded"):
        fintoc.emulator.add_endpoint(receiver.url, events=["account.refresh_intent.suceeded"])


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_faults_strike_events_by_link_number_and_endpoint(serve, receiver):
    fintoc = serve(faults={"duplicate": 1})
    endpoint = fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(accounts=1, faults={"duplicate": 0, "two_v1": 1})
    other = fintoc.emulator.add_link(accounts=1)
    for one in (link, other):
        fintoc.emulator.refresh_in_background(one.link_id)
    fintoc.emulator.settle()
    assert len(receiver.events(3)) == 3
    assert {(one["fault"], one["on"]) for one in fintoc.emulator.truth()["faults"]} == {
        ("two_v1", f"{link.link_id} event 1 {endpoint['id']}"),
        ("duplicate", f"{other.link_id} event 1 {endpoint['id']}"),
    }


def test_the_fault_event_first_lets_events_overtake_the_answer(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    fintoc.emulator.faults.next("event_first")
    assert fintoc.create(link).json()["status"] == "created"
    assert receiver.came.qsize() == 3
    assert fintoc.emulator.truth()["faults"][0]["on"] == f"{link.link_id} create 1"
