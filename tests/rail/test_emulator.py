"""The emulated Rail over real sockets: what each script word, webhook mode and switch really does."""

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpx
import pytest

from bankbridge.emulation import Clock, Emulator, Server, UnknownLinkError, UnknownWordError
from bankbridge_rail.emulator import SWITCHES, WORDS, RailEmulator, Timings, create_emulator
from tests.emulation.receiver import PATIENCE, Receiver

TLS = httpx.create_ssl_context()  # once: it takes longer than a test
START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)


@attrs.define
class Rail:
    """An application's view of a served emulator, with a clock that stands still until it is told to move."""

    emulator: RailEmulator
    http: httpx.Client
    receiver: Receiver
    secret: str

    def create(self, link_id: str, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"link_id": link_id, "refresh_type": "full", **fields}
        return self.http.post("/v1/refresh_intents", json=body, headers=headers)

    def intent(self, intent_id: str) -> dict[str, Any]:
        return self.http.get(f"/v1/refresh_intents/{intent_id}").raise_for_status().json()

    def until(self, intent_id: str, status: str) -> dict[str, Any]:
        for _ in range(500):
            if (intent := self.intent(intent_id))["status"] == status:
                return intent
        raise AssertionError(f"{intent_id} did not become {status}: {intent}")

    def pass_time(self, seconds: float) -> None:
        self.emulator.clock.advance(timedelta(seconds=seconds))

    def prompted(self, link_id: str) -> str:
        """The id of a new intent that waits for a code."""
        intent_id = self.create(link_id).json()["id"]
        self.pass_time(15)
        return self.until(intent_id, "requires_mfa")["id"]

    def link_truth(self, link_id: str) -> dict[str, Any]:
        return self.emulator.truth()["links"][link_id]


Serve = Callable[..., Rail]


@contextmanager
def served(receiver: Receiver, switches: Mapping[str, str], *, is_subscribed: bool = True) -> Iterator[Rail]:
    emulator = create_emulator(Clock(start=START, speed=0), switches=switches)
    headers = {"Authorization": f"Bearer {emulator.secret_key}"}
    with (
        Server(emulator.app) as server,
        httpx.Client(base_url=server.url, headers=headers, verify=TLS) as http,
    ):
        rail = Rail(emulator, http, receiver, secret="")
        if is_subscribed:
            wanted = {"url": receiver.url, "enabled_events": ["*"]}
            rail.secret = http.post("/v1/webhook_endpoints", json=wanted).raise_for_status().json()["secret"]
        yield rail


@pytest.fixture(scope="module")
def one_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(one_receiver: Receiver) -> Receiver:
    one_receiver.forget()
    return one_receiver


@pytest.fixture
def serve(receiver: Receiver) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda **switches: stack.enter_context(served(receiver, switches))


@pytest.fixture
def rail(serve: Serve) -> Rail:
    return serve()


@pytest.fixture(scope="module")
def shared_rail(one_receiver: Receiver) -> Iterator[Rail]:
    """For requests that change nothing."""
    with served(one_receiver, {}, is_subscribed=False) as rail:
        yield rail


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    match = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["rail-signature"])
    assert match is not None
    digest = hmac.new(secret.encode(), match[1].encode() + b"." + body, hashlib.sha256)
    return hmac.compare_digest(digest.hexdigest(), match[2])


# --- Script words ----------------------------------------------------------------------------------------------------


def test_it_has_the_face_of_every_emulator(shared_rail):
    emulator: Emulator = shared_rail.emulator
    assert emulator.provider == "rail"


def test_succeeds_is_the_documented_story_without_a_code(rail):
    link = rail.emulator.add_link()
    answer = rail.create(link.link_id)
    intent = answer.json()
    assert answer.status_code == 201
    assert intent == {
        "object": "refresh_intent",
        "id": intent["id"],
        "link_id": link.link_id,
        "status": "created",
        "refresh_type": "full",
    }
    rail.pass_time(44)
    assert rail.intent(intent["id"])["status"] == "created"
    rail.pass_time(1)
    (ended,) = rail.receiver.wait_for("refresh_intent.succeeded")
    (refreshed,) = rail.receiver.wait_for("link.refreshed")
    assert ended.event["created_at"] == refreshed.event["created_at"] == "2026-06-03T15:00:45Z"
    assert ended.event["data"] == {
        "object": "refresh_intent",
        "id": intent["id"],
        "link_id": link.link_id,
        "status": "succeeded",
        "completed_at": "2026-06-03T15:00:45Z",
        "summary": {"accounts_updated": 3, "new_movements_count": 5},
    }
    assert refreshed.event["data"] == {
        "object": "link",
        "id": link.link_id,
        "status": "active",
        "last_synced_at": "2026-06-03T15:00:45Z",
        "next_sync_at": "2026-06-03T19:00:45Z",
        "accounts_count": 3,
        "new_movements_count": 5,
    }
    assert rail.intent(intent["id"]) == {**ended.event["data"], "refresh_type": "full"}


