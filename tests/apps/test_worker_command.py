"""``bankbridge worker``, as a process that a supervisor starts and stops."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge.words.ids import IntentId
from tests.store import values as v

RAIL = '[connections.rail]\nsecret_key = "rail_sk_test_1"\nwebhook_secrets = ["whsec_1"]\n'
KEY = new_key()
STORE = f'[store]\npath = "bank.db"\nkeys = ["{KEY}"]\n'


@contextmanager
def working(folder, text) -> Iterator[subprocess.Popen[str]]:
    (folder / "bankbridge.toml").write_text(text, "utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "bankbridge.cli", "worker"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process, count):
    return [process.stdout.readline() for _ in range(count)]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_it_does_and_stops_when_told(tmp_path, stop):
    with working(tmp_path, STORE + RAIL) as process:
        assert lines(process, 4) == [
            "connections  rail\n",
            "store        SQLite file 'bank.db'\n",
            "engine       embedded, looks every 1 s\n",
            "working until Ctrl-C or SIGTERM\n",
        ]
        process.send_signal(stop)
        said, also = process.communicate()
    assert (process.returncode, said) == (0, "stopped\n")
    assert also == "stopping: what is under way is finished; once more to stop at once\n"


@contextmanager
def in_a_conversation(folder):
    """A worker that has asked its provider, who does not answer: the process and the connection."""
    store = sqlite_store(folder / "bank.db", keys=[KEY])
    link = v.with_link(store, v.link())
    store.transact(lambda tx: tx.add_intent(v.intent("intent_1", link, datetime.now(UTC))))
    store.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = server.getsockname()[1]
        with working(folder, STORE + RAIL + f'base_url = "http://127.0.0.1:{port}"\n') as process:
            asked, _ = server.accept()
            with asked:
                yield process, asked


def test_what_is_under_way_is_finished(tmp_path):
    with in_a_conversation(tmp_path) as (process, asked):
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline().startswith("stopping")
        assert process.poll() is None
        asked.close()
        assert process.wait(60) == 0
        assert process.stdout.read().endswith("stopped\n")
    store = sqlite_store(tmp_path / "bank.db", keys=[KEY])
    stored = store.transact(lambda tx: tx.intent(IntentId("intent_1")))
    store.close()
    assert stored is not None
    assert stored.attempt.unclear == 1


def test_a_second_signal_stops_it_at_once(tmp_path):
    with in_a_conversation(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline().startswith("stopping")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (RAIL, ["store: is kept in memory, where nothing else can put work: give it a path or a url"]),
        (
            "[engine]\nevry = 1\n" + RAIL.replace("secret_key", "secret_kee"),
            [
                "connections.rail.secret_kee: unknown field, did you mean 'secret_key'?",
                "connections.rail.secret_key: required field missing",
                "engine.evry: unknown field, did you mean 'every'?",
            ],
        ),
        (
            '[store]\npath = "bank.db"\n' + RAIL,
            ["store: needs a list of at least one key, since it holds secrets; new_key() makes one"],
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_said(tmp_path, monkeypatch, text, problems):
    result = started(tmp_path, monkeypatch, text)
    assert (result.exit_code, result.stdout) == (2, "")
    first, *rest = result.stderr.splitlines()
    assert first == "bankbridge worker: bankbridge.toml cannot work; mend this and start again:"
    assert [line.strip() for line in rest] == problems


def test_a_database_that_does_not_answer_is_said(tmp_path, monkeypatch):
    store = f'[store]\nurl = "postgresql://me:hunter2@127.0.0.1:1/x"\nkeys = ["{new_key()}"]\n'
    result = started(tmp_path, monkeypatch, store + RAIL)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bankbridge worker: store: PostgreSQL database 'x' at '127.0.0.1'")
    assert "hunter2" not in result.stderr


def started(folder, monkeypatch, text):
    (folder / "bankbridge.toml").write_text(text, "utf-8")
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, ["worker"])
