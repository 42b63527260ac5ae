"""pytest's fixtures, as an application's tests use them: every test here runs pytest on files of its own."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

# Whatever an emulator leaves behind is an error, and so is every warning.
CONFTEST = '''
import os
import threading
from pathlib import Path

import pytest


def sockets():
    """The sockets that this process holds, where the system lists them."""
    folder = Path("/proc/self/fd")
    names = folder.iterdir() if folder.exists() else ()
    found = []
    for name in names:
        try:
            found.append(os.readlink(name))
        except OSError:
            pass
    return {one for one in found if one.startswith("socket:")}


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = sockets()
    threads = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == threads
    assert sockets() <= before
'''

SETTINGS = """
[pytest]
addopts = --strict-markers
filterwarnings = error
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture
def project(pytester):
    """A project with tests of its own, and nothing of ours."""
    pytester.makeini(SETTINGS)
    pytester.makeconftest(CONFTEST)
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_a_test_gets_a_served_emulator_of_each_provider(project):
    project.makepyfile(
        """
        import urllib.request
        import json


        def get(emulator, path, authorization):
            request = urllib.request.Request(emulator.url + path, headers={"authorization": authorization})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)


        def test_rail(rail_emulator):
            link = rail_emulator.add_link(attempts=["mfa"])
            (seen,) = get(rail_emulator, "/v1/links", f"Bearer {rail_emulator.secret_key}")
            assert seen["id"] == link.link_id
            assert list(rail_emulator.truth()["links"]) == [link.link_id]


        def test_again_nothing_is_left_of_it(rail_emulator):
            assert get(rail_emulator, "/v1/links", f"Bearer {rail_emulator.secret_key}") == []


        def test_both(rail_emulator, fintoc_emulator, emulator_clock):
            assert rail_emulator.url != fintoc_emulator.url
            assert rail_emulator.clock is fintoc_emulator.clock is emulator_clock
            assert emulator_clock.speed == 0
            link = fintoc_emulator.add_link()
            (seen,) = get(fintoc_emulator, "/v1/links", fintoc_emulator.secret_key)
            assert seen["id"] == link.link_id
        """
    )
    run(project).assert_outcomes(passed=3)


WITH_WEBHOOKS = '''
import asyncio
import http.server
import json
import threading
import urllib.request
from contextlib import contextmanager
from datetime import timedelta

MINUTES = timedelta(minutes=3)


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.events.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["type"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def receiver():
    """An application that knows nothing of bankbridge."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.events = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refresh(emulator, link):
    body = json.dumps({"link_id": link.link_id}).encode()
    headers = {"authorization": f"Bearer {emulator.secret_key}", "content-type": "application/json"}
    request = urllib.request.Request(emulator.url + "/v1/refresh_intents", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_in_a_blocking_test(rail_emulator):
    with receiver() as server:
        assert rail_emulator.register_webhook(f"http://127.0.0.1:{server.server_port}/").startswith("whsec_")
        refresh(rail_emulator, rail_emulator.add_link(attempts=["succeeds"]))
        rail_emulator.pass_time(MINUTES)
        assert "refresh_intent.succeeded" in server.events


def test_in_an_async_test_whose_loop_serves_the_receiver(rail_emulator):
    events = []

    async def take(reader, writer):
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        length = next(line for line in head.decode().lower().split("\\r\\n") if line.startswith("content-length"))
        events.append(json.loads(await reader.readexactly(int(length.split(":")[1])))["type"])
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\n\\r\\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def play():
        server = await asyncio.start_server(take, "127.0.0.1", 0)
        async with server:
            rail_emulator.register_webhook("http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1])
            link = rail_emulator.add_link(attempts=["mfa"])
            await asyncio.to_thread(refresh, rail_emulator, link)
            await asyncio.to_thread(rail_emulator.pass_time, timedelta(seconds=20))
            rail_emulator.person(link.link_id, "right_code")
            await asyncio.to_thread(rail_emulator.pass_time, MINUTES)

    asyncio.run(play())
    assert "refresh_intent.requires_mfa" in events
    assert "refresh_intent.succeeded" in events
'''


