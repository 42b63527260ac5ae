"""The face that every emulated provider shows to a test, in Python and over HTTP under ``/__emulator/``.

The HTTP side lies outside the provider's own paths and asks for no key::

    POST /__emulator/links                {"attempts": ["mfa"], "webhooks": "twice", "accounts": 3}
    POST /__emulator/links/{id}/person    {"act": "right_code"}
    GET  /__emulator/truth
    POST /__emulator/clock/advance        {"seconds": 45}
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias, cast

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bankbridge.emulation.background import PATIENCE
from bankbridge.emulation.clock import Clock
from bankbridge.emulation.faults import NEVER, FaultPlan

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
WidgetReason: TypeAlias = Literal["token", "expired", "login"]


@attrs.frozen(kw_only=True)
class EmulatedLink:
    """A link that the emulator made; ``link_token`` only where the provider has one."""

    link_id: str
    link_token: str | None = attrs.field(default=None, repr=False)
    account_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class WidgetSession:
    """What a widget that was opened with a token has to show.

    ``kind`` is ``connect`` (choose an institution, log in) or ``code`` (answer the prompt that is open on ``link_id``
    until ``expires_at``). ``institutions`` names those on offer, by id; ``username`` is what to fill in.
    """

    kind: Literal["connect", "code"]
    institutions: Mapping[str, str]
    link_id: str | None = None
    username: str | None = None
    expires_at: datetime | None = None


class UnknownLinkError(LookupError):
    """No such link, or nobody at its widget to act."""


class WidgetError(Exception):
    """The widget cannot go on; the text may be shown to the person.

    ``reason`` says why: the ``token`` is unknown or was used, its time has ``expired``, or the bank refused the
    ``login``.
    """

    def __init__(self, message: str, reason: WidgetReason = "token") -> None:
        super().__init__(message)
        self.reason = reason


class _BadBodyError(ValueError):
    """A control request that says nothing sensible."""


class Emulator(Protocol):
    """An emulated provider. `add_link`, `person` and `truth` may be called from any thread, served or not."""

    @property
    def provider(self) -> str:
        """The provider's name, the same as everywhere."""
        ...

    @property
    def clock(self) -> Clock:
        """The virtual time that the emulated provider lives in."""
        ...

    @property
    def app(self) -> Starlette:
        """What to serve; its lifespan must run."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret API key of test mode, the same as ``keys["secret_test"]``."""
        ...

    @property
    def keys(self) -> Mapping[str, str]:
        """All API keys: ``secret_test``, ``publishable_test``, ``secret_live``, ``publishable_live``."""
        ...

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong, and how often; may be changed at any time."""
        ...

    @property
    def widget_script(self) -> str:
        """The JavaScript that gives a page the same global object as the provider's real widget script."""
        ...

    def add_link(
        self,
        *,
        attempts: Sequence[str] = ("succeeds",),
        webhooks: str = "normal",
        institution: str | None = None,
        accounts: int = 3,
        name: str | None = None,
        mode: str = "test",
        faults: Mapping[str, float] = NEVER,
    ) -> EmulatedLink:
        """A new link; ``attempts`` are script words, one per refresh intent on it, the last repeats.

        ``webhooks`` is one of `WEBHOOK_MODES`, ``mode`` is ``test`` or ``live``. With a ``name`` the link's id is
        ``link_NAME`` (and its token, where there is one, ``link_NAME_token``), so that curl can pick it. ``faults``
        are rates that hold for this link instead of the emulator's own. Raises `UnknownWordError` for a word that is
        none, and ValueError for a name that is taken or cannot stand in a URL.
        """
        ...

    def add_endpoint(
        self, url: str, *, events: Sequence[str] | None = None, secret: str | None = None
    ) -> str:
        """Register a webhook endpoint, as an application does by a request; what its deliveries are signed with.

        ``events`` are the types that are sent there (default: all). Without a ``secret`` one is made up. Raises
        `UnknownWordError` for a type that the provider does not have.
        """
        ...

    def widget(self, token: str) -> WidgetSession:
        """What the widget shows for a token. Raises `WidgetError`."""
        ...

    def connect(self, token: str, *, institution: str, username: str, password: str) -> str:
        """Log in at the widget: a link is made (or the token's own one reconnected), and an exchange token returned.

        A user name that is made of script words, separated by commas (``mfa,succeeds``), is the new link's
        ``attempts``; with any other they succeed. The password ``wrong`` is refused. Raises `WidgetError`.
        """
        ...

    def person(self, link_id: str, act: str) -> None:
        """Act (one of `PERSON_ACTS`) at the widget of the prompt that is open on a link.

        Raises `UnknownWordError`, and `UnknownLinkError` when there is no such link or no open prompt.
        """
        ...

    def settle(self, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something.

        What was due has been done, and every webhook that was due has been answered. For a clock that stands still
        (``speed=0``). Raises TimeoutError after ``timeout`` (real time), and `ServerError` under another server than
        `Server`.
        """
        ...

    def truth(self) -> dict[str, Any]:
        """What really happened, in JSON's types; every time is virtual, ISO 8601, UTC.

        ::

            {"provider": ..., "now": ...,
             "links": {LINK_ID: {
                 "status": ..., "institution": ..., "webhooks": ..., "account_ids": [...],
                 "login_attempts": 1, "refused_logins": 0,
                 "creates": [{"idempotency_key": ..., "status": 201, "intent_id": ..., "at": ...}],
                 "intents": [{"id": ..., "status": ..., "error_code": ..., "accounts": {ACCOUNT_ID: ...},
                              "created_at": ..., "ended_at": ..., "creates": [...], "polls": [at, ...]}]}},
             "requests": {"GET /v1/links": 2},
             "deliveries": [{"id": ..., "type": ..., "endpoint_id": ..., "lost": false, "tries": 1,
                             "statuses": [200]}],
             "faults": [{"fault": "drop", "on": ..., "at": ...}]}

        ``creates`` holds every request to create, also the replayed and refused ones (``intent_id`` null);
        an intent's own ``creates`` are those answered with it. ``accounts`` is empty at a provider whose
        intents have one result per link.
        """
        ...


def control_routes(emulator: Emulator) -> list[BaseRoute]:
    """The routes under ``/__emulator/`` of any emulator."""
    # The widget is written against the face above, so only now.
    from bankbridge.emulation.widget import widget_routes  # noqa: PLC0415

    async def add_link(request: Request) -> Response:
        link = emulator.add_link(**_link_arguments(await _object(request)))
        return JSONResponse(attrs.asdict(link), 201)

    async def person(request: Request) -> Response:
        emulator.person(request.path_params["link_id"], str((await _object(request)).get("act")))
        return JSONResponse({})

    async def truth(_request: Request) -> Response:
        return JSONResponse(emulator.truth())

    async def advance(request: Request) -> Response:
        emulator.clock.advance(_seconds(await _object(request)))
        return JSONResponse({"now": emulator.clock.now().isoformat()})

    return [
        Route("/__emulator/links", _answering(add_link), methods=["POST"]),
        Route("/__emulator/links/{link_id}/person", _answering(person), methods=["POST"]),
        Route("/__emulator/truth", _answering(truth), methods=["GET"]),
        Route("/__emulator/clock/advance", _answering(advance), methods=["POST"]),
        *widget_routes(emulator),
    ]


def _answering(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ValueError as error:
            return JSONResponse({"error": {"code": "bad_request", "message": str(error)}}, 400)
        except UnknownLinkError as error:
            return JSONResponse({"error": {"code": "not_found", "message": str(error)}}, 404)

    return answer


async def _object(request: Request) -> dict[str, Any]:
    body: object = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise _BadBodyError(f"the body is a JSON {type(body).__name__}: send an object")
    return cast(dict[str, Any], body)


def _link_arguments(body: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, tuple[type, ...]] = {
        "attempts": (list,),
        "webhooks": (str,),
        "institution": (str, type(None)),
        "accounts": (int,),
    }
    for name, value in body.items():
        if name not in kinds:
            raise _BadBodyError(f"unknown field {name!r}: known are {', '.join(kinds)}")
        if not isinstance(value, kinds[name]):
            raise _BadBodyError(
                f"{name} is {value!r}: send {' or '.join(kind.__name__ for kind in kinds[name])}"
            )
    return body


def _seconds(body: dict[str, Any]) -> timedelta:
    seconds = body.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        raise _BadBodyError(f"seconds is {seconds!r}: send how many to move forward")
    return timedelta(seconds=seconds)
