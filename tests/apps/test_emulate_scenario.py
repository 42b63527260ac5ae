"""Scenario files: what they say, and what is said of those that cannot be."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from bankbridge.emulate import (
    EndpointPlan,
    LinkPlan,
    ProviderPlan,
    Scenario,
    emulated,
    load_scenario,
    scenario_of,
    well_known_links,
)
from bankbridge.emulate.known import emulated_providers, kind_of, title_of
from bankbridge.words.errors import ConfigurationError
from bankbridge_rail.emulator import Timings

TOML = """
seed = 7
speed = 60
start = 2026-06-03T12:00:00-03:00

[rail]
port = 0
switches = { cancel = "gone" }
timings = { sync = 5, prompt_lasts = 90.5 }
faults = { drop = 0.5 }

[[rail.links]]
name = "ana"
institution = "santander"
attempts = ["mfa", "succeeds"]
webhooks = "twice"
accounts = 2
mode = "live"
faults = { duplicate = 1 }

[[rail.webhooks]]
url = "http://127.0.0.1:3000/webhooks/rail"
events = ["refresh_intent.succeeded"]
secret = "whsec_of_my_own"

[fintoc]
"""

MEANT = Scenario(
    seed=7,
    speed=60.0,
    start=datetime(2026, 6, 3, 15, 0, tzinfo=UTC),
    providers={
        "rail": ProviderPlan(
            port=0,
            switches={"cancel": "gone"},
            timings=Timings(sync=timedelta(seconds=5), prompt_lasts=timedelta(seconds=90.5)),
            faults={"drop": 0.5},
            links=(
                LinkPlan(
                    name="ana",
                    institution="santander",
                    attempts=("mfa", "succeeds"),
                    webhooks="twice",
                    accounts=2,
                    mode="live",
                    faults={"duplicate": 1.0},
                ),
            ),
            webhooks=(
                EndpointPlan(
                    url="http://127.0.0.1:3000/webhooks/rail",
                    events=("refresh_intent.succeeded",),
                    secret="whsec_of_my_own",
                ),
            ),
        ),
        "fintoc": ProviderPlan(),
    },
)


def test_toml_and_json_say_the_same(tmp_path):
    written = {
        "seed": 7,
        "speed": 60,
        "start": "2026-06-03T15:00:00Z",
        "rail": {
            "port": 0,
            "switches": {"cancel": "gone"},
            "timings": {"sync": 5, "prompt_lasts": 90.5},
            "faults": {"drop": 0.5},
            "links": [
                {
                    "name": "ana",
                    "institution": "santander",
                    "attempts": ["mfa", "succeeds"],
                    "webhooks": "twice",
                    "accounts": 2,
                    "mode": "live",
                    "faults": {"duplicate": 1},
                }
            ],
            "webhooks": [
                {
                    "url": "http://127.0.0.1:3000/webhooks/rail",
                    "events": ["refresh_intent.succeeded"],
                    "secret": "whsec_of_my_own",
                }
            ],
        },
        "fintoc": {},
    }
    (tmp_path / "one.toml").write_text(TOML, "utf-8")
    (tmp_path / "one.json").write_text(json.dumps(written), "utf-8")
    assert load_scenario(tmp_path / "one.toml") == MEANT
    assert load_scenario(tmp_path / "one.json") == MEANT


def test_an_empty_one_says_nothing():
    assert scenario_of({}) == Scenario()


def test_secrets_do_not_show():
    assert "whsec_of_my_own" not in repr(MEANT)


def problems_of(document):
    with pytest.raises(ConfigurationError) as raised:
        scenario_of(document)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"seed": "7"}, "seed: must be a whole number"),
        ({"speed": -1}, "speed: must be 0 or more"),
        ({"speed": 1e300}, "speed: must be at most 1000000"),
        ({"start": "1969-12-31T23:59:59Z"}, "start: must be from 1970 to 2199"),
        ({"start": "2026-06-03T15:00:00"}, "start: must be an ISO 8601 time with its offset from UTC"),
        ({"rial": {}}, "unknown key 'rial': did you mean 'rail'?"),
        ({"providers": {}}, "unknown key 'providers'"),
        ({"rail": 4}, "rail: must be a table"),
        ({"rail": {"port": 70_000}}, "rail.port: must be from 1 to 65535, or 0 for any free one"),
        ({"rail": {"switches": "gone"}}, "rail.switches: must be an object"),
        ({"rail": {"faults": []}}, "rail.faults: must be an object"),
        ({"rail": {"links": [{"faults": 1}]}}, "rail.links[0].faults: must be an object"),
        ({"rail": {"swiches": {}}}, "rail.swiches: unknown field, did you mean 'switches'?"),
        (
            {"rail": {"switches": {"cancle": "gone"}}},
            "rail.switches: unknown switch 'cancle': did you mean 'cancel'",
        ),
        (
            {"rail": {"switches": {"cancel": "gon"}}},
            "rail.switches: unknown value of switch cancel 'gon': did you",
        ),
        ({"rail": {"switches": {"create_status": 201}}}, "rail.switches[create_status]: must be a string"),
        ({"rail": {"timings": {"snyc": 5}}}, "rail.timings.snyc: unknown field, did you mean 'sync'?"),
        ({"rail": {"timings": {"sync": "5 s"}}}, "rail.timings.sync: must be a number of seconds"),
        ({"rail": {"timings": {"sync": -5}}}, "rail.timings.sync: must be from 0 seconds to ten years"),
        ({"rail": {"timings": {"sync": 1e13}}}, "rail.timings.sync: must be from 0 seconds to ten years"),
        # It would never end.
        ({"rail": {"timings": {"sync_every": 0}}}, "rail.timings.sync_every: must be a second or more"),
        (
            {"fintoc": {"timings": {"background_every": 0}}},
            "fintoc.timings.background_every: must be a second or more",
        ),
        ({"rail": {"faults": {"dorp": 1}}}, "rail.faults: unknown fault 'dorp': did you mean 'drop'?"),
        ({"rail": {"faults": {"drop": 1.1}}}, "rail.faults: the rate of drop is 1.1: give a probability"),
        ({"rail": {"faults": {"drop": "1"}}}, "rail.faults[drop]: must be a number"),
        ({"rail": {"links": {}}}, "rail.links: must be a list of tables"),
        ({"rail": {"links": ["ana"]}}, "rail.links[0]: must be a table"),
        (
            {"rail": {"links": [{}, {"nmae": "ana"}]}},
            "rail.links[1].nmae: unknown field, did you mean 'name'?",
        ),
        ({"rail": {"links": [{"accounts": "3"}]}}, "rail.links[0].accounts: must be a whole number"),
        (
            {"rail": {"links": [{}, {}, {"attempts": ["succeds"]}]}},
            "rail.links[2].attempts[0]: unknown script word 'succeds': did you mean 'succeeds'?",
        ),
        ({"rail": {"links": [{"attempts": "mfa"}]}}, "rail.links[0].attempts: must be a list"),
        (
            {"rail": {"links": [{"webhooks": "twize"}]}},
            "rail.links[0].webhooks: unknown webhook mode 'twize': did",
        ),
        (
            {"rail": {"links": [{"mode": "liv"}]}},
            "rail.links[0].mode: unknown mode 'liv': did you mean 'live'?",
        ),
        ({"rail": {"links": [{"faults": {"drop": 2}}]}}, "rail.links[0].faults: the rate of drop is 2.0"),
        ({"rail": {"webhooks": [{}]}}, "rail.webhooks[0].url: required field missing"),
        ({"rail": {"webhooks": [{"url": "ftp://x"}]}}, "rail.webhooks[0].url: must be an http or https URL"),
        (
            {"rail": {"webhooks": [{"url": "http://[x"}]}},
            "rail.webhooks[0].url: must be an http or https URL",
        ),
        (
            {"rail": {"webhooks": [{"url": "http://127.0.0.1/", "mode": "liv"}]}},
            "rail.webhooks[0].mode: unknown mode 'liv': did you mean 'live'?",
        ),
        ({"rail": {"port": 8102}, "fintoc": {}}, "fintoc.port: 8102 is the port of rail"),
        # What only the emulator knows.
        (
            {"rail": {"links": [{"institution": "santaner"}]}},
            "rail.links[0]: unknown institution 'santaner': did",
        ),
        ({"rail": {"links": [{"attempts": []}]}}, "rail.links[0]: attempts is empty"),
        ({"rail": {"links": [{"accounts": 0}]}}, "rail.links[0]: accounts is 0"),
        ({"rail": {"links": [{"name": "ana"}, {"name": "ana"}]}}, "rail.links[1]: "),
        (
            {"rail": {"webhooks": [{"url": "http://127.0.0.1/", "events": ["link.craeted"]}]}},
            "rail.webhooks[0]: unknown event type 'link.craeted': did you mean 'link.created'?",
        ),
    ],
)
def test_a_problem_carries_its_path_and_the_way_out(document, problem):
    (said,) = problems_of(document)
    assert said.startswith(problem)


def test_all_problems_are_said_at_once_in_the_order_of_the_file():
    document = {
        "seed": None,
        "rail": {
            "port": -1,
            "switches": {"cancle": "gone", "create_status": 201},
            "links": [{"accounts": "3", "attempts": ["succeds"]}, {"mode": "liv"}],
        },
        "fintok": {},
    }
    paths = [problem.split(":")[0] for problem in problems_of(document)]
    assert paths == [
        "seed",
        "rail.port",
        "rail.switches[create_status]",
        "rail.links[0].accounts",
        "unknown key 'fintok'",
        "rail.switches",
        "rail.links[0].attempts[0]",
        "rail.links[1].mode",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("one.toml", "seed = ", "is not TOML: Invalid value"),
        ("one.json", "{", "is not JSON: Expecting property name"),
        ("one.json", "[" * 100_000, "is not JSON: "),
        ("one.json", "[]", "must be an object"),
        ("one.yaml", "seed: 7", "a scenario's name ends in .toml or .json"),
        ("no/one.toml", None, "cannot be read (FileNotFoundError)"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, name, text, problem):
    path = tmp_path / name
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_scenario(path)
    (said,) = raised.value.problems
    assert said.startswith(f"{path}: {problem}")


def test_what_python_says_is_checked_too():
    wrong = Scenario(
        providers={"rael": ProviderPlan(), "rail": ProviderPlan(links=(LinkPlan(attempts=("succeds",)),))}
    )
    with pytest.raises(ConfigurationError) as raised, emulated(wrong):
        pytest.fail("it was served")
    rael, word = raised.value.problems
    assert rael.startswith("unknown provider 'rael': did you mean 'rail'?")
    assert word.startswith("rail.links[0].attempts[0]: unknown script word 'succeds'")


@pytest.mark.parametrize("name", emulated_providers())
def test_each_script_word_can_have_a_link_of_its_name(name):
    kind = kind_of(name)
    links = well_known_links(kind)
    assert [link.attempts for link in links] == [(word,) for word in kind.words]
    with emulated(Scenario(speed=0, providers={name: ProviderPlan(port=0, links=links)})) as providers:
        assert [link.link_id for link in providers[name].links] == [f"link_{word}" for word in kind.words]


@pytest.mark.parametrize("name", emulated_providers())
def test_what_a_plugin_says_of_its_emulator(name):
    kind = kind_of(name)
    assert title_of(name)
    assert all(switch.says and switch.source for switch in kind.switches.values())
    assert kind.example.is_valid()
    assert all(kind.words.values())


def test_no_two_emulators_have_the_same_usual_port():
    ports = [kind_of(name).port for name in emulated_providers()]
    assert len(set(ports)) == len(ports) == 2
