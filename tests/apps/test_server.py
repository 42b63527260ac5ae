"""The webhook application over a real socket."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

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
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    bridge = request.param({"rail": Rail(secret_key="rail_sk_test_x", webhook_secrets=(SECRET,))})
    with Server(webhook_app(bridge)) as server:
        yield server.url


def test_a_delivery_is_taken_once(url: str) -> None:
    first = httpx.post(f"{url}/webhooks/rail", content=EVENT, headers=signed(EVENT))
    again = httpx.post(f"{url}/webhooks/rail", content=EVENT, headers=signed(EVENT))
    assert (first.status_code, first.text) == (200, "ok")
    assert (again.status_code, again.text) == (200, "known")


@pytest.mark.parametrize(
    ("connection", "headers", "status", "text"),
    [
        ("rail", {}, 400, "not verified"),
        ("rail", {"Rail-Signature": "t=1,v1=00"}, 400, "not verified"),
        ("nobody", signed(EVENT), 404, "no such connection"),
    ],
)
def test_what_is_not_genuine_is_refused_without_saying_why(
    url: str, connection: str, headers: dict[str, str], status: int, text: str
) -> None:
    answer = httpx.post(f"{url}/webhooks/{connection}", content=EVENT, headers=headers)
    assert (answer.status_code, answer.text) == (status, text)


def test_a_body_too_large_is_refused(url: str) -> None:
    body = b"x" * (LARGEST_BODY + 1)
    assert httpx.post(f"{url}/webhooks/rail", content=body, headers=signed(body)).status_code == 413


def test_only_posts_are_deliveries(url: str) -> None:
    assert httpx.get(f"{url}/webhooks/rail").status_code == 405
