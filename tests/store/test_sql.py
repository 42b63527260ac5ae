"""What only the SQL store can get wrong: its file, its keys, its plans, other processes."""

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bankbridge.machine.attempt import Prompt, PromptKind, prompt_id
from bankbridge.store.sql import REVISION, SqlStore, new_key, sqlite, sqlite_store
from bankbridge.words.errors import ConfigurationError, StoreKeyError
from tests.store import values as v

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
def opened(path):
    """Open the store in the one file, as often and with whichever keys a test likes."""
    stores = []

    def open_with(*keys: str) -> SqlStore:
        stores.append(sqlite_store(path, keys=keys))
        return stores[-1]

    yield open_with
    for store in stores:
        store.close()


@pytest.fixture
def raw(path):
    """The file as SQLite sees it, without us."""
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection.execute
    connection.close()


# --- durable


def test_what_was_stored_is_there_after_reopening(opened, key):
    first = opened(key)
    home = v.with_link(first, v.link("link_1", v.RAIL, "acc_1"))
    running, line, waiting = v.intent("intent_1", home), v.entry("RefreshStarted"), v.delivery("d_1")
    parked = v.parked("d_1", link_id="link_1")

    def write(tx):
        tx.add_intent(running)
        tx.add_delivery(waiting)
        tx.park(parked)
        tx.log(line)

    first.transact(write)
    first.close()

    def read(tx):
        assert tx.link_of_account("acc_1") == home
        assert tx.open_intent(home) == running
        assert tx.waiting_deliveries(limit=9) == [waiting]
        assert tx.parked_for(parked.about, v.RAIL) == [parked]
        assert tx.log_of(running.id) == [line]

    opened(key).transact(read)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)],
)
def test_every_connection_is_set_up(sql, pragma, value):
    with sql._database.engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_transaction_takes_the_write_lock_at_once(sql, raw):
    raw("PRAGMA busy_timeout = 0")

    def work(tx):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            raw("BEGIN IMMEDIATE")

    sql.transact(work)
    raw("BEGIN IMMEDIATE")
    raw("ROLLBACK")


