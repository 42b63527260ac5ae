"""How each script word of the emulated Fintoc ends, and what the person at the widget makes of it."""

import httpx
import pytest

from bankbridge.emulation import UnknownLinkError
from tests.fintoc.served import OUTCOMES, code

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


@pytest.mark.parametrize(
    ("word", "refused"),
    [("refused_invalid", "institution_credentials_invalid"), ("refused_locked", "locked_credentials")],
)
def test_creates_that_are_refused_with_a_code_alone(fintoc, word, refused):
    link = fintoc.emulator.add_link(attempts=[word, "succeeds"])
    assert code(fintoc.create(link)) == (406, refused)
    assert fintoc.story(link)["login_attempts"] == 0
    assert fintoc.create(link).status_code == 201
