"""Between a flow and a socket: whose client it is, where it may go, and what comes back when nothing does."""

import asyncio
from datetime import date, timedelta
from typing import Any

import attrs
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route

from bankbridge import AsyncBankBridge, BankBridge, ConfigurationError, Policy, TransportError
from bankbridge.emulation import Server
from bankbridge.machine.link import Link
from bankbridge.shells import aio, sync
from bankbridge.shells.connections import policy_for
from bankbridge.shells.core import utc_now
from bankbridge.shells.http import arguments
from bankbridge.store.memory import MemoryStore
from bankbridge.wire import Request, Response, Running, ask
from bankbridge.words.errors import RefusedError, UnknownConnectionError, UnknownIntentError, UnknownLinkError
from bankbridge.words.ids import AccountId, ConnectionName, LinkId
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.stages import COLOURS, START, bridged

KEY = "rail_sk_test_0123456789"
CLIENTS = {"blocking": httpx.Client, "async": httpx.AsyncClient}
NOTHING_KEPT = httpx.Limits(max_keepalive_connections=0)  # so that a client may be left open without a socket


def rail(url: str = "http://127.0.0.1:1", **more) -> Rail:
    return Rail(secret_key=KEY, webhook_secrets=("whsec_1",), base_url=url, **more)


def store_with(connection: str, token: str | None = None) -> MemoryStore:
    """A store that knows one link with one account."""
    store = MemoryStore()
    link = Link(
        id=LinkId("link_1"),
        connection=ConnectionName(connection),
        token=token,
        accounts=(AccountId("acc_1"),),
    )
    store.transact(lambda tx: tx.save_link(link))
    return store


@attrs.define
class Site:
    """A real server that remembers what it was asked."""

    answer: Any
    asked: list = attrs.field(factory=list)

    async def take(self, request):
        self.asked.append(
            (request.method, request.url.path, dict(request.query_params), dict(request.headers))
        )
        return self.answer if isinstance(self.answer, StarletteResponse) else self.answer(request)

    def serve(self) -> Server:
        methods = ["GET", "POST", "DELETE"]
        return Server(Starlette(routes=[Route("/{path:path}", self.take, methods=methods)]))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_redirect_is_not_followed(colour):
    elsewhere = Site(JSONResponse([]))
    with elsewhere.serve() as other:
        home = Site(lambda _request: RedirectResponse(f"{other.url}/v1/accounts", 307))
        with home.serve() as here:
            for follows in (False, True):
                client = CLIENTS[colour](follow_redirects=follows, trust_env=False, limits=NOTHING_KEPT)
                store = store_with("rail")
                with bridged(colour, {"rail": rail(here.url)}, client=client, store=store) as bridge:
                    with pytest.raises(RefusedError) as caught:
                        list(bridge.accounts("link_1"))
                    assert caught.value.status == 307
                    intent = bridge.refresh("link_1")
                    assert intent.failure.reason.value == "configuration"
    assert {headers["authorization"] for *_, headers in home.asked} == {f"Bearer {KEY}"}
    assert elsewhere.asked == []


def test_a_next_page_elsewhere_is_not_followed():
    elsewhere = Site(JSONResponse([]))
    row = {"id": "mov_1", "amount": 1, "currency": "CLP", "post_date": "2026-06-01T00:00:00Z"}
    with elsewhere.serve() as other:

        def pages(request):
            more = {"link": f'<{other.url}/v1/accounts?page=2>; rel="next"', "x-total-count": "2"}
            number = request.query_params["page"]
            return JSONResponse([row | {"id": f"mov_{number}"}], headers=more if number == "1" else {})

        home = Site(pages)
        with home.serve() as here:
            fintoc = Fintoc(secret_key="sk_test_1", webhook_secrets=("w",), base_url=here.url)
            with BankBridge({"fintoc": fintoc}, store=store_with("fintoc", "link_1_token")) as bridge:
                rows = list(bridge.movements("acc_1", date(2026, 1, 1)))
    assert [row.id for row in rows] == ["mov_1", "mov_2"]
    assert [query["page"] for _, _, query, _ in home.asked] == ["1", "2"]
    assert elsewhere.asked == []


