"""A process of the application under test.

``web`` takes webhooks and what people ask for; ``worker`` does what is due. Both are what a reader of the how-to pages
would write, with the harness's clock, traps, and a record of the news.
"""

import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final

import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from bankbridge import AsyncBankBridge, BankBridge, Reason, Scope
from bankbridge.machine.policy import RETRY_TABLE, Policy, Rule
from bankbridge.server import webhook_app
from bankbridge.shells.connections import policy_for
from bankbridge.shells.http import async_client, blocking_client
from bankbridge.store.sql import SqlStore, postgresql_store, sqlite_store
from bankbridge.words.errors import BankBridgeError
from tests.crash.engines import engine_of
from tests.crash.news import announcer
from tests.crash.settings import Settings
from tests.crash.traps import Trap, TrappedReceiver, trap_commits
from tests.stages import PROVIDERS

_LONGEST_WAIT: Final = timedelta(minutes=3)

_RETRIES: Final[Mapping[Reason, Rule]] = {
    reason: attrs.evolve(rule, waits=tuple(min(wait, _LONGEST_WAIT) for wait in rule.waits))
    for reason, rule in RETRY_TABLE.items()
}
"""The default table with shorter waits, so that a run has more attempts in it."""


def main(path: str) -> None:
    """Work until somebody ends it, in whatever way."""
    settings = Settings.read(path)
    {"web": web, "worker": worker}[settings.role](settings)


def web(settings: Settings) -> None:
    """Take webhooks and wishes, on a port that several processes may share; on one machine, do what is due as well."""
    bridge = AsyncBankBridge(**_parts(settings, async_client()))
    app = Starlette(
        routes=[Route("/ask/{what}", _asking(bridge), methods=["POST"]), Mount("/", webhook_app(bridge))],
        lifespan=lambda _app: bridge.running() if settings.is_alone else nullcontext(),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", settings.port))
        listener.listen(512)
        settings.ready.touch()
        trapped: Any = TrappedReceiver(app, Trap(settings.trap))
        uvicorn.Server(uvicorn.Config(trapped, log_level="warning", access_log=False)).run(sockets=[listener])


def worker(settings: Settings) -> None:
    """Do what is due."""
    with BankBridge(**_parts(settings, blocking_client())) as bridge:
        signal.signal(signal.SIGTERM, lambda *_: bridge.stop())
        settings.ready.touch()
        bridge.run()


def _parts(settings: Settings, client: Any) -> dict[str, Any]:
    # So that the emulators' doors know whose request it is.
    client.headers["user-agent"] = settings.name
    store = _store(settings)
    providers = {name: PROVIDERS[name](**given) for name, given in settings.connections.items()}
    return {
        "providers": providers,
        "store": store,
        "engine": engine_of(settings, store),
        "client": client,
        "clock": settings.time.now,
        "policies": {
            name: policy_for(one.capabilities, Policy(retry=_RETRIES)) for name, one in providers.items()
        },
        "on_news": announcer(settings.news),
    }


def _store(settings: Settings) -> SqlStore:
    is_url = "://" in settings.database
    store = (postgresql_store if is_url else sqlite_store)(settings.database, keys=settings.keys)
    trap_commits(store._database.engine, Trap(settings.trap))
    return store


def _asking(bridge: AsyncBankBridge) -> Callable[[Request], Any]:
    async def ask(request: Request) -> Response:
        given = await request.json()
        if "scope" in given:
            given["scope"] = Scope(given["scope"])
        try:
            got = await getattr(bridge, request.path_params["what"])(**given)
        except BankBridgeError as error:
            return JSONResponse({"error": type(error).__name__}, 409)
        return JSONResponse(
            {"id": str(getattr(got, "id", None) or got.intent_id), "status": got.status.value}
        )

    return ask
