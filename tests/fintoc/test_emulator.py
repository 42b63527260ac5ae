"""The emulated Fintoc, asked over real sockets the way a client asks the real one."""

import hashlib
import hmac
import json
import queue
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta

import attrs
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bankbridge.emulation import Clock, EmulatedLink, Emulator, Server, UnknownLinkError, UnknownWordError
from bankbridge_fintoc.emulator import SWITCHES, WORDS, FintocEmulator, Timings, create_emulator

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TLS = httpx.create_ssl_context()  # nothing here is encrypted, and loading certificates takes its time
OUTCOMES = [f"account.refresh_intent.{status}" for status in ("succeeded", "failed", "rejected")]
SUBSCRIBED = [*OUTCOMES, "link.credentials_changed"]
OPT_IN = ["account.refresh_intent.movements_modified", "account.refresh_intent.movements_removed"]


@attrs.define
class Receiver:
    """An application's webhook endpoint: it keeps what comes, and answers as told, then with 200."""

    url: str = ""
    answers: list[int] = attrs.field(factory=list)
    came: queue.SimpleQueue = attrs.field(factory=queue.SimpleQueue)

    async def take(self, request):
        self.came.put((dict(request.headers), await request.body()))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    def events(self, count: int) -> list[dict]:
        return [json.loads(self.came.get(timeout=5)[1]) for _ in range(count)]


@attrs.define
class Fintoc:
    """An emulator that is being served, with a client that has its key."""

    emulator: FintocEmulator
    client: httpx.Client

    def create(self, link: EmulatedLink, *, key: str | None = None, **params: str) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        query = {"link_token": link.link_token, **params}
        return self.client.post("/v1/refresh_intents", params=query, headers=headers)

    def get(self, link: EmulatedLink, path: str, **params: str | int) -> httpx.Response:
        return self.client.get(path, params={"link_token": link.link_token, **params})

    def advance(self, **by: float) -> None:
        self.emulator.clock.advance(timedelta(**by))

    def story(self, link: EmulatedLink) -> dict:
        return self.emulator.truth()["links"][link.link_id]

    def subscribe(self, receiver: Receiver, events: list[str] | None = None) -> dict:
        body = {"url": receiver.url, "enabled_events": events or SUBSCRIBED}
        return self.client.post("/v1/webhook_endpoints", json=body).json()


@pytest.fixture(scope="module")
def leave():
    """Stop a server beside the next tests: it takes uvicorn a while to notice."""
    with ThreadPoolExecutor() as pool:
        stopping = []
        yield lambda server: stopping.append(pool.submit(server.stop))
    for stopped in stopping:
        stopped.result()


@pytest.fixture
def serve(leave):
    """Start a Fintoc with the given switches; time stands still but for `advance`."""
    with ExitStack() as stack:

        def start(**switches: str) -> Fintoc:
            emulator = create_emulator(Clock(start=NOON, speed=0), switches=switches)
            server = Server(emulator.app)
            server.start()
            stack.callback(leave, server)
            headers = {"Authorization": emulator.secret_key}
            return Fintoc(emulator, stack.enter_context(client_of(server, headers)))

        yield start


@pytest.fixture
def fintoc(serve) -> Fintoc:
    return serve()


@pytest.fixture(scope="module")
def receivers() -> Iterator[tuple[str, dict[str, Receiver]]]:
    """The address of a server, and who takes what comes to each path of it."""
    takers: dict[str, Receiver] = {}

    async def take(request):
        return await takers[request.url.path].take(request)

    with Server(Starlette(routes=[Route("/{name}", take, methods=["POST"])])) as server:
        yield server.url, takers


@pytest.fixture
def receiver(receivers) -> Receiver:
    url, takers = receivers
    path = f"/{len(takers)}"
    return takers.setdefault(path, Receiver(url=url + path))


def client_of(server: Server, headers: dict[str, str] | None = None) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers=headers, timeout=10, verify=TLS, trust_env=False)


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_has_the_face_of_every_emulator():
    emulator: Emulator = create_emulator(Clock(start=NOON, speed=0))
    assert (emulator.provider, emulator.clock.now()) == ("fintoc", NOON)
    assert emulator.secret_key not in repr(emulator)


# --- How each script word ends ----------------------------------------------------------------------------------------

ENDINGS = {
    "succeeds": ("succeeded", None, ["succeeded"] * 3),
    "mixed": ("failed", "retryable_error", ["succeeded", "succeeded", "failed"]),
    "fails": ("failed", "retryable_error", ["failed"] * 3),
    "fails_plain": ("failed", None, ["failed"] * 3),
    "needs_support": ("failed", "support_required_error", ["failed"] * 3),
    "rejects": ("rejected", "invalid_credentials_error", ["rejected"] * 3),
    "locks": ("rejected", "credentials_locked_error", ["rejected"] * 3),
    "rejects_unconfirmed": ("rejected", None, ["rejected"] * 3),
}


