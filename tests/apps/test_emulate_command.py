"""``bankbridge emulate``, as people and programs meet it."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.emulate.known import emulated_providers, kind_of
from bankbridge.emulation import FAULTS, PERSON_ACTS, WEBHOOK_MODES
from bankbridge.emulation.kind import EmulatorKind
from tests.stages import AUTHORIZATION

PATIENCE = 60
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}


@contextmanager
def running(*arguments):
    """The command in a process of its own; it must end by itself."""
    command = [sys.executable, "-m", "bankbridge.cli", "emulate", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def started(process):
    """What it prints once it is up, with ``--json``."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            return json.loads("".join(lines))
    raise AssertionError(process.stderr.read())


def stopped(process, number=signal.SIGINT):
    """Its exit code and everything it says from now on."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def invoke(*arguments):
    return CliRunner().invoke(app, ["emulate", *arguments], env=PLAIN)


def said(result):
    """The problems that ended it with 2."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return [line.removeprefix("bankbridge emulate: ") for line in result.stderr.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(number):
    with running("rail:0", "fintoc:0", "--seed", "7", "--json") as process:
        shown = started(process)
        assert shown["seed"] == 7
        for name, one in shown["providers"].items():
            authorization = AUTHORIZATION[name](one["keys"]["secret_test"])
            with httpx.Client(
                base_url=one["url"], headers={"authorization": authorization}, trust_env=False
            ) as client:
                assert client.get("/v1/links").status_code == 200
                assert client.get(one["widget"]).status_code == 200
                truth = client.get(one["control"] + "truth").json()
            assert list(truth["links"]) == [link["link_id"] for link in one["links"]]
            assert list(truth["links"]) == [f"link_{word}" for word in kind_of(name).words]
        assert stopped(process, number) == (0, "", "")


def test_curl_can_pick_a_story_by_the_name_of_a_link():
    with running("rail:0", "--json", "--speed", "0", "--start", "2026-06-03T15:00:00Z") as process:
        rail = started(process)["providers"]["rail"]
        headers = {"authorization": f"Bearer {rail['keys']['secret_test']}"}
        with httpx.Client(base_url=rail["url"], headers=headers, trust_env=False) as client:
            asked = client.post("/v1/refresh_intents", json={"link_id": "link_mfa"})
            assert asked.status_code == 201
            client.post("/__emulator/clock/advance", json={"seconds": 20})
            client.post("/__emulator/settle")
            read = client.get(f"/v1/refresh_intents/{asked.json()['id']}").json()
            assert read["status"] == "requires_mfa"
        assert stopped(process)[0] == 0


def test_the_same_seed_opens_the_same_doors():
    def doors(seed):
        with running("fintoc:0", "--json", "--seed", seed) as process:
            one = started(process)["providers"]["fintoc"]
            stopped(process)
            return one["keys"], one["links"]

    seventh = doors("7")
    assert doors("7") == seventh
    assert doors("8") != seventh


def test_a_scenario_file_and_what_the_command_line_says_over_it(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(
        "seed = 3\nspeed = 0\n[rail]\nport = 0\nswitches = { list_shape = 'data' }\n"
        "[[rail.links]]\nname = 'ana'\n[[rail.webhooks]]\nurl = 'http://127.0.0.1:9/'\nsecret = 'whsec_mine'\n"
    )
    options = ("--switch", "rail.create_status=202", "--fault", "drop=1", "--seed", "4", "--json")
    with running("--scenario", str(path), *options) as process:
        shown = started(process)
        assert (shown["seed"], shown["speed"], list(shown["providers"])) == (4, 0.0, ["rail"])
        rail = shown["providers"]["rail"]
        assert [link["link_id"] for link in rail["links"]] == ["link_ana"]
        assert rail["webhooks"] == [{"url": "http://127.0.0.1:9/", "secret": "whsec_mine"}]
        switches = httpx.get(rail["control"] + "switches", trust_env=False).json()
        assert (switches["list_shape"], switches["create_status"]) == ("data", "202")
        assert httpx.get(rail["control"] + "faults", trust_env=False).json() == {"drop": 1.0}
        assert stopped(process)[0] == 0


def test_the_first_screen_has_all_that_one_needs_and_fits():
    with running("rail:0", "--seed", "7") as process:
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                break
        assert stopped(process) == (0, "", "")
    screen = "\n".join(lines)
    url = lines[0].removeprefix("Rail at ")
    assert url.startswith("http://127.0.0.1:")
    for part in (
        "rail_sk_test_",
        "rail_pk_live_",
        "link_response_lost",
        f"{url}/__emulator/widget/",
        f"{url}/__emulator/truth",
        f"curl {url}/v1/refresh_intents \\",
        "time runs as it does here",
        "Ctrl-C stops",
    ):
        assert part in screen
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in screen


def test_a_port_in_use_is_said_plainly():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (problem,) = said(invoke(f"rail:{port}"))
    assert problem == (
        f"rail: port {port} on 127.0.0.1 is in use: choose another, or 0 for any free one; "
        "write it after the provider's name, NAME:PORT"
    )


def test_without_the_extra_it_says_how_to_get_it():
    program = "import sys; sys.modules['starlette'] = None; from bankbridge.cli import app; app(['emulate'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("bankbridge emulate: starlette")
    assert done.stderr.endswith("is missing: pip install 'bankbridge[emulator]'\n")


def test_an_address_that_is_not_of_this_machine():
    (problem,) = said(invoke("rail:0", "--host", "203.0.113.7"))
    assert problem.startswith("cannot listen on 203.0.113.7: ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["rael"], "unknown provider 'rael': did you mean 'rail'?"),
        (["rail:x"], "the port of rail is 'x': give a number, 0 for any free one"),
        (["rail:"], "the port of rail is '': give a number"),
        (["rail:70000"], "port: must be from 1 to 65535"),
        (["rail:9001", "rail:9002"], "rail is named twice: name it once"),
        (["--switch", "cancle=gone"], "switch cancle=gone: unknown switch 'cancle': did you mean 'cancel'?"),
        (
            ["--switch", "cancel=gon"],
            "switch cancel=gon: unknown value of switch cancel 'gon': did you mean 'gone'?",
        ),
        (
            ["--switch", "rael.cancel=gone"],
            "switch rael.cancel=gone: unknown provider 'rael': did you mean 'rail'?",
        ),
        (
            ["--switch", "fintoc.cancel=gone"],
            "switch fintoc.cancel=gone: unknown switch 'cancel': did you mean",
        ),
        (["--switch", "cancel"], "switch cancel: write NAME=VALUE, or PROVIDER.NAME=VALUE"),
        (["--fault", "dorp=1"], "fault dorp=1: unknown fault 'dorp': did you mean 'drop'?"),
        (["--fault", "drop=2"], "fault drop=2: the rate of drop is 2.0: give a probability from 0 to 1"),
        (["--fault", "drop=often"], "fault drop=often: 'often' is no number: give a probability from 0 to 1"),
        (["--fault", "rael.drop=1"], "fault rael.drop=1: unknown provider 'rael': did you mean 'rail'?"),
        (["--speed", "-1"], "speed: must be 0 or more"),
        (["--speed", "nan"], "speed: must be a number"),
        (["--speed", "1e300"], "speed: must be at most 1000000"),
        (["--start", "9999-12-31T23:59:59Z"], "start: must be from 1970 to 2199"),
        (["--start", "yesterday"], "start: must be an ISO 8601 time with its offset from UTC"),
        (["--scenario", "none.toml"], "none.toml: cannot be read (FileNotFoundError)"),
        (["rail:8102", "fintoc"], "fintoc.port: 8102 is the port of rail"),
    ],
)
def test_what_cannot_be_is_said_with_the_way_out(arguments, problem):
    (line,) = said(invoke(*arguments))
    assert line.startswith(problem)


