"""The store, in every condition that it can be in."""

import os
import sqlite3
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bankbridge.doctor.checks import Verdict
from bankbridge.doctor.judging import judge_sealed, judge_settings, judge_space
from bankbridge.store.sql import REVISION, Sealed, Server, migrate, new_key, postgresql_store, sqlite_store
from tests.doctor.conftest import KEY, RAIL
from tests.doctor.sites import nowhere, saying
from tests.store import values as v


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, clinic):
    """Where a database is: a path or a URL."""
    if request.param == "sqlite":
        return clinic.folder / "bank.db"
    return request.getfixturevalue("postgresql_url")


def configured(where, *keys):
    named = f"path = '{where}'" if isinstance(where, Path) else f"url = '{where}'"
    return f"[store]\n{named}\nkeys = {list(keys or [KEY])}\n{RAIL}"


def opened(where, *keys):
    given = list(keys or [KEY])
    return sqlite_store(where, keys=given) if isinstance(where, Path) else postgresql_store(where, keys=given)


def run(where, statement):
    if isinstance(where, Path):
        file = sqlite3.connect(where)
        with file:
            file.execute(statement)
        file.close()
    else:
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement)


def test_a_store_in_memory(clinic):
    said = clinic.examine(RAIL)
    assert said.one("store").verdict is Verdict.WARNING
    assert "nothing survives a restart" in said.one("store").says


def test_a_good_store(clinic, place):
    migrate(place)
    store = opened(place)
    home = v.with_link(store, v.link())
    store.add_deliveries([v.delivery("d_1", datetime.now(UTC))])
    store.transact(lambda tx: tx.add_intent(v.ended(v.intent("intent_1", home))))
    store.close()
    said = clinic.examine(configured(place))
    assert said.problems == []
    assert said.one("migrations").says == f"schema {REVISION}, as needed"
    assert said.one("store keys").says == "one key, which opens every one of 3 rows looked at"
    assert said.one("inbox").verdict is said.one("wake-ups").verdict is Verdict.OK
    if isinstance(place, Path):
        assert said.one("store").says == f"SQLite file '{place}': can be written"
        assert said.one("durability").says.endswith("(journal_mode wal, synchronous full)")
        assert said.one("disk").verdict in (Verdict.OK, Verdict.WARNING)
    else:
        assert said.one("store").says.endswith("UTF8")
        assert "version 1" in said.one("store").says
        assert said.one("connections").verdict is Verdict.OK
        assert said.one("clock").says == "agrees with the database"


def test_nothing_is_made_or_changed(clinic, place):
    said = clinic.examine(configured(place))
    assert said.one("migrations").remedy is not None
    assert "bankbridge store upgrade" in said.one("migrations").remedy
    assert said.one("store keys").says == "1 key of the right form; there is nothing to open yet"
    if isinstance(place, Path):
        assert said.one("migrations").verdict is Verdict.WARNING
        assert not place.exists()
    else:
        assert said.one("migrations").verdict is Verdict.PROBLEM
        with psycopg.connect(place) as connection:
            assert connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            ).fetchone() == (0,)


def test_a_schema_of_another_version(clinic, place):
    migrate(place)
    run(place, "UPDATE bankbridge_revision SET version_num = '0001'")
    said = clinic.examine(configured(place))
    expected = Verdict.WARNING if isinstance(place, Path) else Verdict.PROBLEM
    assert said.of("migrations")[0][0] is expected
    assert f"has schema 0001, this bankbridge needs {REVISION}" in said.one("migrations").says
    assert [said.one(name).verdict for name in ("inbox", "wake-ups")] == [Verdict.SKIPPED] * 2
    run(place, "UPDATE bankbridge_revision SET version_num = '9999'")
    assert "a newer version was here" in (clinic.examine(configured(place)).one("migrations").remedy or "")


def test_a_table_of_somebody_else(clinic, place):
    run(place, "CREATE TABLE bankbridge_links (x int)")
    assert clinic.examine(configured(place)).problems == [
        "the database has a table bankbridge_links that is not ours"
    ]


# --- keys ------------------------------------------------------------------------------------------------


