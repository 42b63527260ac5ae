"""Rail's conversations, answered by hand: no socket, no client."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bankbridge.machine import events as ev
from bankbridge.machine.attempt import Prompt, prompt_id
from bankbridge.machine.intent import Scope
from bankbridge.machine.link import LinkStatus
from bankbridge.provider import Provider
from bankbridge.words.errors import PayloadError, RefusedError
from bankbridge.words.ids import AccountId, LinkId, RefreshId
from bankbridge.words.money import Money
from bankbridge.words.reasons import Failure, Reason
from bankbridge_rail import Rail
from tests.talking import ABSURD, NOW, answer, attempt_of, error, everything_said_by, link_of, serve, talk

KEY = "rail_sk_test_0123456789"
RAIL = Rail(secret_key=KEY, webhook_secrets=("whsec_0123456789",))
LINK = link_of()
RUNNING = attempt_of("ri_1")


def create(*answers, expect=None, scope=Scope.LATEST, look_first=False):
    flow = RAIL.create_refresh(LINK, attempt_of(), scope=scope, look_first=look_first, now=NOW)
    return talk(flow, *answers, expect=expect)


def intent(status: str = "created", **fields: object) -> dict:
    return {"object": "refresh_intent", "id": "ri_1", "link_id": "link_1", "status": status, **fields}


ASKED = {"widget_token": "ri_1_sec_5ec3e7", "expires_at": "2026-06-03T15:10:00Z"}
OFFERED = ev.PromptOffered(
    prompt=Prompt(
        id=prompt_id("ri_1_sec_5ec3e7"),
        token="ri_1_sec_5ec3e7",
        offered_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
    )
)
STATUSES = [
    (intent(), ev.RefreshProgressed()),
    (intent("in_progress"), ev.RefreshProgressed()),
    (intent("brand_new"), ev.RefreshProgressed()),
    (intent("requires_mfa", requires_mfa=ASKED), OFFERED),
    (intent("requires_mfa", requires_mfa=None), ev.RefreshProgressed()),
    (intent("succeeded", summary={"new_movements_count": 2}), ev.RefreshSucceeded(new_movements=2)),
    (intent("succeeded"), ev.RefreshSucceeded()),
    (
        intent("failed", error_code="bank_unavailable"),
        ev.RefreshFailed(failure=Failure(reason=Reason.INSTITUTION_UNAVAILABLE, code="bank_unavailable")),
    ),
    (
        intent("failed", error_code="rejected_credentials"),
        ev.RefreshRejected(
            failure=Failure(
                reason=Reason.CREDENTIALS_REJECTED, code="rejected_credentials", or_wrong_code=True
            )
        ),
    ),
    (intent("failed"), ev.RefreshFailed(failure=Failure(reason=Reason.UNKNOWN))),
    (intent("canceled"), ev.RefreshCanceled()),
]


def test_is_a_provider():
    assert isinstance(RAIL, Provider)


# --- create -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(("body", "said"), STATUSES)
def test_create(status, body, said):
    done = create(answer(body, status))
    (asked,) = done.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/v1/refresh_intents", {})
    assert asked.body == {"link_id": "link_1", "refresh_type": "full"}
    assert asked.headers == {"authorization": f"Bearer {KEY}", "idempotency-key": attempt_of().key}
    assert done.result.events == (ev.RefreshStarted(refresh_id=RefreshId("ri_1")), said)


def test_create_tells_the_provider_s_own_time():
    done = create(answer(intent(created_at="2026-06-03T14:59:58Z")))
    assert done.result.events[0].started_at == NOW - timedelta(seconds=2)


def test_create_far_back():
    assert create(answer(intent()), scope=Scope.HISTORICAL).asked[0].body["refresh_type"] == "historical"


def test_a_repeat_sends_the_same_request():
    first, again = create(answer(intent())), create(answer(intent()), look_first=True)
    assert first.asked == again.asked


@pytest.mark.parametrize(
    ("refused", "reason", "code"),
    [
        (error(400, "invalid"), Reason.UNKNOWN, "invalid"),
        (error(401, "unauthorized"), Reason.CONFIGURATION, "unauthorized"),
        (error(402), Reason.NOT_PERMITTED, "HTTP 402"),
        (error(403, "forbidden"), Reason.NOT_PERMITTED, "forbidden"),
        (error(404, "not_found"), Reason.LINK_GONE, "not_found"),
        (error(410, "gone"), Reason.LINK_GONE, "gone"),
        (answer(b"<html>Not Found", 404), Reason.CONFIGURATION, "HTTP 404"),
        (answer(b"", 405), Reason.NOT_SUPPORTED, "HTTP 405"),
        (error(409, "busy"), Reason.ALREADY_IN_PROGRESS, "busy"),
        (error(422, "link_not_active"), Reason.UNKNOWN, "link_not_active"),
        (error(423), Reason.CREDENTIALS_LOCKED, "HTTP 423"),
        (answer(b"", 302, location="https://elsewhere.example"), Reason.CONFIGURATION, "HTTP 302"),
        (answer(b"I'm a teapot", 418), Reason.UNKNOWN, "HTTP 418"),
        (answer(b'{"error": []}', 418), Reason.UNKNOWN, "HTTP 418"),
        (answer(b'{"error": {"code": 7, "message": []}}', 418), Reason.UNKNOWN, "HTTP 418"),
        (answer(b"[" * 100_000, 418), Reason.UNKNOWN, "HTTP 418"),
    ],
)
def test_create_refused(refused, reason, code):
    done = create(refused)
    (event,) = done.result.events
    assert isinstance(event, ev.CreateRefused)
    assert (event.failure.reason, event.failure.code) == (reason, code)
    assert done.result.words.startswith(f"HTTP {refused.status}")


@pytest.mark.parametrize(
    ("header", "not_before"),
    [
        ("5", NOW + timedelta(seconds=5)),
        (" 5 ", NOW + timedelta(seconds=5)),
        ("Wed, 03 Jun 2026 15:02:00 GMT", NOW + timedelta(minutes=2)),
        ("Wed, 03 Jun 2026 15:02:00 -0000", NOW + timedelta(minutes=2)),
        ("Wed, 03 Jun 2020 15:02:00 GMT", NOW),
        ("Fri, 31 Dec 9999 23:59:59 GMT", NOW + timedelta(hours=1)),
        ("9" * 400, NOW + timedelta(hours=1)),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("soon", None),
        ("-5", None),
        ("\u0665", None),
        ("", None),
        (None, None),
    ],
)
def test_create_too_often(header, not_before):
    headers = {} if header is None else {"retry_after": header}
    (event,) = create(error(429, "rate_limited", **headers)).result.events
    assert (event.failure.reason, event.failure.not_before) == (Reason.RATE_LIMITED, not_before)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"<html>", b"", b'{"error": {"code": "internal_error"}}'])
def test_create_answered_with_an_error_is_unclear(status, body):
    (event,) = create(answer(body, status)).result.events
    assert isinstance(event, ev.CreateUnclear)
    assert event.answered
    assert event.detail.startswith(f"HTTP {status}")


@pytest.mark.parametrize("what", ABSURD)
def test_create_answered_absurdly(what):
    assert create(answer(ABSURD[what], 201), expect=PayloadError).error


# --- poll and cancel ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "said"), STATUSES)
def test_poll(body, said):
    done = talk(RAIL.poll_refresh(LINK, RUNNING, now=NOW), answer(body))
    assert done.lines == ["GET /v1/refresh_intents/ri_1"]
    assert done.result.events == (said,)


def test_poll_says_the_provider_s_words():
    done = talk(
        RAIL.poll_refresh(LINK, RUNNING, now=NOW), answer(intent("failed", error_code="bank_unavailable"))
    )
    assert done.result.words == "status=failed error_code=bank_unavailable"


@pytest.mark.parametrize("status", [404, 410])
def test_poll_of_what_is_not_there(status):
    done = talk(RAIL.poll_refresh(LINK, RUNNING, now=NOW), error(status, "not_found"))
    assert done.result.events == (ev.RefreshVanished(),)


@pytest.mark.parametrize("status", [302, 401, 429, 500, 503])
def test_poll_refused(status):
    raised = talk(RAIL.poll_refresh(LINK, RUNNING, now=NOW), answer(b"", status), expect=RefusedError).error
    assert raised.status == status


@pytest.mark.parametrize("what", sorted(set(ABSURD) - {"an id that is a number"}))
def test_poll_answered_absurdly(what):
    talk(RAIL.poll_refresh(LINK, RUNNING, now=NOW), answer(ABSURD[what]), expect=PayloadError)


@pytest.mark.parametrize("status", [200, 202, 204, 302, 404, 409, 500])
def test_cancel_takes_any_answer(status):
    done = talk(RAIL.cancel_refresh(LINK, RUNNING, now=NOW), answer(b"<html>", status))
    assert done.lines == ["DELETE /v1/refresh_intents/ri_1"]
    assert (done.result.events, done.result.words) == ((), f"HTTP {status}")


# --- reading --------------------------------------------------------------------------------------------------------

ROW = {"id": "link_1", "status": "active", "bank_id": "bci", "last_synced_at": "2026-06-03T12:00:00Z"}


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows}])
def test_link_is_found_in_the_list(wrap):
    facts = talk(RAIL.link(LINK), answer(wrap([{"id": "link_0"}, {}, ROW]))).result
    assert (facts.id, facts.status, facts.said) == (LinkId("link_1"), LinkStatus.ACTIVE, "active")
    assert (facts.institution.id, facts.institution.name) == ("bci", None)
    assert facts.refreshed_at == datetime(2026, 6, 3, 12, tzinfo=UTC)
    assert facts.raw == ROW


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "expired"}, LinkStatus.EXPIRED),
        ({"is_paused": True}, LinkStatus.PAUSED),
        ({"is_paused": False}, LinkStatus.ACTIVE),
        ({"status": "brand_new"}, LinkStatus.ACTIVE),
        ({"status": None}, LinkStatus.ACTIVE),
    ],
)
def test_status_of_a_link(fields, status):
    assert talk(RAIL.link(LINK), answer([ROW | fields])).result.status is status


def test_link_by_the_other_spellings():
    row = {
        "id": "link_1",
        "institution": {"id": "bci", "name": "BCI"},
        "last_sync_at": "2026-06-03T12:00:00Z",
    }
    facts = talk(RAIL.link(LINK), answer([row])).result
    assert (facts.institution.name, facts.refreshed_at.hour) == ("BCI", 12)
    assert talk(RAIL.link(LINK), answer([{"id": "link_1"}])).result.institution is None


def test_link_that_is_not_there():
    assert talk(RAIL.link(LINK), answer([]), expect=RefusedError).error.status == 404


def rows_of(request):
    """Forty-five links, thirty on a page, of which the last is the one that is asked for."""
    rows = [{"id": f"link_{number}"} for number in range(2, 46)] + [ROW]
    start = (int(request.query.get("page", "1")) - 1) * 30
    return rows[start : start + 30]


def test_link_on_a_later_page():
    facts, asked = serve(RAIL.link(LINK), lambda request: answer(rows_of(request)))
    assert (facts.id, [request.query for request in asked]) == ("link_1", [{}, {"page": "2"}])


def test_list_that_knows_no_pages_is_read_once_more_and_not_for_ever():
    everything = [{"id": f"link_{number}"} for number in range(2, 46)]
    with pytest.raises(RefusedError):
        serve(RAIL.link(LINK), lambda request: answer(everything))


def test_list_that_does_not_end():
    def endless(request):
        first = int(request.query.get("page", "1")) * 30
        return answer([{"id": f"link_x{number}"} for number in range(first, first + 30)])

    with pytest.raises(PayloadError, match="/v1/links does not end after 1000 pages"):
        serve(RAIL.link(LINK), endless)


ACCOUNT = {
    "id": "acc_1",
    "link_id": "link_1",
    "name": "Visa",
    "type": "credit_card",
    "currency": "CLP",
    "number": "4111111111111234",
    "balance": {"available": 850000, "current": 150000, "limit": None},
    "last_sync_at": "2026-06-03T12:00:00Z",
    "status": "active",
}


def test_accounts():
    gone = ACCOUNT | {
        "id": "acc_2",
        "status": "removed",
        "name": None,
        "official_name": "VISA",
        "balance": None,
    }
    done = talk(RAIL.accounts(LINK), answer([ACCOUNT, gone]))
    one, two = done.result
    assert (done.lines, done.asked[0].query) == (["GET /v1/accounts"], {"link_id": "link_1"})
    assert (one.id, one.name, one.number, one.removed) == ("acc_1", "Visa", "4111111111111234", False)
    assert (one.balance.available, one.balance.limit) == (Money(850000, "CLP"), None)
    assert (two.removed, two.name, two.balance.current) == (True, "VISA", None)
    assert one.raw == ACCOUNT


@pytest.mark.parametrize(
    "spoilt",
    [{"id": None}, {"currency": "pesos"}, {"currency": None}, {"balance": {"current": 1.5}}, {"balance": []}],
)
def test_an_account_without_its_shape(spoilt):
    talk(RAIL.accounts(LINK), answer([ACCOUNT | spoilt]), expect=PayloadError)


MOVEMENT = {
    "id": "mov_1",
    "amount": -1050,
    "currency": "USD",
    "description": "COMPRA",
    "type": "other",
    "status": "processing",
    "post_date": "2026-05-31",
}


def page(rows, *, number=1):
    flow = RAIL.movements(LINK, AccountId("acc_1"), since=date(2026, 1, 1), until=None, page=number)
    return talk(flow, answer(rows))


def test_movements():
    done = page([MOVEMENT], number=3)
    (row,) = done.result.rows
    assert done.lines == ["GET /v1/accounts/acc_1/movements"]
    assert done.asked[0].query == {"page": "3", "confirmed_only": "false"}
    assert (row.id, row.amount, row.post_date) == ("mov_1", Money(-1050, "USD"), date(2026, 5, 31))
    assert (row.status, row.raw, done.result.announced) == ("processing", MOVEMENT, None)


@pytest.mark.parametrize(("count", "more"), [(0, False), (29, False), (30, True), (31, True)])
def test_a_full_page_has_a_next_one(count, more):
    assert page([MOVEMENT] * count).result.has_next is more


@pytest.mark.parametrize("field", ["post_date", "transaction_date", "date", "created_at"])
def test_the_day_is_never_shifted(field):
    row = MOVEMENT | {"post_date": None, field: "2026-05-31T23:59:59-12:00"}
    assert page([row]).result.rows[0].post_date == date(2026, 5, 31)


def test_a_row_may_have_neither_id_nor_day():
    (row,) = page([{"amount": 1, "currency": "CLP"}]).result.rows
    assert (row.id, row.post_date) == (None, None)


@pytest.mark.parametrize(
    "spoilt", [{"amount": 1.0}, {"amount": "1"}, {"currency": "$"}, {"post_date": "31/05"}]
)
def test_a_movement_without_its_shape(spoilt):
    flow = RAIL.movements(LINK, AccountId("acc_1"), since=None, until=None, page=1)
    talk(flow, answer([MOVEMENT | spoilt]), expect=PayloadError)


@pytest.mark.parametrize("what", ABSURD)
@pytest.mark.parametrize("read", ["link", "accounts"])
def test_reading_answered_absurdly(read, what):
    talk(getattr(RAIL, read)(LINK), answer(ABSURD[what]), expect=PayloadError)


# --- safety -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identifier", ["../x?y", "..", ".", "a/b", "a#b", "%2e%2e", "a b", "ñ", "?link_id=1"]
)
def test_no_id_leads_to_another_path(identifier):
    reads = talk(RAIL.poll_refresh(LINK, attempt_of(identifier), now=NOW), answer(intent()))
    flow = RAIL.movements(LINK, AccountId(identifier), since=None, until=None, page=1)
    for path, slashes in ((reads.asked[0].path, 3), (talk(flow, answer([])).asked[0].path, 4)):
        assert path.count("/") == slashes
        assert not {"?", "#", " "} & set(path)
        assert not {".", ".."} & set(path.split("/"))


def test_no_secret_is_shown():
    leaky = error(500, "internal", f"while using {KEY} and whsec_0123456789")
    raised = talk(RAIL.accounts(LINK), leaky, expect=RefusedError)
    page_of_text = answer(f"<html>{KEY}".encode(), 403)
    prompted = talk(
        RAIL.poll_refresh(LINK, RUNNING, now=NOW), answer(intent("requires_mfa", requires_mfa=ASKED))
    )
    accounts = talk(RAIL.accounts(LINK), answer([ACCOUNT]))
    shown = everything_said_by(
        RAIL,
        raised.asked[0],
        raised.error,
        create(page_of_text).result,
        prompted.result,
        prompted.asked[0],
        accounts.result,
    )
    for secret in (KEY, "whsec_0123456789", "5ec3e7", "4111111111111234"):
        assert secret not in shown
