"""Links, accounts, movements and refresh intents of the emulated Fintoc, as they are read."""

from collections import Counter
from datetime import date

import httpx
import pytest

from bankbridge_fintoc.emulator import SWITCHES
from tests.fintoc.served import NOON, code


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


def test_pages_are_linked_with_the_whole_query_and_counted(fintoc):
    link = fintoc.emulator.add_link()
    rows, answers = fintoc.pages(link, confirmed_only="false", since="2020-01-01")
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
    rows, answers = fintoc.pages(link, confirmed_only="false")
    assert (len(rows), answers[0].headers["x-total-count"]) == (75, "75")
    assert len({row["id"] for row in rows}) == 69
    whole, _ = fintoc.pages(link, confirmed_only="false", per_page=300)
    assert len({row["id"] for row in whole}) == 75
    narrow = {"since": "2026-02-20", "until": "2026-02-27", "confirmed_only": "false"}
    rows, answers = fintoc.pages(link, **narrow)
    assert len(answers) == 1
    assert len({row["id"] for row in rows}) == int(answers[0].headers["x-total-count"])
    assert fintoc.emulator.truth()["faults"][0]["on"] == link.account_ids[0]


def test_only_confirmed_rows_unless_asked(fintoc):
    link = fintoc.emulator.add_link()
    confirmed, _ = fintoc.pages(link, per_page=300)
    everything, _ = fintoc.pages(link, per_page=300, confirmed_only="false")
    assert {row["status"] for row in confirmed} == {"confirmed"}
    assert {row["status"] for row in everything} == {"confirmed", "processing", "reversed", "duplicated"}


@pytest.mark.parametrize(("until", "inside"), [("exclusive", False), ("inclusive", True)])
def test_switch_until(serve, until, inside):
    fintoc = serve(until=until)
    link = fintoc.emulator.add_link()
    everything, _ = fintoc.pages(link, per_page=300)
    day = everything[0]["post_date"][:10]
    rows, _ = fintoc.pages(link, since=day, until=day)
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
