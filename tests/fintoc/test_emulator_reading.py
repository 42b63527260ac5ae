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


# --- Links that are not used any more ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "status"), [("readable", 200), ("refused", 403)])
def test_switch_inactive_link(serve, rule, status):
    fintoc = serve(inactive_link=rule)
    link = fintoc.emulator.add_link()
    path = f"/v1/links/{link.link_token}"
    answer = fintoc.client.patch(path, json={"active": False}).json()
    assert (answer["active"], answer["accounts"], answer["status"]) == (False, None, "active")
    for of_data in ("", f"/{link.account_ids[0]}", f"/{link.account_ids[0]}/movements"):
        assert fintoc.get(link, f"/v1/accounts{of_data}").status_code == status
    assert code(fintoc.create(link)) == (400, "invalid_on_demand_link")
    assert fintoc.client.get("/v1/links?status=active").json() == []
    assert fintoc.client.get("/v1/links?status=inactive").json()[0]["id"] == link.link_id
    assert fintoc.client.patch(path, json={"active": True}).json()["active"] is True
    assert fintoc.create(link).status_code == 201


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, (400, "missing_parameter")),
        ({"active": None}, (400, "missing_parameter")),
        ({"active": "maybe"}, (400, "invalid_boolean")),
    ],
)
def test_an_update_that_says_nothing(fintoc, body, refused):
    link = fintoc.emulator.add_link()
    assert code(fintoc.client.patch(f"/v1/links/{link.link_token}", json=body)) == refused
    assert code(fintoc.client.patch(f"/v1/links/{link.link_id}", json=body)) == (404, "missing_resource")


def test_who_sends_a_token_in_the_place_of_an_id_is_not_told_it_back(fintoc):
    link = fintoc.emulator.add_link()
    for answer in (
        fintoc.client.delete(f"/v1/links/{link.link_token}"),
        fintoc.get(link, f"/v1/accounts/{link.link_token}"),
    ):
        message = answer.json()["error"]["message"]
        assert f"{link.link_id}_token_…" in message
        assert link.link_token not in message


def test_switches_of_links(serve):
    fintoc = serve(
        unknown_token_in_path="invalid_link_token",
        inactive_status="inactive",
        refresh_status_words="four",
    )
    link = fintoc.emulator.add_link(attempts=["rejects"])
    path = f"/v1/links/{link.link_token}"
    assert code(fintoc.client.get(f"/v1/links/{link.link_id}")) == (400, "invalid_link_token")
    fintoc.create(link)
    statuses = []
    for _ in range(3):
        statuses.append(fintoc.client.get(path).json()["refresh_status"])
        fintoc.advance(seconds=60)
    assert statuses == ["refreshing", "partially_refreshing", "interrupted"]
    assert fintoc.client.patch(path, json={"active": False}).json()["status"] == "inactive"


# --- Institutions, and what every answer has --------------------------------------------------------------------------


def test_institutions_are_of_chile(fintoc):
    rows = fintoc.client.get("/v1/institutions", params={"country": "cl"}).json()
    assert rows == fintoc.client.get("/v1/institutions").json()
    assert {row["country"] for row in rows} == {"cl"}
    assert {"id": "cl_banco_bci", "name": "Banco BCI", "type": "bank"}.items() <= rows[5].items()
    assert fintoc.client.get("/v1/institutions?country=mx").json() == []
    assert code(fintoc.client.get("/v1/institutions?country=xx")) == (400, "invalid_enum")


def test_answers_can_be_kept_and_asked_for_again(fintoc):
    link = fintoc.emulator.add_link()
    first = fintoc.client.get("/v1/links")
    assert first.headers["cache-control"] == "max-age=0, private, must-revalidate"
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    again = fintoc.client.get("/v1/links", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    fintoc.emulator.change_credentials(link.link_id)
    assert fintoc.client.get("/v1/links", headers={"If-None-Match": tag}).status_code == 200
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/v1/links/", "/v1/accounts/", "/v1/institutions/", "/v1/webhook_endpoints/"]
)
def test_every_path_may_end_in_a_slash(fintoc, path):
    link = fintoc.emulator.add_link()
    assert fintoc.get(link, path).status_code == 200


@pytest.mark.parametrize(("rule", "status"), [("refused", 400), ("cut", 200)])
def test_switch_per_page_over_300(serve, rule, status):
    fintoc = serve(per_page_over_300=rule)
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.emulator.set_history(link.account_ids[0], 301)
    path = f"/v1/accounts/{link.account_ids[0]}/movements"
    answer = fintoc.get(link, path, per_page=500, confirmed_only="false")
    assert answer.status_code == status
    if status == 200:
        assert len(answer.json()) == 300


def test_switches_of_ids_and_of_changes_that_need_no_version(serve):
    fintoc = serve(id_form="bare", compatible_changes="fields_and_values")
    link = fintoc.emulator.add_link()
    assert not link.link_id.startswith("link")
    rows = fintoc.rows(link)
    assert {row["type"] for row in rows} == {"transfer", "check", "card_payment"}
    assert all("undocumented" in row for row in rows)
    assert not any(row["id"].startswith("mov_") for row in rows)
    accounts = fintoc.get(link, "/v1/accounts").json()
    assert {row["type"] for row in accounts} == {"checking_account", "prepaid_card"}
    intent = fintoc.create(link).json()
    assert "undocumented" in intent
    fintoc.advance(minutes=2)
    assert fintoc.get(link, f"/v1/refresh_intents/{intent['id']}").json()["status"] == "succeeded"


@pytest.mark.parametrize(("shown", "count"), [("hidden", 0), ("listed", 1)])
def test_switch_background_rows(serve, shown, count):
    fintoc = serve(background_rows=shown)
    link = fintoc.emulator.add_link()
    fintoc.emulator.refresh_in_background(link.link_id)
    rows = fintoc.get(link, "/v1/refresh_intents").json()
    assert len(rows) == count
    for row in rows:
        assert fintoc.get(link, f"/v1/refresh_intents/{row['id']}").json() == row


@pytest.mark.parametrize(("rule", "status"), [("for_ever", 200), ("limited", 404)])
def test_switch_intent_retention(serve, rule, status):
    fintoc = serve(intent_retention=rule)
    link = fintoc.emulator.add_link()
    intent = fintoc.create(link).json()
    fintoc.advance(days=30)
    assert fintoc.get(link, f"/v1/refresh_intents/{intent['id']}").status_code == status


def test_switches_of_intents(serve):
    fintoc = serve(intent_public_error="absent", link_new_movements="absent", intent_rows="with_accounts")
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    for row in fintoc.get(link, "/v1/refresh_intents").json():
        assert "public_error" not in row
        assert ("new_movements" in row) is (row["refreshed_object"] == "account")


def test_an_account_knows_whether_it_is_being_refreshed(fintoc):
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    fintoc.advance(seconds=60)
    rows = fintoc.get(link, "/v1/accounts").json()
    assert [row["refresh_status"] for row in rows] == ["idle", "refreshing", "refreshing"]
    assert {row["next_refresh"] for row in rows} == {None}
