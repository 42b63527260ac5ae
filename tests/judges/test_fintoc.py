"""Fintoc's emulator before its judges: each finds what is there, gets its own errors, and believes the webhooks."""

from collections import Counter

import pytest

from tests.judges.bench import hear

# One that finds everything that a client for bank data can find.
WHOLE = ("python-sdk", "node-sdk", "ruby-client")
SUCCEEDED, REJECTED = (f"account.refresh_intent.{status}" for status in ("succeeded", "rejected"))

# What each wrong request of a judge is answered: type and code.
ERRORS = {
    "invalid_key": ("authentication_error", "invalid_api_key"),
    "unknown_link": ("invalid_request_error", "missing_resource"),
    "unknown_token": ("invalid_request_error", "invalid_link_token"),
    "no_token": ("invalid_request_error", "missing_parameter"),
    "unknown_account": ("invalid_request_error", "missing_resource"),
    "unknown_intent": ("invalid_request_error", "missing_resource"),
    "unknown_endpoint": ("invalid_request_error", "missing_resource"),
    "bad_date": ("invalid_request_error", "invalid_date"),
    "bad_page": ("invalid_request_error", "invalid_positive_integer"),
    "bad_type": ("invalid_request_error", "invalid_refresh_type"),
    "bad_event": ("invalid_request_error", "invalid_webhook_subscription"),
    "another_body": ("invalid_request_error", "invalid_params"),
    "in_progress": ("invalid_request_error", "refresh_intent_in_progress"),
    "too_soon": ("invalid_request_error", "rate_limit_exceeded"),
    "rejected": ("link_error", "rejected_refresh_intent"),
    "broken": ("api_error", "internal_server_error"),
    "no_bank": ("institution_error", "unavailable_institution"),
}


@pytest.fixture(params=WHOLE)
def heard(request):
    return hear(request.param)


def class_name(words: str) -> str:
    return "".join(word.title() for word in words.split("_"))


def test_finds_every_link_on_pages_of_any_size(heard):
    assert heard.facts["links"] == {"all": heard.there["links"], "by_two": heard.there["links"]}


def test_finds_a_link_by_its_token_with_all_its_accounts(heard):
    there = heard.there["link"]
    accounts = [account["id"] for account in there["accounts"]]
    assert len(accounts) > 30, "more than a page"
    assert heard.facts["link"] == {
        "id": there["id"],
        "institution": there["institution"]["id"],
        "accounts": accounts,
    }
    assert heard.facts["accounts"] == accounts


def test_reads_an_account(heard):
    there = heard.there["account"]
    assert heard.facts["account"] == {
        "id": there["id"],
        "currency": there["currency"],
        "available": there["balance"]["available"],
    }


def test_pages_through_the_movements_and_misses_none(heard):
    rows = heard.there["movements"]
    confirmed = [row["id"] for row in rows if row["status"] == "confirmed"]
    window = [row["id"] for row in heard.there["window"]]
    assert len(rows) > len(confirmed) > 60, "three pages of confirmed ones, and others"
    assert 0 < len(window) < len(confirmed)
    assert heard.facts["movements"] == {
        "confirmed": confirmed,
        "all": [row["id"] for row in rows],
        "window": window,
    }


def test_reads_one_movement(heard):
    row = heard.there["movements"][0]
    assert heard.facts["movement"] == {
        "id": row["id"],
        "amount": row["amount"],
        "post_date": row["post_date"][:10],
    }


def test_creates_reads_and_lists_refresh_intents(heard):
    assert heard.facts["intents"] == {
        "created": {
            "status": "created",
            "type": "only_last",
            "link": heard.brief["fresh_link"],
            "mfa": None,
        },
        "same_key_same_intent": True,
        "asks_for_code": True,
        "listed": True,
        "ended": {"fresh": "succeeded", "refused": "rejected", "mfa": "succeeded"},
    }


def test_starts_no_refresh_that_it_did_not_ask_for(heard):
    made = {link_id: len(link["intents"]) for link_id, link in heard.truth["links"].items()}
    assert Counter(made.values()) == {0: 3, 1: 3}


@pytest.mark.parametrize("what", ERRORS)
def test_is_told_what_was_wrong(heard, what):
    found = heard.facts["errors"][what]
    kind, code = ERRORS[what]
    assert found["says"].startswith(f"{kind}: {code}")


def test_asks_for_nothing_wrong_that_is_not_looked_at(heard):
    assert heard.facts["errors"].keys() == ERRORS.keys()


@pytest.mark.parametrize("judge", ["python-sdk", "node-sdk"])
@pytest.mark.parametrize("what", ERRORS)
def test_an_sdk_raises_its_own_class_for_each_type(judge, what):
    kind, _ = ERRORS[what]
    assert hear(judge).facts["errors"][what]["raised"] == class_name(kind)


@pytest.mark.parametrize("what", ERRORS)
def test_the_ruby_client_raises_a_class_for_each_code(what):
    _, code = ERRORS[what]
    expected = class_name(code)
    if not expected.endswith("Error"):
        expected += "Error"
    assert hear("ruby-client").facts["errors"][what]["raised"] == expected


def test_its_helper_accepts_what_was_sent_and_nothing_else(heard):
    found = heard.facts["deliveries"]
    tests = 1 if "tested" in heard.facts["endpoints"] else 0
    assert found["accepted"] == {SUCCEEDED: 4 + tests, REJECTED: 2, "link.credentials_changed": 1}
    assert found["changed"]["raised"] is not None
    assert found["another_secret"]["raised"] is not None


def test_manages_webhook_endpoints(heard):
    found = dict(heard.facts["endpoints"])
    deleted, tested = found.pop("deleted"), found.pop("tested", None)
    assert found == {
        "created": {"secret": "whsec_", "status": "enabled"},
        "read": {"url": True, "secret": None, "description": "first"},
        "updated": {"status": "disabled", "events": [SUCCEEDED], "said": "second"},
        "listed": True,
    }
    assert "missing_resource" in deleted["says"]
    assert tested in (SUCCEEDED, None)


def test_changes_and_deletes_a_link(heard):
    found = heard.facts["changed_link"]
    assert found["active"] == [False, True]
    assert "missing_resource" in found["deleted"]["says"]


def test_libraries_read_the_link_header_alike():
    facts = hear("careful-reader").facts
    rows = [row["id"] for row in hear("careful-reader").there["movements"]]
    assert facts["whole"] == {"ids": rows, "totals": [75], "rels": [["first", "last"]], "pages": ["1"]}
    assert (
        facts["requests"]
        == facts["httpx"]
        == {
            "ids": rows,
            "totals": [75],
            "rels": [
                ["first", "last", "next"],
                *[["first", "last", "next", "prev"]] * 2,
                ["first", "last", "prev"],
            ],
            "pages": ["1", "2", "3", "4"],
        }
    )
