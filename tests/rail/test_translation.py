"""What Rail's deliveries say: every documented payload, every row of the tables, and whatever else may come."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bankbridge.machine import events as ev
from bankbridge.machine.attempt import Prompt, prompt_id
from bankbridge.machine.link import (
    AccountAppeared,
    AccountVanished,
    LinkConnected,
    LinkDeleted,
    LinkExpired,
    LinkRefreshed,
)
from bankbridge.machine.notices import Notice, NotUnderstood, Subject
from bankbridge.payload import Payload
from bankbridge.webhooks import RefusedWhy, Verified
from bankbridge.words.ids import AccountId, LinkId, RefreshId
from bankbridge.words.reasons import Failure, Reason
from bankbridge_rail import Rail
from bankbridge_rail.tables import EVENTS, REASONS, intent_event
from tests.deliveries import RECEIVED_AT, anything, delivery_of, payload, places, signed, spoilt, webhooks_in

RAIL = Rail(secret_key="rail_sk_test_1", webhook_secrets=("whsec_1", "whsec_2"))
LINK = LinkId("link_8a2f4c6e1b9d5037")
ACCOUNT = AccountId("acc_5b1e4f7a3c9d6280")
AT = datetime(2026, 6, 3, 15, 0, 45, tzinfo=UTC)
TOKEN = "ri_a1b2c3d4e5f6a7b8_sec_0f1e2d3c4b5a69788796a5b4"


def of_intent(number: str = "a1b2c3d4e5f6a7b8", link: str = LINK) -> Subject:
    return Subject(refresh_id=RefreshId(f"ri_{number}"), link_id=LinkId(link))


def failed(code: str, reason: Reason) -> ev.RefreshFailed:
    return ev.RefreshFailed(failure=Failure(reason=reason, code=code))


UNAVAILABLE = failed("bank_unavailable", Reason.INSTITUTION_UNAVAILABLE)
REFUSED = Failure(reason=Reason.CREDENTIALS_REJECTED, code="rejected_credentials", or_wrong_code=True)

# Payload: event type, whom it is about, what it says, when it happened.
SAYS: dict[str, tuple[Any, ...]] = {
    "link.created": ("link.created", Subject(link_id=LINK), LinkConnected(), AT),
    "link.refreshed": ("link.refreshed", Subject(link_id=LINK), LinkRefreshed(new_movements=5), AT),
    "link.expired": ("link.expired", Subject(link_id=LINK), LinkExpired(code="rejected_credentials"), AT),
    "link.deleted": ("link.deleted", Subject(link_id=LINK), LinkDeleted(), AT),
    "account.created": (
        "account.created",
        Subject(link_id=LINK, account_id=ACCOUNT),
        AccountAppeared(account_id=ACCOUNT),
        AT,
    ),
    "account.removed": (
        "account.removed",
        Subject(link_id=LINK, account_id=ACCOUNT),
        AccountVanished(account_id=ACCOUNT),
        AT,
    ),
    "refresh_intent.created": (
        "refresh_intent.created",
        of_intent(),
        ev.RefreshProgressed(),
        AT.replace(second=0),
    ),
    "refresh_intent.requires_mfa": (
        "refresh_intent.requires_mfa",
        of_intent(),
        ev.PromptOffered(
            prompt=Prompt(
                id=prompt_id(TOKEN),
                token=TOKEN,
                offered_at=AT.replace(second=15),
                expires_at=AT.replace(minute=10, second=15),
            )
        ),
        AT.replace(second=15),
    ),
    "refresh_intent.succeeded": (
        "refresh_intent.succeeded",
        of_intent(),
        ev.RefreshSucceeded(new_movements=5),
        AT,
    ),
    "refresh_intent.failed": ("refresh_intent.failed", of_intent("b2c3d4e5f6a7b8c9"), UNAVAILABLE, AT),
    "refresh_intent.failed.bank_unavailable": (
        "refresh_intent.failed",
        of_intent("e5f6a7b8c9d0e1f2", "link_9b3a5d7f2c0e6148"),
        UNAVAILABLE,
        datetime(2026, 6, 3, 16, 30, 10, tzinfo=UTC),
    ),
    "refresh_intent.failed.rejected_credentials": (
        "refresh_intent.failed",
        of_intent("d4e5f6a7b8c9d0e1"),
        ev.RefreshRejected(failure=REFUSED),
        AT.replace(minute=2, second=15),
    ),
    "refresh_intent.failed.requires_mfa_user_timeout": (
        "refresh_intent.failed",
        of_intent("c3d4e5f6a7b8c9d0"),
        failed("requires_mfa_user_timeout", Reason.MFA_EXPIRED),
        AT.replace(minute=10, second=15),
    ),
}


def event(event_type: str, **data: object) -> dict:
    return {
        "object": "event",
        "id": "evt_1",
        "type": event_type,
        "created_at": "2026-06-03T15:00:45Z",
        "data": data,
    }


def only(body: object) -> Notice:
    (notice,) = RAIL.translate(delivery_of(body))
    return notice


def about_intent(status: str, **fields: object) -> dict:
    return event(
        f"refresh_intent.{status}", object="refresh_intent", id="ri_1", link_id=LINK, status=status, **fields
    )


def test_every_documented_payload_is_in_the_table():
    assert set(SAYS) == set(webhooks_in("rail"))


@pytest.mark.parametrize("name", SAYS)
def test_says(name):
    raw = payload("rail", name)
    said, about, says, at = SAYS[name]
    assert only(raw) == Notice(type=said, about=about, says=says, occurred_at=at, raw=raw)


def test_all_ten_types_are_known_and_declared():
    named = {payload("rail", name)["type"] for name in SAYS}
    assert named == set(EVENTS) == RAIL.capabilities.event_types
    assert len(EVENTS) == 10


@pytest.mark.parametrize("code", [*REASONS, None, "teapot", ""])
def test_error_code(code):
    says = only(about_intent("failed", error_code=code)).says
    meaning = REASONS.get(code or "")
    assert isinstance(says, ev.RefreshFailed | ev.RefreshRejected)
    assert (says.failure.reason, says.failure.code) == (meaning.reason if meaning else Reason.UNKNOWN, code)
    assert isinstance(says, ev.RefreshRejected) is bool(meaning and meaning.rejected)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("canceled", ev.RefreshCanceled()),  # undocumented: both spellings of what a DELETE leaves behind
        ("cancelled", ev.RefreshCanceled()),
        ("created", ev.RefreshProgressed()),
        ("in_progress", ev.RefreshProgressed()),
        ("something_new", ev.RefreshProgressed()),
        (None, ev.RefreshProgressed()),
        ("requires_mfa", ev.RefreshProgressed()),  # undocumented: the status without its object
        ("succeeded", ev.RefreshSucceeded(new_movements=None)),
    ],
)
def test_status_of_an_intent(status, says):
    assert intent_event(Payload({"status": status}), seen_at=AT) == says


def test_the_status_decides_and_not_the_name_of_the_event():
    body = about_intent("succeeded", summary={"new_movements_count": 1})
    assert only(body | {"type": "refresh_intent.failed"}).says == ev.RefreshSucceeded(new_movements=1)


def test_extra_fields_change_nothing():
    body = payload("rail", "refresh_intent.succeeded")
    more = body | {"api_version": "9", "data": body["data"] | {"next": [1, {"a": None}]}}
    notice = only(more)
    assert (notice.says, notice.raw) == (only(body).says, more)


def in_camel_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            re.sub(r"_([a-z])", lambda at: at[1].upper(), key): in_camel_case(one)
            for key, one in value.items()
        }
    return value


@pytest.mark.parametrize("name", SAYS)
def test_keys_in_camel_case_say_the_same(name):
    """Half understood would be worse than not at all: a failure without its code is another failure."""
    raw = in_camel_case(payload("rail", name))
    said, about, says, at = SAYS[name]
    assert only(raw) == Notice(type=said, about=about, says=says, occurred_at=at, raw=raw)


NOT_UNDERSTOOD = {
    "an unknown type": event("bank.exploded", id="x"),
    "a cancel event that no catalogue has": event("refresh_intent.canceled", id="ri_1", status="canceled"),
    "no type": {"id": "evt_1", "data": {}},
    "a type that is no text": {"type": 7, "data": {}},
    "no data": {"id": "evt_1", "type": "link.deleted"},
    "data that is no object": {"id": "evt_1", "type": "link.deleted", "data": [1]},
    "no id of the link": event("link.expired", status="expired"),
    "an id that is a number": event("link.expired", id=7),
    "no id, and lists as deep as can be": event("link.expired", deep=json.loads("[" * 900 + "]" * 900)),
    "a count that is text": event("link.refreshed", id="l", new_movements_count="5"),
    "a time without an offset": event("link.created", id="l") | {"created_at": "2026-06-03T15:00:45"},
    "a time that is none": event("link.created", id="l") | {"created_at": "yesterday"},
    "a prompt without a token": about_intent("requires_mfa", requires_mfa={"expires_at": None}),
    "a prompt that is text": about_intent("requires_mfa", requires_mfa="yes"),
    "a summary that is a list": about_intent("succeeded", summary=[]),
    "an account without a link": event("account.created", id="acc_1"),
}


@pytest.mark.parametrize("what", NOT_UNDERSTOOD)
def test_kept_and_not_understood(what):
    body = NOT_UNDERSTOOD[what]
    notice = only(body)
    assert isinstance(notice.says, NotUnderstood)
    assert (notice.raw, notice.about) == (body, Subject())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b"\xff\xfe",
        b"<html>",
        b"[" * 100_000,
        b"9" * 5_000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_event_is_kept(body):
    notice = only(body)
    assert isinstance(notice.says, NotUnderstood)
    assert (notice.type, notice.raw) == ("?", {})


@given(anything)
def test_any_json_is_translated(value):
    notice = only(json.dumps(value))
    assert notice.raw == (value if isinstance(value, dict) else {})


@given(st.sampled_from(sorted(EVENTS)), anything, st.dictionaries(st.text(max_size=5), anything, max_size=3))
def test_any_data_under_a_known_type_is_translated(event_type, data, more):
    body = {**more, "type": event_type, "data": data}
    notice = only(body)
    assert (notice.type, notice.raw) == (event_type, body)


@given(st.data())
def test_a_documented_payload_that_is_spoilt_somewhere_is_translated(data):
    body = payload("rail", data.draw(st.sampled_from(sorted(SAYS))))
    place = data.draw(st.sampled_from(list(places(body))))
    other = spoilt(body, place, into=data.draw(anything), gone=data.draw(st.booleans()))
    assert only(other).raw == other


# --- whose copy, and whose word ----------------------------------------------------------------------------------


def test_identity_is_the_id_of_the_event_whatever_else_differs():
    one = event("link.created", id="l")
    assert RAIL.identity(delivery_of(one)) == RAIL.identity(delivery_of(one | {"more": 1})) == "evt_1"


@pytest.mark.parametrize("body", ["", "[]", '{"id": 7}', '{"id": null}', "{}"])
def test_identity_without_an_id_is_that_of_the_bytes(body):
    assert RAIL.identity(delivery_of(body)) == RAIL.identity(delivery_of(body))
    assert RAIL.identity(delivery_of(body)) != RAIL.identity(delivery_of(body + " "))


def test_identity_and_notices_hold_only_text_that_can_be_stored():
    body = rb'{"id": "evt_\ud800", "type": "link.deleted", "data": {"id": "link_\udfff"}}'
    assert RAIL.identity(delivery_of(body)).encode()
    assert isinstance(only(body).says, NotUnderstood)


@pytest.mark.parametrize("secret", ["whsec_1", "whsec_2"])
def test_verifies_by_every_active_secret(secret):
    delivery = delivery_of(event("link.created", id="l"))
    headers = signed("rail-signature", secret, delivery.body, RECEIVED_AT)
    genuine = delivery.__class__(
        connection=delivery.connection, headers=headers, body=delivery.body, received_at=RECEIVED_AT
    )
    assert RAIL.verify(genuine, now=RECEIVED_AT) == Verified()
    late = RAIL.verify(genuine, now=RECEIVED_AT + timedelta(seconds=301))
    assert getattr(late, "why", None) is RefusedWhy.TOO_OLD


def test_refuses_what_is_not_signed():
    assert RAIL.verify(delivery_of("{}"), now=RECEIVED_AT) != Verified()
