"""What the emulated Fintoc is asked that makes no sense, by clients and by tests."""

import re

import httpx
import pytest

from bankbridge.emulation import Clock, UnknownWordError
from bankbridge_fintoc.emulator import create_emulator
from tests.fintoc.served import OPT_IN, OUTCOMES, SUBSCRIBED, TLS, code


@pytest.mark.parametrize(
    ("method", "path", "sent", "refused"),
    [
        ("GET", "/v1/accounts", {}, (400, "missing_parameter")),
        ("GET", "/v1/nowhere", {}, (404, "invalid_url")),
        ("PUT", "/v1/links", {}, (405, "operation_not_allowed")),
        ("GET", "/v1/links?page=x", {}, (400, "invalid_integer")),
        ("GET", f"/v1/links?page={'9' * 5000}", {}, (400, "invalid_integer")),
        ("GET", "/v1/links?page=0", {}, (400, "invalid_positive_integer")),
        ("GET", "/v1/links?per_page=301", {}, (400, "invalid_params")),
        ("GET", "/v1/links?status=asleep", {}, (400, "invalid_enum")),
        ("GET", "TOKEN/movements?since=yesterday", {}, (400, "invalid_date")),
        ("GET", "TOKEN/movements?confirmed_only=maybe", {}, (400, "invalid_boolean")),
        ("POST", "/v1/refresh_intents", {"json": {}}, (400, "missing_parameter")),
        ("POST", "/v1/refresh_intents", {"json": {"link_token": 3}}, (400, "invalid_string")),
        ("POST", "/v1/refresh_intents", {"content": b"{"}, (400, "invalid_json")),
        ("POST", "/v1/refresh_intents", {"content": b"\xff"}, (400, "invalid_json")),
        ("POST", "/v1/refresh_intents", {"content": b"[" * 100_000}, (400, "invalid_json")),
        ("POST", "/v1/refresh_intents", {"json": []}, (400, "invalid_hash")),
        (
            "POST",
            "/v1/refresh_intents",
            {"headers": {"Idempotency-Key": "k" * 256}},
            (400, "invalid_string_size"),
        ),
        ("POST", "/v1/webhook_endpoints", {"json": {"url": "http://[", "enabled_events": OUTCOMES}}, None),
        ("POST", "/v1/webhook_endpoints", {"json": {"url": "ftp://x", "enabled_events": OUTCOMES}}, None),
        (
            "POST",
            "/v1/webhook_endpoints",
            {"json": {"url": "http://x:99999", "enabled_events": OUTCOMES}},
            None,
        ),
        ("POST", "/v1/webhook_endpoints", {"json": {"url": "http://x"}}, (400, "missing_parameter")),
        (
            *("POST", "/v1/webhook_endpoints"),
            *({"json": {"url": "http://x", "enabled_events": []}}, (400, "missing_parameter")),
        ),
        (
            *("POST", "/v1/webhook_endpoints"),
            *({"json": {"url": "http://x", "enabled_events": "all"}}, (400, "invalid_array")),
        ),
        (
            *("POST", "/v1/webhook_endpoints"),
            *(
                {"content": b'{"url": "http://x", "enabled_events": ["\\ud800"]}'},
                (400, "invalid_webhook_subscription"),
            ),
        ),
    ],
)
def test_bad_input_is_answered_in_the_envelope(fintoc, method, path, sent, refused):
    link = fintoc.emulator.add_link()
    if path.startswith("TOKEN"):
        account = f"/v1/accounts/{link.account_ids[0]}"
        path = path.replace("TOKEN", account).replace("?", f"?link_token={link.link_token}&")
    response = fintoc.client.request(method, path, **sent)
    assert code(response) == (refused or (400, "invalid_params"))
    assert set(response.json()["error"]) == {"type", "code", "message", "param", "doc_url"}


def test_a_wrong_id_is_named_with_the_prefix_it_should_have(fintoc):
    link = fintoc.emulator.add_link()
    response = fintoc.get(link, f"/v1/accounts/{link.link_id}")
    assert code(response) == (404, "missing_resource")
    assert re.search(rf"{link.link_id}.*acc_", response.json()["error"]["message"])


def test_bad_refresh_parameters(fintoc):
    link = fintoc.emulator.add_link()
    assert code(fintoc.create(link, refresh_type="all")) == (400, "invalid_refresh_type")
    assert code(fintoc.create(link, result_status="good")) == (400, "invalid_enum")
    assert fintoc.story(link)["intents"] == []


