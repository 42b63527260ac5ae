"""How a bank is connected at the emulated Fintoc: link intents, the widget, exchange tokens, and connecting again."""

import json

import pytest

from bankbridge.emulation import WidgetError
from tests.fintoc.served import OUTCOMES, Fintoc, code

WISH = {"product": "movements", "country": "cl", "holder_type": "individual"}
WHO = {"institution": "cl_banco_bci", "username": "41614850-3", "password": "jonsnow"}


def wish(fintoc: Fintoc, **changes: object) -> dict:
    return fintoc.client.post("/v1/link_intents", json={**WISH, **changes}).json()


def test_from_a_link_intent_to_a_link_with_its_history(fintoc, receiver):
    fintoc.subscribe(receiver, OUTCOMES)
    made = fintoc.client.post("/v1/link_intents", json=WISH)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("object", "mode", "status", "exchange_token")} == {
        "object": "link_intent",
        "mode": "test",
        "status": "created",
        "exchange_token": None,
    }
    token = made.json()["widget_token"]
    session = fintoc.emulator.widget(token)
    assert (session.kind, session.username) == ("connect", "41614850-3")
    assert session.institutions["cl_banco_bci"] == "Banco BCI"
    exchange_token = fintoc.emulator.connect(token, **WHO)
    shown = fintoc.exchange(exchange_token).json()
    assert shown["link_token"].startswith(f"{shown['id']}_token_")
    assert (shown["status"], shown["refresh_status"], len(shown["accounts"])) == ("active", "refreshing", 3)
    assert shown["institution"]["id"] == "cl_banco_bci"
    query = {"link_token": shown["link_token"]}
    account = f"/v1/accounts/{shown['accounts'][0]['id']}"
    assert fintoc.client.get(account, params=query).json()["refreshed_at"] is None
    assert fintoc.client.get(f"{account}/movements", params=query).json() == []
    fintoc.advance(seconds=60)
    assert len(fintoc.client.get(f"{account}/movements", params=query).json()) == 30
    fintoc.advance(seconds=30)
    first = receiver.events(3)[0]["data"]
    assert (first["type"], first["new_movements"]) == ("historical", 75)
    story = fintoc.emulator.truth()["links"][shown["id"]]
    assert (story["login_attempts"], story["intents"]) == (1, [])
    assert [one["status"] for one in story["own_refreshes"]] == ["succeeded"]


def test_the_token_is_in_no_other_answer(fintoc):
    link = fintoc.connect()
    path = f"/v1/links/{link['link_token']}"
    assert fintoc.client.get(path).json()["link_token"] is None
    assert fintoc.client.get("/v1/links").json()[0]["link_token"] is None
    assert fintoc.client.patch(path, json={"active": True}).json()["link_token"] is None


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"product": None}, (400, "missing_parameter")),
        ({"product": "sweets"}, (400, "invalid_product")),
        ({"product": "payments"}, (422, "not_supported_product")),
        ({"country": "mx"}, (422, "not_supported_country")),
        ({"country": None}, (400, "missing_parameter")),
        ({"holder_type": "dog"}, (400, "invalid_holder_type")),
        ({"holder_type": 3}, (400, "invalid_string")),
    ],
)
def test_a_wish_that_cannot_be_met(fintoc, changes, refused):
    assert code(fintoc.client.post("/v1/link_intents", json={**WISH, **changes})) == refused


def test_a_user_name_of_script_words_is_the_script(fintoc):
    link = fintoc.connect(username="fails, succeeds")
    other = fintoc.connect(username="Doe, Jane")
    fintoc.advance(minutes=2)
    query = [{"link_token": one["link_token"]} for one in (link, other)]
    for one in query:
        assert fintoc.client.post("/v1/refresh_intents", params=one).status_code == 201
    fintoc.advance(minutes=2)
    ends = [fintoc.client.get("/v1/refresh_intents", params=one).json()[0]["status"] for one in query]
    assert ends == ["failed", "succeeded"]


def test_a_misspelt_word_is_refused_and_can_be_mended(fintoc):
    token = wish(fintoc)["widget_token"]
    with pytest.raises(WidgetError, match="did you mean 'succeeds'"):
        fintoc.emulator.connect(token, **{**WHO, "username": "fails, suceeds"})
    assert fintoc.emulator.connect(token, **WHO)


def reason(call) -> str:
    with pytest.raises(WidgetError) as caught:
        call()
    return caught.value.reason


