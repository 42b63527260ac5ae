"""Rail's emulator before an application that was written to Rail's guides alone."""

import pytest

from tests.judges.bench import hear


@pytest.fixture
def heard():
    return hear("rail-app")


def test_finds_links_accounts_and_all_pages_of_movements(heard):
    facts, there = heard.facts, heard.there
    assert facts["links"] == there["links"]
    assert facts["accounts"] == there["accounts"]
    assert facts["movements"] == {"ids": there["movements"], "pages": 3}


def test_polls_until_a_status_to_stop_at(heard):
    facts = heard.facts
    assert facts["created"] == {"status": "created", "link": heard.brief["fresh_link"]}
    assert facts["plain"] == {"status": "succeeded", "code": None, "summary": True}
    assert facts["down"] == {"status": "failed", "code": "bank_unavailable", "summary": False}
    assert facts["refused"] == {"status": "failed", "code": "rejected_credentials", "summary": False}


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        ("right_code", "succeeded", None),
        ("wrong_code", "failed", "rejected_credentials"),
        ("walk_away", "failed", "requires_mfa_user_timeout"),
    ],
)
def test_offers_the_person_a_code_and_hears_what_came_of_it(heard, act, status, code):
    assert heard.facts["codes"][act] == {
        "asked": "requires_mfa",
        "token": True,
        "status": status,
        "code": code,
        "summary": status == "succeeded",
    }


def test_cancels(heard):
    assert heard.facts["codes"]["cancel"] == {"asked": "requires_mfa", "canceled": True}


def test_its_handler_believes_every_webhook(heard):
    assert heard.facts["statuses"] == [200]
    assert heard.facts["events"] == ["refresh_intent.created", "refresh_intent.succeeded"]
    assert heard.facts["types"] == [
        "link.refreshed",
        "refresh_intent.created",
        "refresh_intent.failed",
        "refresh_intent.requires_mfa",
        "refresh_intent.succeeded",
    ]


def test_starts_no_refresh_that_it_did_not_ask_for(heard):
    made = [len(link["intents"]) for link in heard.truth["links"].values()]
    assert made == [1, 1, 1, 4]
