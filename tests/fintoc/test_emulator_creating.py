"""What the emulated Fintoc holds a create back for, and what it answers twice."""

import pytest

from tests.fintoc.served import code


@pytest.mark.parametrize(("refresh_type", "minutes"), [("only_last", 5), ("historical", 60)])
def test_a_success_cools_down(fintoc, refresh_type, minutes):
    link = fintoc.emulator.add_link()
    fintoc.create(link, refresh_type=refresh_type)
    fintoc.advance(minutes=minutes - 1)
    refused = fintoc.create(link, refresh_type=refresh_type)
    assert code(refused) == (429, "rate_limit_exceeded")
    assert str(minutes) in refused.json()["error"]["message"]
    fintoc.advance(minutes=1)
    assert fintoc.create(link, refresh_type=refresh_type).status_code == 201


@pytest.mark.parametrize("word", ["mixed", "fails", "rejects"])
def test_a_failure_does_not_cool_down(fintoc, word):
    link = fintoc.emulator.add_link(attempts=[word])
    fintoc.create(link)
    fintoc.advance(seconds=90)
    assert fintoc.create(link).status_code == 201


def test_switch_cooldown_clock(serve):
    fintoc = serve(cooldown_clock="success")
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    fintoc.advance(minutes=6)
    assert code(fintoc.create(link)) == (429, "rate_limit_exceeded")
    fintoc.advance(seconds=30)
    assert fintoc.create(link).status_code == 201


@pytest.mark.parametrize(("scope", "status"), [("same_type", 201), ("any_type", 429)])
def test_switch_cooldown_scope(serve, scope, status):
    fintoc = serve(cooldown_scope=scope)
    link = fintoc.emulator.add_link()
    fintoc.create(link, refresh_type="historical")
    fintoc.advance(minutes=10)
    assert fintoc.create(link).status_code == status


def test_one_intent_at_a_time_per_link(fintoc):
    link, other = fintoc.emulator.add_link(), fintoc.emulator.add_link()
    assert fintoc.create(link).status_code == 201
    assert code(fintoc.create(link)) == (422, "refresh_intent_in_progress")
    assert fintoc.create(other).status_code == 201


@pytest.mark.parametrize(
    ("policy", "soon", "in_an_hour", "reconnected"),
    [
        ("as_scripted", 201, 201, 201),
        ("retry_now", 201, 201, 201),
        ("retry_once", 201, 201, 201),
        ("refuse_1h", 422, 201, 201),
        ("refuse_reconnect", 422, 422, 201),
    ],
)
def test_switch_after_rejected(serve, policy, soon, in_an_hour, reconnected):
    fintoc = serve(after_rejected=policy)
    links = [fintoc.emulator.add_link(attempts=["rejects", "succeeds"]) for _ in range(3)]
    for link in links:
        fintoc.create(link)
    fintoc.advance(minutes=2)
    fintoc.emulator.reconnect(links[2].link_id)
    assert fintoc.create(links[0]).status_code == soon
    assert fintoc.create(links[2]).status_code == reconnected
    fintoc.advance(hours=1)
    assert fintoc.create(links[1]).status_code == in_an_hour


def test_only_the_first_rejection_may_be_retried_at_once(serve):
    fintoc = serve(after_rejected="retry_once")
    link = fintoc.emulator.add_link(attempts=["rejects"])
    for _ in range(2):
        assert fintoc.create(link).status_code == 201
        fintoc.advance(minutes=2)
    assert code(fintoc.create(link)) == (422, "rejected_refresh_intent")
    fintoc.advance(hours=1)
    assert fintoc.create(link).status_code == 201


def test_a_login_that_works_makes_the_link_active_again(fintoc):
    link = fintoc.emulator.add_link(attempts=["rejects", "succeeds"])
    for status in ("login_required", "active"):
        fintoc.create(link)
        fintoc.advance(minutes=2)
        assert fintoc.story(link)["status"] == status


@pytest.mark.parametrize(
    ("forced", "ends"), [("failed", "failed"), ("rejected", "rejected"), (None, "succeeded")]
)
def test_result_status_forces_the_outcome(fintoc, forced, ends):
    link = fintoc.emulator.add_link()
    fintoc.create(link, **({"result_status": forced} if forced else {}))
    fintoc.advance(minutes=2)
    assert fintoc.story(link)["intents"][0]["status"] == ends


def test_the_same_key_creates_once_and_the_first_answer_comes_back(fintoc):
    link = fintoc.emulator.add_link()
    first = fintoc.create(link, key="a")
    fintoc.advance(minutes=2)
    assert fintoc.create(link, key="a").json() == first.json()
    assert len(fintoc.story(link)["intents"]) == 1


def test_a_stored_refusal_is_replayed_although_it_would_not_be_made_today(fintoc):
    link = fintoc.emulator.add_link()
    fintoc.create(link)
    fintoc.advance(minutes=2)
    assert code(fintoc.create(link, key="too soon")) == (429, "rate_limit_exceeded")
    fintoc.advance(hours=1)
    assert code(fintoc.create(link, key="too soon")) == (429, "rate_limit_exceeded")
    assert fintoc.create(link, key="new").status_code == 201


def test_a_key_belongs_to_one_request_and_a_failed_login_does_not_take_it(fintoc):
    link = fintoc.emulator.add_link()
    url, query = "/v1/refresh_intents", {"link_token": link.link_token}
    headers = {"Authorization": "sk_test_wrong", "Idempotency-Key": "a"}
    assert code(fintoc.client.post(url, params=query, headers=headers)) == (401, "invalid_api_key")
    assert fintoc.create(link, key="a").status_code == 201
    assert code(fintoc.create(link, key="a", refresh_type="historical")) == (400, "invalid_params")