def test_a_closed_store_leaves_one_file_behind(path, opened, key):
    store = opened(key)
    v.with_link(store, v.link())
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(WRITER), *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_a_killed_process_acknowledged_is_there(path, opened, key, raw):
    with start(str(path), key, "forever") as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(25)]
        writer.kill()
        acknowledged += writer.stdout.read().split()
    assert writer.returncode == -9
    kept = opened(key).transact(lambda tx: tx.waiting_deliveries(limit=1_000_000))
    assert [stored.id for stored in kept][: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) in (0, 1), "the last commit may have been cut off before its word"
    assert raw("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_processes_share_one_file_from_its_first_moment(path, opened, key):
    names = ["intent_1", "intent_2", "intent_3"]
    writers = [start(str(path), key, "race", "20") for _ in names]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer, name in zip(writers, names, strict=True):
        assert writer.stdin is not None
        writer.stdin.write(f"{name}\n")
        writer.stdin.flush()
    won = Counter(word for writer in writers for word in writer.communicate(timeout=60)[0].split())
    assert [writer.returncode for writer in writers] == [0, 0, 0]

    def look(tx):
        opened_by = tx.open_intent(v.link()).id
        assert won == Counter([*(f"d_{number}" for number in range(20)), opened_by])
        assert tx.link("link_1").refused_logins == 60

    opened(key).transact(look)


def test_a_file_that_another_process_is_just_making_is_waited_for(path, raw):
    raw("CREATE TABLE something (x)")
    raw("BEGIN IMMEDIATE")
    tried = []

    def let_go_at_the_second_try(statement):
        tried.append(statement)
        if len(tried) == 2:
            raw("ROLLBACK")

    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as second:
        second.set_trace_callback(let_go_at_the_second_try)
        cursor: Any = second.cursor()
        sqlite._write_ahead(cursor)
        assert tried == ["PRAGMA journal_mode = WAL"] * 2
        assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_may_not_be_written_is_not_waited_for(path, raw):
    raw("CREATE TABLE something (x)")
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
        cursor: Any = reader.cursor()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            sqlite._write_ahead(cursor)


def test_what_is_not_a_database_is_not_waited_for(path, key):
    path.write_text("HUNTER2 " * 1000)
    with pytest.raises(sa.exc.DatabaseError, match="file is not a database"):
        sqlite_store(path, keys=[key])


def test_a_folder_is_not_waited_for(tmp_path, key):
    with pytest.raises(sa.exc.OperationalError, match="unable to open database file"):
        sqlite_store(tmp_path, keys=[key])


# --- sealed

SECRETS = ("link_token_SECRET", "widget_token_SECRET", "whsec_SECRET", "payload_SECRET")


def write_secrets(store: SqlStore) -> None:
    token, widget, header, payload = SECRETS
    home = v.link("link_1", token=token)
    prompt = Prompt(id=prompt_id(widget), kind=PromptKind.WIDGET, token=widget, offered_at=v.NOON)
    new = v.intent("intent_1", home)
    prompted = attrs.evolve(new, attempt=attrs.evolve(new.attempt, prompts=(prompt,)), version=1)
    arrived = v.delivery("d_1", body=payload.encode())
    arrived = attrs.evolve(arrived, delivery=attrs.evolve(arrived.delivery, headers={"x-shared": header}))

    def write(tx):
        tx.save_link(home)
        tx.add_intent(new)
        tx.save_intent(prompted, replaces=0)
        tx.add_delivery(arrived)

    store.transact(write)


def test_no_secret_lies_readable_in_any_file(path, opened, key):
    store = opened(key)
    write_secrets(store)
    while_open = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert set(while_open) == {"store.db", "store.db-wal", "store.db-shm"}
    store.close()
    everything = b"".join([*while_open.values(), path.read_bytes()])
    assert b"link_1" in everything, "ids may be read, so the search would find something"
    found = [word for word in (*SECRETS, "SECRET", key) if word.encode() in everything]
    assert found == []


def test_no_error_of_the_database_shows_what_was_to_be_stored(opened, key, raw):
    store = opened(key)
    raw("ALTER TABLE bankbridge_parked RENAME COLUMN account_id TO elsewhere")
    with pytest.raises(sa.exc.OperationalError) as raised:
        store.transact(lambda tx: tx.park(v.parked("d_1", account_id="acc_SECRET")))
    assert "SECRET" not in str(raised.value)


def test_a_new_key_seals_and_the_old_one_still_opens(opened, key):
    newer = new_key()
    v.with_link(opened(key), v.link("link_1", token="old"))
    both = opened(newer, key)
    v.with_link(both, v.link("link_2", token="new"))
    assert [link.token for link in both.transact(lambda tx: tx.links())] == ["old", "new"]

    only_new = opened(newer)
    assert only_new.transact(lambda tx: tx.link("link_2")).token == "new"
    with pytest.raises(StoreKeyError, match=r"^link link_1: none of the keys opens it"):
        only_new.transact(lambda tx: tx.link("link_1"))


def test_after_renewing_the_old_key_can_be_thrown_away(opened, key):
    newer = new_key()
    write_secrets(opened(key))
    assert opened(newer, key).renew() == 3
    only_new = opened(newer)

    def look(tx):
        assert tx.link("link_1").token == SECRETS[0]
        assert tx.intent("intent_1").attempt.prompts[0].token == SECRETS[1]
        assert tx.delivery("d_1").delivery.body == SECRETS[3].encode()

    only_new.transact(look)


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ("link link_1", lambda tx: tx.link("link_1")),
        ("intent intent_1", lambda tx: tx.intent("intent_1")),
        ("delivery d_1", lambda tx: tx.delivery("d_1")),
    ],
)
def test_a_wrong_key_names_the_row_it_does_not_open(opened, key, row, read):
    write_secrets(opened(key))
    with pytest.raises(StoreKeyError, match=f"^{row}: none of the keys opens it"):
        opened(new_key()).transact(read)


def test_renewing_with_a_wrong_key_changes_nothing(opened, key):
    write_secrets(opened(key))
    with pytest.raises(StoreKeyError, match="none of the keys opens it"):
        opened(new_key()).renew()
    assert opened(key).transact(lambda tx: tx.link("link_1")).token == SECRETS[0]


@pytest.mark.parametrize("keys", [[], (), new_key()], ids=["none", "no tuple", "a lone string"])
def test_without_a_list_of_keys_nothing_is_opened(path, keys):
    with pytest.raises(StoreKeyError, match=re.escape("new_key() makes one")):
        sqlite_store(path, keys=keys)
    assert not path.exists()


def test_a_malformed_key_is_refused_and_not_quoted(path):
    with pytest.raises(StoreKeyError, match="32 bytes as URL-safe base64") as raised:
        sqlite_store(path, keys=[new_key(), "hunter2"])
    assert "hunter2" not in str(raised.value)


