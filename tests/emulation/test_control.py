"""The controls of an emulator over HTTP, as curl has them, at each provider."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge.emulation import FAULTS, Clock, Server
from tests.emulation.receiver import Receiver

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
CREATE = {
    "rail": bankbridge_rail.emulator.create_emulator,
    "fintoc": bankbridge_fintoc.emulator.create_emulator,
}
MINUTE = "2026-06-03T15:01:00+00:00"


@pytest.fixture(scope="module", params=CREATE)
def emulator(request: pytest.FixtureRequest) -> Any:
    create: Any = CREATE[request.param]
    return create(Clock(start=START, speed=0))


@pytest.fixture(scope="module")
def client(emulator: Any) -> Iterator[httpx.Client]:
    with (
        Server(emulator.app) as server,
        httpx.Client(base_url=f"{server.url}/__emulator/", trust_env=False) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def without_faults(emulator: Any) -> Iterator[None]:
    yield
    emulator.faults.rates = {}


def error(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/json"
    (body,) = answer.json().values()
    return answer.status_code, body["code"], body["message"]


def test_a_link_can_be_named_and_seen(client):
    told = {
        "attempts": ["mfa", "succeeds"],
        "webhooks": "twice",
        "institution": None,
        "accounts": 2,
        "name": "seen",
        "mode": "live",
        "faults": {"delay": 0.5},
    }
    answer = client.post("links", json=told)
    assert answer.status_code == 201
    assert answer.json()["link_id"] == "link_seen"
    assert len(answer.json()["account_ids"]) == 2
    truth = client.get("links/link_seen").json()
    assert truth["webhooks"] == "twice"
    assert truth == client.get("truth").json()["links"]["link_seen"]


def test_the_clock(client, emulator):
    emulator.clock._base = START
    next_at = emulator.clock.next_at()
    told = {"now": START.isoformat(), "speed": 0, "next_at": next_at and next_at.isoformat()}
    assert client.get("clock").json() == told
    assert client.post("clock/advance", json={"seconds": 60}).json() == {"now": MINUTE}
    assert client.get("clock").json()["now"] == MINUTE


def test_settle_waits_for_what_is_due(client, emulator):
    with Receiver() as receiver:
        emulator.add_endpoint(receiver.url)
        link_id = client.post("links", json={"name": "settled"}).json()["link_id"]
        if emulator.provider == "fintoc":  # a new link is an event at Rail only
            emulator.refresh_in_background(link_id)
        assert client.post("settle").json()["now"] == client.get("clock").json()["now"]
        types = receiver.types()
    assert types
    assert len(types) == sum(row["tries"] for row in client.get("truth").json()["deliveries"])
    assert client.post("settle", json={"timeout": 5}).status_code == 200


def test_rates_are_read_and_changed(client, emulator):
    assert client.get("faults").json() == {}
    rates = {"duplicate": 0.25, "vanished_rows": 1}
    assert client.put("faults", json=rates).json() == rates
    assert client.get("faults").json() == dict(emulator.faults.rates) == rates


def test_the_next_chance_can_be_struck(client, emulator):
    assert client.post("faults/next", json={"fault": "corrupt", "times": 2}).json() == {}
    assert client.post("faults/next", json={"fault": "corrupt"}).json() == {}
    assert [emulator.faults.strikes("corrupt", number) for number in range(4)] == [True, True, True, False]
    assert [row["fault"] for row in client.get("truth").json()["faults"]][-3:] == ["corrupt"] * 3


def test_the_switches(client, emulator):
    assert client.get("switches").json() == dict(emulator.switches)
    assert len(emulator.switches) > 5


BAD = [
    ("POST", "links", b"{", "not JSON: Expecting"),
    ("POST", "links", b"[" * 100_000, "not JSON"),
    ("POST", "links", b"\xff", "not JSON"),
    ("POST", "links", b"[]", "the body is a list: send an object"),
    ("POST", "links", b'{"attemps": []}', "unknown field 'attemps': did you mean 'attempts'"),
    ("POST", "links", b'{"attempts": []}', "at least one"),
    ("POST", "links", b'{"attempts": "mfa"}', "attempts is a string: send a list of strings"),
    ("POST", "links", b'{"attempts": [["mfa"]]}', "attempts[0] is a list: send a string"),
    ("POST", "links", b'{"attempts": ["mfaa"]}', "unknown script word 'mfaa': did you mean 'mfa'"),
    ("POST", "links", b'{"webhooks": "lots"}', "did you mean 'lost'"),
    ("POST", "links", b'{"webhooks": null}', "webhooks is null: send a string"),
    ("POST", "links", b'{"institution": "x"}', "unknown institution 'x'"),
    ("POST", "links", b'{"accounts": true}', "accounts is true or false: send a whole number"),
    ("POST", "links", b'{"accounts": 1.5}', "accounts is the number 1.5: send a whole number"),
    ("POST", "links", b'{"accounts": 0}', "accounts is 0"),
    ("POST", "links", b'{"accounts": 1000000000}', "accounts is 1000000000"),
    ("POST", "links", b'{"mode": "lives"}', "did you mean 'live'"),
    ("POST", "links", b'{"name": 1}', "name is the number 1: send a string"),
    ("POST", "links", b'{"name": "a/b"}', "a/b"),
    ("POST", "links", b'{"name": "\\ud800"}', "name"),
    ("POST", "links", b'{"faults": []}', "faults is a list: send an object"),
    ("POST", "links", b'{"faults": {"dely": 1}}', "unknown fault 'dely': did you mean 'delay'"),
    ("POST", "links/link_none/person", b'{"act": "rightcode"}', "did you mean 'right_code'"),
    ("POST", "links/link_none/person", b"{}", "act is missing"),
    ("POST", "links/link_none/person", b'{"act": {}}', "act is an object: send a string"),
    ("POST", "clock/advance", b"{}", "seconds is missing"),
    ("POST", "clock/advance", b'{"seconds": -1}', "seconds is -1: send 0 to"),
    ("POST", "clock/advance", b'{"seconds": 1e99}', "seconds is 1e+99: send 0 to"),
    ("POST", "clock/advance", b'{"seconds": NaN}', "send a number of seconds"),
    ("POST", "clock/advance", b'{"seconds": true}', "send a number of seconds"),
    ("POST", "settle", b'{"time": 1}', "did you mean 'timeout'"),
    ("PUT", "faults", b'{"html502": 1}', "unknown fault 'html502': did you mean 'html_502'"),
    ("PUT", "faults", b'{"reset": 1.5}', "the rate of reset is 1.5: give a probability"),
    ("PUT", "faults", b'{"reset": "1"}', "the rate of reset is '1': give a probability"),
    ("PUT", "faults", b'{"reset": NaN}', "give a probability"),
    ("POST", "faults/next", b"{}", "fault is missing"),
    ("POST", "faults/next", b'{"fault": "rest"}', "did you mean 'reset'"),
    ("POST", "faults/next", b'{"fault": "reset", "times": 0}', "times is 0"),
    ("POST", "faults/next", b'{"fault": "reset", "times": "2"}', "times is a string: send a whole number"),
]


@pytest.mark.parametrize(("method", "path", "body", "says"), BAD)
def test_what_makes_no_sense_is_told_plainly(client, method, path, body, says):
    status, code, message = error(client.request(method, path, content=body))
    assert (status, code) == (400, "bad_request")
    assert says in message


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "links/link_none", 404, "there is no link 'link_none'"),
        ("POST", "links/link_none/person", 404, "link_none"),
        ("GET", "trut", 404, "did you mean 'truth'"),
        ("GET", "", 404, "known are links, links/{link_id}"),
        ("POST", "clock/advanced", 404, "did you mean 'clock/advance'"),
        ("GET", "clock/advance", 405, "GET is not for this path: send POST"),
        ("DELETE", "faults", 405, "DELETE is not for this path: send GET"),
        ("GET", "links/link_none/person", 405, "send POST"),
    ],
)
def test_what_is_not_there_is_told_plainly(client, method, path, status, says):
    answer = client.request(method, path, json={"act": "right_code"})
    assert error(answer)[0] == status
    assert says in error(answer)[2]


def test_a_name_is_used_once(client):
    client.post("links", json={"name": "once"})
    status, _, message = error(client.post("links", json={"name": "once"}))
    assert status == 400
    assert "once" in message


def test_the_end_of_time_is_not_an_accident(client, emulator):
    try:
        emulator.clock._base = datetime(9999, 12, 31, tzinfo=UTC)
        assert error(client.post("clock/advance", json={"seconds": 1e8}))[0] == 400
    finally:
        emulator.clock._base = START


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["attempts", "webhooks", "name", "mode", "seconds", "act", "fault", "times", *FAULTS]
)


@given(
    path=st.sampled_from(
        ["links", "links/x/person", "clock/advance", "settle", "faults/next", "faults", "x"]
    ),
    method=st.sampled_from(["POST", "PUT", "GET"]),
    body=st.dictionaries(FIELDS, JSON, max_size=3),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_nothing_is_a_500(client, path, method, body):
    assert client.request(method, path, json=body if method != "GET" else None).status_code < 500
