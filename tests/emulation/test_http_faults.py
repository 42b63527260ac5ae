"""Every fault of a request, as a client on a real socket meets it."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bankbridge.emulation import FAULTS, NEVER, Clock, FaultPlan, FaultyHttp, Server

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
FAULTS_OF_REQUESTS = tuple(name for name, fault in FAULTS.items() if fault.side == "http")
TOKEN = "link_x_token_y"


def envelope(status: int) -> Response:
    return JSONResponse({"error": {"status": status}}, status, {"retry-after": "999"})


class Shop:
    """An application that does things, and remembers what."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._do, methods=["GET", "POST"])])

    async def _do(self, request: Request) -> Response:
        self.done.append(f"{request.url.path} {(await request.body()).decode()}".strip())
        return JSONResponse({"done": len(self.done)}, 201)


class Stand:
    """The shop behind its faults, and a client before it."""

    def __init__(self, *, seed: int = 0, faults: Mapping[str, float] = NEVER, **options: Any) -> None:
        self.plan = FaultPlan(Clock(start=START, speed=0), seed=seed, rates=faults)
        self.shop = Shop()
        self.app = FaultyHttp(self.shop.app, self.plan, envelope=envelope, **options)

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        with (
            Server(self.app) as server,
            httpx.Client(base_url=server.url, trust_env=False, timeout=10) as client,
        ):
            yield client


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def client(stand: Stand) -> Iterator[httpx.Client]:
    with stand.running() as client:
        yield client


def test_without_a_fault_it_is_not_there(stand, client):
    answer = client.post("/v1/things", content=b"one")
    assert (answer.status_code, answer.json()) == (201, {"done": 1})
    assert stand.shop.done == ["/v1/things one"]
    assert stand.plan.report() == []


@pytest.mark.parametrize(
    ("fault", "status", "retries_after"),
    [("throttled", 429, True), ("throttled_bare", 429, False), ("error_500", 500, True)],
)
def test_an_error_in_the_envelope_and_nothing_is_done(stand, client, fault, status, retries_after):
    stand.plan.next(fault)
    answer = client.post("/v1/things")
    assert (answer.status_code, answer.json()) == (status, {"error": {"status": status}})
    assert ("retry-after" in answer.headers) == retries_after
    assert stand.shop.done == []
    assert client.post("/v1/things").status_code == 201


def test_how_long_to_wait_is_some_seconds_and_the_same_again():
    waits: list[list[str]] = []
    for _ in range(2):
        stand = Stand(faults={"throttled": 1.0})
        with stand.running() as client:
            waits.append([client.get(f"/v1/things?page={page}").headers["retry-after"] for page in range(20)])
    assert waits[0] == waits[1]
    assert len(set(waits[0])) > 5
    assert all(1 <= int(wait) <= 30 for wait in waits[0])


def test_a_page_of_html(stand, client):
    stand.plan.next("html_502")
    answer = client.get("/v1/things")
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert "Bad Gateway" in answer.text
    assert stand.shop.done == []


def test_a_reset_comes_before_anything_is_done(stand, client):
    stand.plan.next("reset")
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        client.post("/v1/things", content=b"one")
    assert stand.shop.done == []
    assert client.post("/v1/things").status_code == 201


def test_a_lost_response_is_lost_after_all_is_done(stand, client):
    stand.plan.next("response_lost")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        client.post("/v1/things", content=b"one")
    assert stand.shop.done == ["/v1/things one"]
    assert client.post("/v1/things").status_code == 201


def test_slow_is_done_at_once_and_answered_later():
    stand = Stand(slowness=timedelta(hours=1))
    with stand.running() as client:
        stand.plan.next("slow")
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/things", content=b"one", timeout=0.2)
        assert stand.shop.done == ["/v1/things one"]


def test_slow_is_answered_in_the_end():
    stand = Stand(slowness=timedelta(milliseconds=1))
    with stand.running() as client:
        stand.plan.next("slow")
        assert client.post("/v1/things").json() == {"done": 1}


def test_a_body_in_parts_is_one_body(stand, client):
    answer = client.post("/v1/things", content=iter([b"on", b"e"]))
    assert answer.status_code == 201
    assert stand.shop.done == ["/v1/things one"]


@pytest.mark.parametrize("fault", FAULTS_OF_REQUESTS)
def test_the_next_request_is_struck_and_recorded_without_ids(stand, client, fault):
    stand.app._slowness = timedelta(0)
    stand.plan.next(fault)
    try:
        client.get(f"/v1/links/{TOKEN}?link_token={TOKEN}")
    except httpx.TransportError:
        assert fault in {"reset", "response_lost"}
    (strike,) = stand.plan.report()
    assert strike["fault"] == fault
    assert strike["on"].startswith("GET /v1/links ")
    assert TOKEN not in str(strike)


def test_a_token_in_a_place_of_its_own_is_not_recorded(stand, client):
    stand.plan.next("error_500", times=2)
    client.get(f"/{TOKEN}9")
    client.get("/")
    assert [one["on"].split(" ")[1] for one in stand.plan.report()] == ["/…", "/…"]


def test_the_controls_are_never_struck():
    stand = Stand(faults=dict.fromkeys(FAULTS_OF_REQUESTS, 1.0))
    with stand.running() as client:
        assert client.get("/__emulator/truth").status_code == 201
    assert stand.plan.report() == []


def test_a_request_may_have_rates_of_its_own():
    async def rates(request: Request) -> dict[str, float]:
        return {"error_500": 1.0} if b"unlucky" in await request.body() else {}

    stand = Stand(rates=rates)
    with stand.running() as client:
        assert client.post("/v1/things", content=b"lucky").status_code == 201
        assert client.post("/v1/things", content=b"unlucky").status_code == 500
    assert stand.shop.done == ["/v1/things lucky"]


def test_the_same_requests_in_any_order_meet_the_same_faults():
    faults = {"error_500": 0.2, "html_502": 0.2, "throttled": 0.2}
    requests = [(f"/v1/things?page={page}", key) for page in range(10) for key in ("a", "a", "b", "c")]
    met: list[list[tuple[str, str, int]]] = []
    for order in range(3):
        random.Random(order).shuffle(requests)
        stand = Stand(seed=5, faults=faults)
        with stand.running() as client:
            statuses = [
                (path, key, client.post(path, headers={"idempotency-key": key}).status_code)
                for path, key in requests
            ]
        met.append(sorted(statuses))
    assert met[0] == met[1] == met[2]
    assert len({status for _, _, status in met[0]}) == 4


async def test_who_does_not_speak_http_is_let_through():
    scopes: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope["type"])

    plan = FaultPlan(Clock(start=START, speed=0), rates={"reset": 1.0})
    await FaultyHttp(app, plan, envelope=envelope)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert scopes == ["lifespan"]
