"""Whatever a client sends, the emulated Fintoc answers as the real one says that it does: never with a 500."""

import json
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bankbridge.emulation import Clock, Server
from bankbridge_fintoc.emulator import create_emulator
from bankbridge_fintoc.emulator.app import ROUTES
from bankbridge_fintoc.emulator.errors import STATUSES
from tests.fintoc.served import NOON, OUTCOMES, Fintoc, client_of

FIELDS = (
    *("link_token", "refresh_type", "result_status", "page", "per_page", "since", "until", "confirmed_only"),
    *("status", "active", "url", "enabled_events", "name", "description", "disabled", "type", "overrides"),
    *("product", "country", "holder_type", "exchange_token"),
)
GOOD = ("succeeded", "only_last", "1", "300", "2026-03-01", "false", "active", OUTCOMES[0], "movements", "cl")
TEXTS = st.one_of(st.sampled_from(GOOD), st.text(max_size=20), st.just("9" * 30), st.just("2026-13-40"))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6).map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=40),
    st.just(b""),
)
HEADERS = st.dictionaries(
    st.sampled_from(("Idempotency-Key", "Fintoc-Version", "Content-Type", "If-None-Match", "Accept")),
    st.one_of(
        st.sampled_from(("2026-02-01", "application/x-www-form-urlencoded", "*", "a")),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    ),
    max_size=3,
)
SWITCHES: tuple[dict[str, str], ...] = (
    {},
    {"form_bodies": "accepted", "per_page_over_300": "cut", "id_form": "bare"},
)


@pytest.fixture(scope="module")
def served_once(leave):
    """One emulator for all examples of a set of switches."""
    made: dict[str, tuple] = {}
    with ExitStack() as stack:

        def get(switches):
            key = json.dumps(switches)
            if key not in made:
                emulator = create_emulator(Clock(start=NOON, speed=0), switches=switches)
                server = Server(emulator.app)
                server.start()
                stack.callback(leave, server)
                client = stack.enter_context(client_of(server, {"Authorization": emulator.secret_key}))
                fintoc = Fintoc(emulator, client)
                body = {"url": "http://127.0.0.1:1", "enabled_events": OUTCOMES}
                endpoint = client.post("/v1/webhook_endpoints", json=body).json()
                made[key] = (fintoc, emulator.add_link(), endpoint)
            return made[key]

        yield get


@pytest.mark.parametrize("switches", SWITCHES, ids=("usual", "lenient"))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_is_sent_breaks_it(served_once, switches, data):
    fintoc, link, endpoint = served_once(switches)
    method, path = data.draw(st.sampled_from(sorted(ROUTES)))
    known = {
        "{link_token}": link.link_token,
        "{link_id}": "link_0",
        "{account_id}": link.account_ids[0],
        "{endpoint_id}": endpoint["id"],
    }
    for name, value in known.items():
        path = path.replace(name, data.draw(st.sampled_from((value, "x", "%00", "%F0%9F%A6%80"))))
    path = path.replace("{intent_id}", "ri_0").replace("{movement_id}", "mov_0")
    query = data.draw(st.dictionaries(st.sampled_from(FIELDS), TEXTS.map(_sendable), max_size=4))
    if data.draw(st.booleans()):
        query["link_token"] = link.link_token
    method = data.draw(st.sampled_from((method, method, method, "PUT", "GET", "POST")))
    answer = fintoc.client.request(
        method, path, params=query, content=data.draw(BODIES), headers=data.draw(HEADERS)
    )
    assert answer.status_code < 500, (method, path, query)
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert set(error) >= {"type", "code", "message"}
        assert error["code"] in STATUSES
        assert answer.headers["content-type"].startswith("application/json")


def _sendable(text: str) -> str:
    # A lone surrogate cannot stand in a URL.
    return text.encode(errors="replace").decode()
