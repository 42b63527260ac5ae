"""What is open about refresh intents, each reading of it."""

import httpx
import pytest

from bankbridge.emulation import UnknownLinkError
from bankbridge_rail.emulator import SWITCHES
from tests.rail.emulated import INTENTS, Rail


def cancel(rail: Rail) -> tuple[httpx.Response, httpx.Response, str]:
    """The answers to DELETE and to a GET after it, for an intent that waits for a code."""
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    path = f"/v1/refresh_intents/{rail.prompted(link_id)}"
    rail.receiver.wait_for("refresh_intent.requires_mfa")
    return rail.http.delete(path), rail.http.get(path), path


@pytest.mark.parametrize("mode", SWITCHES["cancel"].values)
def test_cancel(serve, mode):
    rail = serve(cancel=mode)
    deleted, read, path = cancel(rail)
    if mode == "canceled":
        assert deleted.status_code == 200
        assert deleted.json()["status"] == read.json()["status"] == "canceled"
    elif mode == "gone":
        assert (deleted.status_code, read.status_code) == (204, 404)
    else:
        assert deleted.status_code == 204
        assert (read.json()["status"], read.json()["error_code"]) == ("failed", "canceled")
    expected = {"canceled": 200, "gone": 404, "conflict_when_ended": 409}.get(mode, 204)
    assert rail.http.delete(path).status_code == expected
    if mode == "failed_with_event":
        rail.receiver.wait_for("refresh_intent.failed")
    rail.pass_time(3600)
    fails = ["refresh_intent.failed"] if mode == "failed_with_event" else []
    told = [row["type"] for row in rail.emulator.truth()["deliveries"]]
    assert told == ["link.created", "refresh_intent.created", "refresh_intent.requires_mfa", *fails]


def test_cancel_before_a_prompt_and_with_an_event_outside_the_catalogue(serve):
    rail = serve(cancel_event="refresh_intent.canceled")
    intent_id = rail.create(rail.emulator.add_link(attempts=["mfa"]).link_id).json()["id"]
    rail.http.delete(f"/v1/refresh_intents/{intent_id}")
    (event,) = rail.receiver.wait_for("refresh_intent.canceled")
    assert event.event["data"]["id"] == intent_id
    rail.pass_time(3600)
    assert rail.intent(intent_id)["error_code"] == "canceled"


@pytest.mark.parametrize("by", ["reading", "the next create"])
def test_mfa_timeout_lazy_ends_only_when_somebody_looks(serve, by):
    rail = serve(mfa_timeout="lazy")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.pass_time(3600)
    assert rail.link_truth(link_id)["intents"][0]["status"] == "requires_mfa"
    if by == "reading":
        assert rail.intent(intent_id)["error_code"] == "requires_mfa_user_timeout"
    else:
        rail.create(link_id)
    (failed,) = rail.receiver.wait_for("refresh_intent.failed")
    assert failed.event["created_at"] == "2026-06-03T16:00:15Z"


def test_solved_status(serve):
    rail = serve(solved_status="in_progress")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.person(link_id, "right_code")
    waiting = rail.intent(intent_id)
    assert waiting["status"] == "in_progress"
    assert "requires_mfa" not in waiting
    rail.pass_time(30)
    assert rail.intent(intent_id)["status"] == "succeeded"


@pytest.mark.parametrize("order", SWITCHES["success_order"].values)
def test_success_order(serve, order):
    rail = serve(success_order=order)
    intent_id = rail.create(rail.emulator.add_link().link_id).json()["id"]
    rail.pass_time(45)
    assert rail.intent(intent_id)["status"] == "succeeded"
    told = [row["type"] for row in rail.emulator.truth()["deliveries"]][-2:]
    both = ["refresh_intent.succeeded", "link.refreshed"]
    assert sorted(told) == sorted(both)
    if order != "seeded":
        assert told == (both if order == "intent_first" else both[::-1])


