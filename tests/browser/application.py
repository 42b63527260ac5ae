"""A small web application over an emulated provider: connects a bank, refreshes it and shows prompts in the widget.

Its server speaks the provider's HTTP and knows nothing of bankbridge; its page loads the emulator's widget script, and
is otherwise written to the provider's documentation.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from string import Template
from typing import Any, Protocol

import attrs
import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bankbridge.emulation import Clock, Emulator, Server
from tests.stages import EMULATORS

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
# Milliseconds. A browser among other tests on two cores may be slow; nothing here waits for longer than it has to.
PATIENCE = 30_000
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Backend(Protocol):
    """The application's server side, as written for one provider. A link is what the provider wants to be told."""

    def widget_token(self) -> str: ...

    def exchange(self, exchange_token: str) -> str: ...

    def refresh(self, link: str) -> str: ...

    def intent(self, intent_id: str) -> dict[str, Any]: ...


@attrs.frozen
class RailBackend:
    client: httpx.Client

    def widget_token(self) -> str:
        return self._post("/v1/widget_tokens", {})["id"]

    def exchange(self, exchange_token: str) -> str:
        return self._post(f"/v1/exchange_tokens/{exchange_token}")["link_id"]

    def refresh(self, link: str) -> str:
        return self._post("/v1/refresh_intents", {"link_id": link, "refresh_type": "full"})["id"]

    def intent(self, intent_id: str) -> dict[str, Any]:
        return _told(self.client.get(f"/v1/refresh_intents/{intent_id}"))

    def _post(self, path: str, body: Any = None) -> Any:
        return self.client.post(path, json=body).raise_for_status().json()


@attrs.frozen
class FintocBackend:
    client: httpx.Client
    links: dict[str, str] = attrs.field(factory=dict)
    """The link token of each intent."""

    def widget_token(self) -> str:
        body = {"product": "movements", "country": "cl", "holder_type": "individual"}
        return self.client.post("/v1/link_intents", json=body).raise_for_status().json()["widget_token"]

    def exchange(self, exchange_token: str) -> str:
        answer = self.client.get("/v1/links/exchange", params={"exchange_token": exchange_token})
        return answer.raise_for_status().json()["link_token"]

    def refresh(self, link: str) -> str:
        answer = self.client.post("/v1/refresh_intents", json={"link_token": link})
        intent_id = answer.raise_for_status().json()["id"]
        self.links[intent_id] = link
        return intent_id

    def intent(self, intent_id: str) -> dict[str, Any]:
        params = {"link_token": self.links[intent_id]}
        return _told(self.client.get(f"/v1/refresh_intents/{intent_id}", params=params))


def _told(answer: httpx.Response) -> dict[str, Any]:
    intent = answer.raise_for_status().json()
    prompt = intent.get("requires_mfa") or {}
    return {"status": intent["status"], "prompt": prompt.get("widget_token")}


# What a page does to open the widget, in the words of each provider's documentation; `done` and `left` are the page's.
CONNECT = {
    "rail": "Rail.openWidget({ token, publishableKey: key, onSuccess: done, onExit: left });",
    "fintoc": """Fintoc.create({
      widgetToken: token, publicKey: key, holderType: "individual", product: "movements",
      onSuccess: (linkIntent) => done(linkIntent.exchangeToken), onExit: left,
    }).open();""",
}
PROMPT = {
    "rail": CONNECT["rail"],
    "fintoc": """Fintoc.create({
      widgetToken: token, publicKey: key, holderType: "individual", product: "refresh_intent",
      onSuccess: done, onExit: left,
    }).open();""",
}

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>An application</title>
<link rel="icon" href="data:,">
<h1>An application</h1>
<button id="connect">Connect</button>
<button id="refresh">Refresh</button>
<button id="answer">Answer</button>
<p>Said: <output id="said"></output></p>
<p>Status: <output id="status"></output></p>
<script src="$script"></script>
<script>
  const key = "$key";
  let link, intent;
  const write = (id, text) => { document.getElementById(id).textContent = text; };
  const say = (word, ...given) => write("said", JSON.stringify([word, ...given]));
  const ask = async (path, body) => (await fetch(path, { method: "POST", body: JSON.stringify(body) })).json();
  const openToConnect = (token, key, done, left) => { $connect };
  const openToAnswer = (token, done, left) => { $prompt };
  const click = (id, act) => document.getElementById(id).addEventListener("click", act);

  click("connect", async () => {
    const token = await ask("widget_token");
    const done = async (exchangeToken) => { link = await ask("exchange", exchangeToken); say("connected"); };
    const left = (...given) => say("left", ...given);
    openToConnect(token, key, done, left);
  });
  click("refresh", async () => { intent = await ask("refresh", link); say("refreshing"); });
  click("answer", async () => {
    const { prompt: token } = await ask("intent", intent);
    const done = (...given) => say("answered", ...given);
    const left = (...given) => say("left", ...given);
    openToAnswer(token, done, left);
  });
  setInterval(async () => { if (intent) write("status", (await ask("intent", intent)).status); }, 100);
</script>
""")


@attrs.define(kw_only=True)
class Application:
    """The application under way, and the emulator behind it."""

    url: str
    emulator: Emulator
    emulator_url: str
    backend: Backend

    @property
    def clock(self) -> Clock:
        return self.emulator.clock


BACKENDS: Mapping[str, Callable[[httpx.Client], Backend]] = {"rail": RailBackend, "fintoc": FintocBackend}


@contextmanager
def running(provider: str, *, speed: float = 0, script: str | None = None) -> Iterator[Application]:
    """The application and its emulator. Time stands still, and ``script`` is the emulator's, unless told otherwise."""
    emulator = EMULATORS[provider](Clock(start=START, speed=speed))
    with ExitStack() as stack:
        emulator_url = stack.enter_context(Server(emulator.app)).url
        scheme = "Bearer " if provider == "rail" else ""
        client = stack.enter_context(
            httpx.Client(
                base_url=emulator_url,
                headers={"authorization": f"{scheme}{emulator.secret_key}"},
                trust_env=False,
            )
        )
        backend = BACKENDS[provider](client)
        html = PAGE.substitute(
            script=script or f"{emulator_url}/__emulator/widget/embed.js",
            key=emulator.keys["publishable_test"],
            connect=CONNECT[provider],
            prompt=PROMPT[provider],
        )
        url = stack.enter_context(Server(Starlette(routes=_routes(html, backend)))).url
        yield Application(url=url, emulator=emulator, emulator_url=emulator_url, backend=backend)


def _routes(html: str, backend: Backend) -> list[Route]:
    def page(_request: Request) -> Response:
        return HTMLResponse(html)

    def answering(act: Callable[..., Any], *, with_body: bool) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            given = [await request.json()] if with_body else []
            return JSONResponse(await run_in_threadpool(act, *given))

        return answer

    return [
        Route("/", page),
        Route("/widget_token", answering(backend.widget_token, with_body=False), methods=["POST"]),
        *(
            Route(f"/{act.__name__}", answering(act, with_body=True), methods=["POST"])
            for act in (backend.exchange, backend.refresh, backend.intent)
        ),
    ]
