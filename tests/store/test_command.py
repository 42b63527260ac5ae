"""``bankbridge store …``, as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.store.sql import REVISION, new_key
from tests.store import values as v


@pytest.fixture
def config(place, tmp_path):
    """A configuration file that names a database, and holds nothing else that would do."""
    path = tmp_path / "bankbridge.toml"
    where = (
        f"path = {str(tmp_path / 'store.db')!r}" if place.url.startswith("sqlite") else f"url = {place.url!r}"
    )
    path.write_text(
        f"[store]\n{where}\nkeys = ['{place.key}']\n[connections.rail]\nsecret_key = {{ env = 'NOT_SET' }}\n"
    )
    return path


def run(config, *arguments):
    return CliRunner().invoke(app, ["store", *arguments, "--config", str(config)])


def said(config, *arguments):
    result = run(config, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_new_database_is_upgraded_and_counted(config):
    assert said(config, "upgrade") == f"schema {REVISION} (was a new one)\n"
    assert said(config, "upgrade") == f"schema {REVISION}, as before\n"
    counted = json.loads(said(config, "status", "--json"))
    assert counted["schema"] == REVISION
    assert {name: count for name, count in counted.items() if count not in (0, None)}.keys() == {
        "database",
        "schema",
    }


def test_the_engine_s_tables_are_made_with_the_store_s(config, place):
    config.write_text(f"{config.read_text()}[engine]\nkind = 'procrastinate'\n")
    if place.url.startswith("sqlite"):
        result = run(config, "upgrade")
        assert (result.exit_code, place.tables()) == (1, set())
        assert "procrastinate needs a store in PostgreSQL" in result.stderr
        return
    assert said(config, "upgrade") == f"schema {REVISION} (was a new one)\n"
    store = place.open(upgrade=False)
    ProcrastinateEngine(store)
    assert said(config, "upgrade") == f"schema {REVISION}, as before\n"


def test_what_a_store_holds_is_shown(config, place):
    store = place.open()
    home = v.with_link(store, v.link())
    store.add_deliveries([v.delivery("d_1"), v.delivery("d_2")])

    def write(tx):
        tx.add_intent(v.ended(v.intent("intent_0", home)))
        tx.add_intent(v.intent("intent_1", home))
        tx.settle_delivery("d_2", "applied", at=v.NOON)
        tx.park(v.parked("d_2", link_id="link_9"))
        tx.log(v.entry("WokeUp"))

    store.transact(write)
    shown = dict(re.split(r"  +", line, maxsplit=1) for line in said(config, "status").splitlines())
    shown.pop("database")
    assert shown == {
        "schema": REVISION,
        "links": "1",
        "open intents": "1",
        "ended intents": "1",
        "next wake at": "2026-03-01 12:00:00 UTC",
        "waiting deliveries": "1",
        "oldest waiting at": "2026-03-01 12:00:00 UTC",
        "settled deliveries": "1",
        "parked": "1",
        "log": "1",
    }


def test_pruning_says_what_it_forgot(config, place):
    store = place.open()
    now = datetime.now(UTC)
    home = v.with_link(store, v.link())
    ages = {"d_old": timedelta(days=100), "d_young": timedelta(days=80)}
    store.add_deliveries([v.delivery(name, now - age) for name, age in ages.items()])

    def settle(tx):
        tx.add_intent(v.ended(v.intent("intent_1", home)))
        for name in ages:
            tx.settle_delivery(name, "applied", at=v.NOON)

    store.transact(settle)
    assert run(config, "prune").exit_code == 2, "an age must be said"
    pruned = json.loads(said(config, "prune", "--older-than", "90d", "--json"))
    assert pruned == {"deliveries": 1, "log": 0, "intents": 0, "parked": 0}
    assert "forgot 1 deliveries" in said(config, "prune", "--older-than", "8w", "--intents")


@pytest.mark.parametrize(
    ("age", "problem"),
    [
        ("3d", "at least 7d, since providers repeat"),
        ("167h", "at least 7d"),
        ("90", "write a number and h, d or w"),
        ("-9d", "write"),
    ],
)
def test_an_age_that_cannot_be_is_refused(config, age, problem):
    result = run(config, "prune", "--older-than", age)
    assert result.exit_code == 2
    assert problem in " ".join(re.sub("[│╭╰─╮╯]", "", result.stderr).split())


def test_keys_are_rotated(config, place):
    said(config, "upgrade")
    v.with_link(place.open(), v.link())
    newer = new_key()
    config.write_text(config.read_text().replace(place.key, f"{newer}', '{place.key}"))
    assert said(config, "rotate-keys") == "sealed 1 documents anew: the first key opens everything\n"
    assert said(config, "rotate-keys") == "sealed 0 documents anew: the first key opens everything\n"
    assert place.open(newer).transact(lambda tx: tx.links()) == [v.link()]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "store: is kept in memory: give it a path or a url"),
        ("[store]\npath = 'a'\nurl = 'b'\n", "store: has a path and a url: leave one out"),
        (
            "[store]\npath = 'no/such.db'\n",
            "'no/such.db' does not exist: `bankbridge store upgrade` makes it",
        ),
        (f"[store]\npath = {__file__!r}\n", "new_key() makes one"),
        (f"[store]\npath = {__file__!r}\nkeys = ['{new_key()}']\n", "file is not a database"),
        (
            "[store]\nurl = 'postgresql://me:hunter2@127.0.0.1:1/x'\nkeys = { env = 'NOT_SET' }\n",
            "NOT_SET is not set",
        ),
        ("[store]\npth = 'a'\n", "store.pth: unknown field, did you mean 'path'?"),
        ("[stor", "is not TOML"),
    ],
)
def test_what_cannot_work_is_said_plainly(tmp_path, text, problem):
    config = tmp_path / "bankbridge.toml"
    config.write_text(text)
    result = run(config, "status")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bankbridge store: ")
    assert problem in result.stderr
    assert "hunter2" not in result.stderr


def test_a_database_that_is_not_upgraded_is_named_with_the_way_out(tmp_path, postgresql_url):
    config = tmp_path / "bankbridge.toml"
    config.write_text(f"[store]\nurl = {postgresql_url!r}\nkeys = ['{new_key()}']\n")
    result = run(config, "status")
    assert result.exit_code == 1
    assert "has no tables of ours yet: run `bankbridge store upgrade`" in result.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_local_server_runs_until_it_is_stopped_and_keeps_what_is_in_it(cluster_folder, stop):
    command = [sys.executable, "-m", "bankbridge.cli", "store", "local-postgresql", str(cluster_folder)]
    for _ in range(2):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        ) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(4)]
            assert said[2] == "[store]\n"
            url = json.loads(said[3].removeprefix("url = "))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
            process.send_signal(stop)
            assert process.stdout.read() == "stopped\n"
        assert process.returncode == 0
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