@pytest.mark.parametrize(
    ("word", "after", "error_code", "refused"),
    [
        ("fails", 45, "bank_unavailable", 0),
        ("fails_oddly", 45, "unexpected_bank_response", 0),
        ("rejects", 45, "rejected_credentials", 1),
        ("rejects_slowly", 90, "rejected_credentials", 1),
    ],
)
def test_words_that_end_badly(rail, word, after, error_code, refused):
    link_id = rail.emulator.add_link(attempts=[word]).link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.pass_time(after - 1)
    assert rail.intent(intent_id)["status"] == "created"
    rail.pass_time(1)
    (failed,) = rail.receiver.wait_for("refresh_intent.failed")
    assert failed.event["data"]["error_code"] == error_code
    assert rail.intent(intent_id)["error_code"] == error_code
    truth = rail.link_truth(link_id)
    assert (truth["login_attempts"], truth["refused_logins"]) == (1, refused)
    assert "link.refreshed" not in rail.receiver.types()


def test_mfa_with_the_right_code(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    (asked,) = rail.receiver.wait_for("refresh_intent.requires_mfa")
    prompt = asked.event["data"]["requires_mfa"]
    assert prompt["expires_at"] == "2026-06-03T15:10:15Z"
    assert re.fullmatch(rf"{intent_id}_sec_[0-9a-f]{{24}}", prompt["widget_token"])
    assert rail.intent(intent_id)["requires_mfa"] == prompt
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(29)
    assert rail.intent(intent_id)["status"] == "requires_mfa"
    rail.pass_time(1)
    (ended,) = rail.receiver.wait_for("refresh_intent.succeeded")
    assert ended.event["created_at"] == "2026-06-03T15:00:45Z"
    assert "requires_mfa" not in ended.event["data"]


def test_mfa_with_a_wrong_code(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "wrong_code")
    with pytest.raises(UnknownLinkError, match="no prompt is open"):
        rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    rail.receiver.wait_for("refresh_intent.failed")
    assert rail.intent(intent_id)["error_code"] == "rejected_credentials"
    assert rail.link_truth(link_id)["refused_logins"] == 1


def test_mfa_and_the_person_walks_away(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "walk_away")
    rail.pass_time(599)
    assert rail.intent(intent_id)["status"] == "requires_mfa"
    rail.pass_time(1)
    (failed,) = rail.receiver.wait_for("refresh_intent.failed")
    assert failed.event["data"]["error_code"] == "requires_mfa_user_timeout"
    assert failed.event["created_at"] == "2026-06-03T15:10:15Z"
    with pytest.raises(UnknownLinkError, match="no prompt is open"):
        rail.emulator.person(link_id, "right_code")
    assert rail.link_truth(link_id)["refused_logins"] == 0


def test_a_person_who_walked_away_may_come_back_in_time(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "walk_away")
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    rail.until(intent_id, "succeeded")


@pytest.mark.parametrize(
    ("institution", "asks"), [("santander", {True}), ("bci", {True}), ("banco_chile", {False})]
)
def test_bank_decides_as_the_bank_is_known_to(rail, institution, asks):
    assert asked_by(rail, institution) == asks


def test_banco_estado_asks_now_and_then_and_the_same_again(rail, serve):
    assert asked_by(rail, "banco_estado") == {True, False}
    assert asked_by(serve(), "banco_estado") == {True, False}


def asked_by(rail: Rail, institution: str) -> set[bool]:
    """Whether each of some refreshes asked for a code."""
    links = [
        rail.emulator.add_link(attempts=["bank_decides"], institution=institution).link_id for _ in range(12)
    ]
    intents = [rail.create(link_id).json()["id"] for link_id in links]
    rail.pass_time(15)
    return {rail.intent(intent_id)["status"] == "requires_mfa" for intent_id in intents}


def test_stuck_never_ends(rail):
    link_id = rail.emulator.add_link(attempts=["stuck"]).link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.pass_time(86_400)
    assert rail.intent(intent_id)["status"] == "created"


def test_errors_500_creates_nothing_and_is_replayed_for_its_key(rail):
    link_id = rail.emulator.add_link(attempts=["errors_500", "succeeds"]).link_id
    first = rail.create(link_id, "a")
    assert first.status_code == 500
    assert first.json()["error"]["code"] == "internal_error"
    assert rail.link_truth(link_id)["intents"] == []
    assert rail.create(link_id, "a").status_code == 500
    assert rail.create(link_id, "b").status_code == 201
    assert rail.link_truth(link_id)["login_attempts"] == 1


def test_response_lost_has_created_and_the_same_key_finds_it(rail):
    link_id = rail.emulator.add_link(attempts=["response_lost", "succeeds"]).link_id
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        rail.create(link_id, "a")
    (lost,) = rail.link_truth(link_id)["intents"]
    again = rail.create(link_id, "a")
    assert again.status_code == 201
    assert again.json()["id"] == lost["id"]
    (intent,) = rail.link_truth(link_id)["intents"]
    assert [create["idempotency_key"] for create in intent["creates"]] == ["a", "a"]


def test_rate_limited_is_answered_429_once_even_with_the_same_key(rail):
    link_id = rail.emulator.add_link(attempts=["rate_limited"]).link_id
    refused = rail.create(link_id, "a")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"
    intent_id = rail.create(link_id, "a").raise_for_status().json()["id"]
    assert rail.create(link_id, "b").status_code == 429
    rail.pass_time(45)
    rail.until(intent_id, "succeeded")
    assert [create["status"] for create in rail.link_truth(link_id)["creates"]] == [429, 201, 429]


def test_words_are_used_in_order_and_the_last_repeats(rail):
    link_id = rail.emulator.add_link(attempts=["fails", "rejects", "succeeds"]).link_id
    for status in ("failed", "failed", "succeeded", "succeeded"):
        intent_id = rail.create(link_id).json()["id"]
        rail.pass_time(45)
        rail.until(intent_id, status)


def test_every_word_is_tried_in_this_file():
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        source = file.read()
    assert [word for word in WORDS if f'"{word}"' not in source] == []


# --- Webhooks --------------------------------------------------------------------------------------------------------


def test_every_webhook_is_signed_and_has_an_id_of_its_own(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    rail.prompted(link_id)
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    steps = ("created", "requires_mfa", "succeeded")
    for event_type in ("link.created", *(f"refresh_intent.{step}" for step in steps), "link.refreshed"):
        rail.receiver.wait_for(event_type)
    received = rail.receiver.received
    assert len(received) == 5
    assert len({delivery.event["id"] for delivery in received}) == 5
    assert all(is_signed(delivery.headers, delivery.body, rail.secret) for delivery in received)
    assert not is_signed(received[0].headers, received[0].body, rail.secret.removeprefix("whsec_"))


def test_webhooks_lost_keeps_the_outcome_to_itself(rail):
    link_id = rail.emulator.add_link(webhooks="lost").link_id
    other_id = rail.emulator.add_link().link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.create(other_id)
    rail.pass_time(45)
    rail.until(intent_id, "succeeded")
    (other,) = rail.receiver.wait_for("refresh_intent.succeeded")
    assert other.event["data"]["link_id"] == other_id
    lost = [row["type"] for row in rail.emulator.truth()["deliveries"] if row["lost"]]
    assert lost == ["refresh_intent.succeeded", "link.refreshed"]


def test_webhooks_twice_sends_the_same_event_two_times(rail):
    link_id = rail.emulator.add_link(webhooks="twice").link_id
    rail.create(link_id)
    rail.pass_time(45)
    for event_type in ("refresh_intent.created", "refresh_intent.succeeded", "link.refreshed"):
        first, second = rail.receiver.wait_for(event_type, 2)
        assert first.body == second.body


@pytest.mark.parametrize(
    ("word", "status", "types"),
    [
        ("succeeds", "succeeded", {"refresh_intent.created", "refresh_intent.succeeded", "link.refreshed"}),
        ("rejects_slowly", "failed", {"refresh_intent.created", "refresh_intent.failed"}),
        ("mfa", "requires_mfa", {"refresh_intent.created", "refresh_intent.requires_mfa"}),
        ("stuck", "created", {"refresh_intent.created"}),
    ],
)
def test_webhooks_early_come_before_the_answer(rail, word, status, types):
    link_id = rail.emulator.add_link(attempts=[word], webhooks="early").link_id
    rail.receiver.wait_for("link.created")
    answer = rail.create(link_id).json()
    assert set(rail.receiver.types()) - {"link.created"} == types
    assert answer["status"] == "created"
    assert rail.intent(answer["id"])["status"] == status


def test_early_and_a_code_goes_on_as_usual(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"], webhooks="early").link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    rail.until(intent_id, "succeeded")


def test_a_failed_delivery_is_tried_again(serve):
    with Receiver(503) as receiver:
        rail = serve()
        wanted = {"url": receiver.url, "enabled_events": ["refresh_intent.created"]}
        secret = rail.http.post("/v1/webhook_endpoints", json=wanted).json()["secret"]
        rail.create(rail.emulator.add_link().link_id)
        receiver.wait_for("refresh_intent.created")
        # The receiver hears of a try before the sender has its answer, and waits from then.
        deadline = time.monotonic() + PATIENCE
        while not rail.emulator.truth()["deliveries"][-1]["statuses"]:
            assert time.monotonic() < deadline
        rail.pass_time(3)
        first, second = receiver.wait_for("refresh_intent.created", 2)
        assert first.body == second.body
        assert first.headers["rail-signature"] != second.headers["rail-signature"]
        assert is_signed(second.headers, second.body, secret)
        assert receiver.types() == ["refresh_intent.created"] * 2


def test_events_about_accounts_and_links(rail):
    link = rail.emulator.add_link(accounts=1)
    account_id = rail.emulator.add_account(link.link_id)
    (created,) = rail.receiver.wait_for("account.created")
    assert created.event["data"]["id"] == account_id
    assert set(created.event["data"]) == {"object", "id", "link_id", "name", "type", "currency", "last_4"}
    rail.emulator.remove_account(account_id)
    (removed,) = rail.receiver.wait_for("account.removed")
    assert removed.event["data"] == {
        "object": "account",
        "id": account_id,
        "link_id": link.link_id,
        "status": "removed",
        "removed_at": "2026-06-03T15:00:00Z",
    }
    rail.emulator.expire_link(link.link_id)
    (expired,) = rail.receiver.wait_for("link.expired")
    assert expired.event["data"]["last_error_code"] == "rejected_credentials"
    assert rail.create(link.link_id).json()["error"]["code"] == "link_not_active"
    rail.emulator.delete_link(link.link_id)
    (deleted,) = rail.receiver.wait_for("link.deleted")
    assert set(deleted.event["data"]) == {"object", "id", "deleted_at"}
    with pytest.raises(UnknownLinkError, match="there is no link"):
        rail.emulator.delete_link(link.link_id)
    with pytest.raises(UnknownLinkError, match="there is no account"):
        rail.emulator.remove_account("acc_0")


# --- The API ---------------------------------------------------------------------------------------------------------


def test_links_and_accounts(rail):
    link = rail.emulator.add_link(institution="santander", accounts=4)
    other = rail.emulator.add_link(accounts=1)
    listed = rail.http.get("/v1/links").json()
    assert [row["id"] for row in listed] == [link.link_id, other.link_id]
    assert rail.http.get(f"/v1/links/{link.link_id}").json() == listed[0]
    assert listed[0]["bank_id"] == "santander"
    accounts = rail.http.get("/v1/accounts", params={"link_id": link.link_id}).json()
    assert tuple(row["id"] for row in accounts) == link.account_ids
    assert {row["type"] for row in accounts} == {"checking", "credit_card", "savings"}
    assert {row["currency"] for row in accounts} == {"CLP", "USD"}
    assert rail.http.get(f"/v1/accounts/{link.account_ids[1]}").json() == accounts[1]
    assert len(rail.http.get("/v1/accounts").json()) == 5
    rail.emulator.remove_account(link.account_ids[0])
    params = {"link_id": link.link_id}
    assert len(rail.http.get("/v1/accounts", params=params).json()) == 3
    rows = rail.http.get("/v1/accounts", params={**params, "include_removed": "true"}).json()
    assert [row["status"] for row in rows] == ["removed", "active", "active", "active"]


def test_deleting_a_link_takes_all_of_it_away(rail):
    link = rail.emulator.add_link()
    intent_id = rail.create(link.link_id).json()["id"]
    assert rail.http.delete(f"/v1/links/{link.link_id}").status_code == 204
    rail.receiver.wait_for("link.deleted")
    assert rail.intent(intent_id)["error_code"] == "link_deleted"
    assert rail.http.get("/v1/links").json() == []
    for path in (f"links/{link.link_id}", f"accounts/{link.account_ids[0]}"):
        assert rail.http.get(f"/v1/{path}").status_code == 404
    assert rail.create(link.link_id).status_code == 404
    assert rail.link_truth(link.link_id)["status"] == "deleted"


def movements(rail: Rail, account_id: str, **params: str) -> list[dict[str, Any]]:
    """All of them, page by page until one is not full."""
    rows: list[dict[str, Any]] = []
    while len(rows) % 30 == 0:
        page = str(len(rows) // 30 + 1)
        answer = rail.http.get(f"/v1/accounts/{account_id}/movements", params={**params, "page": page})
        rows += answer.json()
    return rows


def test_movements_come_in_pages_and_syncs_add_and_confirm(rail):
    link = rail.emulator.add_link()
    account_id = link.account_ids[0]
    rows = movements(rail, account_id)
    assert len({row["id"] for row in rows}) == 65
    assert [row["status"] for row in rows[:3]] == ["processing", "processing", "confirmed"]
    assert [row["post_date"] for row in rows] == sorted((row["post_date"] for row in rows), reverse=True)
    assert all((row["amount"] < 0) == (row["direction"] == "outbound") for row in rows)
    assert movements(rail, account_id, confirmed_only="true") == rows[2:]
    intent_id = rail.create(link.link_id).json()["id"]
    rail.pass_time(45)
    rail.until(intent_id, "succeeded")
    after = movements(rail, account_id)
    assert [row["id"] for row in after[3:]] == [row["id"] for row in rows]
    assert [row["status"] for row in after[:6]] == ["processing"] * 2 + ["confirmed"] * 4


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer rail_sk_test_wrong"}, {"Authorization": "x"}]
)
def test_without_the_key_nothing_is_said(shared_rail, header):
    for path in ("/v1/links", "/v1/refresh_intents/ri_1"):
        answer = httpx.get(f"{shared_rail.http.base_url}{path}", headers=header)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert shared_rail.emulator.secret_key not in answer.text


def test_the_webhook_secret_is_shown_once(rail):
    (row,) = rail.http.get("/v1/webhook_endpoints").json()
    assert set(row) == {"object", "id", "url", "enabled_events"}


BAD = b'{"link_id": '
DEEP = b"[" * 200_000
HOOK = "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v1/refresh_intents", BAD, 400),
        ("POST", "/v1/refresh_intents", DEEP, 400),
        ("POST", "/v1/refresh_intents", b"\xff\xfe", 400),
        ("POST", "/v1/refresh_intents", b"[]", 400),
        ("POST", "/v1/refresh_intents", b"{}", 400),
        ("POST", "/v1/refresh_intents", b'{"link_id": 1}', 400),
        ("POST", "/v1/refresh_intents", b'{"link_id": "link_\\ud800"}', 400),
        ("POST", "/v1/refresh_intents", b'{"link_id": "LINK", "refresh_type": {}}', 400),
        ("GET", "/v1/refresh_intents/ri_0", b"", 404),
        ("DELETE", "/v1/refresh_intents/%ff", b"", 404),
        ("GET", "/v1/refresh_intents", b"", 405),
        ("GET", "/v1/links/link_0", b"", 404),
        ("DELETE", "/v1/links/link_0", b"", 404),
        ("GET", "/v1/accounts?link_id=link_0", b"", 404),
        ("GET", "/v1/accounts?include_removed=perhaps", b"", 400),
        ("GET", "/v1/accounts/acc_0", b"", 404),
        ("GET", "/v1/accounts/acc_0/movements", b"", 404),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=0", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=-1", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=\u0664", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?confirmed_only=1", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=999999999", b"", 200),
        ("POST", "/v1/webhook_endpoints", b'{"url": "ftp://x/", "enabled_events": ["*"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://[", "enabled_events": ["*"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x:99999/", "enabled_events": ["*"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x/", "enabled_events": []}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x/", "enabled_events": ["link.went"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x/", "enabled_events": [["*"]]}', 400),
        ("GET", "/v2/links", b"", 404),
    ],
)
def test_bad_input_gets_an_envelope(shared_rail, method, path, content, status):
    link = shared_rail.emulator.add_link()
    path = path.replace("ACCOUNT", link.account_ids[0])
    answer = shared_rail.http.request(method, path, content=content.replace(b"LINK", link.link_id.encode()))
    assert answer.status_code == status
    if status >= 400:
        assert set(answer.json()["error"]) == {"code", "message"}


