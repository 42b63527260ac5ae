"""Fintoc's conversations, answered by hand: no socket, no client."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bankbridge.machine import events as ev
from bankbridge.machine.attempt import AccountStatus, Prompt, prompt_id
from bankbridge.machine.intent import Scope
from bankbridge.machine.link import LinkStatus
from bankbridge.provider import Provider
from bankbridge.words.errors import NotSupportedError, PayloadError, RefusedError
from bankbridge.words.ids import AccountId, RefreshId
from bankbridge.words.money import Money
from bankbridge.words.reasons import Reason
from bankbridge_fintoc import Fintoc
from bankbridge_fintoc.tables import CREATE_REASONS
from tests.deliveries import payload
from tests.talking import ABSURD, NOW, answer, attempt_of, error, everything_said_by, link_of, talk

KEY, TOKEN = "sk_test_0123456789", "link_1_token_5ec3e7"
FINTOC = Fintoc(secret_key=KEY, webhook_secrets=("whsec_0123456789",))
LINK = link_of("link_1", TOKEN)
RUNNING = attempt_of("ri_1", expected=(AccountId("acc_1"), AccountId("acc_2")), started_at=NOW)
ACCOUNTS, INTENTS = "GET /v1/accounts", "GET /v1/refresh_intents"
CREATE = "POST /v1/refresh_intents"


def account(account_id: str = "acc_1", **fields: object) -> dict:
    return payload("fintoc", "rest.account") | {"id": account_id, **fields}


THREE = answer([account("acc_1"), account("acc_2"), account("acc_3", removed_from_link=True)])


def intent(status: str = "created", *, ago: float = 0, **fields: object) -> dict:
    created_at = (NOW - timedelta(seconds=ago)).isoformat()
    return payload("fintoc", "rest.refresh_intent.create") | {
        "id": "ri_1",
        "status": status,
        "created_at": created_at,
        **fields,
    }


def create(*answers, look_first=False, attempt=None, expect=None, scope=Scope.LATEST, provider=FINTOC):
    flow = provider.create_refresh(LINK, attempt or attempt_of(), scope=scope, look_first=look_first, now=NOW)
    return talk(flow, *answers, expect=expect)


def started(adopted: bool = False, refresh_id: str = "ri_1", ago: float = 0) -> ev.RefreshStarted:
    return ev.RefreshStarted(
        refresh_id=RefreshId(refresh_id),
        expected=(AccountId("acc_1"), AccountId("acc_2")),
        started_at=NOW - timedelta(seconds=ago),
        adopted=adopted,
    )


def test_is_a_provider():
    assert isinstance(FINTOC, Provider)


# --- create -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202])
def test_create_after_a_look_at_the_accounts(status):
    done = create(THREE, answer(intent(), status))
    assert done.lines == [ACCOUNTS, CREATE]
    asked = done.asked[1]
    assert asked.query == {"link_token": TOKEN, "refresh_type": "only_last"}
    assert asked.headers == {"authorization": KEY, "idempotency-key": attempt_of().key}
    assert asked.body is None
    assert done.result.events == (started(), ev.RefreshProgressed())


def test_create_far_back_in_a_chosen_version():
    provider = Fintoc(secret_key=KEY, webhook_secrets=("whsec",), api_version="2026-02-01")
    asked = create(THREE, answer(intent()), scope=Scope.HISTORICAL, provider=provider).asked
    assert asked[1].query["refresh_type"] == "historical"
    assert {request.headers["fintoc-version"] for request in asked} == {"2026-02-01"}


@pytest.mark.parametrize("name", ["rest.refresh_intent.create", "rest.refresh_intent.create.2021"])
def test_create_answered_as_documented(name):
    body = payload("fintoc", name)
    events = create(THREE, answer(body)).result.events
    assert events[0].refresh_id == body["id"]
    assert events[1:] == (ev.RefreshProgressed(),)


def test_create_that_waits_for_the_person():
    body = payload("fintoc", "rest.refresh_intent.create.requires_mfa")
    token = body["requires_mfa"]["widget_token"]
    offered_at = datetime.fromisoformat(body["created_at"]).astimezone(UTC)
    prompt = Prompt(id=prompt_id(token), token=token, offered_at=offered_at)
    assert create(THREE, answer(body)).result.events[1] == ev.PromptOffered(prompt=prompt)


def test_a_bad_end_in_the_answer_is_left_for_the_read_that_knows_the_accounts():
    # It is replayed for the same idempotency key, long after.
    assert create(THREE, answer(intent("failed"))).result.events == (started(),)
    assert create(THREE, answer(intent("succeeded"))).result.events == (started(), ev.RefreshSucceeded())


DOCUMENTED = {
    "refresh_intent_in_progress": (422, Reason.ALREADY_IN_PROGRESS),
    "rate_limit_exceeded": (429, Reason.COOLDOWN),
    "rejected_refresh_intent.confirmed": (422, Reason.CREDENTIALS_REJECTED),
    "rejected_refresh_intent.unconfirmed": (422, Reason.CREDENTIALS_UNCONFIRMED),
}


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.parametrize("other_status", [None, 400, 403, 409])
def test_create_refused_as_documented(name, other_status):
    status, reason = DOCUMENTED[name]
    body = payload("fintoc", f"rest.error.{name}")
    look = [answer([])] if reason is Reason.ALREADY_IN_PROGRESS else []
    (event,) = create(THREE, answer(body, other_status or status), *look).result.events
    assert isinstance(event, ev.CreateRefused)
    assert (event.failure.reason, event.failure.code) == (reason, body["error"]["code"])
    assert event.failure.message == body["error"]["message"]


@pytest.mark.parametrize("code", CREATE_REASONS)
def test_create_refused_by_code(code):
    meaning = CREATE_REASONS[code]
    status = 500 if meaning.reason is Reason.PROVIDER_ERROR else 400
    look = [answer([])] if meaning.reason is Reason.ALREADY_IN_PROGRESS else []
    (event,) = create(THREE, error(status, code), *look).result.events
    if status == 500:
        assert event == ev.CreateUnclear(detail=f"HTTP 500 {code}", answered=True)
    else:
        assert (event.failure.reason, event.failure.code) == (meaning.reason, code)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (error(400, "brand_new_code"), Reason.UNKNOWN),
        (error(503, "unavailable_institution"), Reason.INSTITUTION_UNAVAILABLE),
        (answer(b"<html>slow down", 429, retry_after="7"), Reason.RATE_LIMITED),
        (answer(b"", 401), Reason.CONFIGURATION),
        (answer(b"<html>", 404), Reason.CONFIGURATION),
    ],
)
def test_create_refused_otherwise(refused, reason):
    (event,) = create(THREE, refused).result.events
    assert event.failure.reason is reason


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b'{"error": {"code": "core_response"}}'])
def test_create_answered_with_an_error_is_unclear(status, body):
    (event,) = create(THREE, answer(body, status)).result.events
    assert isinstance(event, ev.CreateUnclear)
    assert event.answered


@pytest.mark.parametrize("what", ABSURD)
def test_create_answered_absurdly(what):
    assert create(THREE, answer(ABSURD[what], 201), expect=PayloadError).error


# What refuses the look at the accounts says why as a create would, but for the codes that mean something else there.
@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (error(400, "invalid_link_token"), Reason.LINK_GONE),
        (error(403, "invalid_link_token"), Reason.LINK_GONE),
        (error(401, "invalid_api_key"), Reason.CONFIGURATION),
        (error(429, "rate_limit_exceeded", retry_after="3"), Reason.RATE_LIMITED),
        (error(422, "rejected_refresh_intent"), Reason.UNKNOWN),
        (error(406, "locked_credentials"), Reason.CREDENTIALS_LOCKED),
    ],
)
def test_the_accounts_cannot_be_read(refused, reason):
    done = create(refused)
    (event,) = done.result.events
    assert isinstance(event, ev.CreateRefused)
    assert (event.failure.reason, done.lines) == (reason, [ACCOUNTS])


def test_an_error_while_reading_the_accounts_has_started_nothing():
    assert create(answer(b"<html>", 502), expect=RefusedError).error.status == 502


# --- look first, adopt --------------------------------------------------------------------------------------------


def test_an_account_that_appeared_after_an_adopted_success_is_not_called_fresh():
    seen = [account("acc_1", refreshed_at=NOW.isoformat()), account("acc_2", refreshed_at=NOW.isoformat())]
    new = [account("acc_4", refreshed_at=None), account("acc_5", refreshed_at="2020-11-18T18:43:54.591Z")]
    done = create(answer([*seen, *new]), answer([intent("succeeded")]), look_first=True)
    assert done.result.events[0] == started(adopted=True)


def test_looks_first_and_adopts_what_it_may_have_started():
    done = create(THREE, answer([intent(ago=30)]), look_first=True)
    assert done.lines == [ACCOUNTS, INTENTS]
    assert done.result.events == (started(adopted=True, ago=30), ev.RefreshProgressed())


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [intent(ago=61)],
        [intent("succeeded", ago=3600)],
        [intent("failed", ago=1)],  # the attempt before; ours would be no older than our request
        [intent(refreshed_object="account")],
    ],
)
def test_looks_first_and_finds_nothing_of_its_own(rows):
    done = create(THREE, answer(rows), answer(intent(id="ri_2")), look_first=True)
    assert done.lines == [ACCOUNTS, INTENTS, CREATE]
    assert done.result.events[0] == started(refresh_id="ri_2")


def test_looks_first_and_finds_its_own_already_over():
    done = create(THREE, answer([intent("succeeded")]), look_first=True)
    assert done.result.events == (started(adopted=True), ev.RefreshSucceeded())


def test_takes_the_fraction_of_a_millisecond_that_fintoc_cuts_off_for_no_earlier_attempt():
    ours = attempt_of(asked_at=NOW + timedelta(microseconds=999))
    done = create(THREE, answer([intent("succeeded")]), look_first=True, attempt=ours)
    assert done.lines == [ACCOUNTS, INTENTS]


def test_adopts_the_one_that_runs():
    busy = answer(payload("fintoc", "rest.error.refresh_intent_in_progress"), 422)
    rows = [intent(refreshed_object="account", id="ri_0"), intent(ago=600), intent("failed", ago=900)]
    done = create(THREE, busy, answer(rows))
    assert done.lines == [ACCOUNTS, CREATE, INTENTS]
    assert done.result.events[0] == started(adopted=True, ago=600)
    assert done.result.words.startswith("HTTP 422 refresh_intent_in_progress, then status=created")


def test_does_not_adopt_one_that_has_ended_meanwhile():
    busy = answer(payload("fintoc", "rest.error.refresh_intent_in_progress"), 422)
    (event,) = create(THREE, busy, answer([intent("succeeded", ago=600)])).result.events
    assert event.failure.reason is Reason.ALREADY_IN_PROGRESS


def test_reads_every_page_by_its_own_number_alone():
    elsewhere = '<https://elsewhere.example/v1/accounts?page=9>; rel="next"'
    done = create(
        answer([account("acc_1")], link=elsewhere), answer([account("acc_2")], link=""), answer(intent())
    )
    pages = [request.query for request in done.asked[:2]]
    assert [query["page"] for query in pages] == ["1", "2"]
    assert {(query["link_token"], query["per_page"]) for query in pages} == {(TOKEN, "300")}
    assert done.result.events[0] == started()


def test_an_empty_page_is_the_last_whatever_its_header_says():
    following = '<https://api.fintoc.com/v1/accounts?page=2>; rel="next"'
    assert talk(FINTOC.accounts(LINK), answer([], link=following)).result == ()


def test_a_list_of_accounts_that_does_not_end_is_left():
    following = '<https://api.fintoc.com/v1/accounts?page=2>; rel="next"'
    pages = [answer([account("acc_1")], link=following)] * 20
    error = talk(FINTOC.accounts(LINK), *pages, expect=PayloadError).error
    assert str(error) == "$: the list of accounts does not end after 20 pages"


def test_only_the_first_page_of_refreshes_is_looked_at_for_the_newest():
    done = create(THREE, answer([intent()], link='<https://x>; rel="next"'), look_first=True)
    assert [request.query["page"] for request in done.asked] == ["1", "1"]
    assert done.result.events[0] == started(adopted=True)


# --- poll -----------------------------------------------------------------------------------------------------------


def poll(*answers, expect=None, attempt=RUNNING):
    return talk(FINTOC.poll_refresh(LINK, attempt, now=NOW), *answers, expect=expect)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ev.RefreshProgressed()),
        ({"status": "in_progress"}, ev.RefreshProgressed()),
        ({"status": "brand_new"}, ev.RefreshProgressed()),
        ({"status": None}, ev.RefreshProgressed()),
        ({"status": "succeeded", "new_movements": 0}, ev.RefreshSucceeded()),
        ({"status": "canceled"}, ev.RefreshCanceled()),
        ({"status": "cancelled"}, ev.RefreshCanceled()),
        (
            {"requires_mfa": {"widget_token": "t"}},
            ev.PromptOffered(prompt=Prompt(id=prompt_id("t"), token="t", offered_at=NOW)),
        ),
    ],
)
def test_poll(fields, said):
    done = poll(answer(intent() | fields))
    assert done.lines == ["GET /v1/refresh_intents/ri_1"]
    assert done.asked[0].query == {"link_token": TOKEN}
    assert done.result.events == (said,)


@pytest.mark.parametrize(
    ("status", "public_error", "reason"),
    [
        ("failed", "retryable_error", Reason.PROVIDER_ERROR),
        ("failed", None, Reason.PROVIDER_ERROR),
        ("failed", "brand_new_error", Reason.UNKNOWN),
        ("rejected", "credentials_locked_error", Reason.CREDENTIALS_LOCKED),
        ("rejected", None, Reason.CREDENTIALS_UNCONFIRMED),
        ("rejected", "brand_new_error", Reason.UNKNOWN),
    ],
)
def test_a_bad_end_tells_the_fresh_accounts_apart(status, public_error, reason):
    later, before = (NOW + timedelta(seconds=40)).isoformat(), (NOW - timedelta(hours=4)).isoformat()
    rows = [account("acc_1", refreshed_at=later), account("acc_2", refreshed_at=before), account("acc_9")]
    done = poll(answer(intent(status, public_error=public_error)), answer(rows))
    *reports, end = done.result.events
    assert done.lines == ["GET /v1/refresh_intents/ri_1", ACCOUNTS]
    assert isinstance(end, ev.RefreshFailed | ev.RefreshRejected)
    assert isinstance(end, ev.RefreshRejected) is (status == "rejected")
    assert (end.failure.reason, end.failure.code) == (reason, public_error)
    told = {report.result.account_id: report.result for report in reports}
    assert set(told) == {"acc_1", "acc_2"}
    assert (told["acc_1"].status, told["acc_1"].read) == (AccountStatus.SUCCEEDED, True)
    assert (told["acc_2"].status, told["acc_2"].read) == (AccountStatus(status), False)


@pytest.mark.parametrize(
    "rows", [[], [account("acc_1", removed_from_link=True), account("acc_2", refreshed_at=None)]]
)
def test_an_account_that_is_gone_is_not_waited_for(rows):
    *reports, _ = poll(answer(intent("failed")), answer(rows)).result.events
    assert reports[0].result.status is AccountStatus.VANISHED


def test_poll_of_what_is_not_there():
    assert poll(error(404, "missing_resource")).result.events == (ev.RefreshVanished(),)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 429, 500, 503])
def test_poll_refused(status):
    assert poll(answer(b"<html>", status), expect=RefusedError).error.status == status


@pytest.mark.parametrize("what", sorted(set(ABSURD) - {"an id that is a number"}))
def test_poll_answered_absurdly(what):
    poll(answer(ABSURD[what]), expect=PayloadError)


def test_cannot_cancel():
    assert not FINTOC.capabilities.cancels
    talk(FINTOC.cancel_refresh(LINK, RUNNING, now=NOW), expect=NotSupportedError)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rest.link.with_accounts", "rest.link.list_item"])
def test_link(name):
    body = payload("fintoc", name)
    done = talk(FINTOC.link(LINK), answer(body))
    assert done.lines == [f"GET /v1/links/{TOKEN}"]
    facts = done.result
    assert (facts.id, facts.status, facts.said) == (body["id"], LinkStatus.ACTIVE, "active")
    assert (facts.institution.id, facts.institution.name) == ("cl_banco_de_chile", "Banco de Chile")
    assert facts.refreshed_at == datetime(2020, 4, 22, 23, 10, 19, 254000, tzinfo=UTC)
    assert facts.raw == body


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "login_required"}, LinkStatus.NEEDS_RECONNECT),
        ({"status": "inactive"}, LinkStatus.PAUSED),
        ({"active": False}, LinkStatus.PAUSED),
        ({"status": "brand_new", "active": None}, LinkStatus.ACTIVE),
        ({"status": None, "institution": None, "last_time_refreshed": None}, LinkStatus.ACTIVE),
    ],
)
def test_status_of_a_link(fields, status):
    body = payload("fintoc", "rest.link.list_item") | fields
    assert talk(FINTOC.link(LINK), answer(body)).result.status is status


def test_account_as_documented():
    body = payload("fintoc", "rest.account")
    (one,) = talk(FINTOC.accounts(LINK), answer([body])).result
    assert (one.id, one.link_id, one.name, one.type) == (
        body["id"],
        "link_1",
        "Cuenta Corriente",
        "checking_account",
    )
    assert (one.number, one.removed) == ("0000000000", False)
    assert (one.balance.available, one.balance.limit) == (Money(500000, "CLP"), Money(500000, "CLP"))
    assert one.refreshed_at == datetime(2020, 11, 18, 18, 43, 54, 591000, tzinfo=UTC)
    assert one.raw == body


@pytest.mark.parametrize(
    "spoilt", [{"id": 1}, {"currency": "clp"}, {"balance": {"available": "1"}}, {"removed_from_link": "no"}]
)
def test_an_account_without_its_shape(spoilt):
    talk(FINTOC.accounts(LINK), answer([account(**spoilt)]), expect=PayloadError)


def page(*, since=None, until=None, number=1, rows=(), **headers):
    flow = FINTOC.movements(LINK, AccountId("acc_1"), since=since, until=until, page=number)
    return talk(flow, answer(list(rows), **headers))


def test_movement_as_documented():
    body = payload("fintoc", "rest.movement")
    (row,) = page(rows=[body]).result.rows
    assert (row.id, row.account_id, row.amount) == (body["id"], "acc_1", Money(59400, "CLP"))
    assert row.post_date == date(2020, 4, 17)
    assert row.transaction_at == datetime(2020, 4, 16, 11, 31, 12, tzinfo=UTC)
    assert (row.status, row.type, row.raw) == ("confirmed", "transfer", body)


@pytest.mark.parametrize(
    ("since", "until", "query"),
    [
        (None, None, {}),
        (date(2026, 1, 1), None, {"since": "2026-01-01"}),
        (None, date(2026, 1, 31), {"until": "2026-02-01"}),
        (date(2026, 1, 1), date(2026, 1, 1), {"since": "2026-01-01", "until": "2026-01-02"}),
        (date.min, date.max, {"since": "0001-01-01"}),
    ],
)
def test_asks_one_day_more_and_for_unconfirmed_rows_too(since, until, query):
    done = page(since=since, until=until, number=4)
    always = {"link_token": TOKEN, "confirmed_only": "false", "page": "4", "per_page": "300"}
    assert done.lines == ["GET /v1/accounts/acc_1/movements"]
    assert done.asked[0].query == always | query


NEXT = '<https://api.fintoc.com/v1/accounts/acc_1/movements?link_token=LT&page=2>; rel="next"'


@pytest.mark.parametrize(
    ("count", "link", "more"),
    [(1, NEXT, True), (0, NEXT, False), (1, "", False), (1, NEXT.replace("next", "last"), False)],
)
def test_whether_there_is_a_next_page(count, link, more):
    rows = [payload("fintoc", "rest.movement")] * count
    assert page(rows=rows, link=link).result.has_next is more


@pytest.mark.parametrize(
    ("header", "announced"),
    [("1495", 1495), ("0", 0), ("", None), ("-1", None), ("many", None), ("1.5", None), ("\u0661", None)],
)
def test_announced_count(header, announced):
    assert page(x_total_count=header).result.announced == announced


def test_no_count_announced():
    assert page().result.announced is None


@pytest.mark.parametrize("what", ABSURD)
@pytest.mark.parametrize("read", ["link", "accounts"])
def test_reading_answered_absurdly(read, what):
    talk(getattr(FINTOC, read)(LINK), answer(ABSURD[what]), expect=PayloadError)


# --- safety -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", ["../x?y", "..", ".", "a/b", "a#b", "%2e%2e", "a b", "?page=1"])
def test_no_id_leads_to_another_path(identifier):
    reads = poll(answer(intent()), attempt=attempt_of(identifier))
    rows = talk(FINTOC.movements(LINK, AccountId(identifier), since=None, until=None, page=1), answer([]))
    linked = talk(
        FINTOC.link(link_of("link_1", identifier)), answer(payload("fintoc", "rest.link.list_item"))
    )
    for done, slashes in ((reads, 3), (rows, 4), (linked, 3)):
        path = done.asked[0].path
        assert path.count("/") == slashes
        assert not {"?", "#", " "} & set(path)
        assert not {".", ".."} & set(path.split("/"))


@pytest.mark.parametrize("ask", ["link", "accounts"])
def test_a_link_without_its_token_is_not_asked_for(ask):
    raised = talk(getattr(FINTOC, ask)(link_of()), expect=NotSupportedError)
    assert "link_1" in str(raised.error)
    assert raised.asked == []


def test_no_secret_is_shown():
    said = f"while using {KEY}, whsec_0123456789 and {TOKEN}"
    raised = talk(FINTOC.accounts(LINK), error(400, "invalid", said), expect=RefusedError)
    refused = create(THREE, error(400, "invalid_link_token", said))
    prompted = create(THREE, answer(payload("fintoc", "rest.refresh_intent.create.requires_mfa")))
    one = talk(FINTOC.accounts(LINK), answer([account(number="4111111111")]))
    shown = everything_said_by(
        FINTOC,
        LINK,
        raised.asked[0],
        raised.error,
        *refused.asked,
        refused.result,
        prompted.result,
        one.result,
    )
    for secret in (KEY, "whsec_0123456789", TOKEN, "EXAMPLEexample00", "4111111111"):
        assert secret not in shown
