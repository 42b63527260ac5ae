"""``bankbridge demo``, really played: emulators, receiver, SQLite and all."""

import io
import json
import subprocess
import sys
from importlib.metadata import version

import attrs
from rich.console import Console
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.demo.play import Verdict, play
from bankbridge.demo.scenarios import SCENARIOS, Scenario
from bankbridge.demo.show import progress, report
from bankbridge.machine.status import Status
from bankbridge.words.reasons import Reason


def scenario(provider: str, title: str) -> Scenario:
    return next(one for one in SCENARIOS if (one.provider, one.title) == (provider, title))


def played(*chosen: Scenario, console: Console | None = None) -> list[Verdict]:
    console = console or Console(file=io.StringIO())
    with progress(console) as shown:
        return play(shown.watch, scenarios=chosen, speed=120.0)


def test_the_command_plays_every_scenario_and_agrees_with_the_truth() -> None:
    """The README's main job, a little slower than there: the tests beside it want the processor too."""
    done = subprocess.run(
        [sys.executable, "-m", "bankbridge.cli", "demo", "--json", "--speed", "120"],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-4000:]
    rows = json.loads(done.stdout)
    assert [(row["provider"], row["scenario"]) for row in rows] == [
        (one.provider, one.title) for one in SCENARIOS
    ]
    assert [row["differs"] for row in rows] == [[]] * len(SCENARIOS)
    assert {row["outcome"] for row in rows} == {"succeeded", "partial", "failed", "rejected", "canceled"}
    mixed = next(row for row in rows if row["scenario"] == "mixed accounts")
    assert (mixed["next_step"], mixed["then"]) == ("FetchMovements", "RefreshLater")
    assert len(mixed["fresh_accounts"]) == 2
    assert len(mixed["stale_accounts"]) == 1


def test_a_terminal_sees_progress_and_the_closing_table() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=150, color_system=None)
    verdicts = played(scenario("rail", "code: wrong"), scenario("fintoc", "mixed accounts"), console=console)
    report(console, verdicts, seconds=3.2)
    text = screen.getvalue()
    assert "of 2 over" in text
    assert "in progress" in text
    assert "rejected_credentials" in text
    assert "public_error=retryable_error" in text
    assert "fetch movements, then refresh later" in text
    assert "2 of 2 outcomes agree with the emulators' truth; 3 s." in text


def test_without_a_terminal_each_change_is_a_line() -> None:
    lines = io.StringIO()
    played(scenario("rail", "succeeds"), console=Console(file=lines, force_terminal=False, width=100))
    assert lines.getvalue().splitlines() == ["rail: succeeds: in progress", "rail: succeeds: succeeded"]


def test_what_differs_from_the_expectation_is_said() -> None:
    wrong = attrs.evolve(scenario("rail", "succeeds"), expects=(Status.FAILED, Reason.UNKNOWN))
    verdicts = played(wrong)
    assert verdicts[0].differs == ("expected failed", "expected unknown")
    screen = io.StringIO()
    report(Console(file=screen, width=150), verdicts, seconds=0)
    assert "DIFFERS" in screen.getvalue()
    assert "rail: succeeds: expected failed" in screen.getvalue()
    assert "0 of 1 outcomes agree" in screen.getvalue()


def test_an_intent_that_never_ends_is_not_waited_for_for_ever() -> None:
    stuck = attrs.evolve(scenario("rail", "succeeds"), title="stuck", attempts=("stuck",))
    verdicts = play(lambda _: None, scenarios=[stuck], speed=1.0, patience=0.5)
    assert "ended as in_progress" in verdicts[0].differs


def test_the_version_is_the_distribution_s() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"bankbridge {version('bankbridge')}\n")


def test_an_unknown_provider_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bankbridge.cli", "demo", "--only", "plaid"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "'plaid' is not played here (known: fintoc, rail)" in " ".join(
        done.stderr.replace("│", " ").split()
    )