@pytest.mark.parametrize("colour", COLOURS)
def test_the_client_passed_in_is_used_and_left_open(colour):
    site = Site(JSONResponse([]))
    with site.serve() as here:
        client = CLIENTS[colour](headers={"user-agent": "mine"}, trust_env=False, limits=NOTHING_KEPT)
        with bridged(colour, {"rail": rail(here.url)}, client=client, store=store_with("rail")) as bridge:
            assert list(bridge.accounts("link_1")) == []
        assert site.asked[0][3]["user-agent"] == "mine"
        assert not client.is_closed


async def test_the_own_client_is_closed():
    with BankBridge({"rail": rail()}) as blocking:
        assert not blocking._client.is_closed
    async with AsyncBankBridge({"rail": rail()}) as awaited:
        assert not awaited._client.is_closed
    assert blocking._client.is_closed
    assert awaited._client.is_closed


def test_a_query_in_the_base_url_is_refused_and_an_empty_one_erases_nothing():
    connection = BankBridge({"rail": rail("http://127.0.0.1:1/base/")})._core.connection("rail")
    given = arguments(connection, Request(method="GET", path="/v1/links?kept=1"))
    request = httpx.Client().build_request(given["method"], given["url"], params=given["params"])
    assert str(request.url) == "http://127.0.0.1:1/base/v1/links?kept=1"
    assert given["json"] is None
    with pytest.raises(ValueError, match="query"):
        rail("http://127.0.0.1:1/?a=1")


@pytest.mark.parametrize("colour", COLOURS)
def test_only_reads_are_sent_again_at_once(colour):
    statuses = iter([502, 200])
    site = Site(lambda _request: JSONResponse([], next(statuses)))
    with site.serve() as here, bridged(colour, {"rail": rail(here.url)}, store=store_with("rail")) as bridge:
        assert list(bridge.accounts("link_1")) == []
        assert [method for method, *_ in site.asked] == ["GET", "GET"]
        statuses = iter([503, 200])
        assert bridge.refresh("link_1").attempt.unclear == 1
    assert [method for method, *_ in site.asked] == ["GET", "GET", "POST"]


@pytest.mark.parametrize("colour", COLOURS)
def test_a_look_at_a_refresh_is_not_sent_again_at_once(colour):
    site = Site(
        lambda request: JSONResponse(
            {"id": "ri_1", "status": "created"}, 200 if request.method == "POST" else 502
        )
    )
    now = [START]
    with (
        site.serve() as here,
        bridged(colour, {"rail": rail(here.url)}, store=store_with("rail"), clock=lambda: now[0]) as bridge,
    ):
        bridge.refresh("link_1")
        now[0] += timedelta(minutes=1)
        assert bridge.wake_due() == 1
    assert [method for method, *_ in site.asked] == ["POST", "GET"]


# --- the generators --------------------------------------------------------------------------------


def _flow():
    first = yield from ask(Request(method="GET", path="/1"))
    try:
        yield Request(method="GET", path="/2")
    except TransportError:
        return first.status, "no answer"
    raise AssertionError("not reached")


def _send(request: Request) -> Response:
    if request.path == "/2":
        raise TransportError("gone")
    return Response(status=201)


def test_no_answer_is_thrown_into_the_flow():
    async def send(request: Request) -> Response:
        return _send(request)

    assert sync.drive(_flow(), _send) == (201, "no answer")
    assert asyncio.run(aio.drive(_flow(), send)) == (201, "no answer")


def test_a_flow_that_does_not_expect_it_lets_it_through():
    def flow():
        yield from ask(Request(method="GET", path="/2"))

    with pytest.raises(TransportError, match="gone"):
        sync.drive(flow(), _send)


