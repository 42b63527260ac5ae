"""The syncs that the emulated Rail does by itself, and the failures in a row that expire a link."""

import pytest

from bankbridge.emulation import UnknownWordError
from bankbridge_rail.emulator import SWITCHES
from tests.rail.emulated import Rail

FOUR_HOURS = 4 * 3600


def syncs(rail: Rail, link_id: str) -> list[str | None]:
    """How each automatic sync went."""
    return [sync["error_code"] for sync in rail.link_truth(link_id)["automatic_syncs"]]


def test_every_link_is_synced_every_four_hours(rail):
    link_id = rail.emulator.add_link().link_id
    assert rail.link(link_id)["next_sync_at"] == "2026-06-03T19:00:00Z"
    rail.pass_time(FOUR_HOURS - 1)
    assert rail.told() == ["link.created"]
    rail.pass_time(1)
    assert rail.event("link.refreshed") == {
        "object": "link",
        "id": link_id,
        "status": "active",
        "last_synced_at": "2026-06-03T19:00:00Z",
        "next_sync_at": "2026-06-03T23:00:00Z",
        "accounts_count": 3,
        "new_movements_count": 5,
    }
    rail.pass_time(24 * 3600)
    assert syncs(rail, link_id) == [None] * 7
    assert rail.link_truth(link_id)["login_attempts"] == 0


def test_a_refresh_moves_the_next_automatic_sync(rail):
    link_id = rail.emulator.add_link().link_id
    rail.pass_time(3600)
    rail.refreshed(link_id)
    assert rail.link(link_id)["next_sync_at"] == "2026-06-03T20:00:45Z"
    rail.pass_time(FOUR_HOURS - 1)
    assert syncs(rail, link_id) == []
    rail.pass_time(1)
    assert syncs(rail, link_id) == [None]


def test_automatic_sync_off(serve):
    rail = serve(automatic_sync="off")
    link_id = rail.emulator.add_link().link_id
    rail.pass_time(10 * FOUR_HOURS)
    assert syncs(rail, link_id) == []


def test_the_third_failure_in_a_row_expires_the_link_and_the_others_are_silent(rail):
    link_id = rail.emulator.add_link().link_id
    rail.emulator.auto_sync(link_id, "rejects", "rejects", "succeeds", "rejects")
    rail.pass_time(5 * FOUR_HOURS)
    assert rail.link(link_id)["status"] == "active"
    assert rail.link(link_id)["last_error"] == "rejected_credentials"
    assert rail.told() == ["link.created", "link.refreshed"]
    rail.pass_time(FOUR_HOURS)
    assert rail.event("link.expired") == {
        "object": "link",
        "id": link_id,
        "status": "expired",
        "last_error_code": "rejected_credentials",
        "expired_at": "2026-06-04T15:00:00Z",
    }
    rail.pass_time(10 * FOUR_HOURS)
    assert len(syncs(rail, link_id)) == 6
    (account, *_) = rail.http.get("/v1/accounts", params={"link_id": link_id}).json()
    assert account["link_status"] == "expired"
    assert rail.link_truth(link_id)["refused_logins"] == 0


@pytest.mark.parametrize("reading", SWITCHES["failures_that_count"].values)
def test_failures_that_count(serve, reading):
    rail = serve(failures_that_count=reading)
    link_id = rail.emulator.add_link().link_id
    rail.emulator.auto_sync(link_id, "fails", "fails_oddly", "rejects", "fails")
    rail.pass_time(3 * FOUR_HOURS)
    assert rail.link(link_id)["status"] == ("expired" if reading == "all" else "active")


@pytest.mark.parametrize("reading", SWITCHES["on_demand_failures"].values)
def test_on_demand_failures(serve, reading):
    rail = serve(on_demand_failures=reading)
    link_id = rail.emulator.add_link(attempts=["rejects"]).link_id
    for _ in range(3):
        assert rail.link(link_id)["status"] == "active"
        rail.refreshed(link_id)
    assert rail.link(link_id)["status"] == ("expired" if reading == "count" else "active")
    assert rail.link_truth(link_id)["refused_logins"] == 3


