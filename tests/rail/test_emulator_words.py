"""What each script word of the emulated Rail really does."""

import re

import httpx
import pytest

from bankbridge.emulation import Emulator, UnknownLinkError
from bankbridge_rail.emulator import WORDS
from tests.rail.emulated import Rail


def test_it_has_the_face_of_every_emulator(shared_rail):
    emulator: Emulator = shared_rail.emulator
    assert emulator.provider == "rail"


def test_succeeds_is_the_documented_story_without_a_code(rail):
    link = rail.emulator.add_link()
    answer = rail.create(link.link_id)
    intent = answer.json()
    assert answer.status_code == 201
    assert intent == {
        "object": "refresh_intent",
        "id": intent["id"],
        "link_id": link.link_id,
        "status": "created",
        "refresh_type": "full",
    }
    rail.pass_time(44)
    assert rail.intent(intent["id"])["status"] == "created"
    rail.pass_time(1)
    (ended,) = rail.receiver.wait_for("refresh_intent.succeeded")
    (refreshed,) = rail.receiver.wait_for("link.refreshed")
    assert ended.event["created_at"] == refreshed.event["created_at"] == "2026-06-03T15:00:45Z"
    assert ended.event["data"] == {
        "object": "refresh_intent",
        "id": intent["id"],
        "link_id": link.link_id,
        "status": "succeeded",
        "completed_at": "2026-06-03T15:00:45Z",
        "summary": {"accounts_updated": 3, "new_movements_count": 5},
    }
    assert refreshed.event["data"] == {
        "object": "link",
        "id": link.link_id,
        "status": "active",
        "last_synced_at": "2026-06-03T15:00:45Z",
        "next_sync_at": "2026-06-03T19:00:45Z",
        "accounts_count": 3,
        "new_movements_count": 5,
    }
    assert rail.intent(intent["id"]) == {**ended.event["data"], "refresh_type": "full"}


@pytest.mark.parametrize(
    ("word", "after", "error_code", "refused"),
    [
        ("fails", 45, "bank_unavailable", 0),
        ("fails_oddly", 45, "unexpected_bank_response", 0),
        ("rejects", 45, "rejected_credentials", 1),
        ("rejects_slowly", 90, "rejected_credentials", 1),
    ],
)
def test_words_that_end_badly(rail, word, after, error_code, refused):
    link_id = rail.emulator.add_link(attempts=[word]).link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.pass_time(after - 1)
    assert rail.intent(intent_id)["status"] == "created"
    rail.pass_time(1)
    (failed,) = rail.receiver.wait_for("refresh_intent.failed")
    assert failed.event["data"]["error_code"] == error_code
    assert rail.intent(intent_id)["error_code"] == error_code
    truth = rail.link_truth(link_id)
    assert (truth["login_attempts"], truth["refused_logins"]) == (1, refused)
    assert "link.refreshed" not in rail.receiver.types()


def test_mfa_with_the_right_code(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    (asked,) = rail.receiver.wait_for("refresh_intent.requires_mfa")
    prompt = asked.event["data"]["requires_mfa"]
    assert prompt["expires_at"] == "2026-06-03T15:10:15Z"
    assert re.fullmatch(rf"{intent_id}_sec_[0-9a-f]{{24}}", prompt["widget_token"])
    assert rail.intent(intent_id)["requires_mfa"] == prompt
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(29)
    assert rail.intent(intent_id)["status"] == "requires_mfa"
    rail.pass_time(1)
    (ended,) = rail.receiver.wait_for("refresh_intent.succeeded")
    assert ended.event["created_at"] == "2026-06-03T15:00:45Z"
    assert "requires_mfa" not in ended.event["data"]


def test_mfa_with_a_wrong_code(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "wrong_code")
    with pytest.raises(UnknownLinkError, match="no prompt is open"):
        rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    rail.receiver.wait_for("refresh_intent.failed")
    assert rail.intent(intent_id)["error_code"] == "rejected_credentials"
    assert rail.link_truth(link_id)["refused_logins"] == 1


def test_mfa_and_the_person_walks_away(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "walk_away")
    rail.pass_time(599)
    assert rail.intent(intent_id)["status"] == "requires_mfa"
    rail.pass_time(1)
    (failed,) = rail.receiver.wait_for("refresh_intent.failed")
    assert failed.event["data"]["error_code"] == "requires_mfa_user_timeout"
    assert failed.event["created_at"] == "2026-06-03T15:10:15Z"
    with pytest.raises(UnknownLinkError, match="no prompt is open"):
        rail.emulator.person(link_id, "right_code")
    assert rail.link_truth(link_id)["refused_logins"] == 0


def test_a_person_who_walked_away_may_come_back_in_time(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "walk_away")
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    assert rail.intent(intent_id)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("institution", "asks"), [("santander", {True}), ("bci", {True}), ("banco_chile", {False})]
)
def test_bank_decides_as_the_bank_is_known_to(rail, institution, asks):
    assert asked_by(rail, institution) == asks