@pytest.mark.parametrize("word", ENDINGS)
def test_an_intent_ends_as_its_word_says(fintoc, receiver, word):
    status, public_error, results = ENDINGS[word]
    fintoc.subscribe(receiver, OUTCOMES)
    link = fintoc.emulator.add_link(attempts=[word])
    created = fintoc.create(link)
    assert created.status_code == 201
    assert {"status": "created", "requires_mfa": None}.items() <= created.json().items()
    fintoc.advance(seconds=89)
    path = f"/v1/refresh_intents/{created.json()['id']}"
    assert fintoc.get(link, path).json()["status"] == "created"
    fintoc.advance(seconds=1)
    ended = fintoc.get(link, path).json()
    assert (ended["status"], ended["public_error"]) == (status, public_error)
    events = {event["data"]["refreshed_object_id"]: event for event in receiver.events(3)}
    assert [events[account]["data"]["status"] for account in link.account_ids] == results
    truth = fintoc.story(link)
    assert (truth["login_attempts"], truth["refused_logins"]) == (1, int(status == "rejected"))
    assert truth["status"] == ("login_required" if word == "rejects" else "active")


def test_accounts_report_one_after_another_and_only_the_succeeded_are_fresh(fintoc):
    link = fintoc.emulator.add_link(attempts=["mixed"])
    before = len(fintoc.get(link, f"/v1/accounts/{link.account_ids[0]}/movements", per_page=300).json())
    fintoc.create(link)
    assert fintoc.client.get(f"/v1/links/{link.link_token}").json()["refresh_status"] == "refreshing"
    fintoc.advance(seconds=60)
    accounts = fintoc.get(link, "/v1/accounts").json()
    assert [account["refreshed_at"] for account in accounts] == [
        "2026-03-02T12:01:00.000Z",
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T12:00:00.000Z",
    ]
    fintoc.advance(seconds=30)
    assert fintoc.get(link, "/v1/accounts").json()[2]["refreshed_at"] == "2026-03-02T12:00:00.000Z"
    new = next(iter(fintoc.story(link)["intents"][0]["accounts"].values()))["new_movements"]
    path = f"/v1/accounts/{link.account_ids[0]}/movements"
    rows = fintoc.get(link, path, per_page=300, confirmed_only="false", since="2026-02-27").json()
    assert 1 <= new <= len(rows)
    assert len(fintoc.get(link, path, per_page=300).json()) >= before


def test_one_word_per_intent_and_the_last_repeats(fintoc):
    link = fintoc.emulator.add_link(attempts=["fails", "needs_support", "fails_plain"])
    for _ in range(4):
        fintoc.create(link)
        fintoc.advance(minutes=2)
    errors = [intent["error_code"] for intent in fintoc.story(link)["intents"]]
    assert errors == ["retryable_error", "support_required_error", None, None]


def test_stuck_never_ends(fintoc):
    link = fintoc.emulator.add_link(attempts=["stuck"])
    intent_id = fintoc.create(link).json()["id"]
    fintoc.advance(days=30)
    assert fintoc.get(link, f"/v1/refresh_intents/{intent_id}").json()["status"] == "created"
    assert code(fintoc.create(link)) == (422, "refresh_intent_in_progress")


def test_errors_500_creates_nothing(fintoc):
    link = fintoc.emulator.add_link(attempts=["errors_500", "succeeds"])
    assert code(fintoc.create(link, key="a")) == (500, "internal_server_error")
    assert fintoc.get(link, "/v1/refresh_intents").json() == []
    assert code(fintoc.create(link, key="a")) == (500, "internal_server_error")
    assert fintoc.create(link, key="b").status_code == 201


def test_response_lost_creates_and_hangs_up_and_the_same_key_finds_it(fintoc):
    link = fintoc.emulator.add_link(attempts=["response_lost"])
    with pytest.raises(httpx.RemoteProtocolError):
        fintoc.create(link, key="a")
    again = fintoc.create(link, key="a")
    assert again.status_code == 201
    assert [intent["id"] for intent in fintoc.story(link)["intents"]] == [again.json()["id"]]
    assert [create["lost"] for create in fintoc.story(link)["intents"][0]["creates"]] == [True, False]
    fintoc.advance(minutes=2)
    assert fintoc.story(link)["intents"][0]["status"] == "succeeded"


def test_already_running_is_somebody_elses_and_succeeds(fintoc):
    link = fintoc.emulator.add_link(attempts=["already_running", "succeeds"])
    refused = fintoc.create(link)
    assert code(refused) == (422, "refresh_intent_in_progress")
    assert link.link_id in refused.json()["error"]["message"]
    running = fintoc.get(link, "/v1/refresh_intents").json()[0]
    assert running["created_at"] == "2026-03-02T11:59:40.000Z"
    fintoc.advance(minutes=2)
    assert fintoc.get(link, f"/v1/refresh_intents/{running['id']}").json()["status"] == "succeeded"
    assert fintoc.story(link)["creates"][0]["code"] == "refresh_intent_in_progress"


def test_the_word_cooldown_refuses_for_its_rest_then_succeeds(fintoc):
    link = fintoc.emulator.add_link(attempts=["cooldown"])
    assert code(fintoc.create(link)) == (429, "rate_limit_exceeded")
    fintoc.advance(seconds=29)
    assert code(fintoc.create(link)) == (429, "rate_limit_exceeded")
    fintoc.advance(seconds=1)
    assert fintoc.create(link).status_code == 201


