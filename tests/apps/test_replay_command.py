"""``bankbridge replay``, as a person runs it."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from bankbridge import Status
from bankbridge.cli import app
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge_rail import Rail
from tests.shells.scripted import LINK, START, Desk, not_hearing

SUCCEEDED = "refresh_intent.succeeded"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A store that a version wrote which did not know two event types, and its configuration beside it."""
    key = new_key()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAIL_SECRET_KEY", "rail_sk_test_1")
    (tmp_path / "bankbridge.toml").write_text(
        f"[store]\npath = 'store.db'\nkeys = ['{key}']\n"
        "[connections.rail]\nsecret_key = { env = 'RAIL_SECRET_KEY' }\n"
        "webhook_secrets = ['whsec_0']\nbase_url = 'http://127.0.0.1:1'\n"
    )
    store = sqlite_store(tmp_path / "store.db", keys=[key])
    yield Desk(not_hearing(Rail, SUCCEEDED, "link.expired"), store=store)
    store.close()


def run(*arguments):
    return CliRunner().invoke(app, ["replay", *arguments])


def lost(desk) -> str:
    """An intent whose success was not understood."""
    intent = desk.bridge.refresh(LINK)
    desk.hear(SUCCEEDED)
    desk.wake(most=99)
    assert desk.bridge.outcome(intent.id).status is Status.LOST
    return intent.id


def test_where_nothing_differs_the_counts_say_so(desk):
    desk.bridge.refresh(LINK)
    result = run()
    assert (result.exit_code, result.stdout) == (0, "1 intents: 1 same, 0 differ, 0 not enough is stored\n")


def test_what_differs_is_shown_with_where_it_turns(desk):
    intent_id = lost(desk)
    desk.hear("link.expired")
    desk.bridge.wake_due()
    before = desk.store.transact(lambda tx: tx.intent(intent_id))
    result = run()
    assert result.exit_code == 1
    for words in (
        f"intent {intent_id}",
        "rail, link link_1",
        "lost: no answer",
        "refresh later",
        "succeeded",
        "fetch movements",
        "refresh_intent.succeeded",
        "delivery rail/evt_",
        "not understood",
        "link.expired: LinkExpired",
        "1 intents: 0 same, 1 differ, 0 not enough is stored",
        "1 deliveries that were not understood mean something now",
        "recorded events do not fit the stories as they are told now",
    ):
        assert words in result.stdout
    assert desk.store.transact(lambda tx: tx.intent(intent_id)) == before, "it only reads"


def test_for_a_program_there_is_a_line_for_each(desk):
    intent_id = lost(desk)
    result = run("--json")
    assert result.exit_code == 1
    line, counts = map(json.loads, result.stdout.splitlines())
    assert (line["intent"], line["was"]["status"], line["now"]["status"]) == (intent_id, "lost", "succeeded")
    assert line["turn"]["delivery_id"].startswith("rail/evt_")
    assert (counts["intents"], counts["differs"], counts["same"], counts["done"]) == (1, 1, 0, 0)


def test_applied_once_nothing_differs_any_more(desk):
    intent_id = lost(desk)
    desk.hear("link.expired")
    desk.bridge.wake_due()
    result = run("--apply")
    assert result.exit_code == 0, result.output
    assert "put right" in result.stdout
    assert "put back into the inbox" in result.stdout
    assert "2 put right or put back, 0 left alone" in result.stdout
    assert desk.bridge.outcome(intent_id).status is Status.SUCCEEDED
    again = run("--apply")
    assert (again.exit_code, again.stdout.splitlines()[0]) == (
        0,
        "1 intents: 1 same, 0 differ, 0 not enough is stored",
    )


def test_some_intents_only(desk):
    made = []
    for _ in range(2):
        made.append(desk.bridge.refresh(LINK).id)
        desk.bridge.cancel(made[-1])
        desk.now += timedelta(days=2)

    def counted(*arguments) -> int:
        result = run("--json", *arguments)
        assert result.exit_code == 0, result.output
        intents: int = json.loads(result.stdout)["intents"]
        return intents

    assert counted() == counted("--link", LINK) == counted("--link", LINK, "--connection", "rail") == 2
    assert counted("--intent", made[0]) == 1
    assert counted("--since", f"{START + timedelta(days=1):%Y-%m-%d}") == 1
    assert counted("--since", f"{START + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--link", "link_9"], "link 'link_9': not stored"),
        (["--intent", "rfi_none"], "intent 'rfi_none': not stored"),
        (["--config", "elsewhere.toml"], "elsewhere.toml: cannot be read"),
    ],
)
def test_what_cannot_be_is_said(desk, arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("bankbridge replay: ")
    assert said in result.stderr


def test_a_store_that_is_not_there_is_not_made(desk, tmp_path):
    text = (tmp_path / "bankbridge.toml").read_text()
    (tmp_path / "bankbridge.toml").write_text(text.replace("store.db", "other.db"))
    result = run()
    assert (result.exit_code, "'other.db' does not exist" in result.stderr) == (2, True)
    assert not os.path.lexists("other.db")
    (tmp_path / "bankbridge.toml").write_text(text.replace("path = 'store.db'", ""))
    assert "is kept in memory" in run().stderr


def test_a_store_of_an_older_version_is_left_as_it_is(desk, tmp_path):
    with closing(sqlite3.connect(tmp_path / "old.db")) as old, old:
        old.execute("CREATE TABLE bankbridge_revision (version_num TEXT)")
        old.execute("INSERT INTO bankbridge_revision VALUES ('0001')")
    text = (tmp_path / "bankbridge.toml").read_text()
    (tmp_path / "bankbridge.toml").write_text(text.replace("store.db", "old.db"))
    result = run()
    assert (result.exit_code, "run `bankbridge store upgrade`" in result.stderr) == (2, True)
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        assert old.execute("SELECT version_num FROM bankbridge_revision").fetchall() == [("0001",)]


def test_a_policy_of_its_own_file_is_tried_on_what_happened(desk, tmp_path):
    """The bank was not available: the policy in force waits, the other one gives up at once."""
    desk.bridge = desk.another(Rail)
    intent_id = desk.bridge.refresh(LINK).id
    desk.hear("refresh_intent.failed")
    desk.bridge.wake_due()
    before = desk.bridge.outcome(intent_id)
    assert before.status is Status.BACKING_OFF
    assert before.failure is not None
    file = tmp_path / "changed.toml"
    file.write_text(f"[policy]\nretry.{before.failure.reason.value} = 'never'\n")
    assert json.loads(run("--json").stdout)["differs"] == 0
    line, counts = map(json.loads, run("--json", "--policy", str(file)).stdout.splitlines())
    assert (line["intent"], line["was"]["status"], line["now"]["status"]) == (
        intent_id,
        "backing_off",
        "failed",
    )
    assert (counts["intents"], counts["differs"]) == (1, 1)
    assert desk.bridge.outcome(intent_id) == before, "it only reads"
    refused = run("--policy", str(file), "--apply")
    assert (refused.exit_code, "for what comes" in refused.stderr) == (2, True)
    file.write_text("[policy]\nrefused_logins = 9\n[connections.bank]\n")
    wrong = run("--policy", str(file))
    assert wrong.exit_code == 2
    assert "policy.refused_logins: must be from 1 to 2" in wrong.stderr
    assert "connections.bank: no such connection" in wrong.stderr
