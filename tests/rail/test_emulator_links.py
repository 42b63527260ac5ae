"""How links come to be at the emulated Rail: the widget, its tokens, exchanges, raw credentials, reconnecting."""

import json
import re
from typing import Any

import httpx
import pytest

from bankbridge.emulation import WidgetError
from bankbridge_rail.emulator import BANKS, SWITCHES
from tests.rail.emulated import Rail


def widget_token(rail: Rail, **body: Any) -> str:
    return rail.http.post("/v1/widget_tokens", json=body).raise_for_status().json()["id"]


def connected(rail: Rail, username: str = "jane", **body: Any) -> str:
    """The exchange token of a person who logged in at the widget."""
    token = widget_token(rail, **body)
    (bank_id, *_) = rail.emulator.widget(token).institutions
    return rail.emulator.connect(token, institution=bank_id, username=username, password="secret")


def exchange(rail: Rail, token: str) -> httpx.Response:
    return rail.http.post(f"/v1/exchange_tokens/{token}")


# --- The widget ------------------------------------------------------------------------------------------------------


def test_a_person_connects_a_bank(rail):
    answer = rail.http.post("/v1/widget_tokens", json={"bank_id": "bci", "username_prefill": "jane"})
    token = answer.json()
    assert answer.status_code == 200
    assert set(token) == {"object", "id", "expires_at"}
    assert re.fullmatch(r"wt_[0-9a-f]{8}_sec_[0-9a-f]{24}", token["id"])
    assert token["expires_at"] == "2026-06-03T15:30:00Z"
    session = rail.emulator.widget(token["id"])
    assert (session.kind, session.institutions, session.username) == ("connect", {"bci": "BCI"}, "jane")
    et = rail.emulator.connect(token["id"], institution="bci", username="jane", password="x")
    assert rail.http.get("/v1/links").json() == []
    assert rail.told() == []
    exchanged = exchange(rail, et).json()
    assert exchanged == {
        "object": "exchange_token",
        "link_id": exchanged["link_id"],
        "consumed_at": "2026-06-03T15:00:00Z",
    }
    assert rail.event("link.created") == {
        "object": "link",
        "id": exchanged["link_id"],
        "bank_id": "bci",
        "status": "active",
        "holder_name": "JANE DOE EXAMPLE",
        "created_at": "2026-06-03T15:00:00Z",
    }
    assert [row["id"] for row in rail.http.get("/v1/links").json()] == [exchanged["link_id"]]
    assert len(rail.http.get("/v1/accounts").json()) == 3


def test_without_a_bank_the_person_chooses(rail):
    session = rail.emulator.widget(widget_token(rail))
    assert session.institutions == {bank_id: bank.name for bank_id, bank in BANKS.items()}


def test_the_user_name_chooses_the_story(rail):
    link_id = exchange(rail, connected(rail, "fails, succeeds")).json()["link_id"]
    assert [rail.refreshed(link_id)["status"] for _ in range(3)] == ["failed", "succeeded", "succeeded"]
    other = exchange(rail, connected(rail, "doe,jane", external_user_id="u2")).json()["link_id"]
    assert rail.refreshed(other)["status"] == "succeeded"


def test_the_holder_s_type_is_kept(rail):
    link_id = exchange(rail, connected(rail, holder_type="business")).json()["link_id"]
    assert rail.link(link_id)["holder_type"] == "business"


@pytest.mark.parametrize(
    ("login", "message"),
    [
        ({"institution": "bci"}, "'bci' is not on offer"),
        ({"password": "wrong"}, "the bank refused"),
        ({"username": "mfa, suceeds"}, "did you mean 'succeeds'"),
    ],
)
def test_a_login_may_be_refused_and_tried_again(rail, login, message):
    token = widget_token(rail, bank_id="itau")
    right = {"institution": "itau", "username": "jane", "password": "x"}
    with pytest.raises(WidgetError, match=message):
        rail.emulator.connect(token, **{**right, **login})
    assert rail.emulator.connect(token, **right).startswith("et_")


