"""An emulated Fintoc that is asked over real sockets, the way a client asks the real one."""

import json
import queue
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
from starlette.responses import Response

from bankbridge.emulation import EmulatedLink, Server
from bankbridge_fintoc.emulator import FintocEmulator

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TLS = httpx.create_ssl_context()  # nothing here is encrypted, and loading certificates takes its time
OUTCOMES = [f"account.refresh_intent.{status}" for status in ("succeeded", "failed", "rejected")]
SUBSCRIBED = [*OUTCOMES, "link.credentials_changed"]
OPT_IN = ["account.refresh_intent.movements_modified", "account.refresh_intent.movements_removed"]


@attrs.define
class Receiver:
    """An application's webhook endpoint: it keeps what comes, and answers as told, then with 200."""

    url: str = ""
    answers: list[int] = attrs.field(factory=list)
    came: queue.SimpleQueue = attrs.field(factory=queue.SimpleQueue)

    async def take(self, request):
        self.came.put((dict(request.headers), await request.body()))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    def events(self, count: int) -> list[dict]:
        return [json.loads(self.came.get(timeout=5)[1]) for _ in range(count)]


@attrs.define
class Fintoc:
    """An emulator that is being served, with a client that has its key."""

    emulator: FintocEmulator
    client: httpx.Client

    def create(self, link: EmulatedLink, *, key: str | None = None, **params: str) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        query = {"link_token": link.link_token, **params}
        return self.client.post("/v1/refresh_intents", params=query, headers=headers)

    def get(self, link: EmulatedLink, path: str, **params: str | int) -> httpx.Response:
        return self.client.get(path, params={"link_token": link.link_token, **params})

    def rows(self, link: EmulatedLink, **params: str | int) -> list[dict]:
        """The movements of the first account, whatever their status, as far as they are on one page."""
        path = f"/v1/accounts/{link.account_ids[0]}/movements"
        return self.get(link, path, **{"per_page": 300, "confirmed_only": "false", **params}).json()

    def pages(self, link: EmulatedLink, **params: str | int) -> tuple[list[dict], list[httpx.Response]]:
        """Follow ``next`` from the first page of the first account's movements."""
        answers = [self.get(link, f"/v1/accounts/{link.account_ids[0]}/movements", **params)]
        while "next" in answers[-1].links:
            answers.append(self.client.get(answers[-1].links["next"]["url"]))
        return [row for answer in answers for row in answer.json()], answers

    def advance(self, **by: float) -> None:
        self.emulator.clock.advance(timedelta(**by))

    def story(self, link: EmulatedLink) -> dict:
        return self.emulator.truth()["links"][link.link_id]

    def subscribe(self, receiver: Receiver, events: Sequence[str] | None = None) -> dict:
        body = {"url": receiver.url, "enabled_events": events or SUBSCRIBED}
        return self.client.post("/v1/webhook_endpoints", json=body).json()

    def connect(self, mode: str = "test", **more: str) -> dict:
        """Connect a bank as a person does; the link, with its token."""
        headers = {"Authorization": self.emulator.keys[f"secret_{mode}"]}
        body = {"product": "movements", "country": "cl", "holder_type": "individual"}
        token = self.client.post("/v1/link_intents", json=body, headers=headers).json()["widget_token"]
        who = {"institution": "cl_banco_bci", "username": "41614850-3", "password": "jonsnow", **more}
        exchange_token = self.emulator.connect(token, **who)
        return self.exchange(exchange_token, headers=headers).json()

    def exchange(self, exchange_token: str, **more: Any) -> httpx.Response:
        return self.client.get("/v1/links/exchange", params={"exchange_token": exchange_token}, **more)


def client_of(server: Server, headers: dict[str, str] | None = None) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=headers, timeout=10, verify=TLS, trust_env=False)


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]
