"""What an idempotency key does at the emulated Rail."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bankbridge_rail.emulator import SWITCHES
from tests.emulation.receiver import PATIENCE, Received, Receiver
from tests.rail.emulated import INTENTS


def test_idempotency_gives_the_first_answer_again(rail):
    link_id = rail.emulator.add_link().link_id
    first = rail.create(link_id, "a")
    rail.pass_time(45)
    assert rail.intent(first.json()["id"])["status"] == "succeeded"
    again = rail.create(link_id, "a")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert rail.create(link_id, "b").json()["id"] != first.json()["id"]
    assert rail.create(link_id).json()["id"] != first.json()["id"]
    assert len(rail.link_truth(link_id)["intents"]) == 3


@pytest.mark.parametrize("mode", SWITCHES["idempotency_mismatch"].values)
def test_idempotency_mismatch(serve, mode):
    rail = serve(idempotency_mismatch=mode)
    link_id = rail.emulator.add_link().link_id
    rail.create(link_id, "a")
    other = rail.create(link_id, "a", refresh_type="historical")
    assert other.status_code == (201 if mode == "ignored" else int(mode))
    assert len(rail.link_truth(link_id)["intents"]) == (2 if mode == "ignored" else 1)


def test_a_key_belongs_to_its_mode(rail):
    link_id = rail.emulator.add_link().link_id
    live_id = rail.emulator.add_link(mode="live").link_id
    rail.create(link_id, "a")
    headers = {"Authorization": f"Bearer {rail.emulator.keys['secret_live']}", "Idempotency-Key": "a"}
    answer = rail.http.post(INTENTS, json={"link_id": live_id}, headers=headers)
    assert answer.json()["link_id"] == live_id


def test_idempotency_ignored(serve):
    rail = serve(idempotency="ignored")
    link_id = rail.emulator.add_link().link_id
    assert rail.create(link_id, "a").json()["id"] != rail.create(link_id, "a").json()["id"]


@pytest.mark.parametrize("reading", SWITCHES["idempotency_errors"].values)
def test_idempotency_errors(serve, reading):
    rail = serve(idempotency_errors=reading)
    link_id = rail.emulator.add_link(attempts=["errors_500", "succeeds"]).link_id
    statuses = [rail.create(link_id, "a").status_code for _ in range(2)]
    assert statuses == ([500, 500] if reading == "replayed" else [500, 201])


class Slow(Receiver):
    """Keeps its answers back until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()

    def answer(self, delivery: Received) -> int:
        self.may_answer.wait(PATIENCE)
        return super().answer(delivery)


@pytest.mark.parametrize("reading", SWITCHES["idempotency_in_flight"].values)
def test_idempotency_in_flight(serve, reading):
    rail = serve(idempotency_in_flight=reading)
    link_id = rail.emulator.add_link(webhooks="early").link_id
    with Slow() as slow, ThreadPoolExecutor() as pool:
        rail.emulator.add_endpoint(slow.url, events=["refresh_intent.created"])
        first = pool.submit(rail.create, link_id, "a")
        slow.wait_for("refresh_intent.created")
        second = pool.submit(rail.create, link_id, "a")
        if reading == "409":
            assert second.result().json()["error"]["code"] == "idempotency_in_flight"
        while rail.emulator.truth()["requests"][f"POST {INTENTS}"] < 2:
            pass
        slow.may_answer.set()
        assert first.result().status_code == 201
        assert (second.result().content == first.result().content) == (reading == "waits")
    assert len(rail.link_truth(link_id)["intents"]) == 1


@pytest.mark.parametrize("reading", SWITCHES["idempotency_lifetime"].values)
def test_idempotency_lifetime(serve, reading):
    rail = serve(idempotency_lifetime=reading)
    link_id = rail.emulator.add_link().link_id
    first = rail.create(link_id, "a").json()["id"]
    rail.pass_time(86_399)
    assert rail.create(link_id, "a").json()["id"] == first
    rail.pass_time(1)
    assert (rail.create(link_id, "a").json()["id"] == first) == (reading == "for_ever")


@pytest.mark.parametrize("reading", SWITCHES["idempotency_replay"].values)
def test_idempotency_replay(serve, reading):
    rail = serve(idempotency_replay=reading)
    link_id = rail.emulator.add_link().link_id
    first, again = rail.create(link_id, "a"), rail.create(link_id, "a")
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.status_code == (200 if reading == "200" else 201)
    assert again.headers.get("idempotency-replayed") == ("true" if reading == "marked" else None)


@pytest.mark.parametrize("reading", SWITCHES["idempotency_paths"].values)
def test_idempotency_paths(serve, reading):
    rail = serve(idempotency_paths=reading)

    def post(path: str, **body: object) -> httpx.Response:
        return rail.http.post(f"/v1/{path}", json=body, headers={"Idempotency-Key": path})

    same = post("widget_tokens").json()["id"] == post("widget_tokens").json()["id"]
    assert same == (reading == "every_post")
    bad = [post("webhook_endpoints", url="no").status_code for _ in range(2)]
    assert bad == [400, 400]


def test_the_same_key_on_another_path_is_another_request(serve):
    rail = serve(idempotency_paths="every_post")
    link_id = rail.emulator.add_link().link_id
    rail.create(link_id, "a")
    answer = rail.http.post("/v1/widget_tokens", json={}, headers={"Idempotency-Key": "a"})
    assert answer.status_code == 409
    assert "idempotency_mismatch" in answer.text