def test_idempotency_gives_the_first_answer_again(rail):
    link_id = rail.emulator.add_link().link_id
    first = rail.create(link_id, "a")
    rail.pass_time(45)
    rail.until(first.json()["id"], "succeeded")
    again = rail.create(link_id, "a")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert rail.create(link_id, "b").json()["id"] != first.json()["id"]
    assert rail.create(link_id).json()["id"] != first.json()["id"]
    assert len(rail.link_truth(link_id)["intents"]) == 3


# --- Switches --------------------------------------------------------------------------------------------------------


def cancel(rail: Rail) -> tuple[httpx.Response, httpx.Response, str]:
    """The answers to DELETE and to a GET after it, for an intent that waits for a code."""
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    path = f"/v1/refresh_intents/{rail.prompted(link_id)}"
    rail.receiver.wait_for("refresh_intent.requires_mfa")
    return rail.http.delete(path), rail.http.get(path), path


@pytest.mark.parametrize("mode", SWITCHES["cancel"].values)
def test_cancel(serve, mode):
    rail = serve(cancel=mode)
    deleted, read, path = cancel(rail)
    if mode == "canceled":
        assert deleted.status_code == 200
        assert deleted.json()["status"] == read.json()["status"] == "canceled"
    elif mode == "gone":
        assert (deleted.status_code, read.status_code) == (204, 404)
    else:
        assert deleted.status_code == 204
        assert (read.json()["status"], read.json()["error_code"]) == ("failed", "canceled")
    expected = {"canceled": 200, "gone": 404, "conflict_when_ended": 409}.get(mode, 204)
    assert rail.http.delete(path).status_code == expected
    if mode == "failed_with_event":
        rail.receiver.wait_for("refresh_intent.failed")
    rail.pass_time(3600)
    fails = ["refresh_intent.failed"] if mode == "failed_with_event" else []
    told = [row["type"] for row in rail.emulator.truth()["deliveries"]]
    assert told == ["link.created", "refresh_intent.created", "refresh_intent.requires_mfa", *fails]