def test_the_create_takes_its_parameters_from_the_body_too(fintoc):
    link = fintoc.emulator.add_link()
    body = {"link_token": link.link_token, "refresh_type": "historical"}
    assert fintoc.client.post("/v1/refresh_intents", json=body).json()["type"] == "historical"


def test_the_controls_over_http(fintoc, receiver):
    fintoc.subscribe(receiver, [*SUBSCRIBED, *OPT_IN])
    bare = httpx.Client(base_url=fintoc.client.base_url, verify=TLS)
    made = bare.post("/__emulator/links", json={"attempts": ["mfa"], "accounts": 1}).json()
    bare.post("/v1/refresh_intents", params={"link_token": made["link_token"]}, headers=fintoc.client.headers)
    link = f"/__emulator/links/{made['link_id']}"
    assert bare.post(f"{link}/person", json={"act": "right_code"}).status_code == 200
    bare.post("/__emulator/clock/advance", json={"seconds": 60})
    assert bare.post(f"{link}/refresh_in_background", json={"outcome": "fails"}).json() == {}
    account = f"/__emulator/accounts/{made['account_ids'][0]}"
    assert len(bare.post(f"{account}/modify_movements", json={"count": 2}).json()["movement_ids"]) == 2
    assert len(bare.post(f"{account}/remove_movements").json()["movement_ids"]) == 1
    assert bare.post(f"{link}/change_credentials").status_code == 200
    assert bare.post(f"{link}/reconnect").status_code == 200
    truth = bare.get("/__emulator/truth").json()
    assert truth["links"][made["link_id"]]["intents"][0]["status"] == "succeeded"
    assert [one["type"].rpartition(".")[2] for one in truth["deliveries"]] == [
        *("succeeded", "failed", "movements_modified", "movements_removed", "credentials_changed"),
    ]
    receiver.events(5)
    bare.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("links/LINK/refresh_in_background", b'{"outcome": "suceeds"}', 400, "did you mean 'succeeds'"),
        ("links/LINK/refresh_in_background", b"[]", 400, "send an object"),
        ("links/LINK/refresh_in_background", b"{", 400, "Expecting"),
        ("links/link_0/reconnect", b"", 404, "no link 'link_0'"),
        ("accounts/acc_0/modify_movements", b"", 404, "no account 'acc_0'"),
        ("accounts/ACCOUNT/remove_movements", b'{"count": 0}', 400, "count is 0"),
        ("accounts/ACCOUNT/remove_movements", b'{"count": 1000}', 400, "has 75 movements"),
    ],
)
def test_a_wrong_control_says_what_is_wrong(fintoc, path, body, status, said):
    link = fintoc.emulator.add_link()
    path = path.replace("LINK", link.link_id).replace("ACCOUNT", link.account_ids[0])
    response = fintoc.client.post(f"/__emulator/{path}", content=body)
    assert response.status_code == status
    assert said in response.json()["error"]["message"]


def test_unknown_words_name_the_nearest():
    emulator = create_emulator(Clock(speed=0))
    with pytest.raises(UnknownWordError, match=r"'cooldwn'.*'cooldown'"):
        emulator.add_link(attempts=["cooldwn"])
    with pytest.raises(UnknownWordError, match=r"'eraly'.*'early'"):
        emulator.add_link(webhooks="eraly")
    with pytest.raises(UnknownWordError, match=r"'cl_banco_bcii'.*'cl_banco_bci'"):
        emulator.add_link(institution="cl_banco_bcii")
    with pytest.raises(UnknownWordError, match=r"'cooldown_clok'.*'cooldown_clock'"):
        create_emulator(Clock(speed=0), switches={"cooldown_clok": "success"})
    with pytest.raises(UnknownWordError, match=r"'sucess'.*'success'"):
        create_emulator(Clock(speed=0), switches={"cooldown_clock": "sucess"})
    with pytest.raises(ValueError, match="accounts is 1: give 2"):
        emulator.add_link(attempts=["mixed"], accounts=1)


