"""The emulators' doors: they know whose request comes, and can kill the one who asks at a chosen moment of it."""

import threading
import time
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bankbridge.emulation import LostResponse

_CREATE: Final = ("POST", "/v1/refresh_intents")


class Snare:
    """A moment of a create at which its process is to be killed; it catches once.

    ``kill`` is called with the process's name, in the thread of the emulator's server, and returns when it is gone.
    Only those whose name starts with ``only`` are caught.
    """

    def __init__(self, moment: str, kill: Callable[[str], object], *, only: str = "") -> None:
        self.moment = moment
        self.has_sprung = threading.Event()
        self._kill = kill
        self._only = only
        self._lock = threading.Lock()
        self._is_set = True

    def catches(self, name: str = "") -> bool:
        """Whether it is still set, and for this one; then it is set no more."""
        if not name.startswith(self._only) and name:
            return False
        with self._lock:
            was_set, self._is_set = self._is_set, False
            return was_set

    def spring(self, name: str) -> None:
        """Kill the one who asked."""
        self._kill(name)
        self.has_sprung.set()


class Door:
    """An emulator behind a door. Set ``snare`` to catch the next create."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.snare: Snare | None = None
        self.creates: list[tuple[float, str]] = []
        """Every request to create: when it came, on the machine's own clock, and whose it was."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        snare = self.snare
        is_create = scope["type"] == "http" and (scope["method"], scope["path"]) == _CREATE
        name = dict(scope.get("headers", ())).get(b"user-agent", b"").decode()
        if is_create:
            self.creates.append((time.monotonic(), name))
        if not is_create or snare is None or not snare.catches(name):
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        match snare.moment:
            case "create came":
                snare.spring(name)
                await LostResponse()(scope, receive, send)
            case "create acted on":
                await self._app(scope, _again(body, receive), _swallow)
                snare.spring(name)
                await LostResponse()(scope, receive, send)
            case _:
                await self._app(scope, _again(body, receive), send)
                snare.spring(name)


async def _whole(receive: Receive) -> Message:
    parts = b""
    while True:
        message = await receive()
        parts += message.get("body", b"")
        if not message.get("more_body", False):
            return {"type": "http.request", "body": parts, "more_body": False}


def _again(body: Message, beyond: Receive) -> Receive:
    first = [body]

    async def receive() -> Message:
        return first.pop() if first else await beyond()

    return receive


async def _swallow(_message: Message) -> None:
    """What is answered is heard by nobody."""