def test_cancel_before_a_prompt_and_with_an_event_outside_the_catalogue(serve):
    rail = serve(cancel_event="refresh_intent.canceled")
    intent_id = rail.create(rail.emulator.add_link(attempts=["mfa"]).link_id).json()["id"]
    rail.http.delete(f"/v1/refresh_intents/{intent_id}")
    (event,) = rail.receiver.wait_for("refresh_intent.canceled")
    assert event.event["data"]["id"] == intent_id
    rail.pass_time(3600)
    assert rail.intent(intent_id)["error_code"] == "canceled"


@pytest.mark.parametrize("by", ["reading", "the next create"])
def test_mfa_timeout_lazy_ends_only_when_somebody_looks(serve, by):
    rail = serve(mfa_timeout="lazy")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.pass_time(3600)
    assert rail.link_truth(link_id)["intents"][0]["status"] == "requires_mfa"
    if by == "reading":
        assert rail.intent(intent_id)["error_code"] == "requires_mfa_user_timeout"
    else:
        rail.create(link_id)
    (failed,) = rail.receiver.wait_for("refresh_intent.failed")
    assert failed.event["created_at"] == "2026-06-03T16:00:15Z"


def test_solved_status(serve):
    rail = serve(solved_status="in_progress")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "right_code")
    assert "requires_mfa" not in rail.until(intent_id, "in_progress")
    rail.pass_time(30)
    rail.until(intent_id, "succeeded")


