"""HTTP as values: what an answer stands for, and what of it may be shown."""

from collections.abc import Mapping

import pytest

from bankbridge.wire import Request, Response, ask, path_of, redact, refusal
from bankbridge.words.errors import PayloadError, RefusedError

SECRETS = ("sk_test_1", "sk_test_1_longer", "", "link/token+1")
REQUEST = Request(
    method="GET",
    path="/v1/links/link_token_1",
    query={"link_token": "link_token_1"},
    headers={"authorization": "sk_test_1"},
    body={"token": "link_token_1"},
    secrets=SECRETS,
)


def refused(body: bytes, status: int = 422, headers: Mapping[str, str] | None = None) -> RefusedError:
    return refusal(REQUEST, Response(status=status, body=body, headers=headers or {}))


@pytest.mark.parametrize(
    ("status", "ok"), [(199, False), (200, True), (204, True), (299, True), (302, False)]
)
def test_any_2xx_is_a_yes(status: int, ok: bool):
    assert Response(status=status).ok is ok


def test_a_flow_asks_and_insists_on_a_yes():
    flow = ask(REQUEST)
    assert next(flow) is REQUEST
    with pytest.raises(StopIteration) as done:
        flow.send(Response(status=201, body=b"{}"))
    assert done.value.value.json() == {}
    flow = ask(REQUEST)
    next(flow)
    with pytest.raises(RefusedError, match="provider answered 503: no code: no message"):
        flow.send(Response(status=503))


def test_an_envelope_gives_code_and_message_verbatim():
    error = refused(
        b'{"error":{"type":"link_error","code":"rejected_refresh_intent","message":"Wait an hour."}}',
        headers={"x-request-id": "req_1", "retry-after": "7"},
    )
    assert (error.status, error.code, error.message) == (422, "rejected_refresh_intent", "Wait an hour.")
    assert (error.request_id, error.retry_after) == ("req_1", "7")


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":7,"message":null}}',
        b'{"error":"no"}',
        b'{"message":"no"}',
        b"[]",
        b"null",
        b'"error"',
        b"",
        b"  \n",
    ],
)
def test_an_answer_without_an_envelope_has_no_code_and_no_message(body: bytes):
    assert (refused(body).code, refused(body).message) == (None, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><h1>502 Bad Gateway</h1></html>\n", "<html><h1>502 Bad Gateway</h1></html>"),
        (b"upstream \xff away", "upstream \ufffd away"),
        (b"x" * 5000, "x" * 200),
        (b"[" * 100_000, "[" * 200),
    ],
)
def test_an_answer_that_is_not_json_gives_its_first_words(body: bytes, message: str):
    error = refused(body, status=502)
    assert (error.status, error.code, error.message) == (502, None, message)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":"sk_test_1","message":"key sk_test_1 or sk_test_1_longer or link/token+1"}}',
        b"<p>sk_test_1 and sk_test_1_longer at ?link_token=link%2Ftoken%2B1</p>",
        b"x" * 195 + b"sk_test_1_longer",
    ],
)
def test_no_error_shows_a_secret_or_a_part_of_one(body: bytes):
    error = refused(body)
    for part in ("sk_te", "longer", "token+1", "token%2B1"):
        assert part not in f"{error} {error.code} {error.message}"


def test_redaction_leaves_the_rest():
    assert redact("key k1, then k12.", ("k1", "k12", "")) == "key [secret], then [secret]."


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[" * 100_000, b"{'a': 1}"])
def test_a_body_that_is_not_json_is_a_payload_error_that_shows_nothing_of_it(body: bytes):
    answer = Response(status=200, body=body, headers={"content-type": "text/html"})
    with pytest.raises(PayloadError, match=r"^\$: answer 200 is not JSON \(text/html\)$"):
        answer.json()


def test_a_body_without_a_type():
    with pytest.raises(PayloadError, match="no content type"):
        Response(status=200).json()


def test_no_repr_shows_what_was_sent_or_came():
    shown = repr(REQUEST) + repr(Response(status=200, body=b"link_token_1", headers={"link": "link_token_1"}))
    assert "link_token_1" not in shown
    assert "sk_test_1" not in shown


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("ri_1", "/v1/refresh_intents/ri_1"),
        ("../links", "/v1/refresh_intents/..%2Flinks"),
        ("a?b#c", "/v1/refresh_intents/a%3Fb%23c"),
    ],
)
def test_no_id_leads_to_another_path(part: str, path: str):
    assert path_of("/v1/refresh_intents/{}", part) == path
