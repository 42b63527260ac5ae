"""Who the emulated Fintoc lets in: keys and modes, versions, organisations that are not in order, too many requests."""

from datetime import timedelta

import httpx
import pytest

from bankbridge.emulation import Clock, UnknownWordError, WidgetError
from bankbridge_fintoc.emulator import Timings, create_emulator
from tests.fintoc.served import NOON, OUTCOMES, Fintoc, code


def asked(fintoc: Fintoc, **headers: str) -> httpx.Response:
    return fintoc.client.get("/v1/links", headers=headers)


def test_every_key_is_of_a_kind_and_a_mode(fintoc):
    keys = fintoc.emulator.keys
    assert {name: key[:8] for name, key in keys.items()} == {
        "secret_test": "sk_test_",
        "publishable_test": "pk_test_",
        "secret_live": "sk_live_",
        "publishable_live": "pk_live_",
    }
    assert keys["secret_test"] == fintoc.emulator.secret_key


@pytest.mark.parametrize(
    ("key", "refused"),
    [
        ("", "invalid_api_key"),
        ("sk_test_wrong", "invalid_api_key"),
        ("sk_test_expired", "expired_api_key"),
        ("sk_live_expired", "expired_api_key"),
        ("pk_test_of_another", "invalid_api_key_mode"),
        ("publishable_test", "invalid_api_key_mode"),
        ("publishable_live", "invalid_api_key_mode"),
    ],
)
def test_keys_that_do_not_open(fintoc, key, refused):
    response = asked(fintoc, Authorization=fintoc.emulator.keys.get(key, key))
    assert code(response) == (401, refused)
    assert response.json()["error"]["type"] == "authentication_error"


def test_a_key_expires_and_can_be_renewed(fintoc):
    fintoc.emulator.expire_key("secret_test")
    assert code(asked(fintoc)) == (401, "expired_api_key")
    assert asked(fintoc, Authorization=fintoc.emulator.keys["secret_live"]).status_code == 200
    fintoc.emulator.renew_key("secret_test")
    assert asked(fintoc).status_code == 200
    with pytest.raises(UnknownWordError, match=r"'secret_tes'.*'secret_test'"):
        fintoc.emulator.expire_key("secret_tes")


def test_switches_about_keys(serve):
    fintoc = serve(bearer="refused", public_key_code="invalid_api_key")
    keys = fintoc.emulator.keys
    assert code(asked(fintoc, Authorization=f"Bearer {keys['secret_test']}")) == (401, "invalid_api_key")
    assert code(asked(fintoc, Authorization=keys["publishable_test"])) == (401, "invalid_api_key")


# --- Modes ------------------------------------------------------------------------------------------------------------


def test_what_is_of_one_mode_cannot_be_seen_with_a_key_of_the_other(fintoc, receiver):
    live = {"Authorization": fintoc.emulator.keys["secret_live"]}
    test_link, live_link = fintoc.emulator.add_link(), fintoc.emulator.add_link(mode="live")
    endpoint = fintoc.subscribe(receiver, OUTCOMES)
    assert [row["id"] for row in asked(fintoc).json()] == [test_link.link_id]
    assert [(row["id"], row["mode"]) for row in asked(fintoc, **live).json()] == [(live_link.link_id, "live")]
    token = {"link_token": live_link.link_token}
    assert code(fintoc.client.get("/v1/accounts", params=token)) == (400, "invalid_link_token")
    assert fintoc.client.get("/v1/accounts", params=token, headers=live).status_code == 200
    assert code(fintoc.client.delete(f"/v1/links/{live_link.link_id}")) == (404, "missing_resource")
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    assert code(fintoc.client.get(path, headers=live)) == (404, "missing_resource")
    assert fintoc.client.get("/v1/webhook_endpoints", headers=live).json() == []
    assert fintoc.client.get("/v1/webhook_endpoints").json()[0]["mode"] == "test"
    for link in (test_link, live_link):
        fintoc.emulator.refresh_in_background(link.link_id)
    fintoc.emulator.settle()
    assert {event["mode"] for event in receiver.events(3)} == {"test"}
    assert len(fintoc.emulator.truth()["deliveries"]) == 3


def test_in_live_mode_transfers_have_another_end_and_no_outcome_is_forced(fintoc):
    fintoc.client.headers["Authorization"] = fintoc.emulator.keys["secret_live"]
    link = fintoc.emulator.add_link(mode="live", attempts=["fails"])
    transfers = [row for row in fintoc.rows(link) if row["type"] == "transfer"]
    assert all((row["sender_account"] is None) == (row["amount"] < 0) for row in transfers)
    assert all((row["recipient_account"] is None) == (row["amount"] >= 0) for row in transfers)
    assert {row["transaction_date"] is None for row in transfers} == {False}
    fintoc.create(link, result_status="succeeded")
    fintoc.advance(minutes=2)
    assert fintoc.story(link)["intents"][0]["status"] == "failed"


