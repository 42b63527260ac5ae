"""What Fintoc's deliveries say: every documented payload, every row of the tables, and whatever else may come."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bankbridge.machine.attempt import AccountResult, AccountStatus
from bankbridge.machine.events import AccountReported
from bankbridge.machine.link import CredentialsChanged, LinkConnected
from bankbridge.machine.notices import (
    MovementsAmended,
    MovementsRemoved,
    Notice,
    NotUnderstood,
    Subject,
    TestDelivery,
)
from bankbridge.webhooks import Verified
from bankbridge.words.ids import AccountId, LinkId, MovementId
from bankbridge.words.reasons import REJECTIONS, Failure, Reason
from bankbridge_fintoc import Fintoc
from bankbridge_fintoc.tables import CREATE_REASONS, EVENTS, RESULTS, failure_for, refused_for_good
from tests.deliveries import RECEIVED_AT, anything, delivery_of, payload, places, signed, spoilt, webhooks_in

FINTOC = Fintoc(secret_key="sk_test_1", webhook_secrets=("whsec_1",))
OUTCOME = "account.refresh_intent"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def reported(
    account: str, status: str, at: str, *, failure: Failure | None = None, new_movements: int | None = 0
) -> tuple:
    result = AccountResult(
        account_id=AccountId(account),
        status=AccountStatus(status),
        reported_at=moment(at),
        failure=failure,
        new_movements=new_movements,
    )
    return (f"{OUTCOME}.{status}", Subject(account_id=AccountId(account)), AccountReported(result=result), at)


def why(reason: Reason, code: str | None = None, **more: Any) -> Failure:
    return Failure(reason=reason, code=code, **more)


UNCONFIRMED = why(Reason.CREDENTIALS_UNCONFIRMED, or_wrong_code=True)
LINE, CHECKING = "acc_BO381oEATXonG6bj", "acc_Z6AwnGn4idL7DPj4"
IN_2021 = "2021-12-07T21:56:07.711Z"

# Payload: event type, whom it is about, what it says, when it happened.
SAYS = {
    f"{OUTCOME}.succeeded.2021": reported(
        "acc_00000000", "succeeded", "2021-12-07T21:43:54.343Z", new_movements=5
    ),
    f"{OUTCOME}.failed.2021": reported("acc_00000001", "failed", IN_2021, failure=why(Reason.PROVIDER_ERROR)),
    f"{OUTCOME}.rejected.2021": reported("acc_00000002", "rejected", IN_2021, failure=UNCONFIRMED),
    f"{OUTCOME}.succeeded.public_error_null": reported(
        CHECKING, "succeeded", "2026-03-02T12:01:40.120Z", new_movements=5
    ),
    f"{OUTCOME}.failed.public_error_null": reported(
        LINE, "failed", "2026-03-02T12:02:05.004Z", failure=why(Reason.PROVIDER_ERROR)
    ),
    f"{OUTCOME}.failed.retryable_error": reported(
        LINE, "failed", "2026-03-02T12:02:11.871Z", failure=why(Reason.PROVIDER_ERROR, "retryable_error")
    ),
    f"{OUTCOME}.failed.support_required_error": reported(
        LINE,
        "failed",
        "2026-03-02T12:02:19.433Z",
        failure=why(Reason.NEEDS_SUPPORT, "support_required_error"),
    ),
    f"{OUTCOME}.rejected.invalid_credentials_error": reported(
        LINE,
        "rejected",
        "2026-03-02T12:02:26.650Z",
        failure=why(Reason.CREDENTIALS_REJECTED, "invalid_credentials_error"),
    ),
    f"{OUTCOME}.rejected.credentials_locked_error": reported(
        LINE,
        "rejected",
        "2026-03-02T12:02:33.902Z",
        failure=why(Reason.CREDENTIALS_LOCKED, "credentials_locked_error"),
    ),
    f"{OUTCOME}.movements_modified": (
        f"{OUTCOME}.movements_modified",
        Subject(account_id=AccountId("acc_3gmPYoV3TrKbEp7q")),
        MovementsAmended(
            account_id=AccountId("acc_3gmPYoV3TrKbEp7q"), movement_ids=(MovementId("mov_6EdV8pvHZz3YR50g"),)
        ),
        "2025-10-14T19:42:42.486Z",
    ),
    "link.credentials_changed": (
        "link.credentials_changed",
        Subject(link_id=LinkId("link_nMNejK7BT8oGbvO4")),
        CredentialsChanged(),
        "2026-03-03T09:15:00.000Z",
    ),
    "test_event.camelcase": (f"{OUTCOME}.succeeded", Subject(), TestDelivery(), "2021-07-07T15:15:09.802Z"),
}


def only(body: object) -> Notice:
    (notice,) = FINTOC.translate(delivery_of(body))
    return notice


def event(event_type: str, **data: object) -> dict:
    return {
        "id": "evt_1",
        "object": "event",
        "type": event_type,
        "mode": "live",
        "created_at": IN_2021,
        "data": data,
    }


def outcome(status: str, **fields: object) -> dict:
    return event(
        f"{OUTCOME}.{status}", refreshed_object="account", refreshed_object_id=LINE, status=status, **fields
    )


def test_every_documented_payload_is_in_the_table():
    assert set(SAYS) == set(webhooks_in("fintoc"))


@pytest.mark.parametrize("name", SAYS)
def test_says(name):
    raw = payload("fintoc", name)
    said, about, says, at = SAYS[name]
    assert only(raw) == Notice(type=said, about=about, says=says, occurred_at=moment(at), raw=raw)


def test_declares_what_an_endpoint_can_subscribe_to():
    invoices = {"link.refresh_intent.succeeded", "link.refresh_intent.failed"}
    assert FINTOC.capabilities.event_types == set(EVENTS) - invoices


def test_a_new_link_is_connected():
    body = event("link.created", id="link_1", link_token="link_1_token_1")
    assert only(body).says == LinkConnected()
    assert only(body).about == Subject(link_id=LinkId("link_1"))


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_events_of_the_invoices_product_are_kept_and_end_nothing(status):
    notice = only(
        event(f"link.refresh_intent.{status}", refreshed_object="link", refreshed_object_id="link_1")
    )
    assert isinstance(notice.says, NotUnderstood)


# undocumented: the payload. A refresh intent by one table, lists of rows in a community client.
REMOVED: dict[str, tuple[Any, ...]] = {
    "a refresh intent": ({"refreshed_object": "account", "refreshed_object_id": LINE}, ()),
    "rows under movements_removed": (
        {"account_id": LINE, "movements_removed": [{"id": "mov_1"}, {"id": "mov_2"}]},
        ("mov_1", "mov_2"),
    ),
    "rows under movements": ({"account_id": LINE, "movements": [{"id": "mov_1"}]}, ("mov_1",)),
    "rows under items": ({"account_id": LINE, "items": [{"id": "mov_1"}]}, ("mov_1",)),
}


@pytest.mark.parametrize("shape", REMOVED)
def test_removed_movements(shape):
    data, ids = REMOVED[shape]
    notice = only(event(f"{OUTCOME}.movements_removed", **data))
    assert notice.says == MovementsRemoved(
        account_id=AccountId(LINE), movement_ids=tuple(map(MovementId, ids))
    )


# --- reasons --------------------------------------------------------------------------------------------------------

PUBLIC_ERRORS = [None, *sorted({code for _, code in RESULTS if code}), "brand_new_error", ""]


@pytest.mark.parametrize("status", ["failed", "rejected"])
@pytest.mark.parametrize("code", PUBLIC_ERRORS)
def test_public_error(status, code):
    meaning = RESULTS.get((status, code))
    notice = only(outcome(status, public_error=code))
    assert isinstance(notice.says, AccountReported)
    failure = notice.says.result.failure
    assert failure == failure_for(status, code)
    assert failure.code == code
    assert failure.reason is (meaning.reason if meaning else Reason.UNKNOWN)
    assert notice.says.result.status is AccountStatus(status), "what was rejected stays rejected"


@pytest.mark.parametrize("status", ["failed", "rejected"])
def test_an_event_without_public_error_is_one_with_null(status):
    without, null = only(outcome(status)), only(outcome(status, public_error=None))
    assert without.says == null.says


def test_a_success_has_no_failure_whatever_it_carries():
    notice = only(outcome("succeeded", public_error="retryable_error", new_movements=3))
    assert isinstance(notice.says, AccountReported)
    assert (notice.says.result.failure, notice.says.result.new_movements) == (None, 3)


def test_only_confirmed_refusals_are_for_good():
    spent = {code for code, meaning in CREATE_REASONS.items() if meaning.reason in REJECTIONS}
    assert spent == {"rejected_refresh_intent", "institution_credentials_invalid", "locked_credentials"}
    confirmed = payload("fintoc", "rest.error.rejected_refresh_intent.confirmed")["error"]
    unconfirmed = payload("fintoc", "rest.error.rejected_refresh_intent.unconfirmed")["error"]
    assert refused_for_good(confirmed["code"], confirmed["message"])
    assert not refused_for_good(unconfirmed["code"], unconfirmed["message"])
    assert not refused_for_good("rejected_refresh_intent", None)
    assert not refused_for_good("locked_credentials", confirmed["message"])


# --- test events ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["succeeded", "failed", "rejected", "movements_modified", "movements_removed"]
)
@pytest.mark.parametrize("key", ["refreshed_object_id", "refreshedObjectId", "account_id"])
def test_a_placeholder_in_test_mode_means_nothing(status, key):
    body = event(f"{OUTCOME}.{status}", **{key: "acc_00000000"})
    assert only(body | {"mode": "test"}).says == TestDelivery()
    assert only(body | {"mode": "live"}).says != TestDelivery()


def test_camel_case_is_read_for_real_accounts_too():
    body = event(
        f"{OUTCOME}.failed", refreshedObject="account", refreshedObjectId=LINE, publicError="retryable_error"
    )
    assert only(body).says == only(outcome("failed", public_error="retryable_error")).says


# --- whatever else may come -------------------------------------------------------------------------------------------

NOT_UNDERSTOOD = {
    "an unknown type": event("payment_intent.succeeded", id="pi_1"),
    "the bare completion event that one guide mentions": event(
        "refresh_intent.succeeded", refreshed_object="link"
    ),
    "no type": {"id": "evt_1", "data": {}},
    "a type that is a list": {"id": "evt_1", "type": [], "data": {}},
    "no data": {"id": "evt_1", "type": f"{OUTCOME}.succeeded"},
    "data that is text": {"id": "evt_1", "type": f"{OUTCOME}.succeeded", "data": "x"},
    "no account": event(f"{OUTCOME}.succeeded", status="succeeded"),
    "an account that is a number": event(f"{OUTCOME}.succeeded", refreshed_object_id=1),
    "a result of a link": event(
        f"{OUTCOME}.succeeded", refreshed_object="link", refreshed_object_id="link_1"
    ),
    "a count that is true": outcome("succeeded", new_movements=True),
    "a public_error that is an object": outcome("failed", public_error={"code": "x"}),
    "a time without an offset": outcome("failed") | {"created_at": "2026-03-02T12:00:00"},
    "a link without an id": event("link.credentials_changed", status="login_required"),
    "rows that are no list": event(f"{OUTCOME}.movements_modified", account_id=LINE, movements_changed={}),
    "rows that are no objects": event(f"{OUTCOME}.movements_removed", account_id=LINE, movements=["mov_1"]),
    "rows without an id": event(f"{OUTCOME}.movements_modified", account_id=LINE, movements_changed=[{}]),
}


@pytest.mark.parametrize("what", NOT_UNDERSTOOD)
def test_kept_and_not_understood(what):
    body = NOT_UNDERSTOOD[what]
    notice = only(body)
    assert isinstance(notice.says, NotUnderstood)
    assert notice.raw == body


def test_an_event_without_a_time_is_told_with_the_delivery_s():
    body = outcome("succeeded")
    del body["created_at"]
    notice = only(body)
    assert isinstance(notice.says, AccountReported)
    assert (notice.says.result.reported_at, notice.occurred_at) == (RECEIVED_AT, None)


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"null", b"7", b"\xff", b"<html>", b'{"a":' * 100_000])
def test_what_is_no_event_is_kept(body):
    notice = only(body)
    assert isinstance(notice.says, NotUnderstood)
    assert (notice.type, notice.raw) == ("?", {})


@given(anything)
def test_any_json_is_translated(value):
    assert only(json.dumps(value)).raw == (value if isinstance(value, dict) else {})


@given(st.sampled_from(sorted(EVENTS)), anything, st.dictionaries(st.text(max_size=5), anything, max_size=3))
def test_any_data_under_a_known_type_is_translated(event_type, data, more):
    body = {**more, "type": event_type, "data": data}
    notice = only(body)
    assert (notice.type, notice.raw) == (event_type, body)


@given(st.data())
def test_a_documented_payload_that_is_spoilt_somewhere_is_translated(data):
    body = payload("fintoc", data.draw(st.sampled_from(sorted(SAYS))))
    place = data.draw(st.sampled_from(list(places(body))))
    other = spoilt(body, place, into=data.draw(anything), gone=data.draw(st.booleans()))
    assert only(other).raw == other


def test_identity_is_the_id_of_the_event():
    assert FINTOC.identity(delivery_of(outcome("failed"))) == "evt_1"
    assert len(FINTOC.identity(delivery_of("{"))) == 64


def test_verifies_its_own_header_only():
    delivery = delivery_of(outcome("failed"))
    for header, genuine in (("Fintoc-Signature", True), ("Rail-Signature", False)):
        headers = signed(header, "whsec_1", delivery.body, RECEIVED_AT)
        came = type(delivery)(
            connection=delivery.connection, headers=headers, body=delivery.body, received_at=RECEIVED_AT
        )
        assert (FINTOC.verify(came, now=RECEIVED_AT) == Verified()) is genuine