@pytest.mark.parametrize("status", SWITCHES["create_status"].values)
def test_create_status(serve, status):
    rail = serve(create_status=status)
    assert rail.create(rail.emulator.add_link().link_id).status_code == int(status)


def test_list_shape(serve):
    rail = serve(list_shape="data")
    link = rail.emulator.add_link(accounts=2)
    paths = ("links", "accounts", f"accounts/{link.account_ids[1]}/movements", "webhook_endpoints")
    counts = [len(rail.http.get(f"/v1/{path}").json()["data"]) for path in paths]
    assert counts == [1, 2, 8, 1]


@pytest.mark.parametrize("order", SWITCHES["success_order"].values)
def test_success_order(serve, order):
    rail = serve(success_order=order)
    intent_id = rail.create(rail.emulator.add_link().link_id).json()["id"]
    rail.pass_time(45)
    rail.until(intent_id, "succeeded")
    told = [row["type"] for row in rail.emulator.truth()["deliveries"]][-2:]
    both = ["refresh_intent.succeeded", "link.refreshed"]
    assert sorted(told) == sorted(both)
    if order != "seeded":
        assert told == (both if order == "intent_first" else both[::-1])


@pytest.mark.parametrize("mode", SWITCHES["idempotency_mismatch"].values)
def test_idempotency_mismatch(serve, mode):
    rail = serve(idempotency_mismatch=mode)
    link_id = rail.emulator.add_link().link_id
    rail.create(link_id, "a")
    other = rail.create(link_id, "a", refresh_type="historical")
    assert other.status_code == (201 if mode == "ignored" else int(mode))
    assert len(rail.link_truth(link_id)["intents"]) == (2 if mode == "ignored" else 1)