def test_what_the_widget_refuses(fintoc):
    emulator, token = fintoc.emulator, wish(fintoc)["widget_token"]
    assert reason(lambda: emulator.widget("li_0_sec_0")) == "token"
    assert reason(lambda: emulator.connect("li_0_sec_0", **WHO)) == "token"
    assert reason(lambda: emulator.connect(token, **{**WHO, "institution": "cl_banco"})) == "login"
    assert reason(lambda: emulator.connect(token, **{**WHO, "password": "wrong"})) == "login"
    assert fintoc.client.get("/v1/links").json() == []
    emulator.connect(token, **WHO)
    assert reason(lambda: emulator.widget(token)) == "token"
    assert reason(lambda: emulator.connect(token, **WHO)) == "token"
    late = wish(fintoc)["widget_token"]
    fintoc.advance(minutes=30)
    assert reason(lambda: emulator.widget(late)) == "expired"
    link = emulator.add_link(attempts=["mfa"])
    code_token = fintoc.create(link).json()["requires_mfa"]["widget_token"]
    session = emulator.widget(code_token)
    assert (session.kind, session.link_id) == ("code", link.link_id)
    assert reason(lambda: emulator.connect(code_token, **WHO)) == "token"
    fintoc.advance(minutes=10)
    assert reason(lambda: emulator.widget(code_token)) == "expired"


# --- Exchange tokens --------------------------------------------------------------------------------------------------


def test_an_exchange_token_is_good_for_half_an_hour_and_once(fintoc):
    tokens = [fintoc.emulator.connect(wish(fintoc)["widget_token"], **WHO) for _ in range(2)]
    assert code(fintoc.exchange("li_0_exchange_token_0")) == (401, "invalid_exchange_token")
    assert code(fintoc.exchange(wish(fintoc)["widget_token"])) == (401, "invalid_exchange_token")
    assert code(fintoc.client.get("/v1/links/exchange")) == (400, "missing_parameter")
    live = {"Authorization": fintoc.emulator.keys["secret_live"]}
    assert code(fintoc.exchange(tokens[0], headers=live)) == (401, "invalid_exchange_token")
    fintoc.advance(minutes=29)
    assert fintoc.exchange(tokens[0]).status_code == 200
    assert code(fintoc.exchange(tokens[0])) == (401, "invalid_exchange_token")
    fintoc.advance(minutes=1)
    assert code(fintoc.exchange(tokens[1])) == (401, "expired_exchange_token")


def test_switches_of_exchange_tokens(serve):
    fintoc = serve(
        link_intent_exchange_token="present",
        exchange_token_form="exc",
        exchange_token_use="until_it_expires",
    )
    made = wish(fintoc)
    assert made["exchange_token"].startswith(f"{made['id']}_exc_")
    assert made["exchange_token_expires_at"] == "2026-03-02T12:30:00.000Z"
    assert code(fintoc.exchange(made["exchange_token"])) == (401, "invalid_exchange_token")
    assert fintoc.emulator.connect(made["widget_token"], **WHO) == made["exchange_token"]
    for _ in range(2):
        assert fintoc.exchange(made["exchange_token"]).status_code == 200


def test_switch_link_intent_mode(serve):
    fintoc = serve(link_intent_mode="live_only")
    assert code(fintoc.client.post("/v1/link_intents", json=WISH)) == (422, "not_supported_mode")
    assert fintoc.connect("live")["mode"] == "live"


# --- The older flow, and connecting again -----------------------------------------------------------------------------


def test_a_widget_with_a_public_key_tells_its_own_address_of_the_link(fintoc, receiver):
    key = fintoc.emulator.keys["publishable_test"]
    assert fintoc.emulator.widget(key).kind == "connect"
    fintoc.emulator.connect(key, **WHO, webhook_url=receiver.url)
    headers, body = receiver.came.get(timeout=5)
    event = json.loads(body)
    assert (event["type"], event["data"]["object"]) == ("link.created", "link")
    assert "fintoc-signature" not in headers
    query = {"link_token": event["data"]["link_token"]}
    assert len(fintoc.client.get("/v1/accounts", params=query).json()) == 3


@pytest.mark.parametrize(("where", "told"), [("widget_only", 0), ("endpoints_too", 1)])
def test_switch_link_created(serve, receiver, where, told):
    fintoc = serve(link_created=where)
    fintoc.subscribe(receiver, ["link.created"])
    fintoc.connect()
    fintoc.emulator.settle()
    assert receiver.came.qsize() == told


@pytest.mark.parametrize(
    ("rule", "same_id", "same_token"),
    [("keeps_token", True, True), ("new_token", True, False), ("new_link", False, False)],
)
def test_switch_reconnection(serve, rule, same_id, same_token):
    fintoc = serve(reconnection=rule)
    before = fintoc.connect(username="rejects,succeeds")
    query = {"link_token": before["link_token"]}
    fintoc.advance(minutes=2)
    fintoc.client.post("/v1/refresh_intents", params=query)
    fintoc.advance(minutes=2)
    assert fintoc.client.get("/v1/links?status=login_required").json()[0]["id"] == before["id"]
    after = fintoc.connect(username="rejects,succeeds")
    assert (after["id"] == before["id"]) is same_id
    assert (after["link_token"] == before["link_token"]) is same_token
    assert after["status"] == "active"
    assert (fintoc.client.get("/v1/accounts", params=query).status_code == 200) is (same_token or not same_id)


def test_another_link_of_the_same_person_is_a_link_of_its_own(fintoc):
    assert fintoc.connect()["id"] != fintoc.connect()["id"]