def test_webhooks_reach_blocking_and_async_applications_that_know_nothing_of_bankbridge(project):
    project.makepyfile(WITH_WEBHOOKS)
    run(project).assert_outcomes(passed=2)


def test_an_application_that_uses_bankbridge(project):
    project.makepyfile(
        """
        from datetime import timedelta

        import pytest

        from bankbridge import AsyncBankBridge, BankBridge
        from bankbridge_rail import Rail


        def connection(emulator):
            return Rail(
                secret_key=emulator.secret_key, webhook_secrets=("whsec_unused",), base_url=emulator.url
            )


        def test_blocking(rail_emulator, emulator_clock):
            link = rail_emulator.add_link()
            with BankBridge({"rail": connection(rail_emulator)}, clock=emulator_clock.now) as bridge:
                bridge.add_link("rail", link.link_id)
                intent = bridge.refresh(link.link_id)
                rail_emulator.pass_time(timedelta(minutes=2))
                bridge.wake_due()
                assert bridge.outcome(intent.id).status.value == "succeeded"


        @pytest.mark.asyncio
        async def test_async(rail_emulator, emulator_clock):
            link = rail_emulator.add_link()
            async with AsyncBankBridge({"rail": connection(rail_emulator)}, clock=emulator_clock.now) as bridge:
                await bridge.add_link("rail", link.link_id)
                intent = await bridge.refresh(link.link_id)
                rail_emulator.pass_time(timedelta(minutes=2))
                await bridge.wake_due()
                assert (await bridge.outcome(intent.id)).status.value == "succeeded"
        """
    )
    run(project).assert_outcomes(passed=2)


def test_the_marker_says_how_they_are_made(project):
    (project.path / "stories.toml").write_text(
        "seed = 5\nspeed = 0\n[rail]\nport = 8101\n[[rail.links]]\nname = 'ana'\n", "utf-8"
    )
    project.makepyfile(
        """
        from datetime import datetime, timezone

        import pytest

        START = datetime(2026, 6, 3, 15, tzinfo=timezone.utc)


        @pytest.mark.emulator(seed=7, speed=60, start=START, switches={"cancel": "gone"}, faults={"slow": 0.0})
        def test_one_marker(rail_emulator):
            assert rail_emulator.clock.speed == 60
            assert rail_emulator.clock.now() >= START
            assert rail_emulator.emulator.switches["cancel"] == "gone"
            assert rail_emulator.faults.rates == {"slow": 0.0}


        @pytest.mark.emulator(seed=7, switches={"create_status": "200", "list_shape": "data"})
        class TestMarkersOfAClass:
            @pytest.mark.emulator(switches={"rail.create_status": "202"})
            def test_what_is_nearer_to_the_test_goes_first(self, rail_emulator, fintoc_emulator):
                assert rail_emulator.emulator.switches["create_status"] == "202"
                assert rail_emulator.emulator.switches["list_shape"] == "data"
                assert fintoc_emulator.emulator.switches["create_status"] == "200"


        @pytest.mark.emulator(scenario="stories.toml", start="2026-06-03T15:00:00Z")
        def test_a_scenario(rail_emulator):
            assert [link.link_id for link in rail_emulator.links] == ["link_ana"]
            assert rail_emulator.clock.now() == START
            assert not rail_emulator.url.endswith(":8101")


        KEYS = {}


        @pytest.mark.parametrize("again", [1, 2])
        @pytest.mark.emulator(seed=9)
        def test_a_seed_gives_the_same_again(rail_emulator, again):
            assert KEYS.setdefault(9, rail_emulator.secret_key) == rail_emulator.secret_key
        """
    )
    run(project).assert_outcomes(passed=5)


def test_a_project_may_bring_a_clock_of_its_own(project):
    project.makepyfile(
        """
        from datetime import datetime, timezone

        import pytest

        from bankbridge.emulation import Clock

        START = datetime(2030, 1, 1, tzinfo=timezone.utc)


        @pytest.fixture
        def emulator_clock():
            return Clock(start=START, speed=0)


        def test_it_is_used(rail_emulator, fintoc_emulator):
            assert rail_emulator.clock.now() == fintoc_emulator.clock.now() == START
        """
    )
    run(project).assert_outcomes(passed=1)


