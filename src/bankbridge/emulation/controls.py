"""What a test can do to an emulator over HTTP, under ``/__emulator/``: outside the provider's own paths, without a key.

::

    POST /__emulator/links                {"attempts": ["mfa"], "webhooks": "twice", "accounts": 3, "name": "curl",
                                           "mode": "test", "institution": null, "faults": {"delay": 0.5}}
    GET  /__emulator/links/{id}
    POST /__emulator/links/{id}/person    {"act": "right_code"}
    GET  /__emulator/truth
    GET  /__emulator/clock
    POST /__emulator/clock/advance        {"seconds": 45}
    POST /__emulator/settle               {"timeout": 10}
    GET  /__emulator/faults
    PUT  /__emulator/faults               {"duplicate": 0.1, "html_502": 0.02}
    POST /__emulator/faults/next          {"fault": "response_lost", "times": 1}
    GET  /__emulator/switches

A request that makes no sense is answered 400 or 404, with ``{"error": {"code": ..., "message": ...}}``.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeAlias

import attrs
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route

from bankbridge.emulation import reading
from bankbridge.emulation.background import PATIENCE
from bankbridge.emulation.emulator import Emulator, UnknownLinkError
from bankbridge.emulation.server import ServerError
from bankbridge.emulation.widget import widget_routes
from bankbridge.emulation.words import UnknownWordError, check_word

Act: TypeAlias = Callable[[Mapping[str, str], dict[str, Any]], object]
"""``act(ids, body)`` gives what JSON can say, or an awaitable of it; ``ids`` are the variable parts of the path."""

ROOT: Final = "/__emulator/"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

LINK_FIELDS: Final[Mapping[str, reading.Read]] = {
    "attempts": reading.texts,
    "webhooks": reading.text,
    "institution": reading.text_or_null,
    "accounts": reading.whole,
    "name": reading.text_or_null,
    "mode": reading.text,
    "faults": reading.rates,
}
"""What can be said of a new link, and how each is read."""


def control(method: str, path: str, act: Act, *, status: int = 200) -> Route:
    """A route under ``/__emulator/`` for ``act``, whose ValueError and `UnknownLinkError` are told in JSON."""

    async def respond(request: Request) -> Response:
        try:
            done = act(request.path_params, reading.json_object(await request.body()))
            return JSONResponse(await done if inspect.isawaitable(done) else done, status)
        except (ValueError, OverflowError) as error:
            return _refused(400, "bad_request", error)
        except UnknownLinkError as error:
            return _refused(404, "not_found", error)
        except ServerError as error:
            return _refused(501, "not_possible", error)
        except TimeoutError as error:
            return _refused(504, "timeout", error)

    return Route(ROOT + path, respond, methods=[method])


def control_routes(emulator: Emulator, more: Sequence[BaseRoute] = ()) -> list[BaseRoute]:
    """All routes under ``/__emulator/``; ``more`` are those that a provider adds, made by `control`."""
    controls = (*_links(emulator), *_time(emulator), *_faults(emulator), *more)
    return [
        *controls,
        *widget_routes(emulator),
        Route(ROOT + "{path:path}", _elsewhere(controls), methods=_METHODS),
    ]


def _links(emulator: Emulator) -> list[Route]:
    def add(_ids: Mapping[str, str], body: dict[str, Any]) -> object:
        return attrs.asdict(emulator.add_link(**reading.fields(body, LINK_FIELDS)))

    def truth_of(ids: Mapping[str, str], _body: dict[str, Any]) -> object:
        links = emulator.truth()["links"]
        if ids["link_id"] not in links:
            raise UnknownLinkError(f"there is no link {ids['link_id']!r}: GET {ROOT}truth names them all")
        return links[ids["link_id"]]

    def person(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        emulator.person(ids["link_id"], **reading.fields(body, {"act": reading.text}, must=("act",)))
        return {}

    return [
        control("POST", "links", add, status=201),
        control("GET", "links/{link_id}", truth_of),
        control("POST", "links/{link_id}/person", person),
        control("GET", "truth", lambda _ids, _body: emulator.truth()),
    ]


def _time(emulator: Emulator) -> list[Route]:
    clock = emulator.clock

    def tell(_ids: Mapping[str, str], _body: dict[str, Any]) -> object:
        next_at = clock.next_at()
        return {
            "now": clock.now().isoformat(),
            "speed": clock.speed,
            "next_at": None if next_at is None else next_at.isoformat(),
        }

    def advance(_ids: Mapping[str, str], body: dict[str, Any]) -> object:
        told = reading.fields(body, {"seconds": reading.seconds}, must=("seconds",))
        clock.advance(told["seconds"])
        return {"now": clock.now().isoformat()}

    async def settle(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        timeout: timedelta = reading.fields(body, {"timeout": reading.seconds}).get("timeout", PATIENCE)
        await run_in_threadpool(emulator.settle, timeout)
        return tell(ids, body)

    return [
        control("GET", "clock", tell),
        control("POST", "clock/advance", advance),
        control("POST", "settle", settle),
    ]


def _faults(emulator: Emulator) -> list[Route]:
    plan = emulator.faults

    def tell(_ids: Mapping[str, str], _body: dict[str, Any]) -> object:
        return dict(plan.rates)

    def change(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        plan.rates = body
        return tell(ids, body)

    def order(_ids: Mapping[str, str], body: dict[str, Any]) -> object:
        told = reading.fields(body, {"fault": reading.text, "times": reading.whole}, must=("fault",))
        plan.next(**told)
        return {}

    return [
        control("GET", "faults", tell),
        control("PUT", "faults", change),
        control("POST", "faults/next", order),
        control("GET", "switches", lambda _ids, _body: dict(emulator.switches)),
    ]


def _elsewhere(controls: Sequence[BaseRoute]) -> Callable[[Request], Awaitable[Response]]:
    """What answers where no control is: with the method that would do, or with the path nearest to it."""
    known = [route.path.removeprefix(ROOT) for route in controls if isinstance(route, Route)]

    async def respond(request: Request) -> Response:
        for route in controls:
            if isinstance(route, Route) and route.matches(request.scope)[0] is Match.PARTIAL:
                methods = ", ".join(sorted((route.methods or set()) - {"HEAD"}))
                return _refused(405, "wrong_method", f"{request.method} is not for this path: send {methods}")
        try:
            check_word("control", request.path_params["path"], dict.fromkeys(known))
        except UnknownWordError as error:
            return _refused(404, "not_found", error)
        return _refused(404, "not_found", "there is nothing at this path")

    return respond


def _refused(status: int, code: str, message: Exception | str) -> Response:
    # A lone surrogate that came in as JSON cannot be written in UTF-8.
    text = str(message).encode(errors="replace").decode()
    return JSONResponse({"error": {"code": code, "message": text}}, status)