@pytest.mark.parametrize("reading", SWITCHES["automatic_mfa"].values)
@pytest.mark.parametrize("word", ["mfa", "bank_decides"])
def test_automatic_mfa(serve, reading, word):
    rail = serve(automatic_mfa=reading)
    link_id = rail.emulator.add_link(institution="santander").link_id
    rail.emulator.auto_sync(link_id, word)
    rail.pass_time(3 * FOUR_HOURS)
    assert syncs(rail, link_id) == ([] if reading == "skipped" else ["requires_mfa"] * 3)
    assert rail.told() == ["link.created", *(["link.expired"] if reading == "expires" else [])]


@pytest.mark.parametrize("reading", SWITCHES["paused_status"].values)
def test_a_paused_link_is_not_synced_automatically(serve, reading):
    rail = serve(paused_status=reading)
    link_id = rail.emulator.add_link().link_id
    rail.emulator.pause(link_id)
    link = rail.link(link_id)
    assert (link["is_paused"], link["status"]) == (True, reading)
    rail.pass_time(2 * FOUR_HOURS)
    assert syncs(rail, link_id) == []
    assert rail.refreshed(link_id)["status"] == "succeeded"
    rail.emulator.resume(link_id)
    rail.pass_time(FOUR_HOURS)
    assert syncs(rail, link_id) == [None]


@pytest.mark.parametrize("reading", SWITCHES["failing_status"].values)
def test_failing_status(serve, reading):
    rail = serve(failing_status=reading)
    link_id = rail.emulator.add_link(attempts=["fails", "succeeds"]).link_id
    rail.refreshed(link_id)
    assert rail.link(link_id)["status"] == reading
    rail.refreshed(link_id)
    assert rail.link(link_id)["status"] == "active"


def test_a_bank_that_asks_now_and_then_is_not_skipped_for_ever(rail):
    link_id = rail.emulator.add_link().link_id
    rail.emulator.auto_sync(link_id, "bank_decides")
    rail.pass_time(20 * FOUR_HOURS)
    assert 0 < len(syncs(rail, link_id)) < 20


def test_plans_that_were_dropped_are_forgotten(rail):
    link_id = rail.emulator.add_link().link_id
    for _ in range(3):
        rail.refreshed(link_id)
    agenda = rail.emulator._world.agenda
    agenda._tidy()
    assert len(agenda._entries) == 1
    rail.pass_time(FOUR_HOURS)
    assert syncs(rail, link_id) == [None]


def test_last_error_as_an_object(serve):
    rail = serve(last_error="object")
    link_id = rail.emulator.add_link(attempts=["fails", "succeeds"]).link_id
    rail.refreshed(link_id)
    assert rail.link(link_id)["last_error"]["code"] == "bank_unavailable"
    rail.refreshed(link_id)
    assert rail.link(link_id)["last_error"] is None


def test_many_due_things_happen_in_the_order_of_their_times(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    rail.begun(link_id)
    rail.pass_time(2 * FOUR_HOURS)
    deliveries = [delivery.event for delivery in rail.receiver.received]
    assert sorted(event["created_at"] for event in deliveries) == [
        "2026-06-03T15:00:00Z",
        "2026-06-03T15:00:00Z",
        "2026-06-03T15:00:15Z",
        "2026-06-03T15:10:15Z",
        "2026-06-03T19:00:00Z",
        "2026-06-03T23:00:00Z",
    ]
    assert rail.told()[-3:] == ["refresh_intent.failed", "link.refreshed", "link.refreshed"]


def test_words_that_no_automatic_sync_follows(rail):
    link_id = rail.emulator.add_link().link_id
    with pytest.raises(UnknownWordError, match="'stuck'"):
        rail.emulator.auto_sync(link_id, "stuck")
    with pytest.raises(ValueError, match="at least one"):
        rail.emulator.auto_sync(link_id)
