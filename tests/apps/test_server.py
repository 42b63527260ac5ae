"""The webhook application: over a real socket, and as an ASGI server may speak to it."""

import asyncio
import hashlib
import hmac
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from bankbridge import AsyncBankBridge, BankBridge
from bankbridge.emulation import Server
from bankbridge.server import webhook_app
from bankbridge.shells.inbox import LARGEST_BODY
from bankbridge_rail import Rail

SECRET = "whsec_server_test"
EVENT = b'{"object":"event","id":"evt_1","type":"link.created","data":{"object":"link","id":"link_1"}}'


def signed(body: bytes) -> dict[str, str]:
    at = int(datetime.now(UTC).timestamp())
    digest = hmac.new(SECRET.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return {"Rail-Signature": f"t={at},v1={digest}"}


@pytest.fixture(params=[BankBridge, AsyncBankBridge])
def bridge(request: pytest.FixtureRequest) -> Any:
    return request.param({"rail": Rail(secret_key="rail_sk_test_x", webhook_secrets=(SECRET,))})


@pytest.fixture
def url(bridge: Any) -> Iterator[str]:
    with Server(webhook_app(bridge)) as server:
        yield server.url


def test_a_delivery_is_taken_once(url: str) -> None:
    first = httpx.post(f"{url}/webhooks/rail", content=EVENT, headers=signed(EVENT))
    again = httpx.post(f"{url}/webhooks/rail", content=EVENT, headers=signed(EVENT))
    assert (first.status_code, first.text) == (200, "ok")
    assert (again.status_code, again.text) == (200, "known")
    assert first.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("connection", "headers", "status", "text"),
    [
        ("rail", {}, 400, "not verified"),
        ("rail", {"Rail-Signature": "t=1,v1=00"}, 400, "not verified"),
        ("nobody", signed(EVENT), 404, "no such connection"),
        ("r%C3%A4il", signed(EVENT), 404, "no such connection"),
    ],
)
def test_what_is_not_genuine_is_refused_without_saying_why(
    url: str, connection: str, headers: dict[str, str], status: int, text: str
) -> None:
    answer = httpx.post(f"{url}/webhooks/{connection}", content=EVENT, headers=headers)
    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize("path", ["/", "/webhooks", "/webhooks/", "/webhooks/rail/more", "/x/webhooks/rail"])
def test_there_is_one_route(url: str, path: str) -> None:
    answer = httpx.post(f"{url}{path}", content=EVENT, headers=signed(EVENT))
    assert (answer.status_code, answer.text) == (404, "not found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_posts_are_deliveries(url: str, method: str) -> None:
    answer = httpx.request(method, f"{url}/webhooks/rail")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def in_pieces(body: bytes) -> Iterator[bytes]:
    """Without saying beforehand how long it is."""
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def test_a_body_may_come_in_pieces(url: str) -> None:
    answer = httpx.post(f"{url}/webhooks/rail", content=in_pieces(EVENT * 1000), headers=signed(EVENT * 1000))
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize("sent", [bytes, in_pieces], ids=["at once", "in pieces"])
def test_a_body_too_large_is_refused(url: str, sent: Any) -> None:
    body = b"x" * (LARGEST_BODY + 1)
    answer = httpx.post(f"{url}/webhooks/rail", content=sent(body), headers=signed(body))
    assert (answer.status_code, answer.text) == (413, "too large")


def test_a_body_said_to_be_too_large_is_not_waited_for(url: str) -> None:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST /webhooks/rail HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_it_can_be_mounted_in_another_application(bridge: Any) -> None:
    with Server(Starlette(routes=[Mount("/web", webhook_app(bridge))])) as server:
        for path, status in (("/web/webhooks/rail", 200), ("/webhooks/rail", 404)):
            answer = httpx.post(f"{server.url}{path}", content=EVENT, headers=signed(EVENT))
            assert answer.status_code == status


# --- as a server may speak


def spoken(scope: dict[str, Any], *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What the application says, spoken to like this."""
    bridge = AsyncBankBridge({"rail": Rail(secret_key="rail_sk_test_x", webhook_secrets=(SECRET,))})
    said: list[dict[str, Any]] = []
    left = list(messages)

    async def receive() -> Any:
        return left.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(_closed(bridge, webhook_app(bridge)(scope, receive, send)))
    assert left == []
    return said


async def _closed(bridge: AsyncBankBridge, talk: Any) -> None:
    async with bridge:
        await talk


POST = {"type": "http", "method": "POST", "path": "/webhooks/rail"}


def test_who_hangs_up_is_not_answered() -> None:
    half = {"type": "http.request", "body": EVENT[:9], "more_body": True}
    assert spoken({**POST, "headers": []}, half, {"type": "http.disconnect"}) == []


def test_a_path_that_only_begins_like_the_mount() -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in signed(EVENT).items()]
    said = spoken({**POST, "root_path": "/web", "headers": headers}, {"type": "http.request", "body": EVENT})
    assert [said[0]["status"], said[1]["body"]] == [200, b"ok"]


def test_of_two_headers_with_one_name_the_first_counts() -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in signed(EVENT).items()]
    scope = {**POST, "headers": [*headers, (b"rail-signature", b"t=1,v1=00")]}
    assert spoken(scope, {"type": "http.request", "body": EVENT})[0]["status"] == 200


def test_it_lives_as_long_as_its_server() -> None:
    said = spoken({"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [one["type"] for one in said] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_it_does_not_speak_websocket() -> None:
    with pytest.raises(ValueError, match="does not speak websocket"):
        spoken({"type": "websocket"})
