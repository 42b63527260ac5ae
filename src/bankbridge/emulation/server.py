"""Serve an ASGI application on a real socket, from a thread of its own.

Errors: `PortInUseError` (yours: choose another port) and `ServerError` (the application did not start).
"""

import asyncio
import contextlib
import errno
import socket
import struct
import threading
from types import TracebackType
from typing import Any, Final, Protocol, Self, cast

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bankbridge.emulation.quiet import QuietLoop

_DROP: Final = "bankbridge.drop_connection"
_LAST_TURNS: Final = 3
_GRACE_SECONDS: Final = 2
_BACKLOG: Final = 512
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class _Drop(Protocol):
    """What `LostResponse` asks of the server."""

    def __call__(self, *, is_reset: bool) -> None:
        """Hang up."""
        ...


class PortInUseError(Exception):
    """Somebody else listens on the port that was asked for."""


class ServerError(Exception):
    """The server could not be started, or was asked for something that it cannot do, or not yet."""


class Server:
    """An ASGI application behind HTTP on localhost, with its lifespan run, in its own thread and event loop.

    ``port=0`` takes any free one; `url` tells which. Works as a context manager in both colours, and may be
    started again after `stop`.
    """

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._uvicorn: _Uvicorn | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """``http://HOST:PORT``, no slash at the end. Raises `ServerError` before the port is chosen."""
        if not self._port:
            raise ServerError("the server has no address yet: start it first")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Return when it listens. Raises `PortInUseError`, or `ServerError` when the application fails."""
        if self._thread is not None:
            raise ServerError(f"the server at {self.url} is running already: stop it first")
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        server = _Uvicorn(_config(self._app))
        thread = threading.Thread(
            target=server.run, args=([listener],), name=f"server {self.url}", daemon=True
        )
        thread.start()
        server.ready.wait()
        if not server.started:
            thread.join()
            listener.close()
            raise ServerError("the application failed in its lifespan startup: see its log")
        self._uvicorn, self._thread = server, thread

    def stop(self) -> None:
        """Close every connection, end the lifespan, return when the thread is gone. Twice is harmless."""
        if self._uvicorn is not None and self._thread is not None:
            self._uvicorn.ask_to_exit()
            self._thread.join()
        self._uvicorn = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


class LostResponse(Response):
    """An ASGI answer that never arrives: the connection is closed, or reset, before the first byte of it.

    Under another server than `Server` it raises ConnectionResetError, which that server turns into a 500.
    """

    def __init__(self, *, is_reset: bool = False) -> None:
        super().__init__()
        self._is_reset = is_reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Hang up, and stay until the server has noticed."""
        drop: _Drop | None = scope.get("extensions", {}).get(_DROP)
        if drop is None:
            raise ConnectionResetError(
                "the answer is lost: serve with bankbridge.emulation.Server to lose it quietly"
            )
        drop(is_reset=self._is_reset)
        while (await receive())["type"] != "http.disconnect":
            pass


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            # uvicorn means the process when it exits; here it is only a thread, and `Server.start` says why.
            with contextlib.suppress(SystemExit), asyncio.Runner(loop_factory=QuietLoop) as runner:
                runner.run(self.serve(sockets))
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._asked = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        # uvicorn's own looks ten times a second whether it should exit; many tests would wait for that.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # A connection that came while uvicorn closed the others would outlive its loop, and so would what closing it
        # has put off to the loop's next turn.
        for _ in range(_LAST_TURNS):
            for connection in list(self.server_state.connections):
                cast(H11Protocol, connection).transport.abort()
            await asyncio.sleep(0)

    def ask_to_exit(self) -> None:
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._asked.set)


class _DroppableProtocol(H11Protocol):
    """HTTP/1.1 whose application may hang up: ASGI alone has no word for that."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = cast(ASGIApp, self.app)

        def drop(*, is_reset: bool) -> None:
            if is_reset:
                # A socket that does not linger says with its last packet that it was no orderly end.
                sock = transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            transport.abort()

        async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), _DROP: drop}
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:
                # The server ends, and has waited long enough for this answer: no error of the application's.
                drop(is_reset=False)
                while (await receive())["type"] != "http.disconnect":
                    pass

        self.app = cast(Any, droppable)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        cast(Any, app),
        http=_DroppableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket:
    # Named as TCP, for else asyncio leaves Nagle's algorithm on, and every answer waits 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} on {host} is in use: choose another, or 0 for any free one"
            ) from error
        raise
    return listener