def test_all_that_is_wrong_is_said_at_once():
    lines = said(invoke("rail", "rael", "--switch", "cancle=gone", "--fault", "dorp=1", "--speed", "-1"))
    assert [line.split()[0] for line in lines] == ["unknown", "switch", "fault", "speed:"]


def test_a_switch_without_a_provider_is_turned_wherever_it_is_known():
    with running(
        "rail:0", "fintoc:0", "--switch", "create_status=200", "--switch", "cancel=gone", "--json"
    ) as process:
        providers = started(process)["providers"]
        turned = {
            name: httpx.get(one["control"] + "switches", trust_env=False).json()
            for name, one in providers.items()
        }
        stopped(process)
    assert {name: switches["create_status"] for name, switches in turned.items()} == {
        "rail": "200",
        "fintoc": "200",
    }
    assert turned["rail"]["cancel"] == "gone"


def unwrapped(text):
    """A screen as one line, as no reader minds where it was wrapped."""
    return " ".join(text.split())


def test_every_switch_is_listed_with_its_values_and_source():
    result = invoke("--list-switches")
    assert result.exit_code == 0
    text = unwrapped(result.stdout)
    for name in emulated_providers():
        for switch in kind_of(name).switches.values():
            assert f"{switch.name} {switch.default} (default)" in text
            assert all(value in text for value in switch.values)
            assert unwrapped(switch.says) in text
            assert switch.source in text
    assert_fits(result.stdout)
    listed = json.loads(invoke("--list-switches", "--json").stdout)
    assert {name: list(switches) for name, switches in listed.items()} == {
        name: list(kind_of(name).switches) for name in emulated_providers()
    }
    assert listed["rail"]["cancel"]["default"] == "failed"
    assert set(listed["rail"]["cancel"]) == {"values", "default", "says", "source"}


def test_the_switches_of_one_provider():
    result = invoke("rail", "--list-switches")
    assert "Rail: what its documentation leaves open" in result.stdout
    assert "Fintoc: what" not in result.stdout


def test_every_fault_is_listed():
    result = invoke("--list-faults")
    text = unwrapped(result.stdout)
    assert all(f"{fault.name} {unwrapped(fault.says)}" in text for fault in FAULTS.values())
    assert_fits(result.stdout)
    listed = json.loads(invoke("--list-faults", "--json").stdout)
    assert list(listed) == list(FAULTS)
    assert listed["drop"]["side"] == "webhook"


def test_every_word_is_listed():
    result = invoke("--list-words")
    text = unwrapped(result.stdout)
    for name in emulated_providers():
        assert all(f"{word} {unwrapped(says)}" in text for word, says in kind_of(name).words.items())
    assert all(word in text for word in (*WEBHOOK_MODES, *PERSON_ACTS))
    assert_fits(result.stdout)
    listed = json.loads(invoke("--list-words", "--json").stdout)
    assert listed["attempts"]["rail"]["mfa"] == kind_of("rail").words["mfa"]
    assert (listed["webhooks"], listed["person"]) == (list(WEBHOOK_MODES), list(PERSON_ACTS))


def assert_fits(screen):
    """All but the addresses, which must be whole to be opened."""
    assert max(len(line) for line in screen.splitlines() if "https://" not in line) <= 80
    assert "\x1b" not in screen


def test_the_help_says_what_it_takes():
    text = unwrapped(invoke("--help").stdout)
    for option in ("--seed", "--speed", "--scenario", "--switch", "--fault", "--list-switches", "--host"):
        assert option in text
    assert EmulatorKind.__name__ not in text