# --- Versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2023-11-15", "2025-08-13", "2026-02-01"])
def test_known_versions_are_spoken_and_the_first_request_pins_the_account(fintoc, receiver, version):
    assert asked(fintoc, **{"Fintoc-Version": version}).status_code == 200
    assert fintoc.emulator.truth()["pinned_version"] == version
    fintoc.subscribe(receiver, OUTCOMES)
    link = fintoc.emulator.add_link(attempts=["locks"], accounts=1)
    intent = fintoc.create(link).json()
    fintoc.advance(minutes=2)
    path = f"/v1/refresh_intents/{intent['id']}"
    newest = fintoc.client.get(
        path, params={"link_token": link.link_token}, headers={"Fintoc-Version": "2026-02-01"}
    )
    assert newest.json()["public_error"] == "credentials_locked_error"
    known = None if version == "2023-11-15" else "credentials_locked_error"
    assert receiver.events(1)[0]["data"]["public_error"] == known
    assert fintoc.get(link, path).json()["public_error"] == known


def test_an_account_that_names_no_version_has_the_latest(fintoc):
    assert fintoc.emulator.truth()["pinned_version"] is None
    asked(fintoc)
    asked(fintoc, **{"Fintoc-Version": "2023-11-15"})
    assert fintoc.emulator.truth()["pinned_version"] == "2026-02-01"


def test_an_unknown_version_is_refused(fintoc):
    assert code(asked(fintoc, **{"Fintoc-Version": "2024-01-01"})) == (403, "invalid_api_version")
    assert fintoc.emulator.truth()["pinned_version"] is None


def test_switch_pinned_version(serve):
    fintoc = serve(pinned_version="2023-11-15")
    asked(fintoc, **{"Fintoc-Version": "2026-02-01"})
    assert fintoc.emulator.truth()["pinned_version"] == "2023-11-15"


# --- Organisations and limits -----------------------------------------------------------------------------------------


def test_an_organisation_that_is_not_in_order_is_refused_everything(fintoc):
    fintoc.emulator.refuse_all("payment_required")
    assert code(asked(fintoc)) == (402, "payment_required")
    assert code(asked(fintoc, Authorization="none")) == (401, "invalid_api_key")
    fintoc.emulator.refuse_all(None)
    assert asked(fintoc).status_code == 200
    with pytest.raises(UnknownWordError, match="forbidden_request"):
        fintoc.emulator.refuse_all("forbidden")


@pytest.mark.parametrize(
    ("plan", "status"),
    [
        ("on_demand_policy_required", 422),
        ("on_demand_refresh_unavailable", 422),
        ("invalid_on_demand_link", 400),
    ],
)
def test_switch_on_demand(serve, plan, status):
    fintoc = serve(on_demand=plan)
    link = fintoc.emulator.add_link()
    assert code(fintoc.create(link)) == (status, plan)
    assert fintoc.story(link)["intents"] == []


@pytest.mark.parametrize(
    ("profile", "most", "seconds"),
    [("100_per_second", 100, 1), ("100_per_10_seconds_and_address", 100, 10), ("5_per_second", 5, 1)],
)
def test_switch_rate_limit(serve, profile, most, seconds):
    fintoc = serve(rate_limit=profile)
    assert {asked(fintoc).status_code for _ in range(most)} == {200}
    refused = asked(fintoc)
    assert code(refused) == (429, "rate_limit_exceeded")
    assert "retry-after" not in refused.headers
    fintoc.advance(seconds=seconds - 0.1)
    assert asked(fintoc).status_code == 429
    fintoc.advance(seconds=0.1)
    assert asked(fintoc).status_code == 200


@pytest.mark.parametrize(("kept", "second"), [("not_kept", 201), ("kept", 429)])
def test_switch_throttled_keys(serve, kept, second):
    fintoc = serve(rate_limit="5_per_second", throttled_keys=kept)
    link = fintoc.emulator.add_link()
    for _ in range(5):
        asked(fintoc)
    assert fintoc.create(link, key="a").status_code == 429
    fintoc.advance(seconds=1)
    assert fintoc.create(link, key="a").status_code == second


def test_only_so_many_people_connect_at_once():
    # A widget opens no request of the application's.
    timings = Timings(link_intent_life=timedelta(hours=1))
    switches = {"rate_limit": "100_per_second"}
    emulator = create_emulator(Clock(start=NOON, speed=0), switches=switches, timings=timings)
    key, who = emulator.keys["publishable_test"], {"institution": "cl_banco_bci", "username": "succeeds"}
    for _ in range(100):
        assert emulator.connect(key, **who, password="jonsnow")
    with pytest.raises(WidgetError, match="too many"):
        emulator.connect(key, **who, password="jonsnow")
    emulator.clock.advance(timedelta(seconds=130))
    assert emulator.connect(key, **who, password="jonsnow")