WRONG_MARKERS = {
    "speeed=1": "unknown argument 'speeed': did you mean 'speed'?",
    "7": "give every argument by its name",
    "switches={'cancle': 'gone'}": "switch cancle=gone: unknown switch 'cancle': did you mean 'cancel'?",
    "faults={'drop': 2}": "fault drop=2: the rate of drop is 2.0: give a probability from 0 to 1",
    "seed='7'": "seed: must be a whole number",
    "start='now'": "start: must be an ISO 8601 time with its offset from UTC",
    "switches=['cancel']": "switches is ['cancel']: give a dict",
    "scenario=5": "scenario is 5: give the path of a scenario file",
    "scenario='none.toml'": "none.toml: cannot be read (FileNotFoundError)",
}


def test_a_marker_that_cannot_be_is_said_without_a_traceback(project):
    tests = [
        f"@pytest.mark.emulator({marker})\ndef test_{number}(rail_emulator): pass\n"
        for number, marker in enumerate(WRONG_MARKERS)
    ]
    project.makepyfile("\n".join(["import pytest\n", *tests]))
    result = run(project)
    result.assert_outcomes(errors=len(WRONG_MARKERS))
    lines = [line for line in result.outlines if line.startswith("marker emulator: ")]
    assert len(lines) == len(WRONG_MARKERS)
    for line, problem in zip(lines, WRONG_MARKERS.values(), strict=True):
        assert problem in line
    assert "Traceback" not in result.stdout.str()
    assert "During handling" not in result.stdout.str()


def test_tests_on_several_processes_are_not_in_each_other_s_way(project):
    project.makepyfile(
        """
        import pytest


        @pytest.mark.parametrize("number", range(8))
        def test_it_is_alone(rail_emulator, fintoc_emulator, number):
            rail_emulator.add_link(name="ana")
            assert list(rail_emulator.truth()["links"]) == ["link_ana"]
        """
    )
    run(project, "-n", "2").assert_outcomes(passed=8)


def test_the_marker_and_the_fixtures_are_listed_for_those_who_ask(project):
    assert "@pytest.mark.emulator(seed=0, speed=0" in run(project, "--markers").stdout.str()
    listed = run(project, "--fixtures").stdout.str()
    for name in ("rail_emulator", "fintoc_emulator", "emulator_clock"):
        assert f"{name} -- " in listed


HEAVY = {
    "httpx",
    "cattrs",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "pluggy_",
    "typer",
    "rich",
    "bankbridge_rail",
}


def test_a_run_without_an_emulator_loads_nothing_of_it(project):
    project.makepyfile(
        f"""
        import sys


        def test_nothing_is_loaded():
            assert {HEAVY!r}.isdisjoint(sys.modules)
            assert not [name for name in sys.modules if name.startswith(("bankbridge.emul", "bankbridge.shells.a"))]
        """
    )
    # pytest's own plugins here load httpx; an application's need not.
    result = run(project, "-p", "no:recording", "-p", "no:hypothesispytest", "-p", "no:anyio")
    result.assert_outcomes(passed=1)


def test_without_the_extra_a_fixture_says_how_to_get_it(project):
    project.makepyfile(
        """
        def test_nothing_of_it():
            pass


        def test_it_is_asked_for(rail_emulator):
            pass
        """
    )
    project.makeconftest("import sys\n\nsys.modules['starlette'] = None\n")
    result = run(project)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["the emulators need starlette*: pip install 'bankbridge?emulator?'"])


def test_without_the_provider_s_plugin_a_fixture_says_how_to_get_it(project):
    project.makepyfile("def test_it_is_asked_for(rail_emulator):\n    pass\n")
    project.makeconftest(
        "from bankbridge import registry\n\nregistry.plugins = lambda found=registry.plugins(): "
        "{name: plugin for name, plugin in found.items() if name != 'rail'}\n"
    )
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*rail_emulator needs bankbridge-rail: pip install 'bankbridge?emulator?'"])


def test_the_module_loads_nothing_heavy():
    command = [sys.executable, "-c", "import sys, bankbridge.pytest_plugin; print(*sys.modules)"]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert HEAVY.isdisjoint(loaded)