def test_banco_estado_asks_now_and_then_and_the_same_again(rail, serve):
    assert asked_by(rail, "banco_estado") == {True, False}
    assert asked_by(serve(), "banco_estado") == {True, False}


def asked_by(rail: Rail, institution: str) -> set[bool]:
    """Whether each of some refreshes asked for a code."""
    links = [
        rail.emulator.add_link(attempts=["bank_decides"], institution=institution).link_id for _ in range(12)
    ]
    intents = [rail.create(link_id).json()["id"] for link_id in links]
    rail.pass_time(15)
    return {rail.intent(intent_id)["status"] == "requires_mfa" for intent_id in intents}


def test_stuck_never_ends(rail):
    link_id = rail.emulator.add_link(attempts=["stuck"]).link_id
    intent_id = rail.create(link_id).json()["id"]
    rail.pass_time(86_400)
    assert rail.intent(intent_id)["status"] == "created"


def test_errors_500_creates_nothing_and_is_replayed_for_its_key(rail):
    link_id = rail.emulator.add_link(attempts=["errors_500", "succeeds"]).link_id
    first = rail.create(link_id, "a")
    assert first.status_code == 500
    assert first.json()["error"]["code"] == "internal_error"
    assert rail.link_truth(link_id)["intents"] == []
    assert rail.create(link_id, "a").status_code == 500
    assert rail.create(link_id, "b").status_code == 201
    assert rail.link_truth(link_id)["login_attempts"] == 1


def test_response_lost_has_created_and_the_same_key_finds_it(rail):
    link_id = rail.emulator.add_link(attempts=["response_lost", "succeeds"]).link_id
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        rail.create(link_id, "a")
    (lost,) = rail.link_truth(link_id)["intents"]
    again = rail.create(link_id, "a")
    assert again.status_code == 201
    assert again.json()["id"] == lost["id"]
    (intent,) = rail.link_truth(link_id)["intents"]
    assert [create["idempotency_key"] for create in intent["creates"]] == ["a", "a"]


def test_rate_limited_is_answered_429_once_even_with_the_same_key(rail):
    link_id = rail.emulator.add_link(attempts=["rate_limited"]).link_id
    refused = rail.create(link_id, "a")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"
    intent_id = rail.create(link_id, "a").raise_for_status().json()["id"]
    assert rail.create(link_id, "b").status_code == 429
    rail.pass_time(45)
    assert rail.intent(intent_id)["status"] == "succeeded"
    assert [create["status"] for create in rail.link_truth(link_id)["creates"]] == [429, 201, 429]


def test_words_are_used_in_order_and_the_last_repeats(rail):
    link_id = rail.emulator.add_link(attempts=["fails", "rejects", "succeeds"]).link_id
    for status in ("failed", "failed", "succeeded", "succeeded"):
        intent_id = rail.create(link_id).json()["id"]
        rail.pass_time(45)
        assert rail.intent(intent_id)["status"] == status


def test_every_word_is_tried_in_this_file():
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        source = file.read()
    assert [word for word in WORDS if f'"{word}"' not in source] == []
