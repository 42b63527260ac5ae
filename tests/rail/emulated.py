"""An application's view of a served emulated Rail, for tests."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx

from bankbridge.emulation import NEVER, Clock, Server
from bankbridge_rail.emulator import RailEmulator, Timings, create_emulator
from tests.emulation.receiver import Receiver

TLS = httpx.create_ssl_context()  # once: it takes longer than a test
START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
TIMINGS = Timings()
INTENTS = "/v1/refresh_intents"


@attrs.define
class Rail:
    """A client of a served emulator, with a clock that stands still until it is told to move."""

    emulator: RailEmulator
    http: httpx.Client
    receiver: Receiver
    secret: str

    def create(self, link_id: str, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"link_id": link_id, "refresh_type": "full", **fields}
        return self.http.post(INTENTS, json=body, headers=headers)

    def begun(self, link_id: str, **fields: Any) -> str:
        """The id of a new intent."""
        return self.create(link_id, **fields).raise_for_status().json()["id"]

    def intent(self, intent_id: str) -> dict[str, Any]:
        return self.http.get(f"{INTENTS}/{intent_id}").raise_for_status().json()

    def link(self, link_id: str) -> dict[str, Any]:
        return self.http.get(f"/v1/links/{link_id}").raise_for_status().json()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and all that is due happen."""
        self.emulator.clock.advance(timedelta(seconds=seconds))
        self.emulator.settle()

    def refreshed(self, link_id: str, **fields: Any) -> dict[str, Any]:
        """A new intent 45 s later."""
        intent_id = self.begun(link_id, **fields)
        self.pass_time(45)
        return self.intent(intent_id)

    def prompted(self, link_id: str) -> str:
        """The id of a new intent that waits for a code."""
        intent_id = self.begun(link_id)
        self.pass_time(15)
        assert self.intent(intent_id)["status"] == "requires_mfa"
        return intent_id

    def link_truth(self, link_id: str) -> dict[str, Any]:
        return self.emulator.truth()["links"][link_id]

    def told(self) -> list[str]:
        """The types of all events, in order."""
        self.emulator.settle()
        return [row["type"] for row in self.emulator.truth()["deliveries"]]

    def event(self, event_type: str) -> dict[str, Any]:
        """The ``data`` of the only event of a type that was received."""
        self.emulator.settle()
        (found,) = self.receiver.wait_for(event_type)
        return found.event["data"]

    def movements(self, account_id: str, **params: str) -> list[dict[str, Any]]:
        """All of them, page by page until one is not full."""
        rows: list[dict[str, Any]] = []
        for page in range(1, 100):
            answer = self.http.get(
                f"/v1/accounts/{account_id}/movements", params={**params, "page": str(page)}
            )
            rows += answer.raise_for_status().json()
            if len(answer.json()) < 30:
                break
        return rows


Serve = Callable[..., Rail]


@contextmanager
def served(
    receiver: Receiver,
    switches: Mapping[str, str],
    *,
    is_subscribed: bool = True,
    faults: Mapping[str, float] = NEVER,
    timings: Timings = TIMINGS,
    seed: int = 0,
) -> Iterator[Rail]:
    emulator = create_emulator(
        Clock(start=START, speed=0), switches=switches, faults=faults, timings=timings, seed=seed
    )
    headers = {"Authorization": f"Bearer {emulator.secret_key}"}
    with (
        Server(emulator.app) as server,
        httpx.Client(base_url=server.url, headers=headers, verify=TLS) as http,
    ):
        rail = Rail(emulator, http, receiver, secret="")
        if is_subscribed:
            wanted = {"url": receiver.url, "enabled_events": ["*"]}
            rail.secret = http.post("/v1/webhook_endpoints", json=wanted).raise_for_status().json()["secret"]
        yield rail


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    match = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["rail-signature"])
    assert match is not None
    digest = hmac.new(secret.encode(), match[1].encode() + b"." + body, hashlib.sha256)
    return hmac.compare_digest(digest.hexdigest(), match[2])