def test_refused_confirmed_asks_to_reconnect(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(attempts=["refused_confirmed"])
    refused = fintoc.create(link)
    assert code(refused) == (422, "rejected_refresh_intent")
    assert set(refused.json()["error"]) == {"type", "code", "message"}
    assert "reconnect" in refused.json()["error"]["message"]
    (event,) = receiver.events(1)
    assert event["type"] == "link.credentials_changed"
    assert (event["data"]["status"], event["data"]["link_token"]) == ("login_required", link.link_token)
    assert fintoc.story(link)["login_attempts"] == 0


@pytest.mark.parametrize("word", ["refused_unconfirmed", "rejects_unconfirmed"])
def test_unconfirmed_credentials_refuse_creates_for_an_hour(fintoc, word):
    link = fintoc.emulator.add_link(attempts=[word, "succeeds"])
    fintoc.create(link)
    fintoc.advance(seconds=90)
    refused = fintoc.create(link)
    assert code(refused) == (422, "rejected_refresh_intent")
    assert "hour" in refused.json()["error"]["message"]
    fintoc.advance(minutes=57)
    assert code(fintoc.create(link)) == (422, "rejected_refresh_intent")
    fintoc.advance(minutes=3)
    assert fintoc.create(link).status_code == 201


# --- The person at the widget -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "status", "refused"), [("right_code", "succeeded", 0), ("wrong_code", "rejected", 1)]
)
def test_nothing_runs_until_the_person_opens_the_widget(fintoc, act, status, refused):
    link = fintoc.emulator.add_link(attempts=["mfa"])
    created = fintoc.create(link).json()
    assert created["requires_mfa"]["widget_token"].startswith(created["id"])
    fintoc.advance(minutes=5)
    assert fintoc.story(link)["login_attempts"] == 0
    fintoc.emulator.person(link.link_id, act)
    fintoc.advance(minutes=2)
    truth = fintoc.story(link)
    assert (truth["login_attempts"], truth["refused_logins"]) == (1, refused)
    assert (truth["intents"][0]["status"], truth["intents"][0]["prompt"]) == (status, act)


def test_who_walks_away_holds_the_link_for_ten_minutes(fintoc):
    link = fintoc.emulator.add_link(attempts=["mfa", "succeeds"])
    first = fintoc.create(link).json()["id"]
    fintoc.emulator.person(link.link_id, "walk_away")
    fintoc.advance(minutes=9)
    assert code(fintoc.create(link)) == (422, "refresh_intent_in_progress")
    fintoc.advance(minutes=1)
    assert fintoc.create(link).status_code == 201
    assert fintoc.get(link, f"/v1/refresh_intents/{first}").json()["status"] == "created"
    with pytest.raises(UnknownLinkError, match="no open prompt"):
        fintoc.emulator.person(link.link_id, "right_code")


def test_a_widget_token_dies(fintoc):
    link = fintoc.emulator.add_link(attempts=["mfa"])
    fintoc.create(link)
    fintoc.advance(minutes=10)
    with pytest.raises(UnknownLinkError, match="expired"):
        fintoc.emulator.person(link.link_id, "right_code")


@pytest.mark.parametrize(("rule", "after_a_day"), [("always", 422), ("never", 201)])
def test_switch_waiting_mfa_blocks(serve, rule, after_a_day):
    fintoc = serve(waiting_mfa_blocks=rule)
    link = fintoc.emulator.add_link(attempts=["mfa"])
    fintoc.create(link)
    assert fintoc.create(link).status_code == (201 if rule == "never" else 422)
    fintoc.advance(days=1)
    assert fintoc.create(link).status_code == after_a_day


# --- Webhooks ---------------------------------------------------------------------------------------------------------


