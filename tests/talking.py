"""Conversations by hand: a flow on one side, a test that plays the provider on the other."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs

from bankbridge.machine.attempt import Attempt
from bankbridge.machine.intent import new_attempt
from bankbridge.machine.link import Link
from bankbridge.wire import Flow, Request, Response
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId, RefreshId

T = TypeVar("T")

NOW = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)

ABSURD: Mapping[str, bytes] = {
    "nothing": b"",
    "a web page": b"<html><body>502 Bad Gateway</body></html>",
    "half an object": b'{"id": "ri_1"',
    "null": b"null",
    "a number": b"7",
    "text": b'"ri_1"',
    "a list of numbers": b"[1, 2]",
    "no text at all": b"\xff\xfe\x00",
    "very deep": b"[" * 100_000,
    "an id that is a number": b'{"id": 1, "status": 1}',
}


def answer(body: object = b"", status: int = 200, **headers: str) -> Response:
    """An answer; what is not bytes is sent as JSON. Headers are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(
        status=status, headers=named, body=body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def error(status: int, code: str | None = None, message: str | None = None, **headers: str) -> Response:
    """A refusal in the envelope of both providers."""
    said = {"code": code, "message": message}
    return answer(
        {"error": {key: value for key, value in said.items() if value is not None}}, status, **headers
    )


@attrs.define
class Talk:
    """What came of a conversation: every request, and the result or the error that it ended with."""

    asked: list[Request]
    result: Any = None
    error: Any = None

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.asked]


def talk(flow: Flow[Any], *answers: Response, expect: type[Exception] | None = None) -> Talk:
    """Answer each request in turn; the conversation must end with the last answer."""
    asked: list[Request] = []
    left = list(answers)
    try:
        request = next(flow)
        while True:
            asked.append(request)
            assert left, f"asks for more than was expected: {[(one.method, one.path) for one in asked]}"
            request = flow.send(left.pop(0))
    except StopIteration as end:
        assert not left, f"{len(left)} answers were not wanted"
        assert expect is None, f"no {expect} was raised"
        return Talk(asked, result=end.value)
    except Exception as raised:
        if expect is None or not isinstance(raised, expect):
            raise
        return Talk(asked, error=raised)


def serve(flow: Flow[T], provider: Callable[[Request], Response]) -> tuple[T, list[Request]]:
    """Let a function play the provider."""
    asked: list[Request] = []
    try:
        request = next(flow)
        while True:
            asked.append(request)
            request = flow.send(provider(request))
    except StopIteration as end:
        return end.value, asked


def link_of(link_id: str = "link_1", token: str | None = None, *accounts: str) -> Link:
    return Link(
        id=LinkId(link_id),
        connection=ConnectionName("bank"),
        token=token,
        accounts=tuple(AccountId(account) for account in accounts) or None,
    )


def attempt_of(refresh_id: str | None = None, **more: Any) -> Attempt:
    attempt = attrs.evolve(new_attempt(IntentId("rfi_1"), 1, NOW), **more)
    if refresh_id is None:
        return attempt
    return attrs.evolve(attempt, refresh_id=RefreshId(refresh_id), started=True)


def everything_said_by(*values: object) -> str:
    """Every text that these values, or an error that was raised, would show."""
    texts: list[str] = []
    for value in values:
        texts += [repr(value), str(value)]
        if isinstance(value, BaseException):
            texts += [repr(value.args), repr(vars(value))]
    return "\n".join(texts)
