"""The truth about the emulated Rail, the hands behind the scenes, and the same again from the same seed."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from bankbridge.emulation import FAULTS, Clock, Server, UnknownLinkError, UnknownWordError
from bankbridge_rail.emulator import Timings, create_emulator
from tests.emulation.receiver import Receiver
from tests.rail.emulated import START, TLS, Rail, served


def test_the_truth(rail):
    link = rail.emulator.add_link(attempts=["rejects"], institution="bice")
    intent_id = rail.create(link.link_id, "key-1").json()["id"]
    rail.pass_time(5)
    rail.intent(intent_id)
    rail.pass_time(40)
    rail.receiver.wait_for("refresh_intent.failed")
    truth = rail.http.get("/__emulator/truth").json()
    assert truth["provider"] == "rail"
    assert truth["now"] == "2026-06-03T15:00:45+00:00"
    create = {
        "idempotency_key": "key-1",
        "status": 201,
        "intent_id": intent_id,
        "at": "2026-06-03T15:00:00+00:00",
    }
    assert truth["links"] == {
        link.link_id: {
            "status": "active",
            "mode": "test",
            "institution": "bice",
            "webhooks": "normal",
            "account_ids": list(link.account_ids),
            "login_attempts": 1,
            "refused_logins": 1,
            "failures_in_a_row": 1,
            "automatic_syncs": [],
            "creates": [create],
            "intents": [
                {
                    "id": intent_id,
                    "status": "failed",
                    "error_code": "rejected_credentials",
                    "prompts": 0,
                    "accounts": {},
                    "created_at": "2026-06-03T15:00:00+00:00",
                    "ended_at": "2026-06-03T15:00:45+00:00",
                    "creates": [create],
                    "polls": ["2026-06-03T15:00:05+00:00"],
                }
            ],
        }
    }
    assert truth["requests"] == {
        "POST /v1/webhook_endpoints": 1,
        "POST /v1/refresh_intents": 1,
        "GET /v1/refresh_intents/{intent_id}": 1,
    }
    types = ["link.created", "refresh_intent.created", "refresh_intent.failed"]
    assert [row["type"] for row in truth["deliveries"]] == types


def test_the_control_over_http(rail):
    wanted = {"attempts": ["mfa"], "webhooks": "twice", "institution": "bci", "accounts": 2}
    answer = rail.http.post("/__emulator/links", json=wanted)
    link = answer.json()
    assert answer.status_code == 201
    assert (link["link_token"], len(link["account_ids"])) == (None, 2)
    intent_id = rail.create(link["link_id"]).json()["id"]
    advanced = rail.http.post("/__emulator/clock/advance", json={"seconds": 15})
    assert advanced.json()["now"] == "2026-06-03T15:00:15+00:00"
    assert rail.intent(intent_id)["status"] == "requires_mfa"
    act = rail.http.post(f"/__emulator/links/{link['link_id']}/person", json={"act": "right_code"})
    assert act.status_code == 200
    rail.pass_time(30)
    assert rail.intent(intent_id)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("links", {"attempts": ["suceeds"]}, 400, "'succeeds'"),
        ("links", {"atempts": ["succeeds"]}, 400, "unknown field 'atempts'"),
        ("links", {"accounts": "3"}, 400, "accounts is a string"),
        ("links", ["mfa"], 400, "send an object"),
        ("links/link_0/person", {"act": "right_code"}, 404, "there is no link"),
        ("links/link_0/person", {}, 400, "act is missing"),
        ("clock/advance", {"seconds": -1}, 400, "seconds is -1"),
        ("clock/advance", {}, 400, "seconds is missing"),
    ],
)
def test_bad_control_is_explained(shared_rail, path, body, status, message):
    answer = shared_rail.http.post(f"/__emulator/{path}", json=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_it_may_be_called_from_any_thread_and_before_and_after_it_is_served():
    emulator = create_emulator(Clock(start=START, speed=0))
    first = emulator.add_link()
    with Server(emulator.app):
        threads = [threading.Thread(target=emulator.add_link) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(emulator.truth()["links"]) == 9
    emulator.add_link()
    assert next(iter(emulator.truth()["links"])) == first.link_id
    assert len(emulator.truth()["links"]) == 10


def test_the_seed_decides_the_ids():
    def ids(seed: int) -> tuple[str, tuple[str, ...], str]:
        emulator = create_emulator(Clock(start=START, speed=0), seed=seed)
        link = emulator.add_link()
        return link.link_id, link.account_ids, emulator.secret_key

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
    assert re.fullmatch(r"link_[0-9a-f]{16}", ids(1)[0])
    assert re.fullmatch(r"rail_sk_test_[0-9a-f]{32}", ids(1)[2])


def test_in_fast_time_a_story_runs_by_itself():
    timings = Timings(sync=timedelta(seconds=20))
    emulator = create_emulator(Clock(start=START, speed=1000), timings=timings)
    link_id = emulator.add_link().link_id
    headers = {"Authorization": f"Bearer {emulator.secret_key}"}
    with (
        Server(emulator.app) as server,
        httpx.Client(base_url=server.url, headers=headers, verify=TLS) as http,
    ):
        path = "/v1/refresh_intents"
        intent = http.post(path, json={"link_id": link_id}).json()
        while intent["status"] == "created":
            intent = http.get(f"{path}/{intent['id']}").json()
    (told,) = emulator.truth()["links"][link_id]["intents"]
    took = datetime.fromisoformat(told["ended_at"]) - datetime.fromisoformat(told["created_at"])
    assert took == timings.sync


# --- The same again --------------------------------------------------------------------------------------------------

# All but `slow`, which takes real time.
RATES = {name: 0.15 for name in FAULTS if name != "slow"}
SCRIPTS = (
    ["succeeds"],
    ["mfa", "succeeds"],
    ["fails", "succeeds"],
    ["rejects"],
    ["bank_decides"],
    ["response_lost", "succeeds"],
    ["errors_500", "succeeds"],
    ["rate_limited"],
)


def lived(order: str, receiver: Receiver, seed: int = 7) -> dict[str, Any]:
    """The truth after some hours, in which the links were worked on in this order at each step."""
    receiver.forget()
    with served(receiver, {}, faults=RATES, seed=seed, is_subscribed=False) as rail:
        rail.emulator.add_endpoint(receiver.url)
        links = [rail.emulator.add_link(attempts=script).link_id for script in SCRIPTS]
        rail.emulator.auto_sync(links[0], "rejects", "succeeds")
        started: dict[str, str] = {}
        for step in range(30):
            turn = links[::-1] if order == "backward" else links
            with ThreadPoolExecutor(1 if order != "at once" else len(links)) as pool:
                list(pool.map(partial(work, rail, started, step), turn))
            rail.emulator.settle()
            rail.pass_time(1200 if step % 5 == 4 else 20)
        return rail.emulator.truth()


def work(rail: Rail, started: dict[str, str], step: int, link_id: str) -> None:
    """What an application and a person do about one link; a request may be lost, and is then sent at the next step."""
    with suppress(httpx.TransportError, httpx.HTTPStatusError):
        if link_id not in started:
            answer = rail.create(link_id, f"key {step // 10} of {link_id}")
            started[link_id] = answer.raise_for_status().json()["id"]
        elif rail.intent(started[link_id])["status"] in {"succeeded", "failed"}:
            del started[link_id]
    with suppress(UnknownLinkError):
        rail.emulator.person(link_id, "right_code" if step % 2 else "wrong_code")


@pytest.fixture(scope="module")
def forward(one_receiver: Receiver) -> dict[str, Any]:
    return lived("forward", one_receiver)


@pytest.mark.parametrize("order", ["forward", "backward", "at once"])
def test_the_same_seed_gives_the_same_truth_with_all_faults_on(forward, receiver, order):
    again = lived(order, receiver)
    for part, told in forward.items():
        assert again[part] == told, part


def test_those_lives_were_not_dull(forward, receiver):
    assert len({fault["fault"] for fault in forward["faults"]}) > 15
    statuses = {intent["status"] for link in forward["links"].values() for intent in link["intents"]}
    assert statuses >= {"succeeded", "failed"}
    assert lived("forward", receiver, seed=8) != forward


@pytest.mark.parametrize(
    "fault", [name for name, fault in FAULTS.items() if fault.side == "http" and name in RATES]
)
def test_a_fault_of_a_request_strikes_the_link_it_is_for(serve, fault):
    statuses = {"throttled": 429, "throttled_bare": 429, "error_500": 500, "html_502": 502}
    rail = serve()
    link = rail.emulator.add_link(faults={fault: 1})
    other = rail.emulator.add_link()
    paths = (f"/v1/links/{link.link_id}", f"/v1/accounts/{link.account_ids[0]}")
    for path in paths:
        if fault in statuses:
            assert rail.http.get(path).status_code == statuses[fault]
        else:
            with pytest.raises(httpx.TransportError):
                rail.http.get(path)
    if fault in statuses:
        assert rail.create(link.link_id).status_code == statuses[fault]
    assert rail.create(other.link_id).status_code == 201


def test_the_hands_over_http(rail):
    link = rail.emulator.add_link(accounts=1)
    links, accounts = f"/__emulator/links/{link.link_id}", f"/__emulator/accounts/{link.account_ids[0]}"
    added = rail.http.post(f"{links}/accounts").json()["account_id"]
    assert rail.http.delete(f"/__emulator/accounts/{added}").status_code == 200
    assert rail.http.post(f"{accounts}/movements", json={"count": 5}).status_code == 200
    assert len(rail.http.get(f"{accounts}/movements").json()) == 70
    assert rail.http.post(f"{links}/automatic", json={"words": ["fails"]}).status_code == 200
    assert rail.http.post(f"{links}/pause").status_code == 200
    assert rail.link(link.link_id)["is_paused"]
    assert rail.http.post(f"{links}/resume").status_code == 200
    rail.pass_time(4 * 3600)
    assert [sync["error_code"] for sync in rail.link_truth(link.link_id)["automatic_syncs"]] == [
        "bank_unavailable"
    ]
    assert rail.http.post(f"{links}/expire", json={"error_code": "bank_unavailable"}).status_code == 200
    assert rail.event("link.expired")["last_error_code"] == "bank_unavailable"
    assert rail.http.delete(links).status_code == 200
    assert rail.told()[-1] == "link.deleted"
    keys = rail.http.get("/__emulator/keys").json()
    assert {key["key"] for key in keys} == set(rail.emulator.keys.values())


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "links/link_0/accounts", {}, 404, "there is no link"),
        ("DELETE", "accounts/acc_0", {}, 404, "there is no account"),
        ("POST", "links/LINK/automatic", {}, 400, "words is missing"),
        ("POST", "links/LINK/automatic", {"words": []}, 400, "at least one"),
        ("POST", "links/LINK/automatic", {"words": ["rejcets"]}, 400, "'rejects'"),
        ("POST", "links/LINK/expire", {"error": "x"}, 400, "unknown field 'error'"),
        ("POST", "links/LINK/expire", {"error_code": "no code"}, 400, "error_code is no code"),
        ("POST", "accounts/ACCOUNT/movements", {"count": -1}, 400, "count is -1"),
        ("POST", "accounts/ACCOUNT/movements", {"count": "1"}, 400, "whole number"),
        ("POST", "accounts/ACCOUNT/movements", {"count": 1_000_000}, 400, "count is 1000000"),
        ("DELETE", "links/link_0", {}, 404, "there is no link"),
    ],
)
def test_bad_hands_are_explained(shared_rail, method, path, body, status, message):
    link = shared_rail.emulator.add_link()
    path = path.replace("LINK", link.link_id).replace("ACCOUNT", link.account_ids[0])
    answer = shared_rail.http.request(method, f"/__emulator/{path}", json=body)
    assert (answer.status_code, message in answer.json()["error"]["message"]) == (status, True)


def test_a_name_chooses_the_id(rail):
    assert rail.emulator.add_link(name="carla").link_id == "link_carla"
    for name in ("carla", "", "a b", "a/b", "x" * 65):
        with pytest.raises(ValueError, match="name"):
            rail.emulator.add_link(name=name, mode="live")
    with pytest.raises(UnknownWordError, match="mode 'prod'"):
        rail.emulator.add_link(mode="prod")
    with pytest.raises(UnknownWordError, match=r"event type 'link\.went'"):
        rail.emulator.add_endpoint(rail.receiver.url, events=["link.went"])
    secret = rail.emulator.add_endpoint(rail.receiver.url, events=["link.created"], secret="whsec_mine")
    assert secret == "whsec_mine"