def test_cancel_before_a_prompt_may_be_refused(serve):
    rail = serve(cancel_created="409")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.begun(link_id)
    refused = rail.http.delete(f"/v1/refresh_intents/{intent_id}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "refresh_intent_not_cancelable")
    rail.pass_time(15)
    assert rail.http.delete(f"/v1/refresh_intents/{intent_id}").status_code == 204


@pytest.mark.parametrize("reading", SWITCHES["late_success"].values)
@pytest.mark.parametrize("word", ["succeeds", "mfa"])
def test_late_success(serve, reading, word):
    rail = serve(late_success=reading)
    link_id = rail.emulator.add_link(attempts=[word]).link_id
    intent_id = rail.begun(link_id)
    rail.pass_time(15)
    rail.http.delete(f"/v1/refresh_intents/{intent_id}")
    if reading == "after_cancel" and word == "mfa":
        rail.emulator.person(link_id, "right_code")
    assert rail.intent(intent_id)["error_code"] == "canceled"
    rail.pass_time(30)
    told = {"refresh_intent.succeeded", "link.refreshed"} & set(rail.told())
    intent = rail.intent(intent_id)
    if reading == "never":
        assert (intent["status"], told) == ("failed", set())
    else:
        assert intent["status"] == "succeeded"
        assert "error_code" not in intent
        assert told == {"refresh_intent.succeeded", "link.refreshed"}


def test_nobody_can_answer_a_prompt_that_was_canceled(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    rail.http.delete(f"/v1/refresh_intents/{rail.prompted(link_id)}")
    with pytest.raises(UnknownLinkError, match="no prompt is open"):
        rail.emulator.person(link_id, "right_code")


def test_timeout_without_an_event(serve):
    rail = serve(timeout_event="none")
    intent_id = rail.prompted(rail.emulator.add_link(attempts=["mfa"]).link_id)
    rail.pass_time(600)
    assert rail.intent(intent_id)["error_code"] == "requires_mfa_user_timeout"
    assert "refresh_intent.failed" not in rail.told()


def test_mfa_clock_runs_while_the_widget_is_open(rail):
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.widget(rail.intent(intent_id)["requires_mfa"]["widget_token"])
    rail.pass_time(600)
    assert rail.intent(intent_id)["status"] == "failed"


@pytest.mark.parametrize("act", ["right_code", "walk_away"])
def test_mfa_clock_stops_while_the_widget_is_open(serve, act):
    rail = serve(mfa_clock="stops_when_opened")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    rail.emulator.widget(rail.intent(intent_id)["requires_mfa"]["widget_token"])
    rail.pass_time(3600)
    assert rail.intent(intent_id)["status"] == "requires_mfa"
    rail.emulator.person(link_id, act)
    rail.pass_time(30)
    intent = rail.intent(intent_id)
    if act == "right_code":
        assert intent["status"] == "succeeded"
    else:
        assert intent["error_code"] == "requires_mfa_user_timeout"
        assert intent["completed_at"] == "2026-06-03T16:00:15Z"


def test_mfa_rounds(serve):
    rail = serve(mfa_rounds="2")
    link_id = rail.emulator.add_link(attempts=["mfa"]).link_id
    intent_id = rail.prompted(link_id)
    first = rail.intent(intent_id)["requires_mfa"]
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    second = rail.intent(intent_id)["requires_mfa"]
    assert first["widget_token"] != second["widget_token"]
    assert second["expires_at"] == "2026-06-03T15:10:45Z"
    rail.emulator.person(link_id, "right_code")
    rail.pass_time(30)
    assert rail.intent(intent_id)["status"] == "succeeded"
    assert rail.told().count("refresh_intent.requires_mfa") == 2


def test_running_status(serve):
    rail = serve(running_status="processing")
    intent_id = rail.begun(rail.emulator.add_link().link_id)
    assert rail.intent(intent_id)["status"] == "created"
    rail.pass_time(5)
    assert rail.intent(intent_id)["status"] == "processing"
    rail.pass_time(40)
    assert rail.intent(intent_id)["status"] == "succeeded"
    assert "refresh_intent.processing" not in rail.told()


def test_refresh_type(serve, rail):
    link_id = rail.emulator.add_link().link_id
    body = {"link_id": link_id}
    assert rail.http.post(INTENTS, json=body).json()["refresh_type"] == "full"
    assert rail.create(link_id, refresh_type="quick").json()["refresh_type"] == "quick"
    strict = serve(refresh_type="required", refresh_type_values="known")
    strict.emulator.add_link()
    assert strict.http.post(INTENTS, json=body).status_code == 400
    assert strict.create(link_id, refresh_type="quick").status_code == 400
    assert strict.create(link_id).status_code == 201


@pytest.mark.parametrize("reading", SWITCHES["historical_elsewhere"].values)
def test_historical_elsewhere(serve, reading):
    rail = serve(historical_elsewhere=reading)
    link = rail.emulator.add_link(institution="bci")
    answer = rail.create(link.link_id, refresh_type="historical")
    if reading == "refused":
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "refresh_type_not_supported")
        assert rail.link_truth(link.link_id)["login_attempts"] == 0
        return
    rail.pass_time(45)
    intent = rail.intent(answer.json()["id"])
    if reading == "fails":
        assert intent["error_code"] == "refresh_type_not_supported"
    else:
        assert intent["status"] == "succeeded"
        assert len(rail.movements(link.account_ids[1])) == 10


def test_historical_at_banco_estado_shows_what_is_up_to_twelve_months_old(rail):
    link = rail.emulator.add_link()
    rail.refreshed(link.link_id, refresh_type="historical")
    rail.refreshed(link.link_id, refresh_type="historical")
    days = [row["post_date"] for row in rail.movements(link.account_ids[0])]
    assert len(days) == 65 + 60 + 6
    assert days == sorted(days, reverse=True)
    assert "2025-06-03" < days[-1] < "2026-03-03"


@pytest.mark.parametrize("reading", SWITCHES["second_intent"].values)
def test_second_intent(serve, reading):
    rail = serve(second_intent=reading)
    link_id = rail.emulator.add_link().link_id
    first, second = rail.create(link_id, "a"), rail.create(link_id, "b")
    intents = len(rail.link_truth(link_id)["intents"])
    if reading == "409":
        assert second.json()["error"]["code"] == "refresh_intent_in_progress"
        assert intents == 1
    elif reading == "running_one":
        assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
        assert intents == 1
    else:
        assert intents == 2
    rail.pass_time(45)
    assert rail.create(link_id).status_code == 201


@pytest.mark.parametrize("reading", ["409", "running_one"])
def test_a_canceled_intent_is_in_nobody_s_way(serve, reading):
    rail = serve(second_intent=reading, late_success="after_cancel")
    link_id = rail.emulator.add_link().link_id
    rail.http.delete(f"{INTENTS}/{rail.begun(link_id)}")
    assert rail.create(link_id).status_code == 201


@pytest.mark.parametrize("reading", ["429", "409"])
def test_cooldown(serve, reading):
    rail = serve(cooldown=reading)
    link_id = rail.emulator.add_link(attempts=["fails", "succeeds"]).link_id
    assert rail.refreshed(link_id)["status"] == "failed"
    assert rail.refreshed(link_id, refresh_type="historical")["status"] == "succeeded"
    refused = rail.create(link_id)
    assert refused.status_code == int(reading)
    assert refused.headers.get("retry-after") == ("3600" if reading == "429" else None)
    rail.pass_time(3600)
    assert rail.refreshed(link_id)["status"] == "succeeded"
    rail.pass_time(299)
    assert rail.create(link_id).status_code == int(reading)
    rail.pass_time(1)
    assert rail.create(link_id).status_code == 201


@pytest.mark.parametrize("reading", SWITCHES["inactive_link"].values)
def test_inactive_link(serve, reading):
    rail = serve(inactive_link=reading)
    link_id = rail.emulator.add_link().link_id
    rail.emulator.expire_link(link_id)
    answer = rail.create(link_id)
    if reading in {"422", "409"}:
        assert (answer.status_code, answer.json()["error"]["code"]) == (int(reading), "link_not_active")
        return
    rail.pass_time(45)
    assert rail.intent(answer.json()["id"])["status"] == ("failed" if reading == "fails" else "succeeded")
    assert rail.link(link_id)["status"] == "expired"


def test_unknown_and_deleted_links(serve):
    rail = serve(unknown_link="422", deleted_link="410")
    link_id = rail.emulator.add_link().link_id
    rail.emulator.delete_link(link_id)
    assert rail.create("link_0").status_code == 422
    assert rail.create(link_id).status_code == 410
    assert rail.http.get(f"/v1/links/{link_id}").status_code == 410


@pytest.mark.parametrize("reading", SWITCHES["deleted_link_intents"].values)
def test_deleted_link_intents(serve, reading):
    rail = serve(deleted_link_intents=reading)
    link_id = rail.emulator.add_link().link_id
    intent_id = rail.begun(link_id)
    rail.emulator.delete_link(link_id)
    rail.pass_time(45)
    answer = rail.http.get(f"{INTENTS}/{intent_id}")
    last = rail.told()[-1]
    if reading == "vanish":
        assert (answer.status_code, last) == (404, "link.deleted")
    elif reading == "fail":
        assert (answer.json()["error_code"], last) == ("link_deleted", "link.deleted")
    else:
        assert (answer.json()["status"], last) == ("succeeded", "refresh_intent.succeeded")
