"""Between our requests and httpx's: nothing that httpx says or holds comes out of here."""

import contextlib
import logging
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any, Final

import httpx
from httpx_retries import Retry, RetryTransport

from bankbridge.shells.connections import Connection
from bankbridge.wire import Request, Response, redact
from bankbridge.words.errors import TransportError

TIMEOUT: Final = httpx.Timeout(30.0)
"""Seconds, each for connecting, writing, reading and waiting for a free connection."""


_UNDER_WAY: ContextVar[tuple[str, ...]] = ContextVar("bankbridge_secrets_under_way", default=())


@contextlib.contextmanager
def discreetly(request: Request) -> Generator[None]:
    """While ``request`` is under way, its secrets are cut out of what the HTTP libraries log.

    They log whole URLs and the headers of answers, and a provider may have a token in either.
    """
    before = _UNDER_WAY.set(request.secrets)
    try:
        yield
    finally:
        _UNDER_WAY.reset(before)


def _cut_out(record: logging.LogRecord) -> bool:
    if secrets := _UNDER_WAY.get():
        record.msg, record.args = redact(record.getMessage(), secrets), ()
    return True


# A filter hears only its own logger, not those below it.
_TALKATIVE: Final = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
    *(f"httpx_retries.{part}" for part in ("retry", "transport")),
)
for _name in _TALKATIVE:
    logging.getLogger(_name).addFilter(_cut_out)


def retries() -> Retry:
    """Only what is safe is sent again at once: reads, after no answer or a gateway's error, for half a minute at most.

    A create is never repeated here, since the machine does that with the intent's own key; nor is a 429, which the
    machine's schedule obeys.
    """
    return Retry(
        total=2,
        allowed_methods=["GET"],
        status_forcelist=[502, 503, 504],
        backoff_factor=0.5,
        max_backoff_wait=10.0,
        total_timeout=30.0,
    )


ONCE: Final = Retry(total=0)
"""For a look at a refresh: the provider says how far apart these may be, so only the machine's schedule repeats one."""


def blocking_client() -> httpx.Client:
    """The client for those who pass none in."""
    return httpx.Client(timeout=TIMEOUT, transport=RetryTransport(retry=retries()))


def async_client() -> httpx.AsyncClient:
    """The client for those who pass none in."""
    return httpx.AsyncClient(timeout=TIMEOUT, transport=RetryTransport(retry=retries()))


def arguments(connection: Connection, request: Request, *, once: bool = False) -> dict[str, Any]:
    """What to call a client's ``request`` with; ``once`` where not even a read may be sent again at once.

    Redirects are not followed: they could lead to another origin.
    """
    return {
        "method": request.method,
        "url": connection.provider.base_url + request.path,
        # httpx takes an empty dict as "erase the query", so an empty one is not given at all.
        "params": dict(request.query) or None,
        "headers": dict(request.headers),
        "json": None if request.body is None else dict(request.body),
        "follow_redirects": False,
        "extensions": {"retry": ONCE} if once else {},
    }


def response_of(answer: httpx.Response) -> Response:
    """httpx's answer as ours."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(status=answer.status_code, headers=headers, body=answer.content)


def no_answer(connection: Connection, request: Request, error: httpx.HTTPError) -> TransportError:
    """The error for a request that got no answer. Neither URL nor httpx's text, which could hold a secret."""
    return TransportError(f"{connection.name}: no answer to {request.method} ({type(error).__name__})")