def test_field_drift(serve):
    rail = serve(sync_field="last_sync_at", bank_field="institution")
    link_id = rail.emulator.add_link(institution="bci").link_id
    link = rail.http.get(f"/v1/links/{link_id}").json()
    assert link["institution"] == {"id": "bci", "name": "BCI"}
    assert link["last_sync_at"] == "2026-06-03T15:00:00Z"
    assert not {"bank_id", "last_synced_at"} & set(link)


def test_rate_limit(serve):
    rail = serve(rate_limit="on")
    statuses = [rail.http.get("/v1/links").status_code for _ in range(100)]
    assert statuses == [200] * 99 + [429]  # registering the endpoint was the first
    refused = rail.http.get("/v1/links")
    assert refused.json()["error"]["code"] == "rate_limited"
    rail.pass_time(int(refused.headers["retry-after"]))
    assert rail.http.get("/v1/links").status_code == 200


def test_without_the_switch_nothing_is_limited(shared_rail):
    assert {shared_rail.http.get("/v1/links").status_code for _ in range(120)} == {200}


def test_every_switch_says_what_is_known_and_where():
    for name, switch in SWITCHES.items():
        assert switch.name == name
        assert len(switch.values) > 1
        assert switch.says
        assert switch.source.startswith("https://docs.rail.cl/")


