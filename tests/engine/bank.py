"""The smallest provider there is, and a real server for it: a refresh is created, looked at, and told of."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import attrs
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from bankbridge.banking import Account, LinkFacts, MovementPage
from bankbridge.emulation import Server
from bankbridge.machine import events as ev
from bankbridge.machine.attempt import Attempt, Prompt, PromptKind, prompt_id
from bankbridge.machine.intent import Scope
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Notice, Subject
from bankbridge.provider import Capabilities, Correlation, Evidence, Granularity
from bankbridge.webhooks import Delivery, Verification, Verified
from bankbridge.wire import Flow, Request, ask
from bankbridge.words.errors import NotSupportedError
from bankbridge.words.ids import AccountId, LinkId, RefreshId
from bankbridge.words.reasons import Failure, Reason

PATIENCE = 30.0


@attrs.define
class Bank:
    """What the server answers, and what it was asked: connection, method, and the key or the refresh's id."""

    asked: list[tuple[str, str, str]] = attrs.field(factory=list)
    creates: dict[str, str] = attrs.field(factory=dict)
    """What the first create of a connection is answered; every other starts."""
    status: str = "running"
    closed: set[str] = attrs.field(factory=set)
    """Connections whose requests wait until they are taken out of here."""
    waiting: int = 0
    changed: threading.Condition = attrs.field(factory=threading.Condition)

    def polls(self) -> list[str]:
        return [what for _, method, what in self.asked if method == "GET"]

    def until(self, holds: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, PATIENCE), self.asked

    def open(self) -> None:
        with self.changed:
            self.closed.clear()
            self.changed.notify_all()

    async def create(self, request: HttpRequest) -> JSONResponse:
        key = request.headers["idempotency-key"]
        await self._note("POST", key, request)
        said = self.creates.pop(request.headers["connection-name"], "started")
        return JSONResponse({"id": f"refresh_of_{key}", "status": said}, 500 if said == "error" else 200)

    async def read(self, request: HttpRequest) -> JSONResponse:
        await self._note("GET", request.path_params["id"], request)
        return JSONResponse({"status": self.status})

    async def _note(self, method: str, what: str, request: HttpRequest) -> None:
        await run_in_threadpool(self._take, method, what, request.headers["connection-name"])

    def _take(self, method: str, what: str, connection: str) -> None:
        with self.changed:
            self.asked.append((connection, method, what))
            self.waiting += 1
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: connection not in self.closed, PATIENCE)
            self.waiting -= 1
            self.changed.notify_all()


@contextmanager
def serving() -> Iterator[Any]:
    """A server whose bank can be replaced: ``served.bank``, ``served.url``."""

    @attrs.define
    class Served:
        url: str = ""
        bank: Bank = attrs.field(factory=Bank)

    served = Served()

    async def create(request: HttpRequest) -> JSONResponse:
        return await served.bank.create(request)

    async def read(request: HttpRequest) -> JSONResponse:
        return await served.bank.read(request)

    routes = [Route("/refreshes", create, methods=["POST"]), Route("/refreshes/{id}", read)]
    with Server(Starlette(routes=routes)) as server:
        served.url = server.url
        yield served


_UNUSED = "this provider reads no data"


@attrs.frozen(kw_only=True)
class Small:
    """A provider that ends a refresh with one word, believes every delivery and can do no more."""

    base_url: str
    called: str = "small"
    name: ClassVar[str] = "small"
    secrets: ClassVar[tuple[str, ...]] = ()
    capabilities: ClassVar[Capabilities] = Capabilities(
        granularity=Granularity.LINK,
        correlation=Correlation.REFRESH_ID,
        event_ids=True,
        idempotency_keys=True,
        replays_errors=False,
        finds_running=False,
        cancels=False,
        prompts=frozenset({PromptKind.WIDGET}),
        scopes=frozenset({Scope.LATEST}),
        first_poll=timedelta(0),
        longest_poll=timedelta(hours=1),
        poll_floor=timedelta(0),
        date_windows=False,
        event_types=frozenset({"refresh.succeeded"}),
    )

    def create_refresh(
        self, link: Link, attempt: Attempt, *, scope: Scope, look_first: bool, now: datetime
    ) -> Flow[Evidence]:
        headers = {"idempotency-key": attempt.key, "connection-name": self.called}
        answer = yield Request(method="POST", path="/refreshes", headers=headers)
        said = answer.json()
        started = ev.RefreshStarted(refresh_id=RefreshId(said["id"]))
        soon = datetime.now(UTC) + SOON
        events: tuple[ev.Event, ...]
        match said["status"]:
            case "error":
                events = (ev.CreateUnclear(detail="500", answered=True),)
            case "asks":
                prompt = Prompt(id=prompt_id("p"), token="p", offered_at=now, expires_at=soon)
                events = (started, ev.PromptOffered(prompt=prompt))
            case "fails":
                events = (ev.CreateRefused(failure=Failure(reason=Reason.PROVIDER_ERROR)),)
            case "cools":
                events = (ev.CreateRefused(failure=Failure(reason=Reason.COOLDOWN, not_before=soon)),)
            case _:
                events = (started,)
        return Evidence(events=events, words=said["status"])

    def poll_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        request = Request(
            method="GET", path=f"/refreshes/{attempt.refresh_id}", headers={"connection-name": self.called}
        )
        said = (yield from ask(request)).json()["status"]
        if said == "bug":
            raise LookupError("a bug in a plugin")
        return Evidence(events=(ev.RefreshSucceeded(),) if said == "succeeded" else (), words=said)

    def verify(self, delivery: Delivery, *, now: datetime) -> Verification:
        return Verified()

    def identity(self, delivery: Delivery) -> str:
        name: str = json.loads(delivery.body)["id"]
        return name

    def translate(self, delivery: Delivery) -> Sequence[Notice]:
        said = json.loads(delivery.body)
        about = Subject(refresh_id=RefreshId(said["about"]), link_id=LinkId(said["link"]))
        return [Notice(type="refresh.succeeded", about=about, says=ev.RefreshSucceeded(), raw=said)]

    def cancel_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        raise NotSupportedError(_UNUSED)

    def link(self, link: Link) -> Flow[LinkFacts]:
        raise NotSupportedError(_UNUSED)

    def accounts(self, link: Link) -> Flow[tuple[Account, ...]]:
        raise NotSupportedError(_UNUSED)

    def movements(
        self, link: Link, account_id: AccountId, *, since: date | None, until: date | None, page: int
    ) -> Flow[MovementPage]:
        raise NotSupportedError(_UNUSED)


SOON = timedelta(seconds=0.3)
