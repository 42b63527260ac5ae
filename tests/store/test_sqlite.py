"""What only SQLite can get wrong: its file, its locks."""

import contextlib
import itertools
import re
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bankbridge.store.sql import SqlStore, sqlite, sqlite_store
from bankbridge.words.errors import ConfigurationError, StoreUnavailableError
from tests.store import values as v


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


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 1)],
)
def test_every_connection_is_set_up(opened, key, pragma, value):
    with opened(key)._database.engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_transaction_takes_the_write_lock_at_once(opened, key, raw):
    store = opened(key)
    raw("PRAGMA busy_timeout = 0")

    def work(tx):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            raw("BEGIN IMMEDIATE")

    store.transact(work)
    raw("BEGIN IMMEDIATE")
    raw("ROLLBACK")


def test_a_closed_store_leaves_one_file_behind(path, opened, key):
    store = opened(key)
    v.with_link(store, v.link())
    store.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


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
        sqlite._in_turn(lambda: second.execute("PRAGMA journal_mode = WAL"))
        assert tried == ["PRAGMA journal_mode = WAL"] * 2
        assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_may_not_be_written_is_not_waited_for(path, raw):
    raw("CREATE TABLE something (x)")
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
        tried: list[str] = []
        reader.set_trace_callback(tried.append)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            sqlite._in_turn(lambda: reader.execute("PRAGMA journal_mode = WAL"))
        assert tried == ["PRAGMA journal_mode = WAL"]


def test_who_works_without_a_pause_lets_others_have_the_lock(opened, key):
    """As a worker that drains beside a receiver that stores; SQLite itself would let the receiver in hardly ever."""
    busy, other = opened(key), opened(key)
    enough = threading.Event()

    def take_long(tx):
        tx.next_wake_at()
        time.sleep(0.02)

    def work():
        for count in itertools.count():
            busy.transact(take_long)
            if enough.is_set():
                return count
        return None

    with ThreadPoolExecutor(max_workers=1) as pool:
        working = pool.submit(work)
        try:
            assert [other.add_deliveries([v.delivery(f"d_{number}")]) for number in range(30)] == [
                [True]
            ] * 30
        finally:
            enough.set()
        assert working.result() < 30 * 10


def test_what_is_not_a_database_is_not_waited_for(path, key):
    path.write_text("HUNTER2 " * 1000)
    with pytest.raises(
        StoreUnavailableError, match=r"^store: SQLite file '.*store.db': file is not a database$"
    ):
        sqlite_store(path, keys=[key])


def test_a_folder_is_not_waited_for(tmp_path, key):
    with pytest.raises(StoreUnavailableError, match="unable to open database file"):
        sqlite_store(tmp_path, keys=[key])


# --- what is not opened


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite://", "a SQLite database in memory would be lost; name a file"),
        ("sqlite:///:memory:", "a SQLite database in memory would be lost"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "a SQLite database in memory would be lost"),
        ("sqlite:///file:x?mode=memory&uri=true", "a SQLite database in memory would be lost"),
        ("sqlite:///no/such/folder/store.db", "the folder of 'no/such/folder/store.db' does not exist"),
        (
            "mysql://me:hunter2@localhost/x",
            "mysql is not served; write sqlite:///path/to/file.db or postgresql://",
        ),
        (
            "postgresql+asyncpg://me:hunter2@localhost/x",
            "the driver asyncpg is not served; write postgresql://",
        ),
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