def test_what_applications_need_can_be_had_over_http(fintoc, receiver):
    def post(path: str, **body: object) -> dict:
        answer = fintoc.client.post(f"/__emulator/{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    keys = fintoc.client.get("/__emulator/keys").json()
    assert keys == fintoc.emulator.keys
    told = post("endpoints", url=receiver.url, events=["link.created"], secret="whsec_mine", mode="live")
    assert told == {"secret": "whsec_mine"}
    who = {"institution": "cl_banco_bci", "username": "succeeds", "password": "x"}
    token = post("connections", token=keys["publishable_test"], **who, webhook_url=receiver.url)[
        "exchange_token"
    ]
    made = fintoc.exchange(token).json()
    assert receiver.events(1)[0]["data"]["id"] == made["id"]
    added = post(f"links/{made['id']}/add_account")["account_id"]
    post(f"accounts/{added}/set_history", movements=3, days=2)
    post(f"accounts/{added}/remove")
    query = {"link_token": made["link_token"]}
    assert fintoc.client.get(f"/v1/accounts/{added}", params=query).json()["removed_from_link"] is True
    post("keys/secret_test/expire")
    assert code(fintoc.client.get("/v1/links")) == (401, "expired_api_key")
    post("keys/secret_test/renew")
    post("refuse_all", code="payment_required")
    assert code(fintoc.client.get("/v1/links")) == (402, "payment_required")
    post("refuse_all", code=None)
    assert fintoc.client.get("/v1/links").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("connections", {"token": "x"}, "institution is missing"),
        (
            "connections",
            {"token": "x", "institution": "cl_banco_bci", "username": "a", "password": "b"},
            "no such widget token",
        ),
        ("endpoints", {"url": "http://x", "mode": "tets"}, "did you mean 'test'"),
        ("endpoints", {"url": "http://x", "evenst": []}, "did you mean 'events'"),
        ("refuse_all", {}, "code is missing"),
        ("keys/secret/expire", {}, "did you mean 'secret_"),
    ],
)
def test_what_makes_no_sense_is_said(fintoc, path, body, said):
    answer = fintoc.client.post(f"/__emulator/{path}", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_names_of_links(fintoc):
    link = fintoc.emulator.add_link(name="curl-1")
    assert (link.link_id, link.link_token) == ("link_curl-1", "link_curl-1_token")
    assert fintoc.get(link, "/v1/accounts").status_code == 200
    with pytest.raises(ValueError, match="'curl-1' is taken"):
        fintoc.emulator.add_link(name="curl-1", mode="live")
    with pytest.raises(ValueError, match="name is 'a/b'"):
        fintoc.emulator.add_link(name="a/b")


@pytest.mark.parametrize(("rule", "status"), [("accepted", 201), ("refused", 400)])
def test_switch_form_bodies(serve, rule, status):
    fintoc = serve(form_bodies=rule)
    token = fintoc.emulator.add_link().link_token
    answer = fintoc.client.post("/v1/refresh_intents", data={"link_token": token})
    assert answer.status_code == status


# --- Faults of HTTP ---------------------------------------------------------------------------------------------------


def test_faults_of_http_strike_the_link_that_is_asked_for(fintoc):
    link = fintoc.emulator.add_link(faults={"error_500": 1})
    other = fintoc.emulator.add_link()
    assert fintoc.create(other).status_code == 201
    refused = fintoc.create(link)
    assert code(refused) == (500, "internal_server_error")
    assert set(refused.json()["error"]) == {"type", "code", "message", "param", "doc_url"}
    in_body = {"link_token": link.link_token}
    assert fintoc.client.post("/v1/refresh_intents", json=in_body).status_code == 500
    assert fintoc.client.get(f"/v1/links/{link.link_token}").status_code == 500
    assert fintoc.client.delete(f"/v1/links/{link.link_id}").status_code == 500
    assert fintoc.client.post("/v1/refresh_intents", content=b"{").status_code == 400
    assert fintoc.story(link)["intents"] == []


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [("throttled", 429, "json"), ("throttled_bare", 429, "json"), ("html_502", 502, "html")],
)
def test_faults_of_http_are_answered_in_the_provider_s_way(fintoc, fault, status, kind):
    fintoc.emulator.faults.next(fault)
    answer = fintoc.client.get("/v1/links")
    assert answer.status_code == status
    assert kind in answer.headers["content-type"]
    assert ("retry-after" in answer.headers) is (fault == "throttled")
    if kind == "json":
        assert code(answer) == (429, "rate_limit_exceeded")
    assert fintoc.client.get("/v1/links").status_code == 200


def test_an_answer_that_is_lost_was_given_all_the_same(fintoc):
    link = fintoc.emulator.add_link()
    fintoc.emulator.faults.next("response_lost")
    with pytest.raises(httpx.RemoteProtocolError):
        fintoc.create(link, key="a")
    again = fintoc.create(link, key="a")
    assert again.status_code == 201
    assert len(fintoc.story(link)["intents"]) == 1
