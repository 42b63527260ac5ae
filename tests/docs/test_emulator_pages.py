"""The pages about emulators: their commands are typed, their tests run, and print what the page says."""

import re
import subprocess
import sys

import pytest
from starlette.routing import Route

from bankbridge.emulate.known import emulated_providers, make
from bankbridge.emulation import Clock
from docs.generate import generated
from tests.docs.blocks import write_files
from tests.docs.terminal import play
from tests.docs.test_pages import PAGES
from tests.needs import program


@pytest.mark.parametrize("name", ["how-to/run-the-emulators.md", "how-to/write-a-scenario.md"])
def test_the_commands_of_a_page_print_what_it_says(name, tmp_path):
    program("curl", "apt-get install curl")
    outputs = play(PAGES[name], tmp_path)
    assert outputs
    for line, shown, printed in outputs:
        assert printed == shown, f"{name}:{line}: it prints otherwise"


def test_the_tests_of_a_page_pass(tmp_path):
    """In a folder of their own, by the fixtures that are installed, and with warnings for errors."""
    files = write_files(PAGES["how-to/test-your-application.md"], tmp_path)
    tests = {path.stem for path in files if path.stem.startswith("test_")}
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n", "utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tests == {"test_shop", "test_bridge", "test_async", "test_marked", "test_own_clock"}
    assert "6 passed" in done.stdout
    assert "skipped" not in done.stdout


def test_a_test_of_a_page_has_fifteen_lines_at_most(tmp_path):
    """As the page's reader is promised: the test alone, without its imports."""
    for path in write_files(PAGES["how-to/test-your-application.md"], tmp_path):
        for test in path.read_text("utf-8").split("\ndef test_")[1:]:
            lines = [line for line in test.splitlines() if line.strip()]
            assert len(lines) <= 15, path.name


@pytest.mark.parametrize("name", emulated_providers())
def test_the_reference_has_every_control_and_no_other(name):
    files = generated()
    shown = re.findall(
        r"^([A-Z]+) +(/__emulator/\S+)",
        files["emulator-controls.md"] + files[f"{name}-controls.md"],
        re.MULTILINE,
    )
    routes = {
        (method, re.sub(r"{\w+}", "{}", route.path))
        for route in make(name, Clock(speed=0)).app.routes
        if isinstance(route, Route) and route.path.startswith("/__emulator/")
        if not route.path.startswith("/__emulator/widget") and "{path:path}" not in route.path
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(method, re.sub(r"{\w+}", "{}", path)) for method, path in shown} == routes