def test_a_widget_token_is_good_once_and_for_a_while(rail):
    token = widget_token(rail)
    late = widget_token(rail, external_user_id="u2")
    rail.emulator.connect(token, institution="bci", username="jane", password="x")
    with pytest.raises(WidgetError, match="was used"):
        rail.emulator.widget(token)
    rail.pass_time(1800)
    with pytest.raises(WidgetError, match="too long ago"):
        rail.emulator.widget(late)
    for unknown in ("wt_0", "ri_0_sec_0", "et_0"):
        with pytest.raises(WidgetError, match="no such widget token"):
            rail.emulator.widget(unknown)


def test_the_widget_of_a_prompt(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    token = rail.intent(rail.prompted(link_id))["requires_mfa"]["widget_token"]
    session = rail.emulator.widget(token)
    assert (session.kind, session.link_id) == ("code", link_id)
    assert session.institutions == {"banco_estado": "BancoEstado"}
    assert session.expires_at is not None
    assert session.expires_at.isoformat() == "2026-06-03T15:10:15+00:00"
    with pytest.raises(WidgetError, match="not for a login"):
        rail.emulator.connect(token, institution="bci", username="jane", password="x")
    rail.emulator.person(link_id, "right_code")
    with pytest.raises(WidgetError, match="not asked for any more"):
        rail.emulator.widget(token)


def test_the_widget_script_defines_what_pages_call(rail):
    assert "window.Rail" in rail.emulator.widget_script
    assert "openWidget" in rail.emulator.widget_script


@pytest.mark.parametrize(
    ("reading", "accepted"),
    [("both", (200, 200)), ("bank_id", (200, 400)), ("institution_id", (400, 200))],
)
def test_widget_token_body(serve, reading, accepted):
    rail = serve(widget_token_body=reading)
    bodies = ({"bank_id": "bci"}, {"institution_id": "bci"})
    assert tuple(rail.http.post("/v1/widget_tokens", json=body).status_code for body in bodies) == accepted


@pytest.mark.parametrize("reading", SWITCHES["link_appears"].values)
def test_link_appears(serve, reading):
    rail = serve(link_appears=reading)
    et = connected(rail)
    assert len(rail.http.get("/v1/links").json()) == (1 if reading == "at_login" else 0)
    assert rail.told() == []
    link_id = exchange(rail, et).json()["link_id"]
    assert [row["id"] for row in rail.http.get("/v1/links").json()] == [link_id]
    assert rail.told() == ["link.created"]


# --- Exchanges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", SWITCHES["exchange_again"].values)
def test_exchange_again(serve, reading):
    rail = serve(exchange_again=reading, create_status="200")
    et = connected(rail)
    first, again = exchange(rail, et), exchange(rail, et)
    assert (first.status_code, again.status_code) == (200, int(reading))
    assert reading != "200" or first.json() == again.json()
    assert rail.told() == ["link.created"]


@pytest.mark.parametrize("reading", SWITCHES["exchange_expired"].values)
def test_exchange_expired(serve, reading):
    rail = serve(exchange_expired=reading)
    et = connected(rail)
    rail.pass_time(1800)
    assert exchange(rail, et).status_code == int(reading)
    assert rail.http.get("/v1/links").json() == []


def test_an_unknown_exchange_token(rail):
    assert exchange(rail, "et_0").status_code == 404


# --- Connecting again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reading", SWITCHES["reconnect"].values)
def test_reconnect(serve, reading):
    rail = serve(reconnect=reading)
    link = rail.emulator.add_link(attempts=["rejects"], institution="bice")
    rail.emulator.expire_link(link.link_id)
    assert rail.link(link.link_id)["required_action"] == "reconnect"
    token = widget_token(rail, link_id=link.link_id)
    session = rail.emulator.widget(token)
    assert (session.link_id, list(session.institutions)) == (link.link_id, ["bice"])
    et = rail.emulator.connect(token, institution="bice", username="jane", password="x")
    assert rail.link(link.link_id)["status"] == "expired"
    link_id = exchange(rail, et).json()["link_id"]
    assert (link_id == link.link_id) == (reading != "new_link")
    assert (rail.link(link.link_id)["status"] == "expired") == (reading == "new_link")
    accounts = [row["id"] for row in rail.http.get("/v1/accounts", params={"link_id": link_id}).json()]
    assert (tuple(accounts) == link.account_ids) == (reading == "same_link")
    assert not (reading == "new_accounts" and set(accounts) & set(link.account_ids))
    assert rail.refreshed(link_id)["status"] == "succeeded"
    assert rail.told().count("link.created") == 2


@pytest.mark.parametrize("reading", SWITCHES["reconnect_event"].values)
def test_reconnect_event(serve, reading):
    rail = serve(reconnect_event=reading)
    link_id = rail.emulator.add_link().link_id
    exchange(rail, connected(rail, link_id=link_id))
    assert rail.told() == ["link.created", *([] if reading == "none" else [reading])]


def test_a_link_that_was_deleted_meanwhile_is_not_connected_again(rail):
    link_id = rail.emulator.add_link().link_id
    et = connected(rail, link_id=link_id)
    rail.emulator.delete_link(link_id)
    assert exchange(rail, et).status_code == 404
    assert rail.http.post("/v1/widget_tokens", json={"link_id": link_id}).status_code == 404


# --- Raw credentials -------------------------------------------------------------------------------------------------

CREDENTIALS = {"rut": "11111111-1", "password": "x"}


def post_link(rail: Rail, **body: Any) -> httpx.Response:
    return rail.http.post("/v1/links", json={"bank_id": "bci", "credentials": CREDENTIALS, **body})


def test_a_link_from_raw_credentials(rail):
    answer = post_link(rail, credentials={"rut": "mfa", "password": "x"}, external_user_id="u1")
    assert answer.status_code == 200
    link = answer.json()
    assert (link["bank_id"], link["status"]) == ("bci", "active")
    assert rail.event("link.created")["id"] == link["id"]
    rail.prompted(link["id"])


def test_a_misspelt_word_makes_no_link(rail):
    answer = post_link(rail, credentials={"rut": "mfa,suceeds", "password": "x"})
    assert (answer.status_code, "did you mean 'succeeds'" in answer.json()["error"]["message"]) == (400, True)
    assert rail.http.get("/v1/links").json() == []


def test_a_wrong_password_makes_no_link(rail):
    answer = post_link(rail, credentials={**CREDENTIALS, "password": "wrong"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "rejected_credentials")
    assert rail.http.get("/v1/links").json() == []


def test_post_links_later(serve):
    rail = serve(post_links="later")
    link = post_link(rail).json()
    assert link["status"] == "pending"
    assert rail.create(link["id"]).status_code == 422
    assert rail.http.get("/v1/accounts", params={"link_id": link["id"]}).json() == []
    assert rail.told() == []
    rail.pass_time(45)
    assert rail.link(link["id"])["status"] == "active"
    assert rail.told() == ["link.created"]


@pytest.mark.parametrize("reading", SWITCHES["post_links_code"].values)
def test_post_links_code(serve, reading):
    rail = serve(post_links_code=reading)
    answers = [post_link(rail, bank_id=bank_id) for bank_id in ("santander", "banco_estado")]
    assert [answer.status_code for answer in answers] == [422 if reading == "refused" else 200, 200]
    if reading == "refused":
        assert answers[0].json()["error"]["code"] == "requires_mfa"


def test_post_links_without_an_event(serve):
    rail = serve(post_links_event="none")
    post_link(rail)
    assert rail.told() == []


@pytest.mark.parametrize(
    "body",
    [
        {"bank_id": None},
        {"bank_id": "bank"},
        {"bank_id": ["bci"]},
        {"credentials": None},
        {"credentials": []},
        {"credentials": {"rut": "1-9"}},
        {"credentials": {"rut": "1-9", "password": 1}},
        {"external_user_id": ""},
        {"external_user_id": {}},
    ],
)
def test_raw_credentials_that_are_none(rail, body):
    assert post_link(rail, **body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"bank_id": "bank"},
        {"institution_id": 1},
        {"holder_type": "company"},
        {"link_id": ""},
        {"product": 1},
        {"username_prefill": []},
        {"external_user_id": "\ud800"},
    ],
)
def test_widget_tokens_that_make_no_sense(rail, body):
    answer = rail.http.post("/v1/widget_tokens", content=json.dumps(body))
    assert answer.status_code == 400