def test_keys_that_are_rotated_lost_or_none(clinic, place):
    migrate(place)
    store = opened(place)
    v.with_link(store, v.link())
    store.close()
    newer = new_key()
    check = clinic.examine(configured(place, newer, KEY)).one("store keys")
    assert (check.verdict, check.says) == (Verdict.WARNING, "1 of 1 row looked at still need an older key")
    check = clinic.examine(configured(place, KEY, newer)).one("store keys")
    assert check.verdict is Verdict.OK
    assert check.says.startswith("the first of 2 opens every one")
    check = clinic.examine(configured(place, newer)).one("store keys")
    assert (check.verdict, check.says) == (Verdict.PROBLEM, "no key opens 1 of 1 row looked at")
    check = clinic.examine(configured(place, "0123456789")).one("store keys")
    assert (check.verdict, check.says) == (
        Verdict.PROBLEM,
        "a key must be 32 bytes as URL-safe base64; new_key() makes one",
    )
    text = configured(place).replace(f"['{KEY}']", "{ env = 'NOT_SET' }")
    said = clinic.examine(text)
    assert said.one("store keys").verdict is Verdict.SKIPPED
    assert said.one("migrations").verdict is Verdict.OK


def test_a_sample_is_taken_from_both_ends(clinic, place):
    migrate(place)
    for key, names in ((KEY, range(100)), (new_key(), range(100, 130))):
        store = opened(place, key, KEY)
        store.add_deliveries([v.delivery(f"d_{name}", datetime.now(UTC)) for name in names])
        store.close()
    assert clinic.examine(configured(place)).one("store keys").says == "no key opens 20 of 40 rows looked at"


# --- what waits ------------------------------------------------------------------------------------------


def test_what_nobody_takes_is_said_with_its_age(clinic, place):
    migrate(place)
    store = opened(place)
    home = v.with_link(store, v.link())
    now = datetime.now(UTC)
    store.add_deliveries([v.delivery("d_1", now), v.delivery("d_2", now - timedelta(seconds=30))])
    store.transact(lambda tx: tx.add_intent(v.intent("intent_1", home)))
    store.close()
    said = clinic.examine(configured(place), clock=lambda: now + timedelta(seconds=20))
    assert said.one("inbox").verdict is Verdict.OK
    late = said.one("wake-ups")
    assert (late.verdict, late.remedy) == (Verdict.PROBLEM, "bankbridge worker")
    assert late.says.startswith("an intent is due since 2026-03-01 12:00:00 UTC, ")
    said = clinic.examine(configured(place), clock=lambda: now + timedelta(minutes=3))
    assert ", 3 minutes: no worker runs, or too few" in said.one("inbox").says


# --- a store that does not answer ------------------------------------------------------------------------


@contextmanager
def as_nobody():
    """As a user that may not do everything."""
    if os.geteuid():  # it is one
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_written(clinic):
    path = clinic.folder / "bank.db"
    migrate(path)
    assert clinic.examine(configured(path)).problems == []
    path.chmod(0o444)
    said = clinic.examine(configured(path), seen_by=as_nobody())
    assert said.one("store").verdict is Verdict.PROBLEM
    assert "may write it and its folder" in (said.one("store").remedy or "")
    assert [said.one(name).verdict for name in ("migrations", "inbox", "wake-ups")] == [Verdict.SKIPPED] * 3
    assert said.one("store keys").verdict is Verdict.OK


def test_a_folder_that_may_not_be_written(clinic):
    shut = clinic.folder / "shut"
    shut.mkdir(mode=0o555)
    text = configured(shut / "bank.db")
    said = clinic.examine(text, seen_by=as_nobody())
    assert said.problems == [f"{shut} cannot be written by who runs this"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("none/bank.db", "its folder does not exist"),
        ("closed", "unable to open"),
        ("text", "file is not a database"),
    ],
)
def test_what_is_no_database(clinic, path, says):
    (clinic.folder / "closed").mkdir()
    (clinic.folder / "text").write_text("nothing of ours, and long enough to be looked at" * 100)
    check = clinic.examine(configured(clinic.folder / path)).one("store")
    assert check.verdict is Verdict.PROBLEM
    assert says in check.says


