"""What Fintoc refreshes by itself, accounts that come and go, and prompts that nobody answers."""

from datetime import timedelta

import pytest

from bankbridge.emulation import UnknownLinkError
from bankbridge_fintoc.emulator import Timings
from tests.fintoc.served import OUTCOMES, Fintoc, code


def account(fintoc: Fintoc, link, position: int = 0) -> dict:
    return fintoc.get(link, f"/v1/accounts/{link.account_ids[position]}").json()


def test_links_are_refreshed_every_four_hours_and_dollars_once_a_day(serve, receiver):
    fintoc = serve(background_refreshes="scheduled")
    fintoc.subscribe(receiver, OUTCOMES)
    link = fintoc.emulator.add_link()
    assert account(fintoc, link)["next_refresh"] == "2026-03-02T16:00:00.000Z"
    assert account(fintoc, link, 2)["next_refresh"] == "2026-03-03T12:00:00.000Z"
    fintoc.advance(hours=4, seconds=60)
    assert account(fintoc, link)["refreshed_at"] == "2026-03-02T16:01:00.000Z"
    fintoc.advance(hours=20)
    own = fintoc.story(link)["own_refreshes"]
    assert [len(one["accounts"]) for one in own] == [2] * 5 + [3]
    assert [one["status"] for one in own] == ["succeeded"] * 5 + ["created"]
    fintoc.emulator.settle()
    told = [event["data"]["refreshed_object_id"] for event in receiver.events(receiver.came.qsize())]
    assert told.count(link.account_ids[0]) == 6
    assert fintoc.story(link)["intents"] == []


def test_what_a_client_refreshes_need_not_be_refreshed_so_soon(serve):
    fintoc = serve(background_refreshes="scheduled")
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.advance(hours=3)
    fintoc.create(link)
    fintoc.advance(minutes=90)
    assert fintoc.story(link)["own_refreshes"] == []
    assert account(fintoc, link)["next_refresh"] == "2026-03-02T19:01:00.000Z"


def test_links_that_are_not_in_order_are_left_alone(serve):
    fintoc = serve(background_refreshes="scheduled")
    locked, inactive, deleted, well = (fintoc.emulator.add_link() for _ in range(4))
    fintoc.emulator.change_credentials(locked.link_id)
    fintoc.client.patch(f"/v1/links/{inactive.link_token}", json={"active": False})
    fintoc.client.delete(f"/v1/links/{deleted.link_id}")
    fintoc.advance(hours=10)
    counts = [len(fintoc.story(link)["own_refreshes"]) for link in (locked, inactive, deleted, well)]
    assert counts == [0, 0, 0, 2]
    fintoc.emulator.reconnect(locked.link_id)
    fintoc.advance(hours=4)
    assert len(fintoc.story(locked)["own_refreshes"]) == 1


def test_a_new_link_is_read_far_back_and_then_again_and_again(serve):
    fintoc = serve(background_refreshes="scheduled")
    made = fintoc.connect()
    fintoc.advance(hours=9)
    own = fintoc.emulator.truth()["links"][made["id"]]["own_refreshes"]
    assert [one["type"] for one in own] == ["historical", "only_last", "only_last"]


@pytest.mark.parametrize(("rule", "status"), [("none", 201), ("counts", 429)])
def test_switch_background_cooldown(serve, rule, status):
    fintoc = serve(background_cooldown=rule)
    link = fintoc.emulator.add_link()
    fintoc.emulator.refresh_in_background(link.link_id)
    assert fintoc.create(link).status_code == status


@pytest.mark.parametrize(("rule", "status"), [("no", 201), ("yes", 422)])
def test_switch_background_blocks(serve, rule, status):
    fintoc = serve(background_blocks=rule)
    query = {"link_token": fintoc.connect()["link_token"]}
    assert fintoc.client.post("/v1/refresh_intents", params=query).status_code == status


# --- Accounts that come and go ----------------------------------------------------------------------------------------


def test_an_account_that_appears_reports_too(fintoc, receiver):
    fintoc.subscribe(receiver, OUTCOMES)
    link = fintoc.emulator.add_link(attempts=["account_appears"])
    fintoc.create(link)
    fintoc.advance(seconds=60)
    ids = [row["id"] for row in fintoc.get(link, "/v1/accounts").json()]
    assert ids[:3] == list(link.account_ids)
    assert fintoc.get(link, f"/v1/accounts/{ids[3]}/movements").json() == []
    fintoc.advance(seconds=45)
    told = {event["data"]["refreshed_object_id"]: event["data"] for event in receiver.events(4)}
    assert told[ids[3]]["new_movements"] == 75
    assert fintoc.story(link)["intents"][0]["status"] == "succeeded"
    assert len(fintoc.get(link, f"/v1/accounts/{ids[3]}/movements").json()) == 30


def test_an_account_that_vanishes_does_not_report(fintoc, receiver):
    fintoc.subscribe(receiver, OUTCOMES)
    link = fintoc.emulator.add_link(attempts=["account_vanishes"])
    intent = fintoc.create(link).json()
    fintoc.advance(minutes=2)
    told = {event["data"]["refreshed_object_id"] for event in receiver.events(2)}
    assert told == set(link.account_ids[:2])
    assert fintoc.get(link, f"/v1/refresh_intents/{intent['id']}").json()["status"] == "succeeded"
    gone = account(fintoc, link, 2)
    assert (gone["removed_from_link"], gone["next_refresh"]) == (True, None)
    fintoc.advance(minutes=5)
    fintoc.create(link)
    assert list(fintoc.story(link)["intents"][1]["accounts"]) == list(link.account_ids[:2])


