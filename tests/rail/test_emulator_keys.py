"""API keys and modes of the emulated Rail: what is seen with which key, and how a key ends."""

import re
from typing import Any

import httpx
import pytest

from bankbridge_rail.emulator import SWITCHES
from tests.rail.emulated import Rail


def ask(rail: Rail, key: str, method: str = "GET", path: str = "/v1/links", **body: Any) -> httpx.Response:
    json = body or None
    return rail.http.request(method, path, json=json, headers={"Authorization": f"Bearer {key}"})


def issue(rail: Rail, **body: Any) -> dict[str, Any]:
    return rail.http.post("/v1/api_keys", json=body).raise_for_status().json()


def rotate(rail: Rail, key_id: str, **body: Any) -> httpx.Response:
    return rail.http.post(f"/v1/api_keys/{key_id}/rotate", json=body)


def test_the_keys_that_there_are_at_first(rail):
    for name, key in rail.emulator.keys.items():
        kind, mode = name.split("_")
        assert re.fullmatch(rf"rail_{kind[0]}k_{mode}_[0-9a-f]{{32}}", key)
    assert rail.emulator.secret_key == rail.emulator.keys["secret_test"]
    assert len(set(rail.emulator.keys.values())) == 4


def test_key_prefix(serve):
    rail = serve(key_prefix="sk")
    assert rail.emulator.keys["secret_live"].startswith("sk_live_")
    assert rail.emulator.keys["publishable_test"].startswith("pk_test_")
    assert rail.http.get("/v1/links").status_code == 200


@pytest.mark.parametrize("reading", SWITCHES["publishable_key"].values)
def test_a_publishable_key_opens_nothing(serve, reading):
    rail = serve(publishable_key=reading)
    assert ask(rail, rail.emulator.keys["publishable_test"]).status_code == int(reading)


def test_what_belongs_to_one_mode_does_not_exist_for_the_other(rail):
    live_key = rail.emulator.keys["secret_live"]
    test, live = rail.emulator.add_link(attempts=["mfa"]), rail.emulator.add_link(mode="live")
    intent_id = rail.prompted(test.link_id)
    assert [row["id"] for row in rail.http.get("/v1/links").json()] == [test.link_id]
    assert [row["id"] for row in ask(rail, live_key).json()] == [live.link_id]
    assert {row["link_id"] for row in ask(rail, live_key, path="/v1/accounts").json()} == {live.link_id}
    assert ask(rail, live_key, path="/v1/webhook_endpoints").json() == []
    paths = (
        f"links/{test.link_id}",
        f"accounts/{test.account_ids[0]}",
        f"accounts/{test.account_ids[0]}/movements",
        f"refresh_intents/{intent_id}",
        f"webhook_endpoints/{rail.http.get('/v1/webhook_endpoints').json()[0]['id']}",
    )
    for path in paths:
        assert rail.http.get(f"/v1/{path}").status_code == 200
        assert ask(rail, live_key, path=f"/v1/{path}").status_code == 404
    assert ask(rail, live_key, "DELETE", f"/v1/links/{test.link_id}").status_code == 404
    assert ask(rail, live_key, "POST", "/v1/refresh_intents", link_id=test.link_id).status_code == 404
    token = rail.http.post("/v1/widget_tokens", json={}).json()["id"]
    et = rail.emulator.connect(token, institution="bci", username="jane", password="x")
    assert ask(rail, live_key, "POST", f"/v1/exchange_tokens/{et}").status_code == 404


def test_webhooks_go_to_the_endpoints_of_their_mode(rail):
    rail.emulator.add_link(mode="live")
    assert rail.told() == []
    rail.emulator.add_endpoint(rail.receiver.url, mode="live")
    link_id = rail.emulator.add_link(mode="live").link_id
    assert rail.event("link.created")["id"] == link_id
    assert rail.link_truth(link_id)["mode"] == "live"


def test_a_new_key(rail):
    key = issue(rail)
    assert (key["type"], key["mode"], key["scopes"]) == ("secret", "test", [])
    assert ask(rail, key["key"]).status_code == 200
    live = issue(rail, mode="live", scopes=["links:read"])
    assert live["key"].startswith("rail_sk_live_")
    assert live["scopes"] == ["links:read"]
    assert issue(rail, type="publishable")["key"].startswith("rail_pk_test_")


def test_a_rotated_key_works_until_its_grace_is_over(rail):
    (first,) = (row for row in rail.http.get("/v1/api_keys").json() if row["type"] == "secret")
    assert "key" not in first
    answer = rotate(rail, first["id"])
    new = answer.json()["key"]
    assert answer.status_code == 200
    assert rotate(rail, first["id"]).status_code == 409
    for key in (rail.emulator.secret_key, new):
        assert ask(rail, key).status_code == 200
    rail.pass_time(24 * 3600 - 1)
    assert rail.http.get("/v1/links").status_code == 200
    rail.pass_time(1)
    assert rail.http.get("/v1/links").status_code == 401
    assert ask(rail, new).status_code == 200


def test_the_grace_may_be_as_short_as_an_hour(rail):
    key = issue(rail)
    rotate(rail, key["id"], grace_hours=1)
    rail.pass_time(3600)
    assert ask(rail, key["key"]).status_code == 401


@pytest.mark.parametrize("hours", [0, 169, -1, 1.5, "24", True, None, []])
def test_a_grace_that_is_none(rail, hours):
    key = issue(rail)
    assert rotate(rail, key["id"], grace_hours=hours).status_code == 400
    assert ask(rail, key["key"]).status_code == 200


@pytest.mark.parametrize(
    "body", [{"type": "secrets"}, {"mode": "prod"}, {"scopes": "all"}, {"scopes": [1]}, {"type": []}]
)
def test_keys_that_make_no_sense(rail, body):
    assert rail.http.post("/v1/api_keys", json=body).status_code == 400


def test_the_other_mode_s_keys_are_not_rotated(rail):
    live = issue(rail, mode="live")
    assert rotate(rail, live["id"]).status_code == 404
    assert rotate(rail, "key_0").status_code == 404


def test_no_key_is_in_a_repr_or_the_truth(rail):
    key = rail.emulator.secret_key
    assert key not in repr(rail.emulator._world.keys[key])
    assert key not in repr(rail.emulator.truth())
    assert rail.secret not in repr(rail.emulator._world.modes["test"].hooks)
