"""What goes wrong with a request over HTTP: an ASGI middleware between the client and an emulator."""

import asyncio
import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, TypeAlias

import attrs
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bankbridge.emulation.faults import NEVER, FaultPlan
from bankbridge.emulation.server import LostResponse

Envelope: TypeAlias = Callable[[int], Response]
"""``envelope(status)`` is what the provider answers when it is down (500) or asked too much (429)."""

RatesOf: TypeAlias = Callable[[Request], Awaitable[Mapping[str, float]]]
"""The rates that go before the plan's own for a request: those of the link it is about, say."""

CONTROL_PATHS: Final = "/__emulator/"
SLOWNESS: Final = timedelta(seconds=3)

_LONGEST_WAIT: Final = 30
_RESOURCE: Final = re.compile(r"[a-z_]{1,40}|v[0-9]{1,2}")
_BAD_GATEWAY: Final = """<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""


async def _no_rates(_request: Request) -> Mapping[str, float]:
    return NEVER


class FaultyHttp:
    """Lets the plan's ``http`` faults strike the requests to ``app``, those under ``/__emulator/`` excepted.

    A request has its chance by what it says, and by how often the same was said before: so it does not matter who
    comes first. A ``slow`` answer comes ``slowness`` (real time) later. Faults that cut a connection need `Server`.
    """

    def __init__(
        self,
        app: ASGIApp,
        plan: FaultPlan,
        *,
        envelope: Envelope,
        rates: RatesOf = _no_rates,
        slowness: timedelta = SLOWNESS,
    ) -> None:
        self._app = app
        self._plan = plan
        self._envelope = envelope
        self._rates = rates
        self._slowness = slowness
        self._seen: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, unless a fault comes before it; then maybe lose or keep back the answer."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PATHS):
            await self._app(scope, receive, send)
            return
        replay = _Replay(await _body(receive), receive)
        chance = await self._chance(scope, replay)
        if (instead := self._instead(chance)) is not None:
            await instead(scope, receive, send)
        elif chance.strikes("response_lost"):
            await self._app(scope, replay.receive, _swallow)
            await LostResponse()(scope, receive, send)
        elif chance.strikes("slow"):
            kept: list[Message] = []
            await self._app(scope, replay.receive, _keep_in(kept))
            await self._stall(receive)
            for message in kept:
                await send(message)
        else:
            await self._app(scope, replay.receive, send)

    async def _chance(self, scope: Scope, replay: "_Replay") -> "_Chance":
        said = _digest(scope, replay.body)
        self._seen[said] += 1
        key = (f"{scope['method']} {_shape(scope['path'])}", said, self._seen[said])
        rates = await self._rates(Request(scope, _Replay(replay.body, replay.beyond).receive))
        return _Chance(plan=self._plan, key=key, rates=rates)

    def _instead(self, chance: "_Chance") -> Response | None:
        if chance.strikes("reset"):
            return LostResponse(is_reset=True)
        if chance.strikes("throttled"):
            response = self._envelope(429)
            response.headers["retry-after"] = str(1 + int(chance.draw("retry after") * _LONGEST_WAIT))
            return response
        if chance.strikes("throttled_bare"):
            response = self._envelope(429)
            if "retry-after" in response.headers:
                del response.headers["retry-after"]
            return response
        if chance.strikes("error_500"):
            return self._envelope(500)
        if chance.strikes("html_502"):
            return HTMLResponse(_BAD_GATEWAY, 502)
        return None

    async def _stall(self, receive: Receive) -> None:
        """Wait, but not for a client that has gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._slowness.total_seconds()):
                while (await receive())["type"] != "http.disconnect":
                    pass


@attrs.frozen(kw_only=True)
class _Chance:
    """One request, as the plan knows it: method and path without ids, a digest of the whole, how often it came."""

    plan: FaultPlan
    key: tuple[str, str, int]
    rates: Mapping[str, float]

    def strikes(self, fault: str) -> bool:
        return self.plan.strikes(fault, *self.key, rates=self.rates)

    def draw(self, what: str) -> float:
        return self.plan.draw(what, *self.key)


@attrs.define
class _Replay:
    """A body that was read, to be read again; ``beyond`` it is what else the connection brings."""

    body: bytes
    beyond: Receive
    is_read: bool = False

    async def receive(self) -> Message:
        if self.is_read:
            return await self.beyond()
        self.is_read = True
        return {"type": "http.request", "body": self.body, "more_body": False}


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        # A client that has gone before it said everything has said what it has.
        if not message.get("more_body", False):
            return b"".join(parts)


def _digest(scope: Scope, body: bytes) -> str:
    keys = b",".join(value for name, value in scope["headers"] if name == b"idempotency-key")
    whole = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], keys, body)
    return hashlib.sha256(b"\n".join(whole)).hexdigest()[:12]


def _shape(path: str) -> str:
    """The first two parts of a path, or less: an id or a token may come behind."""
    parts = path.strip("/").split("/")[:2]
    return "/" + "/".join(part if _RESOURCE.fullmatch(part) else "…" for part in parts)


def _keep_in(kept: list[Message]) -> Send:
    async def send(message: Message) -> None:
        kept.append(message)

    return send


async def _swallow(_message: Message) -> None:
    """Say nothing."""
