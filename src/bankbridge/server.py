"""A small web application that takes deliveries: ``POST /webhooks/{connection}``. Needs Starlette."""

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bankbridge.shells.aio import AsyncBankBridge
from bankbridge.shells.inbox import LARGEST_BODY
from bankbridge.shells.sync import BankBridge


def webhook_app(bridge: BankBridge | AsyncBankBridge) -> Starlette:
    """An ASGI application that hands deliveries to ``bridge``. A body too large is refused while it is still coming."""

    async def take(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                return PlainTextResponse("too large", status_code=413)
        given = (request.path_params["connection"], dict(request.headers), bytes(body))
        if isinstance(bridge, AsyncBankBridge):
            answer = await bridge.receive(*given)
        else:
            answer = await run_in_threadpool(bridge.receive, *given)
        return PlainTextResponse(answer.body, status_code=answer.status)

    return Starlette(routes=[Route("/webhooks/{connection}", take, methods=["POST"])])
