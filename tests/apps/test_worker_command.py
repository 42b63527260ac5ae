"""``bankbridge worker``, as a process that a supervisor starts and stops."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.store.sql import new_key

RAIL = '[connections.rail]\nsecret_key = "rail_sk_test_1"\nwebhook_secrets = ["whsec_1"]\n'
STORE = f'[store]\npath = "bank.db"\nkeys = ["{new_key()}"]\n'


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
