"""The widget over HTTP, under ``/__emulator/widget/``.

::

    GET  embed.js   the script for an application's page, with the provider's own global
    GET  /          the page, also without the slash
    POST /          token                                   what the token opens
    POST connect    token, institution, username, password  log in at the bank
    POST code       token, code                             answer the bank's prompt
    POST close      token                                   walk away

A POST sends a form, and is answered with the page, so that it works without JavaScript too. Only a body carries a
token: an address may end up in a log, in the browser's history and in a referrer.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

import attrs
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bankbridge.emulation.emulator import Emulator, UnknownLinkError, WidgetError, WidgetSession
from bankbridge.emulation.widget import pages
from bankbridge.emulation.widget.pages import View
from bankbridge.emulation.widget.texts import choose_language

PATH: Final = "/__emulator/widget"
WRONG_CODE: Final = "0000"

HEADERS: Final = {
    # Any application may show the page in a frame, as the providers' own: the token is what counts.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors *",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Form: TypeAlias = dict[str, str]
Step: TypeAlias = Callable[[Emulator, WidgetSession, Form], View]


def widget_routes(emulator: Emulator) -> list[BaseRoute]:
    """The routes of the widget that stands in for an emulator's provider."""

    def answer(request: Request, view: View) -> Response:
        language = choose_language(
            request.query_params.get("lang"), request.headers.get("accept-language", "")
        )
        html = pages.page(emulator, view, language)
        return HTMLResponse(html, _status(view), {**HEADERS, "content-language": language})

    async def start(request: Request) -> Response:
        return answer(request, View(name="start"))

    async def add_slash(request: Request) -> Response:
        return RedirectResponse(request.url.replace(path=f"{PATH}/"), headers=HEADERS)

    def posting(step: Step) -> Callable[[Request], Awaitable[Response]]:
        async def post(request: Request) -> Response:
            return answer(request, _take(emulator, await _form(request), step))

        return post

    async def embed(request: Request) -> Response:
        script = pages.embed(emulator, page_url=str(request.url_for("bankbridge_widget")))
        headers = {name: HEADERS[name] for name in ("cache-control", "x-content-type-options")}
        return Response(script, headers=headers, media_type="text/javascript")

    return [
        Route(f"{PATH}/", start, methods=["GET"], name="bankbridge_widget"),
        # A browser keeps what stands behind the # when it is sent on.
        Route(PATH, add_slash, methods=["GET"]),
        Route(f"{PATH}/", posting(_open), methods=["POST"]),
        Route(f"{PATH}/connect", posting(_connect), methods=["POST"]),
        Route(f"{PATH}/code", posting(_code), methods=["POST"]),
        Route(f"{PATH}/close", posting(_close), methods=["POST"]),
        Route(f"{PATH}/embed.js", embed, methods=["GET"]),
        Mount(f"{PATH}/static", StaticFiles(packages=[("bankbridge.emulation.widget", "static")])),
    ]


async def _form(request: Request) -> Form:
    # By hand, for Starlette's own reader of forms needs a package more, which files are the reason for.
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True))


def _take(emulator: Emulator, form: Form, step: Step) -> View:
    """What a form brings, or why nothing can come of it."""
    token, key = form.get("token", "").strip(), form.get("key")
    if not token:
        return View(name="start", error="token_missing", invalid="token")
    if key is not None and key not in {emulator.keys["publishable_test"], emulator.keys["publishable_live"]}:
        return View(name="stopped", error="key_text")
    try:
        return step(emulator, emulator.widget(token), {**form, "token": token})
    except WidgetError as error:
        if error.reason == "expired":
            return View(name="expired")
        return View(name="stopped", error="stopped_text", detail=str(error))
    except UnknownLinkError as error:
        return View(name="stopped", error="stopped_text", detail=str(error))


def _open(_emulator: Emulator, session: WidgetSession, form: Form) -> View:
    return View(name=session.kind, token=form["token"], key=form.get("key"), session=session)


def _connect(emulator: Emulator, session: WidgetSession, form: Form) -> View:
    view = attrs.evolve(
        _open(emulator, session, form),
        username=form.get("username", "").strip(),
        institution=form.get("institution", ""),
    )
    if session.kind != "connect":
        return view
    password = form.get("password", "")
    if view.institution not in session.institutions:
        return attrs.evolve(view, error="bank_missing", invalid="institution")
    if not view.username:
        return attrs.evolve(view, error="username_missing", invalid="username")
    if not password:
        return attrs.evolve(view, error="password_missing", invalid="password")
    try:
        exchange_token = emulator.connect(
            view.token, institution=view.institution, username=view.username, password=password
        )
    except WidgetError as error:
        if error.reason != "login":
            raise
        return attrs.evolve(view, error="login_refused", invalid="password", detail=str(error))
    return View(name="connected", exchange_token=exchange_token)


def _code(emulator: Emulator, session: WidgetSession, form: Form) -> View:
    code = form.get("code", "").strip()
    if session.link_id is None or session.kind != "code":
        return _open(emulator, session, form)
    if not code:
        return attrs.evolve(_open(emulator, session, form), error="code_missing", invalid="code")
    is_wrong = code == WRONG_CODE
    emulator.person(session.link_id, "wrong_code" if is_wrong else "right_code")
    return View(name="refused" if is_wrong else "accepted")


def _close(emulator: Emulator, session: WidgetSession, _form: Form) -> View:
    if session.link_id is not None and session.kind == "code":
        emulator.person(session.link_id, "walk_away")
    return View(name="left")


def _status(view: View) -> int:
    if view.name in {"stopped", "expired"}:
        return 410
    return 422 if view.error else 200