def test_events_are_signed_and_look_like_the_published_ones(fintoc, receiver):
    endpoint = fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.create(link)
    fintoc.advance(minutes=1)
    headers, body = receiver.came.get(timeout=5)
    stamp, _, signature = headers["fintoc-signature"].removeprefix("t=").partition(",v1=")
    assert int(stamp) == int((NOON + timedelta(minutes=1)).timestamp())
    digest = hmac.new(endpoint["secret"].encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    assert digest.hexdigest() == signature
    event = json.loads(body)
    assert set(event) == {"id", "type", "mode", "created_at", "data", "object"}
    assert (event["object"], event["mode"]) == ("event", "test")
    assert event["created_at"] == "2026-03-02T12:01:00.000Z"
    new = event["data"].pop("new_movements")
    assert 1 <= new <= 4
    assert event["data"] == {
        "object": "refresh_intent",
        "refreshed_object": "account",
        "refreshed_object_id": link.account_ids[0],
        "status": "succeeded",
        "public_error": None,
        "created_at": "2026-03-02T12:00:00.000Z",
        "type": "only_last",
    }


def test_a_refused_delivery_comes_again(fintoc, receiver):
    fintoc.subscribe(receiver)
    receiver.answers = [500]
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.create(link)
    fintoc.advance(minutes=1)
    (first,) = receiver.events(1)
    # The answer may still be on its way to the sender, whose wait has then not begun.
    deadline = time.monotonic() + 5
    while not fintoc.emulator.truth()["deliveries"][0]["tries"] and time.monotonic() < deadline:
        time.sleep(0.001)
    fintoc.advance(seconds=3)
    assert receiver.events(1) == [first]
    assert fintoc.emulator.truth()["deliveries"][0]["id"] == first["id"]


@pytest.mark.parametrize(("mode", "times"), [("normal", 1), ("twice", 2)])
def test_events_come_as_often_as_the_mode_says(fintoc, receiver, mode, times):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(webhooks=mode)
    fintoc.create(link)
    fintoc.advance(minutes=2)
    ids = Counter(event["id"] for event in receiver.events(3 * times))
    assert sorted(ids.values()) == [times] * 3


def test_lost_events_are_never_sent_but_the_intent_ends(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(webhooks="lost", attempts=["rejects"])
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert [event["type"] for event in receiver.events(1)] == ["link.credentials_changed"]
    lost = [one for one in fintoc.emulator.truth()["deliveries"] if one["lost"]]
    assert [(one["type"], one["tries"]) for one in lost] == [("account.refresh_intent.rejected", 0)] * 3
    assert fintoc.story(link)["intents"][0]["status"] == "rejected"


def test_early_events_overtake_the_answer(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(webhooks="early", attempts=["mixed"])
    created = fintoc.create(link).json()
    assert receiver.came.qsize() == 3
    assert created["status"] == "created"
    assert fintoc.get(link, f"/v1/refresh_intents/{created['id']}").json()["status"] == "failed"


def test_background_refreshes_look_like_any_other(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    fintoc.advance(hours=1)
    fintoc.emulator.refresh_in_background(link.link_id)
    assert {event["type"] for event in receiver.events(3)} == {"account.refresh_intent.succeeded"}
    assert fintoc.get(link, "/v1/refresh_intents").json() == []
    assert fintoc.get(link, "/v1/accounts").json()[0]["refreshed_at"] == "2026-03-02T13:00:00.000Z"
    assert fintoc.create(link).status_code == 201


@pytest.mark.parametrize(("told", "sent"), [("all", 3), ("succeeded_only", 2), ("none", 0)])
def test_switch_background_events(serve, receiver, told, sent):
    fintoc = serve(background_events=told)
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    fintoc.emulator.refresh_in_background(link.link_id, "mixed")
    receiver.events(sent)
    assert len(fintoc.emulator.truth()["deliveries"]) == sent


def test_movements_change_and_vanish_with_an_event(fintoc, receiver):
    fintoc.subscribe(receiver, OPT_IN)
    link = fintoc.emulator.add_link()
    account = link.account_ids[0]
    modified = fintoc.emulator.modify_movements(account, 2)
    (event,) = receiver.events(1)
    assert event["data"]["account_id"] == account
    assert [row["id"] for row in event["data"]["movements_changed"]] == list(modified)
    path = f"/v1/accounts/{account}/movements/{modified[0]}"
    assert fintoc.get(link, path).json()["description"].endswith("(corregido)")
    removed = fintoc.emulator.remove_movements(account)
    (event,) = receiver.events(1)
    assert event["data"]["refreshed_object_id"] == account
    path = f"/v1/accounts/{account}/movements/{removed[0]}"
    assert code(fintoc.get(link, path)) == (404, "missing_resource")


@pytest.mark.parametrize(("keys", "named"), [("snake_case", "created_at"), ("camelCase", "createdAt")])
def test_a_test_event_is_about_nothing(serve, receiver, keys, named):
    fintoc = serve(test_event_keys=keys)
    endpoint = fintoc.subscribe(receiver)
    path = f"/v1/webhook_endpoints/{endpoint['id']}/test"
    sent = fintoc.client.post(path, json={"type": OUTCOMES[0]}).json()
    assert receiver.events(1) == [sent]
    assert named in sent
    assert named in sent["data"]
    assert "acc_00000000" in sent["data"].values()


def test_webhook_endpoints_show_their_secret_once_and_can_be_disabled(fintoc, receiver):
    created = fintoc.subscribe(receiver)
    path = f"/v1/webhook_endpoints/{created['id']}"
    assert created["secret"].startswith("whsec_")
    assert fintoc.client.get(path).json() == {**created, "secret": None}
    assert fintoc.client.get("/v1/webhook_endpoints").json() == [{**created, "secret": None}]
    assert fintoc.client.patch(path, json={"disabled": True}).json()["status"] == "disabled"
    fintoc.emulator.refresh_in_background(fintoc.emulator.add_link().link_id)
    assert fintoc.emulator.truth()["deliveries"] == []
    assert fintoc.client.patch(path, json={"disabled": False, "name": "mine"}).json()["name"] == "mine"
    assert fintoc.client.delete(path).status_code == 204
    assert code(fintoc.client.get(path)) == (404, "missing_resource")


# --- What holds a create back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("refresh_type", "minutes"), [("only_last", 5), ("historical", 60)])
def test_a_success_cools_down(fintoc, refresh_type, minutes):
    link = fintoc.emulator.add_link()
    fintoc.create(link, refresh_type=refresh_type)
    fintoc.advance(minutes=minutes - 1)
    refused = fintoc.create(link, refresh_type=refresh_type)
    assert code(refused) == (429, "rate_limit_exceeded")
    assert str(minutes) in refused.json()["error"]["message"]
    fintoc.advance(minutes=1)
    assert fintoc.create(link, refresh_type=refresh_type).status_code == 201


@pytest.mark.parametrize("word", ["mixed", "fails", "rejects"])
def test_a_failure_does_not_cool_down(fintoc, word):
    link = fintoc.emulator.add_link(attempts=[word])
    fintoc.create(link)
    fintoc.advance(seconds=90)
    assert fintoc.create(link).status_code == 201


def test_switch_cooldown_clock(serve):
    fintoc = serve(cooldown_clock="success")
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    fintoc.advance(minutes=6)
    assert code(fintoc.create(link)) == (429, "rate_limit_exceeded")
    fintoc.advance(seconds=30)
    assert fintoc.create(link).status_code == 201


@pytest.mark.parametrize(("scope", "status"), [("same_type", 201), ("any_type", 429)])
def test_switch_cooldown_scope(serve, scope, status):
    fintoc = serve(cooldown_scope=scope)
    link = fintoc.emulator.add_link()
    fintoc.create(link, refresh_type="historical")
    fintoc.advance(minutes=10)
    assert fintoc.create(link).status_code == status


def test_one_intent_at_a_time_per_link(fintoc):
    link, other = fintoc.emulator.add_link(), fintoc.emulator.add_link()
    assert fintoc.create(link).status_code == 201
    assert code(fintoc.create(link)) == (422, "refresh_intent_in_progress")
    assert fintoc.create(other).status_code == 201


@pytest.mark.parametrize(
    ("policy", "soon", "in_an_hour", "reconnected"),
    [
        ("as_scripted", 201, 201, 201),
        ("retry_now", 201, 201, 201),
        ("refuse_1h", 422, 201, 201),
        ("refuse_reconnect", 422, 422, 201),
    ],
)
def test_switch_after_rejected(serve, policy, soon, in_an_hour, reconnected):
    fintoc = serve(after_rejected=policy)
    links = [fintoc.emulator.add_link(attempts=["rejects", "succeeds"]) for _ in range(3)]
    for link in links:
        fintoc.create(link)
    fintoc.advance(minutes=2)
    fintoc.emulator.reconnect(links[2].link_id)
    assert fintoc.create(links[0]).status_code == soon
    assert fintoc.create(links[2]).status_code == reconnected
    fintoc.advance(hours=1)
    assert fintoc.create(links[1]).status_code == in_an_hour


def test_a_login_that_works_makes_the_link_active_again(fintoc):
    link = fintoc.emulator.add_link(attempts=["rejects", "succeeds"])
    for status in ("login_required", "active"):
        fintoc.create(link)
        fintoc.advance(minutes=2)
        assert fintoc.story(link)["status"] == status


@pytest.mark.parametrize(
    ("forced", "ends"), [("failed", "failed"), ("rejected", "rejected"), (None, "succeeded")]
)
def test_result_status_forces_the_outcome(fintoc, forced, ends):
    link = fintoc.emulator.add_link()
    fintoc.create(link, **({"result_status": forced} if forced else {}))
    fintoc.advance(minutes=2)
    assert fintoc.story(link)["intents"][0]["status"] == ends


# --- Idempotency ------------------------------------------------------------------------------------------------------


def test_the_same_key_creates_once_and_the_first_answer_comes_back(fintoc):
    link = fintoc.emulator.add_link()
    first = fintoc.create(link, key="a")
    fintoc.advance(minutes=2)
    assert fintoc.create(link, key="a").json() == first.json()
    assert len(fintoc.story(link)["intents"]) == 1


def test_a_stored_refusal_is_replayed_although_it_would_not_be_made_today(fintoc):
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert code(fintoc.create(link, key="too soon")) == (429, "rate_limit_exceeded")
    fintoc.advance(hours=1)
    assert code(fintoc.create(link, key="too soon")) == (429, "rate_limit_exceeded")
    assert fintoc.create(link, key="new").status_code == 201


def test_a_key_belongs_to_one_request_and_a_failed_login_does_not_take_it(fintoc):
    link = fintoc.emulator.add_link()
    url, query = "/v1/refresh_intents", {"link_token": link.link_token}
    headers = {"Authorization": "sk_test_wrong", "Idempotency-Key": "a"}
    assert code(fintoc.client.post(url, params=query, headers=headers)) == (401, "invalid_api_key")
    assert fintoc.create(link, key="a").status_code == 201
    assert code(fintoc.create(link, key="a", refresh_type="historical")) == (400, "invalid_params")


# --- Reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["", "Bearer "])
def test_the_key_opens_raw_and_as_bearer(fintoc, scheme):
    headers = {"Authorization": scheme + fintoc.emulator.secret_key}
    response = fintoc.client.get("/v1/links", headers=headers)
    assert response.status_code == 200
    assert response.headers["x-request-id"]


def test_links_show_neither_token_nor_accounts_in_lists(fintoc):
    links = [fintoc.emulator.add_link(institution="cl_banco_bci"), fintoc.emulator.add_link(accounts=1)]
    rows = fintoc.client.get("/v1/links").json()
    assert [row["id"] for row in rows] == [link.link_id for link in reversed(links)]
    assert {row["link_token"] for row in rows} == {row["accounts"] for row in rows} == {None}
    one = fintoc.client.get(f"/v1/links/{links[0].link_token}").json()
    assert [account["id"] for account in one["accounts"]] == list(links[0].account_ids)
    assert "refreshed_at" not in one["accounts"][0]
    assert (one["link_token"], one["institution"]["name"]) == (None, "Banco BCI")


def test_get_takes_the_token_delete_takes_the_id(fintoc):
    link = fintoc.emulator.add_link()
    assert code(fintoc.client.get(f"/v1/links/{link.link_id}")) == (404, "missing_resource")
    assert code(fintoc.client.delete(f"/v1/links/{link.link_token}")) == (404, "missing_resource")
    fintoc.create(link)
    assert fintoc.client.delete(f"/v1/links/{link.link_id}").status_code == 204
    assert code(fintoc.get(link, "/v1/accounts")) == (400, "invalid_link_token")
    fintoc.advance(minutes=5)
    assert fintoc.story(link)["status"] == "deleted"
    assert fintoc.story(link)["intents"][0]["status"] == "created"


def pages(fintoc: Fintoc, link: EmulatedLink, **params: str | int) -> tuple[list[dict], list[httpx.Response]]:
    """Follow ``next`` from the first page of the first account's movements."""
    answers = [fintoc.get(link, f"/v1/accounts/{link.account_ids[0]}/movements", **params)]
    while "next" in answers[-1].links:
        answers.append(fintoc.client.get(answers[-1].links["next"]["url"]))
    return [row for answer in answers for row in answer.json()], answers


def test_pages_are_linked_with_the_whole_query_and_counted(fintoc):
    link = fintoc.emulator.add_link()
    rows, answers = pages(fintoc, link, confirmed_only="false", since="2020-01-01")
    assert [len(answer.json()) for answer in answers] == [30, 30, 15]
    assert {answer.headers["x-total-count"] for answer in answers} == {"75"}
    assert len({row["id"] for row in rows}) == 75
    assert [row["post_date"] for row in rows] == sorted((row["post_date"] for row in rows), reverse=True)
    assert set(answers[0].links) == {"first", "next", "last"}
    assert set(answers[1].links) == {"first", "prev", "next", "last"}
    assert set(answers[2].links) == {"first", "prev", "last"}
    url = httpx.URL(answers[0].links["next"]["url"])
    assert (url.host, url.params["link_token"], url.params["page"]) == ("127.0.0.1", link.link_token, "2")
    assert (url.params["since"], url.params["confirmed_only"]) == ("2020-01-01", "false")


def test_a_list_of_one_page_still_links_first_and_last(fintoc):
    link = fintoc.emulator.add_link()
    assert set(fintoc.get(link, "/v1/accounts").links) == {"first", "last"}


def test_unstable_pages_repeat_rows_and_lose_others_but_count_right(fintoc):
    fintoc.emulator.faults.rates = {"unstable_paging": 1}
    link = fintoc.emulator.add_link()
    rows, answers = pages(fintoc, link, confirmed_only="false")
    assert (len(rows), answers[0].headers["x-total-count"]) == (75, "75")
    assert len({row["id"] for row in rows}) == 69
    whole, _ = pages(fintoc, link, confirmed_only="false", per_page=300)
    assert len({row["id"] for row in whole}) == 75
    narrow = {"since": "2026-02-20", "until": "2026-02-27", "confirmed_only": "false"}
    rows, answers = pages(fintoc, link, **narrow)
    assert len(answers) == 1
    assert len({row["id"] for row in rows}) == int(answers[0].headers["x-total-count"])
    assert fintoc.emulator.truth()["faults"][0]["on"] == link.account_ids[0]


def test_only_confirmed_rows_unless_asked(fintoc):
    link = fintoc.emulator.add_link()
    confirmed, _ = pages(fintoc, link, per_page=300)
    everything, _ = pages(fintoc, link, per_page=300, confirmed_only="false")
    assert {row["status"] for row in confirmed} == {"confirmed"}
    assert {row["status"] for row in everything} == {"confirmed", "processing", "reversed", "duplicated"}


@pytest.mark.parametrize(("until", "inside"), [("exclusive", False), ("inclusive", True)])
def test_switch_until(serve, until, inside):
    fintoc = serve(until=until)
    link = fintoc.emulator.add_link()
    everything, _ = pages(fintoc, link, per_page=300)
    day = everything[0]["post_date"][:10]
    rows, _ = pages(fintoc, link, since=day, until=day)
    assert bool(rows) == inside
    assert date.fromisoformat(day) < NOON.date()


def test_intents_are_listed_newest_first_and_polls_are_remembered(fintoc):
    link = fintoc.emulator.add_link(attempts=["fails"])
    ids = []
    for _ in range(2):
        ids.append(fintoc.create(link).json()["id"])
        fintoc.advance(minutes=2)
    # The documents write this path both ways.
    assert [row["id"] for row in fintoc.get(link, "/v1/refresh_intents/").json()] == ids[::-1]
    fintoc.get(link, f"/v1/refresh_intents/{ids[0]}")
    fintoc.advance(seconds=30)
    fintoc.get(link, f"/v1/refresh_intents/{ids[0]}")
    first, second = fintoc.story(link)["intents"]
    assert first["polls"] == ["2026-03-02T12:04:00+00:00", "2026-03-02T12:04:30+00:00"]
    assert second["polls"] == []
    assert fintoc.story(link)["requests"]["GET /v1/refresh_intents/{intent_id}"] == 2


def test_switch_intent_rows(serve):
    fintoc = serve(intent_rows="with_accounts")
    link = fintoc.emulator.add_link(attempts=["mixed"])
    fintoc.create(link)
    fintoc.advance(minutes=2)
    rows = fintoc.get(link, "/v1/refresh_intents").json()
    assert Counter(row["refreshed_object"] for row in rows) == {"account": 3, "link": 1}
    read = [fintoc.get(link, f"/v1/refresh_intents/{row['id']}").json() for row in rows]
    assert read == rows


@pytest.mark.parametrize("rows", ["link_level", "with_accounts"])
def test_an_intent_that_is_not_there_is_named(serve, rows):
    fintoc = serve(intent_rows=rows)
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    response = fintoc.get(link, "/v1/refresh_intents/ri_0")
    assert code(response) == (404, "missing_resource")
    assert "ri_0" in response.json()["error"]["message"]


def test_a_changed_password_is_told_once(fintoc, receiver):
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link()
    for _ in range(2):
        fintoc.emulator.change_credentials(link.link_id)
    assert [event["type"] for event in receiver.events(1)] == ["link.credentials_changed"]
    assert len(fintoc.emulator.truth()["deliveries"]) == 1
    assert fintoc.client.get("/v1/links?status=login_required").json()[0]["id"] == link.link_id


def test_switches_of_single_values(serve):
    fintoc = serve(
        create_status="200",
        invalid_link_token_status="403",
        running_status="in_progress",
        public_error_set="2023",
        result_status="ignored",
    )
    assert fintoc.emulator.switches["until"] == SWITCHES["until"].default
    link = fintoc.emulator.add_link(attempts=["locks"])
    created = fintoc.create(link, result_status="succeeded")
    assert created.status_code == 200
    path = f"/v1/refresh_intents/{created.json()['id']}"
    assert fintoc.get(link, path).json()["status"] == "in_progress"
    fintoc.advance(minutes=2)
    ended = fintoc.get(link, path).json()
    assert (ended["status"], ended["public_error"]) == ("rejected", None)
    assert code(fintoc.client.get("/v1/accounts?link_token=none")) == (403, "invalid_link_token")


def test_switch_event_public_error(serve, receiver):
    fintoc = serve(event_public_error="absent")
    fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(attempts=["fails"], accounts=1)
    fintoc.create(link)
    fintoc.advance(minutes=1)
    assert "public_error" not in receiver.events(1)[0]["data"]


# --- What is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "sent", "refused"),
    [
        ("GET", "/v1/accounts", {}, (400, "missing_parameter")),
        ("GET", "/v1/nowhere", {}, (404, "invalid_url")),
        ("PUT", "/v1/links", {}, (405, "operation_not_allowed")),
        ("GET", "/v1/links?page=x", {}, (400, "invalid_integer")),
        ("GET", f"/v1/links?page={'9' * 5000}", {}, (400, "invalid_integer")),
        ("GET", "/v1/links?page=0", {}, (400, "invalid_positive_integer")),
        ("GET", "/v1/links?per_page=301", {}, (400, "invalid_params")),
        ("GET", "/v1/links?status=asleep", {}, (400, "invalid_enum")),
        ("GET", "TOKEN/movements?since=yesterday", {}, (400, "invalid_date")),
        ("GET", "TOKEN/movements?confirmed_only=maybe", {}, (400, "invalid_boolean")),
        ("POST", "/v1/refresh_intents", {"json": {}}, (400, "missing_parameter")),
        ("POST", "/v1/refresh_intents", {"json": {"link_token": 3}}, (400, "invalid_string")),
        ("POST", "/v1/refresh_intents", {"content": b"{"}, (400, "invalid_json")),
        ("POST", "/v1/refresh_intents", {"content": b"\xff"}, (400, "invalid_json")),
        ("POST", "/v1/refresh_intents", {"content": b"[" * 100_000}, (400, "invalid_json")),
        ("POST", "/v1/refresh_intents", {"json": []}, (400, "invalid_hash")),
        (
            "POST",
            "/v1/refresh_intents",
            {"headers": {"Idempotency-Key": "k" * 256}},
            (400, "invalid_string_size"),
        ),
        ("POST", "/v1/webhook_endpoints", {"json": {"url": "http://[", "enabled_events": OUTCOMES}}, None),
        ("POST", "/v1/webhook_endpoints", {"json": {"url": "ftp://x", "enabled_events": OUTCOMES}}, None),
        (
            "POST",
            "/v1/webhook_endpoints",
            {"json": {"url": "http://x:99999", "enabled_events": OUTCOMES}},
            None,
        ),
        ("POST", "/v1/webhook_endpoints", {"json": {"url": "http://x"}}, (400, "missing_parameter")),
        (
            *("POST", "/v1/webhook_endpoints"),
            *({"json": {"url": "http://x", "enabled_events": []}}, (400, "missing_parameter")),
        ),
        (
            *("POST", "/v1/webhook_endpoints"),
            *({"json": {"url": "http://x", "enabled_events": "all"}}, (400, "invalid_array")),
        ),
        (
            *("POST", "/v1/webhook_endpoints"),
            *(
                {"content": b'{"url": "http://x", "enabled_events": ["\\ud800"]}'},
                (400, "invalid_webhook_subscription"),
            ),
        ),
    ],
)
def test_bad_input_is_answered_in_the_envelope(fintoc, method, path, sent, refused):
    link = fintoc.emulator.add_link()
    if path.startswith("TOKEN"):
        account = f"/v1/accounts/{link.account_ids[0]}"
        path = path.replace("TOKEN", account).replace("?", f"?link_token={link.link_token}&")
    response = fintoc.client.request(method, path, **sent)
    assert code(response) == (refused or (400, "invalid_params"))
    assert set(response.json()["error"]) == {"type", "code", "message", "param", "doc_url"}


def test_a_wrong_id_is_named_with_the_prefix_it_should_have(fintoc):
    link = fintoc.emulator.add_link()
    response = fintoc.get(link, f"/v1/accounts/{link.link_id}")
    assert code(response) == (404, "missing_resource")
    assert re.search(rf"{link.link_id}.*acc_", response.json()["error"]["message"])


def test_bad_refresh_parameters(fintoc):
    link = fintoc.emulator.add_link()
    assert code(fintoc.create(link, refresh_type="all")) == (400, "invalid_refresh_type")
    assert code(fintoc.create(link, result_status="good")) == (400, "invalid_enum")
    assert fintoc.story(link)["intents"] == []


def test_the_create_takes_its_parameters_from_the_body_too(fintoc):
    link = fintoc.emulator.add_link()
    body = {"link_token": link.link_token, "refresh_type": "historical"}
    assert fintoc.client.post("/v1/refresh_intents", json=body).json()["type"] == "historical"


# --- The controls -----------------------------------------------------------------------------------------------------


def test_the_controls_over_http(fintoc, receiver):
    fintoc.subscribe(receiver, [*SUBSCRIBED, *OPT_IN])
    bare = httpx.Client(base_url=fintoc.client.base_url, verify=TLS)
    made = bare.post("/__emulator/links", json={"attempts": ["mfa"], "accounts": 1}).json()
    bare.post("/v1/refresh_intents", params={"link_token": made["link_token"]}, headers=fintoc.client.headers)
    link = f"/__emulator/links/{made['link_id']}"
    assert bare.post(f"{link}/person", json={"act": "right_code"}).status_code == 200
    bare.post("/__emulator/clock/advance", json={"seconds": 60})
    assert bare.post(f"{link}/refresh_in_background", json={"outcome": "fails"}).json() == {}
    account = f"/__emulator/accounts/{made['account_ids'][0]}"
    assert len(bare.post(f"{account}/modify_movements", json={"count": 2}).json()["movement_ids"]) == 2
    assert len(bare.post(f"{account}/remove_movements").json()["movement_ids"]) == 1
    assert bare.post(f"{link}/change_credentials").status_code == 200
    assert bare.post(f"{link}/reconnect").status_code == 200
    truth = bare.get("/__emulator/truth").json()
    assert truth["links"][made["link_id"]]["intents"][0]["status"] == "succeeded"
    assert [one["type"].rpartition(".")[2] for one in truth["deliveries"]] == [
        *("succeeded", "failed", "movements_modified", "movements_removed", "credentials_changed"),
    ]
    receiver.events(5)
    bare.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("links/LINK/refresh_in_background", b'{"outcome": "suceeds"}', 400, "did you mean 'succeeds'"),
        ("links/LINK/refresh_in_background", b"[]", 400, "send an object"),
        ("links/LINK/refresh_in_background", b"{", 400, "Expecting"),
        ("links/link_0/reconnect", b"", 404, "no link 'link_0'"),
        ("accounts/acc_0/modify_movements", b"", 404, "no account 'acc_0'"),
        ("accounts/ACCOUNT/remove_movements", b'{"count": 0}', 400, "count is 0"),
        ("accounts/ACCOUNT/remove_movements", b'{"count": 1000}', 400, "has 75 movements"),
    ],
)
def test_a_wrong_control_says_what_is_wrong(fintoc, path, body, status, said):
    link = fintoc.emulator.add_link()
    path = path.replace("LINK", link.link_id).replace("ACCOUNT", link.account_ids[0])
    response = fintoc.client.post(f"/__emulator/{path}", content=body)
    assert response.status_code == status
    assert said in response.json()["error"]["message"]


def test_unknown_words_name_the_nearest():
    emulator = create_emulator(Clock(speed=0))
    with pytest.raises(UnknownWordError, match=r"'cooldwn'.*'cooldown'"):
        emulator.add_link(attempts=["cooldwn"])
    with pytest.raises(UnknownWordError, match=r"'eraly'.*'early'"):
        emulator.add_link(webhooks="eraly")
    with pytest.raises(UnknownWordError, match=r"'cl_banco_bcii'.*'cl_banco_bci'"):
        emulator.add_link(institution="cl_banco_bcii")
    with pytest.raises(UnknownWordError, match=r"'cooldown_clok'.*'cooldown_clock'"):
        create_emulator(Clock(speed=0), switches={"cooldown_clok": "success"})
    with pytest.raises(UnknownWordError, match=r"'sucess'.*'success'"):
        create_emulator(Clock(speed=0), switches={"cooldown_clock": "sucess"})
    with pytest.raises(ValueError, match="accounts is 1: give 2"):
        emulator.add_link(attempts=["mixed"], accounts=1)


def test_every_switch_has_a_source_and_every_word_a_meaning():
    assert all(switch.source and switch.says and switch.default for switch in SWITCHES.values())
    assert all(WORDS.values())


def test_the_same_seed_tells_the_same_story():
    def tell(seed: int) -> dict:
        emulator = create_emulator(Clock(start=NOON, speed=0), seed=seed)
        emulator.add_link(accounts=2)
        return emulator.truth()

    assert tell(1) == tell(1)
    assert tell(1) != tell(2)


def test_no_secret_is_in_the_truth_or_a_repr(fintoc, receiver):
    endpoint = fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(attempts=["mfa"])
    token = fintoc.create(link).json()["requires_mfa"]["widget_token"]
    told = json.dumps(fintoc.emulator.truth()) + repr(link) + repr(fintoc.emulator)
    assert not [secret for secret in (link.link_token, token, endpoint["secret"]) if secret in told]


def test_time_can_run_by_itself_and_the_app_can_be_served_twice(receiver):
    timings = Timings(first_report=timedelta(seconds=60), between_reports=timedelta(seconds=1))
    emulator = create_emulator(Clock(speed=1000), timings=timings)
    headers = {"Authorization": emulator.secret_key}
    link = emulator.add_link(attempts=["fails"])
    with Server(emulator.app) as server, client_of(server, headers) as client:
        body = {"url": receiver.url, "enabled_events": OUTCOMES}
        client.post("/v1/webhook_endpoints", json=body)
    for _ in range(2):
        with Server(emulator.app) as server, client_of(server, headers) as client:
            created = client.post("/v1/refresh_intents", params={"link_token": link.link_token})
            assert created.status_code == 201
            assert len(receiver.events(3)) == 3
