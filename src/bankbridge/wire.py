"""HTTP as values: what a flow asks and what it is answered. Nothing in here opens a socket.

A *flow* is one HTTP conversation written as a generator: it yields a `Request`, is sent the `Response`, and
returns its result. Shells drive the same flow, blocking or async::

    def balance(account_id: str) -> Flow[int]:
        response = yield from ask(Request(method="GET", path=f"/v1/accounts/{account_id}"))
        return Payload(response.json()).section("balance").integer("available")
"""

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

import attrs

from bankbridge.words.errors import PayloadError, RefusedError

_T = TypeVar("_T")
_Ask = TypeVar("_Ask")
_Answer = TypeVar("_Answer")

_EXCERPT: Final = 200
"""How much of an answer that is not a JSON envelope is kept as its message, in characters."""


@attrs.frozen(kw_only=True)
class Request:
    """One request, always to the provider's own origin.

    ``path`` is joined to the connection's base URL, so that no answer can lead elsewhere. ``secrets`` are the
    values in it that must never show in an error.
    """

    method: str
    path: str = attrs.field(repr=False)
    query: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Response:
    """An answer. Header names are lower case; ``body`` is the raw bytes."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    body: bytes = attrs.field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is any 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:  # noqa: ANN401 (JSON is anything)
        """The parsed body. Raises `PayloadError` when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # the second: nested deeper than anything meant
            content = self.headers.get("content-type", "no content type")
            raise PayloadError("$", f"answer {self.status} is not JSON ({content})") from None


Flow: TypeAlias = Generator[Request, Response, _T]
"""One HTTP conversation as a generator. It cannot be stored; what must last is an intent."""


def ask(request: Request) -> Flow[Response]:
    """Ask and insist on a 2xx. Raises `RefusedError` for any other answer."""
    response = yield request
    if not response.ok:
        raise refusal(request, response)
    return response


def refusal(request: Request, response: Response) -> RefusedError:
    """The error an answer stands for: ``error.code`` and ``error.message`` where the body has them, else its text.

    The request's secrets are cut out of it.
    """
    code, message = _envelope(response, request.secrets)
    return RefusedError(
        status=response.status,
        code=code,
        message=message,
        retry_after=response.headers.get("retry-after"),
        request_id=response.headers.get("x-request-id"),
    )


def _envelope(response: Response, secrets: tuple[str, ...]) -> tuple[str | None, str | None]:
    try:
        body: Any = json.loads(response.body)
    except (ValueError, RecursionError):
        text = redact(response.body.decode(errors="replace"), secrets).strip()
        return None, text[:_EXCERPT] or None  # cut only now: half a secret would not be found
    error: Any = cast(dict[str, Any], body).get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None, None
    fields = cast(dict[str, Any], error)
    code, message = fields.get("code"), fields.get("message")
    return _text_or_none(code, secrets), _text_or_none(message, secrets)


def _text_or_none(value: object, secrets: tuple[str, ...]) -> str | None:
    return redact(value, secrets) if isinstance(value, str) else None


def path_of(template: str, *ids: str) -> str:
    """A path with each ``{}`` filled by an id, quoted so that no id can lead to another path."""
    return template.format(*map(_segment, ids))


def _segment(part: str) -> str:
    # Dots alone need no quoting, but a client takes them for a way up.
    quoted = quote(part, safe="")
    return quoted if part.strip(".") else quoted.replace(".", "%2E")


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """``text`` without the secrets, also as they look in a URL."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe="")) if form}
    for form in sorted(forms, key=len, reverse=True):  # one secret may be the beginning of another
        text = text.replace(form, "[secret]")
    return text


class Running(Generic[_Ask, _Answer, _T]):
    """A generator on its way, for drivers of both colours: ``asks`` until it is ``done``, then ``result``.

    Only the generator's own end is taken for its end, so a ``StopIteration`` out of a driver hides nothing.
    """

    asks: _Ask
    result: _T

    def __init__(self, generator: Generator[_Ask, _Answer, _T]) -> None:
        self._generator = generator
        self.done = False
        self._go_on(lambda: next(generator))

    def answer(self, answer: _Answer) -> None:
        """Send the answer in and go on to what it asks next."""
        self._go_on(lambda: self._generator.send(answer))

    def fail(self, error: Exception) -> None:
        """Throw the error in; a generator that does not expect it lets it through."""
        self._go_on(lambda: self._generator.throw(error))

    def _go_on(self, step: Callable[[], _Ask]) -> None:
        try:
            self.asks = step()
        except StopIteration as end:
            self.done, self.result = True, end.value