def test_an_unknown_word_names_the_nearest(shared_rail):
    clock = Clock()
    for call, message in (
        (lambda: create_emulator(clock, switches={"cancle": "gone"}), "unknown switch 'cancle': .*'cancel'"),
        (
            lambda: create_emulator(clock, switches={"cancel": "gon"}),
            "value of switch cancel 'gon': .*'gone'",
        ),
        (lambda: shared_rail.emulator.add_link(attempts=["suceeds"]), "script word 'suceeds': .*'succeeds'"),
        (lambda: shared_rail.emulator.add_link(webhooks="twise"), "webhook mode 'twise': .*'twice'"),
        (lambda: shared_rail.emulator.add_link(institution="bsi"), "institution 'bsi': .*'bci'"),
        (lambda: shared_rail.emulator.person("link_0", "rightcode"), "act 'rightcode': .*'right_code'"),
    ):
        with pytest.raises(UnknownWordError, match=message):
            call()
    with pytest.raises(ValueError, match="accounts is 0: give 1 to 50"):
        shared_rail.emulator.add_link(accounts=0)


# --- Behind the scenes -----------------------------------------------------------------------------------------------


def test_the_truth(rail):
    link = rail.emulator.add_link(attempts=["rejects"], institution="bice")
    intent_id = rail.create(link.link_id, "key-1").json()["id"]
    rail.pass_time(5)
    rail.intent(intent_id)
    rail.pass_time(40)
    rail.receiver.wait_for("refresh_intent.failed")
    truth = rail.http.get("/__emulator/truth").json()
    assert truth["provider"] == "rail"
    assert truth["now"] == "2026-06-03T15:00:45+00:00"
    create = {
        "idempotency_key": "key-1",
        "status": 201,
        "intent_id": intent_id,
        "at": "2026-06-03T15:00:00+00:00",
    }
    assert truth["links"] == {
        link.link_id: {
            "status": "active",
            "mode": "test",
            "institution": "bice",
            "webhooks": "normal",
            "account_ids": list(link.account_ids),
            "login_attempts": 1,
            "refused_logins": 1,
            "failures_in_a_row": 1,
            "automatic_syncs": [],
            "creates": [create],
            "intents": [
                {
                    "id": intent_id,
                    "status": "failed",
                    "error_code": "rejected_credentials",
                    "prompts": 0,
                    "accounts": {},
                    "created_at": "2026-06-03T15:00:00+00:00",
                    "ended_at": "2026-06-03T15:00:45+00:00",
                    "creates": [create],
                    "polls": ["2026-06-03T15:00:05+00:00"],
                }
            ],
        }
    }
    assert truth["requests"] == {
        "POST /v1/webhook_endpoints": 1,
        "POST /v1/refresh_intents": 1,
        "GET /v1/refresh_intents/{intent_id}": 1,
    }
    types = ["link.created", "refresh_intent.created", "refresh_intent.failed"]
    assert [row["type"] for row in truth["deliveries"]] == types


