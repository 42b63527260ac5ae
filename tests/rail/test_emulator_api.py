"""The emulated Rail's API: what it shows, and what it answers to a client that asks wrongly."""

from pathlib import Path

import httpx
import pytest

from bankbridge.emulation import Clock, UnknownWordError
from bankbridge_rail.emulator import SWITCHES, create_emulator


def test_links_and_accounts(rail):
    link = rail.emulator.add_link(institution="santander", accounts=4)
    other = rail.emulator.add_link(accounts=1)
    listed = rail.http.get("/v1/links").json()
    assert [row["id"] for row in listed] == [link.link_id, other.link_id]
    assert rail.http.get(f"/v1/links/{link.link_id}").json() == listed[0]
    assert listed[0]["bank_id"] == "santander"
    accounts = rail.http.get("/v1/accounts", params={"link_id": link.link_id}).json()
    assert tuple(row["id"] for row in accounts) == link.account_ids
    assert {row["type"] for row in accounts} == {"checking", "credit_card", "savings"}
    assert {row["currency"] for row in accounts} == {"CLP", "USD"}
    assert rail.http.get(f"/v1/accounts/{link.account_ids[1]}").json() == accounts[1]
    assert len(rail.http.get("/v1/accounts").json()) == 5
    rail.emulator.remove_account(link.account_ids[0])
    params = {"link_id": link.link_id}
    assert len(rail.http.get("/v1/accounts", params=params).json()) == 3
    rows = rail.http.get("/v1/accounts", params={**params, "include_removed": "true"}).json()
    assert [row["status"] for row in rows] == ["removed", "active", "active", "active"]


def test_deleting_a_link_takes_all_of_it_away(rail):
    link = rail.emulator.add_link()
    intent_id = rail.create(link.link_id).json()["id"]
    assert rail.http.delete(f"/v1/links/{link.link_id}").status_code == 204
    rail.receiver.wait_for("link.deleted")
    assert rail.intent(intent_id)["error_code"] == "link_deleted"
    assert rail.http.get("/v1/links").json() == []
    for path in (f"links/{link.link_id}", f"accounts/{link.account_ids[0]}"):
        assert rail.http.get(f"/v1/{path}").status_code == 404
    assert rail.create(link.link_id).status_code == 404
    assert rail.link_truth(link.link_id)["status"] == "deleted"


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer rail_sk_test_wrong"}, {"Authorization": "x"}]
)
def test_without_the_key_nothing_is_said(shared_rail, header):
    for path in ("/v1/links", "/v1/refresh_intents/ri_1"):
        answer = httpx.get(f"{shared_rail.http.base_url}{path}", headers=header)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert shared_rail.emulator.secret_key not in answer.text


def test_the_webhook_secret_is_shown_once(rail):
    (row,) = rail.http.get("/v1/webhook_endpoints").json()
    assert set(row) == {"object", "id", "url", "enabled_events"}


BAD = b'{"link_id": '
DEEP = b"[" * 200_000
HOOK = "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/v1/refresh_intents", BAD, 400),
        ("POST", "/v1/refresh_intents", DEEP, 400),
        ("POST", "/v1/refresh_intents", b"\xff\xfe", 400),
        ("POST", "/v1/refresh_intents", b"[]", 400),
        ("POST", "/v1/refresh_intents", b"{}", 400),
        ("POST", "/v1/refresh_intents", b'{"link_id": 1}', 400),
        ("POST", "/v1/refresh_intents", b'{"link_id": "link_\\ud800"}', 400),
        ("POST", "/v1/refresh_intents", b'{"link_id": "LINK", "refresh_type": {}}', 400),
        ("GET", "/v1/refresh_intents/ri_0", b"", 404),
        ("DELETE", "/v1/refresh_intents/%ff", b"", 404),
        ("GET", "/v1/refresh_intents", b"", 405),
        ("GET", "/v1/links/link_0", b"", 404),
        ("DELETE", "/v1/links/link_0", b"", 404),
        ("GET", "/v1/accounts?link_id=link_0", b"", 404),
        ("GET", "/v1/accounts?include_removed=perhaps", b"", 400),
        ("GET", "/v1/accounts/acc_0", b"", 404),
        ("GET", "/v1/accounts/acc_0/movements", b"", 404),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=0", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=-1", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=\u0664", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?confirmed_only=1", b"", 400),
        ("GET", "/v1/accounts/ACCOUNT/movements?page=999999999", b"", 200),
        ("POST", "/v1/webhook_endpoints", b'{"url": "ftp://x/", "enabled_events": ["*"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://[", "enabled_events": ["*"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x:99999/", "enabled_events": ["*"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x/", "enabled_events": []}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x/", "enabled_events": ["link.went"]}', 400),
        ("POST", "/v1/webhook_endpoints", b'{"url": "http://x/", "enabled_events": [["*"]]}', 400),
        ("GET", "/v2/links", b"", 404),
        ("GET", "/v1/links/", b"", 404),
    ],
)
def test_bad_input_gets_an_envelope(shared_rail, method, path, content, status):
    link = shared_rail.emulator.add_link()
    path = path.replace("ACCOUNT", link.account_ids[0])
    answer = shared_rail.http.request(method, path, content=content.replace(b"LINK", link.link_id.encode()))
    assert answer.status_code == status
    if status >= 400:
        assert set(answer.json()["error"]) == {"code", "message"}