def test_a_new_key_is_a_key():
    Fernet(new_key())
    assert new_key() != new_key()


# --- the schema, and what is not opened


def test_a_database_of_a_newer_version_is_refused_and_left_alone(opened, key, raw):
    v.with_link(opened(key), v.link())
    raw("UPDATE bankbridge_schema SET version = version + 1")
    with pytest.raises(ConfigurationError, match=f"has schema {REVISION + 1}, this bankbridge knows"):
        opened(key)
    assert raw("SELECT count(*) FROM bankbridge_links").fetchone() == (1,)


def test_opening_twice_makes_the_schema_once(opened, key, raw):
    opened(key)
    opened(key)
    assert raw("SELECT version FROM bankbridge_schema").fetchall() == [(REVISION,)]


def test_the_applications_own_tables_may_lie_beside(opened, key, raw):
    raw("CREATE TABLE links (url TEXT)")
    v.with_link(opened(key), v.link())
    assert raw("SELECT count(*) FROM links").fetchone() == (0,)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite://", "a SQLite database in memory would be lost; name a file"),
        ("sqlite:///:memory:", "a SQLite database in memory would be lost"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "a SQLite database in memory would be lost"),
        ("sqlite:///file:x?mode=memory&uri=true", "a SQLite database in memory would be lost"),
        ("sqlite:///no/such/folder/store.db", "the folder of 'no/such/folder/store.db' does not exist"),
        ("postgresql://me:hunter2@localhost/x", "postgresql is not served"),
        ("hunter2", "not a database URL"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_way_out(key, url, problem):
    with pytest.raises(ConfigurationError, match=re.escape(f"store: {problem}")) as raised:
        SqlStore(url, keys=[key])
    assert "hunter2" not in str(raised.value)


def test_a_path_with_signs_of_a_url_is_only_a_path(tmp_path, key):
    odd = tmp_path / "a?mode=memory#b%20c.db"
    store = sqlite_store(odd, keys=[key])
    v.with_link(store, v.link())
    store.close()
    assert odd.is_file()


# --- plans


def test_nothing_scans_a_table(sql, raw):
    """Every statement that the store can send, but for the one that lists all links, goes by an index."""
    sent = []

    def remember(_connection, _cursor, statement, parameters, _context, _many):
        sent.append((statement, parameters))

    def use_everything(tx):
        home = v.link("link_1", v.RAIL, "acc_1")
        running = v.intent("intent_1", home)
        tx.save_link(home)
        tx.link("link_1")
        tx.link("link_1", v.RAIL)
        tx.link_of_account("acc_1")
        tx.link_of_account("acc_1", v.RAIL)
        tx.add_intent(running)
        tx.save_intent(attrs.evolve(running, version=1), replaces=0)
        tx.intent("intent_1")
        tx.intents(home, limit=9)
        tx.open_intent(home)
        tx.due_intents(v.NOON, limit=9)
        tx.next_wake_at()
        tx.add_delivery(v.delivery("d_1"))
        tx.delivery("d_1")
        tx.waiting_deliveries(limit=9)
        tx.settle_delivery("d_1", "applied")
        tx.park(v.parked("d_1", refresh_id="ri_1"))
        tx.parked_for(v.about(refresh_id="ri_1"), v.RAIL)
        tx.parked_for(v.about(refresh_id="ri_1", link_id="link_1", account_id="acc_1"), v.RAIL)
        tx.parked_for(v.about(), v.RAIL)
        tx.unpark(v.parked("d_1"))
        tx.drop_parked(v.NOON)
        tx.log(v.entry("WokeUp"))
        tx.log_of("intent_1")

    sa.event.listen(sql._database.engine, "before_cursor_execute", remember)
    sql.transact(use_everything)

    plans = {
        statement: [row[3] for row in raw(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        for statement, parameters in sent
        if statement.startswith(("SELECT", "UPDATE", "DELETE"))
    }
    assert len(plans) >= 17
    scans = {
        statement: plan
        for statement, plan in plans.items()
        # This index holds the waiting deliveries and no others, in order: it is read from its start.
        if any(step.startswith("SCAN") and "INDEX bankbridge_deliveries_waiting" not in step for step in plan)
    }
    assert scans == {}
    # What is asked for in order and up to a limit must not be sorted first.
    sorts = {
        statement: plan
        for statement, plan in plans.items()
        if "LIMIT" in statement and any("TEMP B-TREE" in step for step in plan)
    }
    assert sorts == {}
