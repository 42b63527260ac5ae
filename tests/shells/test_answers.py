"""What the jobs make of answers that a provider should not give, each over a real socket."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bankbridge import LinkStatus, Reason, Status
from bankbridge.emulation import Clock, Server
from bankbridge.machine.attempt import AccountStatus
from bankbridge.machine.link import AccountVanished, Link
from bankbridge.machine.notices import Notice, Subject
from bankbridge.store.memory import MemoryStore
from bankbridge.words.errors import UnknownLinkError
from bankbridge.words.ids import AccountId, ConnectionName, LinkId
from bankbridge_fintoc import Fintoc
from tests.deliveries import payload, signed
from tests.stages import COLOURS, START, bridged

SECRET = "whsec_0123456789"
ACCOUNT = payload("fintoc", "rest.account")
INTENT = payload("fintoc", "rest.refresh_intent.create") | {"created_at": START.isoformat()}
LINK = payload("fintoc", "rest.link.list_item")


class Desk:
    """A provider that answers what it is told to, by method and path."""

    def __init__(self) -> None:
        self.answers: dict[str, Response] = {"GET /v1/accounts": JSONResponse([ACCOUNT])}
        self.clock = Clock(start=START, speed=0)
        self.store = MemoryStore()
        link = Link(
            id=LinkId(LINK["id"]),
            connection=ConnectionName("fintoc"),
            token="link_1_token_1",
            accounts=(AccountId(ACCOUNT["id"]),),
        )
        self.store.transact(lambda tx: tx.save_link(link))

    async def take(self, request: Request) -> Response:
        return self.answers.get(f"{request.method} {request.url.path}", Response(status_code=404))


@pytest.fixture(params=COLOURS)
def desk(request):
    desk = Desk()
    with Server(Starlette(routes=[Route("/{path:path}", desk.take, methods=["GET", "POST"])])) as server:
        provider = Fintoc(secret_key="sk_test_1", webhook_secrets=(SECRET,), base_url=server.url)
        with bridged(request.param, {"fintoc": provider}, store=desk.store, clock=desk.clock.now) as bridge:
            yield desk, bridge


def wait(desk: Desk, bridge: Any, seconds: float) -> None:
    desk.clock.advance(desk.clock.now().resolution * int(seconds * 1_000_000))
    bridge.wake_due()


@pytest.mark.parametrize("body", [b"<html>", b"null", b"{}"])
def test_a_create_that_cannot_be_read_is_unclear_and_in_the_end_refused(desk, body):
    provider, bridge = desk
    provider.answers["POST /v1/refresh_intents"] = Response(body, 201)
    provider.answers["GET /v1/refresh_intents"] = JSONResponse([])
    intent = bridge.refresh(LINK["id"])
    assert (intent.status, intent.attempt.unclear) == (Status.REQUESTED, 1)
    for _ in range(2):
        wait(provider, bridge, 300)
    outcome = bridge.outcome(intent.id)
    assert (outcome.status, outcome.failure.reason) == (Status.BACKING_OFF, Reason.PROVIDER_ERROR)


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (JSONResponse({"error": {"code": "internal_server_error"}}, 500), Status.REQUESTED, None),
        (JSONResponse({"error": {"code": "invalid_link_token"}}, 400), Status.FAILED, Reason.LINK_GONE),
        (Response(b"<html>", 404), Status.FAILED, Reason.CONFIGURATION),
        (JSONResponse([ACCOUNT | {"currency": "pesos"}]), Status.REQUESTED, None),
    ],
)
def test_accounts_that_cannot_be_read_before_a_create(desk, answer, status, reason):
    provider, bridge = desk
    provider.answers["GET /v1/accounts"] = answer
    intent = bridge.refresh(LINK["id"])
    failure = bridge.outcome(intent.id).failure
    assert (intent.status, failure and failure.reason) == (status, reason)


def test_a_list_that_is_refused_after_the_create_says_why(desk):
    provider, bridge = desk
    provider.answers["POST /v1/refresh_intents"] = JSONResponse(
        payload("fintoc", "rest.error.refresh_intent_in_progress"), 422
    )
    provider.answers["GET /v1/refresh_intents"] = JSONResponse({"error": {"code": "forbidden_request"}}, 403)
    outcome = bridge.outcome(bridge.refresh(LINK["id"]).id)
    assert (outcome.status, outcome.failure.reason) == (Status.FAILED, Reason.NOT_PERMITTED)


def test_a_link_whose_token_nobody_gave_asks_for_nothing(desk):
    provider, bridge = desk
    bare = Link(id=LinkId("link_bare"), connection=ConnectionName("fintoc"))
    provider.store.transact(lambda tx: tx.save_link(bare))
    outcome = bridge.outcome(bridge.refresh("link_bare").id)
    assert (outcome.status, outcome.failure.reason) == (Status.FAILED, Reason.CONFIGURATION)


@pytest.mark.parametrize(
    "answer", [Response(b"<html>", 200), Response(b"", 401), Response(b"", 429, {"retry-after": "90"})]
)
def test_a_read_that_fails_is_made_again(desk, answer):
    provider, bridge = desk
    provider.answers["POST /v1/refresh_intents"] = JSONResponse(INTENT, 201)
    intent = bridge.refresh(LINK["id"])
    path = f"GET /v1/refresh_intents/{INTENT['id']}"
    provider.answers[path] = answer
    wait(provider, bridge, 31)
    assert bridge.outcome(intent.id).status is Status.IN_PROGRESS
    provider.answers[path] = JSONResponse(INTENT | {"status": "succeeded"})
    wait(provider, bridge, 91)
    assert bridge.outcome(intent.id).status is Status.SUCCEEDED


def test_a_token_of_another_link(desk):
    provider, bridge = desk
    provider.answers["GET /v1/links/other_token"] = JSONResponse(LINK)
    with pytest.raises(
        UnknownLinkError, match=r"'link_9': the token belongs to link 'link_nMNejK7BT8oGbvO4'"
    ) as caught:
        bridge.add_link("fintoc", "link_9", token="other_token")
    assert "other_token" not in str(caught.value)


def test_what_a_refused_login_taught_outlasts_the_provider_s_active(desk):
    provider, bridge = desk
    provider.answers["GET /v1/links/link_1_token_1"] = JSONResponse(LINK)
    stored = provider.store.transact(lambda tx: tx.links()[0])
    for status, after in (
        (LinkStatus.LOCKED, LinkStatus.LOCKED),
        (LinkStatus.NEEDS_RECONNECT, LinkStatus.NEEDS_RECONNECT),
        (LinkStatus.PAUSED, LinkStatus.ACTIVE),
        (LinkStatus.DELETED, LinkStatus.ACTIVE),
    ):
        link = stored.__class__(**{**_fields(stored), "status": status})
        provider.store.transact(lambda tx, link=link: tx.save_link(link))
        assert bridge.reconcile_link(LINK["id"]).status is after


def _fields(link: Link) -> dict[str, Any]:
    return {field: getattr(link, field) for field in ("id", "connection", "token", "accounts")}


def test_an_account_that_leaves_while_it_is_waited_for(desk, monkeypatch):
    # No event of Fintoc's says so; a provider that reports by account may have one.
    provider, bridge = desk
    provider.answers["POST /v1/refresh_intents"] = JSONResponse(INTENT, 201)
    intent = bridge.refresh(LINK["id"])
    gone = AccountVanished(account_id=AccountId(ACCOUNT["id"]))
    notice = Notice(type="account.gone", about=Subject(link_id=LinkId(LINK["id"])), says=gone, raw={})
    monkeypatch.setattr(Fintoc, "translate", lambda _self, _delivery: [notice])
    body = b'{"id": "evt_1"}'
    assert bridge.receive("fintoc", signed("Fintoc-Signature", SECRET, body, START), body).status == 200
    (result,) = bridge.outcome(intent.id).results
    assert result.status is AccountStatus.VANISHED


def test_one_delivery_may_say_several_things_or_nothing(desk, monkeypatch):
    provider, bridge = desk
    told = [
        Notice(type="t", about=Subject(), says=AccountVanished(account_id=AccountId("acc_9")), raw={}),
        Notice(
            type="t",
            about=Subject(link_id=LinkId("link_9")),
            says=AccountVanished(account_id=AccountId("a")),
            raw={},
        ),
    ]
    for number, notices in enumerate((told, [])):
        monkeypatch.setattr(Fintoc, "translate", lambda _self, _delivery, notices=notices: notices)
        body = b'{"id": "evt_%d"}' % number
        bridge.receive("fintoc", signed("Fintoc-Signature", SECRET, body, START), body)
    assert sorted(provider.store._tables.results.values()) == ["nothing said", "parked; parked"]