@pytest.mark.parametrize("status", SWITCHES["create_status"].values)
def test_create_status(serve, status):
    rail = serve(create_status=status)
    assert rail.create(rail.emulator.add_link().link_id).status_code == int(status)


def test_list_shape(serve):
    rail = serve(list_shape="data")
    link = rail.emulator.add_link(accounts=2)
    paths = ("links", "accounts", f"accounts/{link.account_ids[1]}/movements", "webhook_endpoints")
    counts = [len(rail.http.get(f"/v1/{path}").json()["data"]) for path in paths]
    assert counts == [1, 2, 8, 1]


def test_field_drift(serve):
    rail = serve(sync_field="last_sync_at", bank_field="institution")
    link_id = rail.emulator.add_link(institution="bci").link_id
    link = rail.http.get(f"/v1/links/{link_id}").json()
    assert link["institution"] == {"id": "bci", "name": "BCI"}
    assert link["last_sync_at"] == "2026-06-03T15:00:00Z"
    assert not {"bank_id", "last_synced_at"} & set(link)


def test_rate_limit(serve):
    rail = serve(rate_limit="on")
    statuses = [rail.http.get("/v1/links").status_code for _ in range(100)]
    assert statuses == [200] * 99 + [429]  # registering the endpoint was the first
    refused = rail.http.get("/v1/links")
    assert refused.json()["error"]["code"] == "rate_limited"
    rail.pass_time(int(refused.headers["retry-after"]))
    assert rail.http.get("/v1/links").status_code == 200


def test_without_the_switch_nothing_is_limited(shared_rail):
    assert {shared_rail.http.get("/v1/links").status_code for _ in range(120)} == {200}


def test_every_switch_says_what_is_known_and_where():
    for name, switch in SWITCHES.items():
        assert switch.name == name
        assert len(switch.values) > 1
        assert switch.says
        assert switch.source.startswith("https://docs.rail.cl/")


def test_an_unknown_word_names_the_nearest(shared_rail):
    clock = Clock()
    for call, message in (
        (lambda: create_emulator(clock, switches={"cancle": "gone"}), "unknown switch 'cancle': .*'cancel'"),
        (
            lambda: create_emulator(clock, switches={"cancel": "gon"}),
            "value of switch cancel 'gon': .*'gone'",
        ),
        (lambda: shared_rail.emulator.add_link(attempts=["suceeds"]), "script word 'suceeds': .*'succeeds'"),
        (lambda: shared_rail.emulator.add_link(webhooks="twise"), "webhook mode 'twise': .*'twice'"),
        (lambda: shared_rail.emulator.add_link(institution="bsi"), "institution 'bsi': .*'bci'"),
        (lambda: shared_rail.emulator.person("link_0", "rightcode"), "act 'rightcode': .*'right_code'"),
    ):
        with pytest.raises(UnknownWordError, match=message):
            call()
    with pytest.raises(ValueError, match="accounts is 0: give 1 to 50"):
        shared_rail.emulator.add_link(accounts=0)


@pytest.mark.parametrize("reading", SWITCHES["error_envelope"].values)
def test_error_envelope(serve, reading):
    rail = serve(error_envelope=reading)
    answers = [rail.http.get("/v1/links/link_0"), rail.http.get("/v2/links"), rail.create("link_0", "a")]
    for answer in answers:
        assert answer.status_code == 404
        if reading == "nested":
            assert set(answer.json()["error"]) == {"code", "message"}
        elif reading == "flat":
            assert set(answer.json()) == {"code", "message"}
        else:
            assert answer.text.startswith("not_found: ")
            assert answer.headers["content-type"].startswith("text/plain")