def test_a_stop_iteration_of_the_transport_is_nobody_s_end():
    def exhausted(_request: Request) -> Response:
        return next(iter(()))

    with pytest.raises(StopIteration):
        sync.drive(_flow(), exhausted)

    async def exhausted_too(request: Request) -> Response:
        return exhausted(request)

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(aio.drive(_flow(), exhausted_too))


def test_a_stop_iteration_inside_a_flow_is_a_bug_that_is_seen():
    def flow():
        yield Request(method="GET", path="/1")
        next(iter(()))

    running = Running(flow())
    with pytest.raises(RuntimeError, match="StopIteration"):
        running.answer(Response(status=200))


def test_a_flow_may_ask_for_nothing():
    def flow():
        return 7
        yield  # a generator, though it asks nothing

    assert sync.drive(flow(), _send) == 7


# --- putting it together --------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
def test_the_caller_s_mistakes(colour):
    with pytest.raises(ConfigurationError, match="at least one"):
        BankBridge({})
    with pytest.raises(UnknownConnectionError, match="policy for stage"):
        BankBridge({"rail": rail()}, policies={"stage": Policy()})
    with bridged(colour, {"rail": rail()}) as bridge:
        with pytest.raises(UnknownConnectionError, match=r"'bank'.*known: rail"):
            bridge.add_link("bank", "link_1")
        for ask_for in (bridge.refresh, bridge.why_not_now, bridge.reconnected, bridge.reconcile_link):
            with pytest.raises(UnknownLinkError, match="link_1"):
                ask_for("link_1")
        with pytest.raises(UnknownLinkError, match="acc_1"):
            list(bridge.movements("acc_1", connection="rail"))
        for ask_for in (bridge.outcome, bridge.explain, bridge.retry, bridge.cancel, bridge.prompt_answered):
            with pytest.raises(UnknownIntentError, match="rfi_0"):
                ask_for("rfi_0")


def test_the_same_link_under_two_connections_must_be_named():
    store = store_with("live")
    store.transact(lambda tx: tx.save_link(attrs.evolve(tx.links()[0], connection=ConnectionName("test"))))
    with BankBridge({"live": rail(), "test": rail()}, store=store) as bridge:
        with pytest.raises(UnknownLinkError, match="several connections"):
            bridge.why_not_now("link_1")
        assert bridge.why_not_now("link_1", connection="test") == ()


def test_a_policy_replaces_the_connection_s():
    mine = policy_for(Rail.capabilities, Policy(most_attempts=1))
    with BankBridge({"rail": rail()}, policies={"rail": mine}) as bridge:
        assert bridge._core.connection("rail").policy.most_attempts == 1
        assert mine.can_cancel
    assert utc_now().tzinfo is not None
    assert START.tzinfo is not None


@pytest.mark.parametrize("colour", COLOURS)
def test_from_config(colour, tmp_path, monkeypatch):
    monkeypatch.setenv("RAIL_KEY", KEY)
    path = tmp_path / "bankbridge.toml"
    path.write_text('[connections.rail]\nsecret_key = { env = "RAIL_KEY" }\nwebhook_secrets = ["whsec_1"]\n')
    face: Any = {"blocking": BankBridge, "async": AsyncBankBridge}[colour]
    bridge = face.from_config(path)
    assert bridge._core.connection("rail").provider == rail("https://api.rail.cl")
    asyncio.run(bridge.close()) if colour == "async" else bridge.close()


async def test_listeners_may_be_async_or_not():
    told: list[Any]
    for told in ([], []):

        def listen(news, told=told):
            told.append(news)

        async def listen_async(news, told=told):
            told.append(news)

        for listener in (listen, listen_async):
            bridge = AsyncBankBridge({"rail": rail()}, store=store_with("rail"), on_news=listener)
            await bridge.reconnected("link_1")
            await bridge.close()
        assert len(told) == 2