@pytest.mark.parametrize("word", ["succeeds", "account_vanishes", "rejects"])
def test_a_link_whose_accounts_have_all_vanished_is_refreshed_all_the_same(fintoc, word):
    link = fintoc.emulator.add_link(attempts=[word], accounts=2)
    for account_id in link.account_ids:
        fintoc.emulator.remove_account(account_id)
    intent = fintoc.create(link)
    assert intent.status_code == 201
    fintoc.advance(minutes=2)
    assert fintoc.story(link)["intents"][0]["status"] == "succeeded"


def test_accounts_come_and_go_when_a_test_wants_it(fintoc):
    link = fintoc.emulator.add_link(accounts=2)
    intent = fintoc.create(link).json()
    for account_id in link.account_ids:
        fintoc.emulator.remove_account(account_id)
    ended = fintoc.get(link, f"/v1/refresh_intents/{intent['id']}").json()
    assert ended["status"] == "succeeded"
    fintoc.advance(minutes=5)
    added = fintoc.emulator.add_account(link.link_id)
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert list(fintoc.story(link)["intents"][1]["accounts"]) == [added]
    with pytest.raises(UnknownLinkError, match="no account 'acc_0'"):
        fintoc.emulator.remove_account("acc_0")


# --- Prompts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "status"), [("stays", "created"), ("fails", "failed")])
def test_switch_abandoned_mfa(serve, rule, status):
    fintoc = serve(abandoned_mfa=rule, timings=Timings(mfa_token_life=timedelta(minutes=3)))
    link = fintoc.emulator.add_link(attempts=["mfa", "succeeds"])
    intent = fintoc.create(link).json()
    fintoc.emulator.person(link.link_id, "walk_away")
    fintoc.advance(minutes=3)
    assert fintoc.get(link, f"/v1/refresh_intents/{intent['id']}").json()["status"] == status
    assert fintoc.create(link).status_code == 201


@pytest.mark.parametrize("act", ["right_code", "wrong_code"])
def test_what_was_answered_is_not_abandoned(serve, act):
    fintoc = serve(abandoned_mfa="fails", timings=Timings(mfa_token_life=timedelta(seconds=30)))
    link = fintoc.emulator.add_link(attempts=["mfa"])
    fintoc.create(link)
    fintoc.emulator.person(link.link_id, act)
    fintoc.advance(minutes=2)
    ended = fintoc.story(link)["intents"][0]["status"]
    assert ended == ("succeeded" if act == "right_code" else "rejected")


def test_switches_of_prompts(serve):
    fintoc = serve(mfa_status="requires_mfa", answered_mfa="null")
    link = fintoc.emulator.add_link(attempts=["mfa"])
    made = fintoc.create(link).json()
    assert made["status"] == "requires_mfa"
    assert made["requires_mfa"]["widget_token"]
    fintoc.emulator.person(link.link_id, "right_code")
    now = fintoc.get(link, f"/v1/refresh_intents/{made['id']}").json()
    assert (now["status"], now["requires_mfa"]) == ("created", None)


# --- Creates that are refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "status"), [("503", 503), ("406", 406)])
def test_switch_unavailable_status(serve, rule, status):
    fintoc = serve(unavailable_status=rule)
    link = fintoc.emulator.add_link(attempts=["bank_unavailable", "succeeds"])
    refused = fintoc.create(link)
    assert code(refused) == (status, "unavailable_institution")
    assert refused.json()["error"]["type"] == "institution_error"
    assert fintoc.create(link).status_code == 201


def test_switch_refused_create_status(serve):
    fintoc = serve(refused_create_status="400")
    link = fintoc.emulator.add_link(attempts=["refused_confirmed", "succeeds"])
    assert code(fintoc.create(link)) == (400, "rejected_refresh_intent")
    fintoc.create(link)
    assert code(fintoc.create(link)) == (400, "refresh_intent_in_progress")
    fintoc.advance(minutes=2)
    assert code(fintoc.create(link)) == (400, "rate_limit_exceeded")


@pytest.mark.parametrize(("rule", "status"), [("none", 201), ("counts", 429)])
def test_switch_partial_cooldown(serve, rule, status):
    fintoc = serve(partial_cooldown=rule)
    link = fintoc.emulator.add_link(attempts=["mixed"])
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert fintoc.create(link).status_code == status


@pytest.mark.parametrize(("rule", "status"), [("400", 400), ("409", 409), ("422", 422)])
def test_switch_key_conflict(serve, rule, status):
    fintoc = serve(key_conflict=rule)
    link = fintoc.emulator.add_link()
    fintoc.create(link, key="a")
    assert code(fintoc.create(link, key="a", refresh_type="historical")) == (status, "invalid_params")


@pytest.mark.parametrize(("rule", "status"), [("24_hours", 201), ("for_ever", 429)])
def test_switch_stored_keys(serve, rule, status):
    fintoc = serve(stored_keys=rule)
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert fintoc.create(link, key="a").status_code == 429
    fintoc.advance(hours=24)
    assert fintoc.create(link, key="a").status_code == status


def test_a_key_of_one_mode_is_not_one_of_the_other(fintoc):
    live = {"Authorization": fintoc.emulator.keys["secret_live"]}
    links = fintoc.emulator.add_link(), fintoc.emulator.add_link(mode="live")
    for link, headers in zip(links, ({}, live), strict=True):
        made = fintoc.client.post(
            "/v1/refresh_intents",
            params={"link_token": link.link_token},
            headers={**headers, "Idempotency-Key": "same"},
        )
        assert made.json()["refreshed_object_id"] == link.link_id


def test_switch_error_fields(serve):
    fintoc = serve(error_fields="bare")
    assert set(fintoc.client.get("/v1/accounts").json()["error"]) == {"type", "code", "message"}
