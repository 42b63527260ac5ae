"""Signatures: every vector of both providers, by name, and what the vectors cannot say."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bankbridge.webhooks import (
    TOLERANCE,
    Delivery,
    Refused,
    RefusedWhy,
    Strength,
    Verification,
    Verified,
    verify_signature,
)
from bankbridge.words.ids import ConnectionName

VECTORS: Mapping[str, Any] = json.loads((Path(__file__).parents[1] / "vectors.json").read_text("utf-8"))
NOW = datetime(2026, 6, 3, 15, 0, 45, tzinfo=UTC)
BODY = b'{"id":"evt_1"}'


def sign(secret: str, body: bytes = BODY, at: str = str(int(NOW.timestamp()))) -> str:
    digest = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def verify(header: str | None, *secrets: str, body: bytes = BODY, now: datetime = NOW) -> Verification:
    return verify_signature(header, body, secrets, now=now)


def test_the_vectors_are_of_both_providers_and_of_our_tolerance():
    assert (
        {vector["provider"] for vector in VECTORS["vectors"]}
        == set(VECTORS["providers"])
        == {"rail", "fintoc"}
    )
    assert timedelta(seconds=VECTORS["tolerance_seconds"]) == TOLERANCE


@pytest.mark.parametrize(
    "vector", VECTORS["vectors"], ids=lambda vector: f"{vector['provider']}-{vector['name']}"
)
def test_vector(vector: Mapping[str, Any]):
    found = verify_signature(
        vector["header"],
        vector["body"].encode(),
        [vector["secret"]],
        now=datetime.fromtimestamp(vector["now"], UTC),
    )
    expected = vector["expected"]
    assert found == (Verified() if expected == "valid" else Refused(why=RefusedWhy(expected))), vector["note"]


def test_any_active_secret_is_enough():
    for order in (("old", "new"), ("new", "old")):
        assert verify(sign("new"), *order) == Verified(strength=Strength.SIGNED)
        assert verify(sign("old"), *order) == Verified()
    assert verify(sign("older"), "old", "new") == Refused(why=RefusedWhy.MISMATCH)


def test_every_v1_is_tried_under_every_secret():
    old, new = (sign(secret).partition(",")[2] for secret in ("old", "new"))
    assert verify(f"t={int(NOW.timestamp())},{old},{new}", "new") == Verified()


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_nothing_is_genuine(secrets):
    assert verify(sign(""), *secrets) == Refused(why=RefusedWhy.MISMATCH)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "t=1",
        "v1=ab",
        "t,v1=ab",
        "t=²,v1=ab",
        "t=-1,v1=ab",
        "t=1.5,v1=ab",
        "t= 1,v1=ab",
        "t=1,v1",
        f"t=1,v1={'a' * 5000}",
    ],
)
def test_malformed(header: str | None):
    assert verify(header, "secret") == Refused(why=RefusedWhy.MALFORMED)


def test_bytes_that_are_no_text_are_a_mismatch():
    """A server that decodes headers leniently hands such bytes over as lone surrogates."""
    assert verify("t=1,v1=\udcff\udcfe", "secret") == Refused(why=RefusedWhy.MISMATCH)


def test_a_time_beyond_all_clocks_is_too_new():
    assert verify(sign("secret", at="9" * 400), "secret") == Refused(why=RefusedWhy.TOO_NEW)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (300, Verified()),
        (300.5, Refused(why=RefusedWhy.TOO_OLD)),
        (-300, Verified()),
        (-300.5, Refused(why=RefusedWhy.TOO_NEW)),
    ],
)
def test_the_tolerance_is_inclusive_both_ways(seconds: float, expected: Verification):
    assert verify(sign("secret"), "secret", now=NOW + timedelta(seconds=seconds)) == expected


def test_the_tolerance_may_be_another():
    late = NOW + timedelta(seconds=10)
    found = verify_signature(sign("s"), BODY, ["s"], now=late, tolerance=timedelta(seconds=9))
    assert found == Refused(why=RefusedWhy.TOO_OLD)


def test_the_message_is_the_bytes_as_they_came():
    body = b"\xff\xfe not utf-8"
    assert verify(sign("secret", body), "secret", body=body) == Verified()
    assert verify(sign("secret", body), "secret", body=body + b"\n") == Refused(why=RefusedWhy.MISMATCH)


def test_a_delivery_knows_its_headers_in_any_case_and_shows_neither_them_nor_the_body():
    delivery = Delivery(
        connection=ConnectionName("rail"), headers={"Rail-Signature": "t=1"}, body=b"s3cret", received_at=NOW
    )
    assert delivery.headers == {"rail-signature": "t=1"}
    assert "t=1" not in repr(delivery)
    assert "s3cret" not in repr(delivery)