def test_an_error_in_text_is_replayed_as_text(serve):
    rail = serve(error_envelope="text")
    link_id = rail.emulator.add_link(attempts=["errors_500"]).link_id
    first, again = rail.create(link_id, "a"), rail.create(link_id, "a")
    assert first.headers["content-type"] == again.headers["content-type"]
    assert first.text == again.text == "internal_error: something went wrong"


def test_invalid_parameter(serve):
    rail = serve(invalid_parameter="422")
    assert rail.http.post("/v1/refresh_intents", json={}).status_code == 422
    assert rail.http.get("/v1/accounts", params={"include_removed": "x"}).status_code == 422


def test_rate_limit_without_retry_after(serve):
    rail = serve(rate_limit="on_without_retry_after")
    answers = [rail.http.get("/v1/links") for _ in range(100)]
    assert answers[-1].status_code == 429
    assert "retry-after" not in answers[-1].headers


@pytest.mark.parametrize("reading", SWITCHES["rate_limit_scope"].values)
def test_rate_limit_scope(serve, reading):
    rail = serve(rate_limit="on", rate_limit_scope=reading)
    key = rail.http.post("/v1/api_keys").json()["key"]
    for _ in range(99):
        rail.http.get("/v1/links")
    answer = rail.http.get("/v1/links", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == (200 if reading == "key" else 429)


@pytest.mark.parametrize("reading", SWITCHES["delete_status"].values)
def test_delete_status(serve, reading):
    rail = serve(delete_status=reading)
    link_id = rail.emulator.add_link().link_id
    answer = rail.http.delete(f"/v1/links/{link_id}")
    assert answer.status_code == int(reading)
    if reading != "204":
        assert answer.json() == {"object": "link", "id": link_id, "deleted": True}


def test_list_pages(serve):
    rail = serve(list_pages="30")
    for _ in range(31):
        rail.emulator.add_link(accounts=2)
    for path, counts in (("links", [30, 1, 0]), ("accounts", [30, 30, 2])):
        pages = [rail.http.get(f"/v1/{path}", params={"page": page}).json() for page in (1, 2, 3)]
        assert [len(page) for page in pages] == counts
    assert rail.http.get("/v1/links", params={"page": 0}).status_code == 400


def test_undocumented_routes(serve):
    rail = serve(undocumented_routes="absent")
    link_id = rail.emulator.add_link().link_id
    assert rail.http.get(f"/v1/links/{link_id}").status_code == 405
    assert rail.http.get("/v1/webhook_endpoints").status_code == 405
    assert rail.http.delete("/v1/webhook_endpoints/we_0").status_code == 404
    assert len(rail.http.get("/v1/links").json()) == 1


def test_absent_fields(serve):
    rail = serve(absent_fields="null")
    intent = rail.create(rail.emulator.add_link().link_id).json()
    assert {name for name, value in intent.items() if value is None} == {
        "requires_mfa",
        "error_code",
        "completed_at",
        "summary",
    }
    assert rail.event("refresh_intent.created") == intent


def test_extra_fields(serve):
    rail = serve(extra_fields="some")
    link = rail.emulator.add_link(attempts=["fails"])
    intent = rail.refreshed(link.link_id)
    assert intent["created_at"] == "2026-06-03T15:00:00Z"
    assert intent["error_message"] == "the bank said bank_unavailable"
    assert rail.link(link.link_id)["mode"] == "test"
    (row, *_) = rail.movements(link.account_ids[0])
    for body in (intent, row, rail.event("link.created"), rail.event("refresh_intent.failed")):
        assert "metadata" in body


@pytest.mark.parametrize(("reading", "available"), [("example", 850_000), ("rule", 4_850_000)])
def test_card_balance(serve, reading, available):
    rail = serve(card_balance=reading)
    rail.emulator.add_link()
    checking, card, _ = (row["balance"] for row in rail.http.get("/v1/accounts").json())
    assert card == {"available": available, "current": 150_000, "limit": 5_000_000}
    assert checking["limit"] is None


def test_accounts_link_id(serve):
    rail = serve(accounts_link_id="required")
    link_id = rail.emulator.add_link().link_id
    assert rail.http.get("/v1/accounts").status_code == 400
    assert len(rail.http.get("/v1/accounts", params={"link_id": link_id}).json()) == 3


def test_every_switch_is_tried_by_name_in_these_files():
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_emulator_*.py"))
    assert [name for name in SWITCHES if f"{name}=" not in tests and f'"{name}"' not in tests] == []
