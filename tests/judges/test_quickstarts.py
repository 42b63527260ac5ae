"""The emulators before the providers' quickstarts, followed with curl step by step."""

import re

import pytest

from tests.judges.bench import hear

SUCCEEDED = "account.refresh_intent.succeeded"
PAGE = re.compile(r"movements_\d+")


@pytest.fixture
def fintoc():
    """The answers to Fintoc's quickstart, by the name of the step."""
    return hear("fintoc-curl").facts


@pytest.fixture
def rail():
    """The answers to Rail's quickstart, by the name of the step."""
    return hear("rail-curl").facts


def pages(facts):
    return [facts[name]["body"] for name in facts if PAGE.fullmatch(name)]


def codes(facts, *names):
    return [(facts[name]["status"], facts[name]["body"]["error"]["code"]) for name in names]


def test_fintoc_connects_a_link_and_shows_its_token_once(fintoc):
    exchanged, listed, read = (fintoc[name]["body"] for name in ("exchange", "links", "link"))
    assert fintoc["link_intent"]["body"]["object"] == "link_intent"
    assert fintoc["exchange"]["status"] == 200
    assert exchanged["institution"]["id"] == "cl_banco_itau"
    assert exchanged["link_token"]
    assert exchanged["accounts"]
    assert listed[0]["id"] == read["id"] == exchanged["id"]
    assert listed[0]["link_token"] is read["link_token"] is listed[0]["accounts"] is None
    assert [one["id"] for one in read["accounts"]] == [one["id"] for one in exchanged["accounts"]]
    assert codes(fintoc, "exchange_unknown") == [(401, "invalid_exchange_token")]


def test_fintoc_lists_institutions(fintoc):
    assert "cl_banco_itau" in {one["id"] for one in fintoc["institutions"]["body"]}
    assert {one["country"] for one in fintoc["institutions"]["body"]} == {"cl"}


def test_fintoc_pages_as_its_link_header_leads(fintoc):
    rows = [row["id"] for page in pages(fintoc) for row in page]
    assert set(rows) < {row["id"] for row in fintoc["movements_of_link"]["body"]}
    totals = {answer["total"] for name, answer in fintoc.items() if PAGE.fullmatch(name)}
    assert len(pages(fintoc)) > 1
    assert totals == {len(rows)} == {len(set(rows))}
    assert fintoc["movement"]["body"] == pages(fintoc)[-1][0]
    assert fintoc["accounts"]["total"] == len(fintoc["accounts"]["body"])
    assert fintoc["account"]["body"] == fintoc["accounts"]["body"][0]


def test_fintoc_sends_events_to_try_an_endpoint(fintoc):
    assert fintoc["endpoint"]["body"]["secret"].startswith("whsec_")
    assert fintoc["endpoints"]["body"][0]["secret"] is fintoc["endpoint_read"]["body"]["secret"] is None
    assert fintoc["endpoint_read"]["body"]["name"] == "judge"
    assert fintoc["tested"]["body"]["type"] == SUCCEEDED
    assert fintoc["triggered"]["status"] in (200, 201)


def test_fintoc_refreshes_with_its_parameters_in_the_query(fintoc):
    created = fintoc["refresh"]["body"]
    assert created["status"] == "created"
    assert fintoc["refresh_again"]["body"] == created
    assert fintoc["refreshing"]["body"]["status"] == "created"
    assert fintoc["refreshed"]["body"]["status"] == "succeeded"
    assert [row["id"] for row in fintoc["refreshes"]["body"]] == [created["id"]]
    assert fintoc["forced"]["body"]["type"] == "historical"
    assert fintoc["forced_end"]["body"]["status"] == "failed"


def test_fintoc_waits_for_a_code(fintoc):
    assert fintoc["code_refresh"]["body"]["requires_mfa"]["widget_token"]
    assert fintoc["code_end"]["body"]["status"] == "succeeded"


