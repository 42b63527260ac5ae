"""``bankbridge doctor``, as a person and a program meet it."""

import io
import json
import os
import subprocess
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.doctor.checks import Check, Verdict, WaitingFor, ok, problem, skipped, warning
from bankbridge.doctor.show import watch
from tests.doctor.conftest import RAIL

SAID = (
    ok("configuration", "bankbridge.toml: 1 connection, nothing wrong with it"),
    WaitingFor(what="[::1]:80, for rail"),
    warning("store", "in memory: nothing survives a restart, and no other process sees it", "give it a path"),
    problem("reachability", "[::1]:80: nothing listens there", "see that a firewall lets this machine out"),
    skipped("clock", "[::1]:80 does not answer"),
)


def run(path, *arguments):
    return CliRunner().invoke(app, ["doctor", "--config", str(path), *arguments])


def test_the_exit_code_tells_warnings_from_problems(clinic):
    path = clinic.write(RAIL)
    assert run(path, "--offline").exit_code == 0
    path.write_text(RAIL.replace("secret_key", "secret_kee"))
    assert run(path, "--offline").exit_code == 1


@pytest.mark.parametrize(
    ("text", "says"), [(None, "cannot be read (FileNotFoundError)"), ("[x", "is not TOML"), ("é", "")]
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_file_that_cannot_be_read(clinic, text, says, as_json):
    path = clinic.folder / "bankbridge.toml"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    result = run(path, *["--json"] * as_json)
    assert result.exit_code == 2
    assert says in result.stdout
    assert "name the right file with --config" in result.stdout


def test_a_program_gets_values(clinic):
    result = run(clinic.write(RAIL), "--offline", "--json")
    read = json.loads(result.stdout)
    assert read["verdict"] == "warning"
    assert [check["name"] for check in read["checks"]] == [
        "configuration",
        "plugins",
        "secret files",
        "store",
        "engine",
        "webhook secrets",
        "reachability",
    ]
    assert read["checks"][3] == {
        "name": "store",
        "verdict": "warning",
        "says": "in memory: nothing survives a restart, and no other process sees it",
        "remedy": "give [store] a path or a url: docs/how-to/store-in-sqlite.md",
    }


def test_it_is_found_in_this_folder_and_leaves_nothing_there(clinic):
    clinic.write(RAIL)
    done = subprocess.run(
        [sys.executable, "-m", "bankbridge.cli", "doctor", "--offline"],
        cwd=clinic.folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("ok       configuration    bankbridge.toml: 1 connection")
    assert done.stdout.endswith("0 problems, 1 warning, 5 ok, 1 not looked at\n")
    assert [path.name for path in clinic.folder.iterdir()] == ["bankbridge.toml"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_word_is_shown_at_any_width(width):
    console = Console(width=width, file=io.StringIO())
    checks = watch(SAID, console)
    assert checks == [one for one in SAID if isinstance(one, Check)]
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    words = " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= width
    assert words.endswith("1 problem, 1 warning, 1 ok, 1 not looked at")
    for check in checks:
        for word in f"{check.verdict.value} {check.name} {check.says} {check.remedy or ''}".split():
            assert word in words


def test_verdicts_are_ordered_as_they_count():
    assert [verdict.value for verdict in Verdict] == ["ok", "warning", "problem", "skipped"]