def test_the_control_over_http(rail):
    wanted = {"attempts": ["mfa"], "webhooks": "twice", "institution": "bci", "accounts": 2}
    answer = rail.http.post("/__emulator/links", json=wanted)
    link = answer.json()
    assert answer.status_code == 201
    assert (link["link_token"], len(link["account_ids"])) == (None, 2)
    intent_id = rail.create(link["link_id"]).json()["id"]
    advanced = rail.http.post("/__emulator/clock/advance", json={"seconds": 15})
    assert advanced.json()["now"] == "2026-06-03T15:00:15+00:00"
    rail.until(intent_id, "requires_mfa")
    act = rail.http.post(f"/__emulator/links/{link['link_id']}/person", json={"act": "right_code"})
    assert act.status_code == 200
    rail.pass_time(30)
    rail.until(intent_id, "succeeded")


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("links", {"attempts": ["suceeds"]}, 400, "'succeeds'"),
        ("links", {"atempts": ["succeeds"]}, 400, "unknown field 'atempts'"),
        ("links", {"accounts": "3"}, 400, "accounts is a string"),
        ("links", ["mfa"], 400, "send an object"),
        ("links/link_0/person", {"act": "right_code"}, 404, "there is no link"),
        ("links/link_0/person", {}, 400, "act is missing"),
        ("clock/advance", {"seconds": -1}, 400, "seconds is -1"),
        ("clock/advance", {}, 400, "seconds is missing"),
    ],
)
def test_bad_control_is_explained(shared_rail, path, body, status, message):
    answer = shared_rail.http.post(f"/__emulator/{path}", json=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_it_may_be_called_from_any_thread_and_before_and_after_it_is_served():
    emulator = create_emulator(Clock(start=START, speed=0))
    first = emulator.add_link()
    with Server(emulator.app):
        threads = [threading.Thread(target=emulator.add_link) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(emulator.truth()["links"]) == 9
    emulator.add_link()
    assert next(iter(emulator.truth()["links"])) == first.link_id
    assert len(emulator.truth()["links"]) == 10


def test_the_seed_decides_the_ids():
    def ids(seed: int) -> tuple[str, tuple[str, ...], str]:
        emulator = create_emulator(Clock(start=START, speed=0), seed=seed)
        link = emulator.add_link()
        return link.link_id, link.account_ids, emulator.secret_key

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
    assert re.fullmatch(r"link_[0-9a-f]{16}", ids(1)[0])
    assert re.fullmatch(r"rail_sk_test_[0-9a-f]{32}", ids(1)[2])


def test_in_fast_time_a_story_runs_by_itself():
    timings = Timings(sync=timedelta(seconds=20))
    emulator = create_emulator(Clock(start=START, speed=1000), timings=timings)
    link_id = emulator.add_link().link_id
    headers = {"Authorization": f"Bearer {emulator.secret_key}"}
    with (
        Server(emulator.app) as server,
        httpx.Client(base_url=server.url, headers=headers, verify=TLS) as http,
    ):
        path = "/v1/refresh_intents"
        intent = http.post(path, json={"link_id": link_id}).json()
        while intent["status"] == "created":
            intent = http.get(f"{path}/{intent['id']}").json()
    (told,) = emulator.truth()["links"][link_id]["intents"]
    took = datetime.fromisoformat(told["ended_at"]) - datetime.fromisoformat(told["created_at"])
    assert took == timings.sync
