"""A client that sends what nobody should is told so, and never gets a 500."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.emulation.receiver import Receiver
from tests.rail.emulated import Rail, served

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(
        ["LINK", "bci", "full", "historical", "*", "link.created", "http://127.0.0.1:1/", "test"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "link_id",
        "refresh_type",
        "bank_id",
        "institution_id",
        "credentials",
        "rut",
        "password",
        "external_user_id",
        "holder_type",
        "username_prefill",
        "product",
        "url",
        "enabled_events",
        "status",
        "type",
        "mode",
        "scopes",
        "grace_hours",
    ]
)
BODIES = st.dictionaries(FIELDS, JSON, max_size=4) | JSON
PATHS = st.sampled_from(
    [
        ("POST", "/v1/api_keys"),
        ("POST", "/v1/api_keys/KEY/rotate"),
        ("POST", "/v1/widget_tokens"),
        ("POST", "/v1/exchange_tokens/et_0"),
        ("POST", "/v1/links"),
        ("POST", "/v1/refresh_intents"),
        ("POST", "/v1/webhook_endpoints"),
        ("PATCH", "/v1/webhook_endpoints/HOOK"),
        ("POST", "/v1/webhook_endpoints/HOOK/test"),
    ]
)
READS = st.sampled_from(
    [
        "/v1/links",
        "/v1/links/LINK",
        "/v1/accounts",
        "/v1/accounts/ACCOUNT",
        "/v1/accounts/ACCOUNT/movements",
        "/v1/refresh_intents/ri_0",
        "/v1/webhook_endpoints",
        "/v1/api_keys",
    ]
)
PARAMS = st.dictionaries(
    st.sampled_from(["page", "per_page", "link_id", "include_removed", "confirmed_only", "since", "until"]),
    st.text(max_size=6) | st.sampled_from(["1", "0", "true", "2026-06-03", "LINK", "9" * 12]),
    max_size=3,
)
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


STRICT = {
    "absent_fields": "null",
    "extra_fields": "some",
    "idempotency_paths": "every_post",
    "list_pages": "30",
    "movement_filters": "honoured",
    "refresh_type_values": "known",
}


@pytest.fixture(scope="module", params=[{}, STRICT], ids=["defaults", "other readings"])
def place(request: pytest.FixtureRequest, one_receiver: Receiver) -> Iterator[tuple[Rail, dict[str, str]]]:
    """An emulator, and the ids that stand for the words in capitals."""
    with served(one_receiver, request.param) as rail:
        link = rail.emulator.add_link(accounts=1)
        (hook,) = rail.http.get("/v1/webhook_endpoints").json()
        key = rail.http.post("/v1/api_keys").json()
        yield (
            rail,
            {"LINK": link.link_id, "ACCOUNT": link.account_ids[0], "HOOK": hook["id"], "KEY": key["id"]},
        )


def named(text: str, ids: dict[str, str]) -> str:
    for word, real in ids.items():
        text = text.replace(word, real)
    return text


def is_told(answer: httpx.Response) -> None:
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"code", "message"}


@FUZZ
@given(PATHS, BODIES)
@example(("POST", "/v1/refresh_intents"), {"link_id": "LINK", "refresh_type": "\ud800"})
@example(("POST", "/v1/widget_tokens"), {"external_user_id": "\udfff"})
def test_any_body(place, path, body):
    rail, ids = place
    content = named(json.dumps(body), ids)
    is_told(rail.http.request(path[0], named(path[1], ids), content=content))


@FUZZ
@given(PATHS, st.binary(max_size=40))
def test_any_bytes(place, path, content):
    rail, ids = place
    is_told(rail.http.request(path[0], named(path[1], ids), content=content))


@FUZZ
@given(READS, PARAMS)
def test_any_query(place, path, params):
    rail, ids = place
    is_told(
        rail.http.get(named(path, ids), params={name: named(value, ids) for name, value in params.items()})
    )


HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


@FUZZ
@given(HEADER, HEADER, st.sampled_from(["Bearer ", "bearer ", "Basic ", ""]))
def test_any_header(place, key, other, scheme):
    rail, ids = place
    body: dict[str, Any] = {"link_id": ids["LINK"]}
    is_told(rail.http.post("/v1/refresh_intents", json=body, headers={"Idempotency-Key": key}))
    is_told(rail.http.get("/v1/links", headers={"Authorization": f"{scheme}{other}"}))