def test_a_sqlite_file_that_somebody_does_not_let_go(clinic, monkeypatch):
    monkeypatch.setattr("bankbridge.store.sql.condition.PATIENCE", timedelta(milliseconds=100))
    path = clinic.folder / "bank.db"
    migrate(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert clinic.examine(configured(path)).problems == [f"SQLite file '{path}': database is locked"]
    holder.close()


def test_a_sqlite_file_by_a_url_is_not_made_either(clinic):
    path = clinic.folder / "bank.db"
    said = clinic.examine(configured(f"sqlite:///{path}"))
    assert said.problems == [f"SQLite file '{path}' does not exist"]
    assert not path.exists()


def test_a_server_that_does_not_run_or_does_not_answer(clinic, monkeypatch):
    monkeypatch.setattr("bankbridge.store.sql.condition.PATIENCE", timedelta(seconds=2))  # psycopg's shortest
    with saying(None) as mute:
        for site, says in ((nowhere(), "Connection refused"), (mute, "timeout expired")):
            address = site.removeprefix("http://")
            said = clinic.examine(configured(f"postgresql://me:hunter2@{address}/bank"))
            ((verdict, found),) = said.of("store")
            assert verdict is Verdict.PROBLEM
            assert found.startswith("PostgreSQL database 'bank' at '127.0.0.1': ")
            assert says in found


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://me:hunter2@host/x", "mysql is not served"),
        ("what", "not a database URL"),
        ("sqlite://", "in memory would be lost"),
    ],
)
def test_a_url_that_cannot_be(clinic, url, says):
    said = clinic.examine(configured(url))
    assert says in said.one("store").says
    assert said.one("store keys").verdict is Verdict.OK


def test_a_server_that_takes_no_writes(clinic, postgresql_url):
    migrate(postgresql_url)
    name = postgresql_url.rpartition("/")[2].partition("?")[0]
    run(postgresql_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    said = clinic.examine(configured(postgresql_url))
    assert any("takes no writes" in problem for problem in said.problems)


def test_a_database_in_another_encoding(clinic, postgresql_server):
    name = f"latin_{os.getpid()}"
    run(postgresql_server, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        url = sa.make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
        assert "make one with ENCODING 'UTF8'" in clinic.examine(configured(url)).one("store").says
    finally:
        run(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_role_that_may_not_write_our_tables(clinic, postgresql_url):
    migrate(postgresql_url)
    role = f"reader_{uuid.uuid4().hex}"
    run(postgresql_url, f"CREATE ROLE {role}")
    run(postgresql_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    joined = "&" if "?" in postgresql_url else "?"
    try:
        said = clinic.examine(configured(f"{postgresql_url}{joined}options=-crole%3D{role}"))
        assert said.problems == ["our role may not INSERT on bankbridge_links"]
    finally:
        run(postgresql_url, f"DROP OWNED BY {role}")
        run(postgresql_url, f"DROP ROLE {role}")


def test_what_the_server_would_lose_in_a_power_cut(clinic, postgresql_url):
    """The server of the tests waits for no disk, unless the tester has given another."""
    with psycopg.connect(postgresql_url) as connection:
        row = connection.execute("SHOW fsync").fetchone()
    migrate(postgresql_url)
    check = clinic.examine(configured(postgresql_url)).one("durability")
    if row == ("off",):
        assert (check.verdict, check.remedy) == (
            Verdict.WARNING,
            "set fsync = on in postgresql.conf, and reload it",
        )
    else:
        assert check.verdict is Verdict.OK


# --- facts that no test can make -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "verdicts"),
    [
        ({"journal_mode": "wal", "synchronous": "full"}, {Verdict.OK}),
        ({"journal_mode": "delete", "synchronous": "full"}, {Verdict.OK, Verdict.WARNING}),
        ({"journal_mode": "wal", "synchronous": "normal"}, {Verdict.OK, Verdict.WARNING}),
        ({"fsync": "on", "full_page_writes": "on", "synchronous_commit": "local"}, {Verdict.OK}),
        (
            {"fsync": "on", "full_page_writes": "off", "synchronous_commit": "on"},
            {Verdict.OK, Verdict.WARNING},
        ),
        (
            {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "off"},
            {Verdict.OK, Verdict.WARNING},
        ),
    ],
)
def test_settings_that_last_and_that_do_not(settings, verdicts):
    assert {check.verdict for check in judge_settings("it", Server(settings=settings))} == verdicts


@pytest.mark.parametrize(("count", "verdict"), [(79, Verdict.OK), (80, Verdict.WARNING)])
def test_connections_that_run_out(count, verdict):
    server = Server(settings={"max_connections": "100"}, connections=count)
    assert list(judge_settings("it", server))[-1].verdict is verdict


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(1 << 30, Verdict.OK), ((1 << 30) - 1, Verdict.WARNING), ((1 << 26) - 1, Verdict.PROBLEM)],
)
def test_room_on_the_disk(free, verdict):
    assert judge_space(Path("/var"), free).verdict is verdict


def test_no_key_is_worse_than_an_older_one():
    assert judge_sealed(Sealed(seen=3, older=1, locked=1), keys=2).verdict is Verdict.PROBLEM