def test_fintoc_switches_off_and_deletes(fintoc):
    assert fintoc["switched_off"]["body"]["active"] is False
    assert (fintoc["gone"]["status"], fintoc["gone"]["body"]) == (204, None)
    assert fintoc["endpoint_gone"]["status"] in (200, 204)
    assert codes(fintoc, "after") == [(404, "missing_resource")]


def test_fintoc_refuses_as_documented(fintoc):
    refusals = ("lost", "wrong_method", "no_json", "no_key", "public_key", "bad_version", "too_many")
    assert codes(fintoc, *refusals) == [
        (404, "invalid_url"),
        (405, "operation_not_allowed"),
        (400, "invalid_json"),
        (401, "invalid_api_key"),
        (401, "invalid_api_key_mode"),
        (403, "invalid_api_version"),
        (429, "rate_limit_exceeded"),
    ]


def test_fintoc_lets_in_by_either_form_of_the_key_and_keeps_its_modes_apart(fintoc):
    assert fintoc["live_links"]["body"] == []
    assert fintoc["bearer"]["total"] > 0


def test_rail_connects_by_both_descriptions_of_the_widget_token(rail):
    for name in ("widget_token", "reference_token"):
        assert rail[name]["body"]["object"] == "widget_token"
        assert rail[name]["body"]["expires_at"].endswith("Z")
    assert rail["exchange"]["body"]["object"] == "exchange_token"
    assert rail["exchange"]["body"]["consumed_at"].endswith("Z")
    connected = {rail[name]["body"]["link_id"] for name in ("exchange", "code_exchange")}
    assert connected <= {link["id"] for link in rail["links"]["body"]}
    assert 400 <= rail["exchange_unknown"]["status"] < 500


def test_rail_lists_accounts_and_pages_of_thirty(rail):
    sizes = [len(page) for page in pages(rail)]
    ids = {row["id"] for page in pages(rail) for row in page}
    assert sizes[:-1] == [30] * (len(sizes) - 1)
    assert sizes[-1] < 30
    assert len(ids) == sum(sizes) > 30
    assert rail["account"]["body"] == rail["accounts"]["body"][0]


def test_rail_refreshes_once_for_one_key(rail):
    assert rail["endpoint"]["body"]["secret"].startswith("whsec_")
    assert rail["refresh"]["body"]["status"] == "created"
    assert rail["refresh_again"]["body"]["id"] == rail["refresh"]["body"]["id"]
    assert rail["refreshed"]["body"]["status"] == "succeeded"


def test_rail_waits_for_a_code_and_cancels(rail):
    wanted = rail["code_wanted"]["body"]
    assert wanted["status"] == rail["cancel_wanted"]["body"]["status"] == "requires_mfa"
    assert wanted["requires_mfa"].keys() == {"widget_token", "expires_at"}
    assert rail["code_end"]["body"]["status"] == "succeeded"
    assert 200 <= rail["canceled"]["status"] < 300


def test_rail_deletes_a_link_with_its_accounts(rail):
    assert 200 <= rail["gone"]["status"] < 300
    assert rail["after"]["status"] == 404


def test_rail_takes_raw_credentials(rail):
    assert rail["raw_link"]["body"]["bank_id"] == "bice"


def test_rail_rotates_keys(rail):
    assert [rail[name]["status"] for name in ("issued", "rotated", "old_key", "new_key")] == [200] * 4
    assert rail["expired_key"]["status"] == 401
    assert rail["issued"]["body"]["key"] != rail["rotated"]["body"]["key"]
    assert rail["old_key"]["body"] == rail["new_key"]["body"]


def test_rail_refuses(rail):
    assert [rail[name]["status"] for name in ("unknown_link", "no_json", "lost", "wrong_key")] == [
        *(404, 400, 404, 401)
    ]


def test_rail_answers_a_hundred_requests_a_minute(rail):
    assert [rail[name]["status"] for name in ("too_many", "later")] == [429, 200]
    assert rail["too_many"]["retry_after"] >= 60
