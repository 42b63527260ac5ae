"""A small web application that takes deliveries: ``POST /webhooks/{connection}``. It is plain ASGI.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias

from bankbridge.shells.aio import AsyncBankBridge
from bankbridge.shells.inbox import LARGEST_BODY, Answer
from bankbridge.shells.sync import BankBridge

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_Take: TypeAlias = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]

Application: TypeAlias = Callable[[_Message, _Receive, _Send], Awaitable[None]]
"""What an ASGI server runs."""

_PATH: Final = "/webhooks/"

_NOT_FOUND: Final = Answer(status=404, body="not found")
_NO_POST: Final = Answer(status=405, body="only POST")
_TOO_LARGE: Final = Answer(status=413, body="too large")


def webhook_app(bridge: BankBridge | AsyncBankBridge) -> Application:
    """An ASGI application that hands deliveries to ``bridge``. A body too large is refused while it is still coming.

    For any ASGI server, or mounted in another application. ``bridge`` is not closed with it.
    """
    take = bridge.receive if isinstance(bridge, AsyncBankBridge) else _in_threads(bridge)

    async def app(scope: _Message, receive: _Receive, send: _Send) -> None:
        match scope["type"]:
            case "http":
                answer = await _answer(take, scope, receive)
                if answer is not None:
                    await _say(answer, send)
            case "lifespan":
                await _live(receive, send)
            case other:
                msg = f"webhook_app: does not speak {other}; it takes deliveries by HTTP"
                raise ValueError(msg)

    return app


def _in_threads(bridge: BankBridge) -> _Take:
    async def take(connection: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return await asyncio.to_thread(bridge.receive, connection, headers, body)

    return take


async def _answer(take: _Take, scope: _Message, receive: _Receive) -> Answer | None:
    """The answer to a request; ``None`` when nobody is there any more to hear it."""
    # Where it is mounted in another application, that is part of the path.
    root, path = scope.get("root_path", ""), scope["path"]
    connection = path.removeprefix(root if path.startswith(f"{root}/") else "").removeprefix(_PATH)
    if not connection or "/" in connection:
        return _NOT_FOUND
    if scope["method"] != "POST":
        return _NO_POST
    headers = _texts(scope["headers"])
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        return _TOO_LARGE
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return _TOO_LARGE
        more = message.get("more_body", False)
    return await take(connection, headers, bytes(body))


def _texts(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by name; of several with one name the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(headers)}


async def _say(answer: Answer, send: _Send) -> None:
    body = answer.body.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: _Receive, send: _Send) -> None:
    """Nothing is to be done when the server starts or stops; but it wants to be told."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
