"""What only PostgreSQL can get wrong: isolation between connections, lost connections, its settings, its URL."""

import re
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from bankbridge.store.sql import postgresql, postgresql_store
from bankbridge.store.sql import store as sql_store
from bankbridge.store.sql.cluster import local_cluster
from bankbridge.words.errors import ConfigurationError, StoreUnavailableError
from tests.store import values as v


@pytest.fixture
def other(shared_postgresql, key, postgresql):
    """The same store on another machine, so to speak: with connections of its own."""
    store = postgresql_store(shared_postgresql, keys=[key])
    yield store
    store.close()


def count_up(link):
    return attrs.evolve(link, refused_logins=link.refused_logins + 1)


# --- isolated


def test_what_a_transaction_reads_stays_as_read(postgresql, other):
    v.with_link(postgresql, v.link())

    def work(tx):
        before = tx.link("link_1")
        if before.refused_logins == 0:
            v.with_link(other, count_up(before))
        assert tx.link("link_1") == before
        assert len(tx.links()) == 1
        return before

    assert postgresql.transact(work).refused_logins == 0


def test_a_transaction_that_another_one_overtook_is_run_again(postgresql, other):
    home = v.with_link(postgresql, v.link())
    runs = []

    def work(tx):
        seen = tx.link("link_1")
        runs.append(seen.refused_logins)
        if len(runs) == 1:
            v.with_link(other, count_up(home))
        tx.save_link(count_up(seen))

    postgresql.transact(work)
    assert runs == [0, 1]
    assert other.transact(lambda tx: tx.link("link_1")).refused_logins == 2


def test_two_that_decide_on_what_the_other_one_writes_do_not_both_get_through(postgresql, other):
    """No row is written twice here, so neither versions nor row locks of what is written would notice."""
    one, two = (v.with_link(postgresql, v.link(name)) for name in ("link_1", "link_2"))
    runs = []

    def spend(name):
        def work(tx):
            runs.append(name)
            seen = {link.id: link for link in (tx.link("link_1"), tx.link("link_2"))}
            if sum(link.refused_logins for link in seen.values()) == 0:
                if runs == ["link_1"]:
                    other.transact(spend("link_2"))
                tx.save_link(count_up(seen[name]))

        return work

    postgresql.transact(spend("link_1"))
    assert runs == ["link_1", "link_2", "link_1"]
    assert postgresql.transact(lambda tx: tx.links()) == [one, count_up(two)]


HOME = v.link("link_1", v.RAIL, "acc_1")
ABOUT = {"refresh": {"refresh_id": "ri_1"}, "link": {"link_id": "link_9"}, "account": {"account_id": "acc_9"}}
CHANGES = {
    "a link": (lambda tx: tx.link("link_1"), lambda tx: tx.save_link(count_up(HOME))),
    "no link": (lambda tx: tx.link("link_2", v.RAIL), lambda tx: tx.save_link(v.link("link_2"))),
    "no account": (
        lambda tx: tx.link_of_account("acc_2"),
        lambda tx: tx.save_link(v.link("link_2", v.RAIL, "acc_2")),
    ),
    "an account that moves": (
        lambda tx: tx.link_of_account("acc_1", v.RAIL),
        lambda tx: tx.save_link(v.link("link_2", v.RAIL, "acc_1")),
    ),
    "the link of an account": (
        lambda tx: tx.link_of_account("acc_1"),
        lambda tx: tx.save_link(count_up(HOME)),
    ),
    "no intent": (
        lambda tx: tx.intent("intent_2"),
        lambda tx: tx.add_intent(v.ended(v.intent("intent_2", HOME))),
    ),
    "an intent": (
        lambda tx: tx.intent("intent_1"),
        lambda tx: tx.save_intent(v.ended(v.intent("intent_1", HOME)), replaces=0),
    ),
    "the intents of a link": (
        lambda tx: tx.intents(HOME, limit=9),
        lambda tx: tx.add_intent(v.ended(v.intent("intent_2", HOME))),
    ),
    "the open intent": (
        lambda tx: tx.open_intent(HOME),
        lambda tx: tx.save_intent(v.ended(v.intent("intent_1", HOME)), replaces=0),
    ),
} | {
    f"what is parked for a {name}": (
        lambda tx, ids=ids: tx.parked_for(v.about(**ids), v.RAIL),
        lambda tx, ids=ids: tx.park(v.parked("d_1", **ids)),
    )
    for name, ids in ABOUT.items()
}


@pytest.mark.parametrize("what", CHANGES)
def test_who_writes_has_looked_at_nothing_that_changed_meanwhile(postgresql, other, what):
    look, change = CHANGES[what]
    v.with_link(postgresql, HOME)
    postgresql.transact(lambda tx: tx.add_intent(v.intent("intent_1", HOME)))
    seen = []

    def look_and_write(tx):
        seen.append(look(tx))
        if len(seen) == 1:
            other.transact(change)
            assert look(tx) == seen[0]
        tx.log(v.entry("WokeUp", said=str(len(seen))))

    postgresql.transact(look_and_write)
    assert len(seen) == 2
    assert seen[0] != seen[1]
    assert [line.said for line in other.transact(lambda tx: tx.log_of("intent_1"))] == ["2"]


@pytest.mark.parametrize("ids", ABOUT.values(), ids=ABOUT)
def test_a_notice_is_not_parked_while_somebody_adds_what_it_waits_for(postgresql, other, ids):
    """Each looks for what the other one is about to write, and finds nothing."""
    about, runs = v.about(**ids), []

    def add(tx):
        tx.save_link(v.link("link_9", v.RAIL, "acc_9"))
        return tx.parked_for(about, v.RAIL)

    def bring(tx):
        runs.append(tx.link("link_9"))
        if len(runs) == 1:
            assert other.transact(add) == []
            tx.park(v.parked("d_1", **ids))

    postgresql.transact(bring)
    assert [link is None for link in runs] == [True, False]
    assert other.transact(lambda tx: tx.parked_for(about, v.RAIL)) == []


def test_who_only_looks_is_in_nobodys_way(postgresql, other):
    home = v.with_link(postgresql, v.link())
    runs = []

    def look(tx):
        runs.append(tx.link("link_1"))
        v.with_link(other, count_up(home))
        return tx.link("link_1")

    assert postgresql.transact(look) == home
    assert len(runs) == 1


def test_two_that_open_an_intent_at_once_open_one(postgresql, other):
    home = v.with_link(postgresql, v.link())

    def refresh(store, name):
        """As the shells do: join the one that is open, or add one."""

        def work(tx):
            running = tx.open_intent(home)
            if running is not None:
                return running.id
            if store is postgresql and other.transact(lambda tx: tx.open_intent(home)) is None:
                refresh(other, "intent_2")
            tx.add_intent(v.intent(name, home))
            return name

        return store.transact(work)

    assert refresh(postgresql, "intent_1") == "intent_2"
    assert other.transact(lambda tx: [one.id for one in tx.intents(home, limit=9)]) == ["intent_2"]


def test_two_workers_take_different_deliveries_and_intents(postgresql, other):
    homes = [v.with_link(postgresql, v.link(f"link_{number}")) for number in range(4)]
    postgresql.add_deliveries([v.delivery(f"d_{number}", v.minutes(number)) for number in range(4)])
    postgresql.transact(lambda tx: [tx.add_intent(v.intent(f"intent_{home.id}", home)) for home in homes])

    def take(tx):
        due = tx.due_intents(v.NOON, limit=2, connections=v.EVERYWHERE)
        return [one.id for one in (*tx.waiting_deliveries(limit=2), *due)]

    def take_beside(tx):
        return take(tx), other.transact(take)

    first, second = postgresql.transact(take_beside)
    assert first == ["d_0", "d_1", "intent_link_0", "intent_link_1"]
    assert second == ["d_2", "d_3", "intent_link_2", "intent_link_3"]
    assert other.transact(take) == first, "whose transaction ended without settling them"


# --- connections


def backend_of(store) -> int:
    return store.transact(lambda tx: tx._connection.connection.driver_connection.info.backend_pid)


def kill(url, backend):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])


def test_a_connection_that_died_while_idle_is_replaced_unnoticed(postgresql, shared_postgresql):
    kill(shared_postgresql, backend_of(postgresql))
    assert postgresql.transact(lambda tx: tx.links()) == []
    kill(shared_postgresql, backend_of(postgresql))
    assert postgresql.add_deliveries([v.delivery("d_1")]) == [True]
    kill(shared_postgresql, backend_of(postgresql))
    assert postgresql.add_deliveries([v.delivery("d_1"), v.delivery("d_2")]) == [False, True]


def test_a_connection_that_dies_under_way_leaves_nothing_and_the_work_is_run_again(
    postgresql, shared_postgresql
):
    runs: list[int] = []

    def work(tx):
        tx.save_link(v.link(f"link_{len(runs)}"))
        runs.append(tx._connection.connection.driver_connection.info.backend_pid)
        if len(runs) == 1:
            kill(shared_postgresql, runs[0])
        return tx.links()

    assert postgresql.transact(work) == [v.link("link_1")]


def test_a_connection_that_dies_at_the_commit_is_not_hushed_up(postgresql, shared_postgresql):
    def die(connection):
        kill(shared_postgresql, connection.connection.driver_connection.info.backend_pid)

    sa.event.listen(postgresql._database.engine, "commit", die)
    with pytest.raises(
        StoreUnavailableError, match="lost at the commit: whether it went through is not known"
    ):
        v.with_link(postgresql, v.link())
    sa.event.remove(postgresql._database.engine, "commit", die)
    assert postgresql.transact(lambda tx: tx.links()) == []


def test_a_server_that_is_down_is_said_at_once_and_comes_back(cluster_folder, key):
    with local_cluster(cluster_folder) as url:
        store = postgresql_store(url, keys=[key], upgrade=True)
        v.with_link(store, v.link())
    for what in (
        lambda: store.transact(lambda tx: tx.links()),
        lambda: store.add_deliveries([v.delivery("d_1")]),
    ):
        with pytest.raises(StoreUnavailableError, match=r"^store: PostgreSQL database 'postgres' at '.*': "):
            what()
    with pytest.raises(StoreUnavailableError):
        postgresql_store(url, keys=[key])
    with local_cluster(cluster_folder, keep=False):
        assert store.transact(lambda tx: tx.links()) == [v.link()]
        store.close()


def test_a_pool_that_stays_empty_is_said(shared_postgresql, key, monkeypatch):
    monkeypatch.setattr(postgresql, "PATIENCE", timedelta(milliseconds=20))
    store = postgresql_store(shared_postgresql, keys=[key], pool_size=1)
    with pytest.raises(StoreUnavailableError, match="no connection became free"):
        store.transact(lambda tx: store.transact(lambda inner: None))
    store.close()


def test_who_waits_too_long_for_a_lock_is_told(shared_postgresql, key, monkeypatch):
    monkeypatch.setattr(postgresql, "_SETTINGS", postgresql._SETTINGS.replace("'30s'", "'20ms'"))
    store = postgresql_store(shared_postgresql, keys=[key])
    with psycopg.connect(shared_postgresql) as connection:
        connection.execute("LOCK TABLE bankbridge_links")
        with pytest.raises(StoreUnavailableError, match="timeout"):
            store.transact(lambda tx: tx.links())
    assert store.transact(lambda tx: tx.links()) == []
    store.close()


def test_who_is_overtaken_again_and_again_gives_up(postgresql, other, monkeypatch):
    monkeypatch.setattr(sql_store, "PATIENCE", timedelta(0))
    v.with_link(postgresql, v.link())

    def work(tx):
        seen = tx.link("link_1")
        v.with_link(other, count_up(seen))
        tx.save_link(count_up(seen))

    with pytest.raises(StoreUnavailableError, match="could not serialize access"):
        postgresql.transact(work)


def test_what_the_database_does_not_understand_is_let_through(postgresql):
    def work(tx):
        tx._connection.exec_driver_sql("SELECT no_such_column")

    with pytest.raises(sa.exc.ProgrammingError, match="no_such_column"):
        postgresql.transact(work)


# --- settings


def shown(store: Any, setting: str) -> str:
    """A setting of a session, in a transaction."""
    found: str = store.transact(lambda tx: tx._connection.exec_driver_sql(f"SHOW {setting}").scalar())
    return found


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("transaction_isolation", "repeatable read"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("synchronous_commit", "on"),
        *((f"enable_{way}", "off") for way in ("seqscan", "sort", "hashjoin", "mergejoin")),
        ("application_name", "bankbridge"),
    ],
)
def test_every_connection_is_set_up(postgresql, setting, value):
    assert shown(postgresql, setting) == value


@pytest.mark.parametrize(
    ("configured", "used"), [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
)
def test_a_commit_is_written_down_whatever_the_server_is_set_to(postgresql_url, key, configured, used):
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {configured}')
    store = postgresql_store(postgresql_url, keys=[key], upgrade=True)
    assert shown(store, "synchronous_commit") == used
    store.close()


def test_what_the_url_says_goes_first(shared_postgresql, key):
    sign = "&" if "?" in shared_postgresql else "?"
    store = postgresql_store(f"{shared_postgresql}{sign}application_name=mine", keys=[key])
    assert shown(store, "application_name") == "mine"
    store.close()


def test_a_schema_of_its_own_is_chosen_by_the_url(postgresql_url, key):
    stores = []
    for name in ("one", "two"):
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        sign = "&" if "?" in postgresql_url else "?"
        url = f"{postgresql_url}{sign}options=-csearch_path%3D{name}"
        stores.append(postgresql_store(url, keys=[key], upgrade=True))
        v.with_link(stores[-1], v.link(f"link_{name}"))
    assert [[link.id for link in one.transact(lambda tx: tx.links())] for one in stores] == [
        ["link_one"],
        ["link_two"],
    ]
    for one in stores:
        one.close()


def test_the_fast_way_in_leaves_the_connection_as_it_was(shared_postgresql, key, postgresql):
    store = postgresql_store(shared_postgresql, keys=[key], pool_size=1)
    for some in ([v.delivery("d_1")], [v.delivery("d_2"), v.delivery("d_3")]):
        store.add_deliveries(some)
        with pytest.raises(LookupError):
            store.transact(add_and_raise)
    assert store.transact(lambda tx: tx.links()) == []
    store.close()


def add_and_raise(tx):
    tx.save_link(v.link())
    raise LookupError


def test_a_database_in_another_encoding_is_refused(postgresql_server, key):
    name = f"bankbridge_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        url = sa.make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
        with pytest.raises(ConfigurationError, match="encoding is SQL_ASCII; make one with ENCODING 'UTF8'"):
            postgresql_store(url, keys=[key], upgrade=True)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/x",
        "postgresql+psycopg://me:hunter2@127.0.0.1:1/x",
        "postgres://me:hunter2@127.0.0.1:1/x",
        "postgresql://me@127.0.0.1:1/x?password=hunter2",
        "postgresql://me:hunter2@/x?host=/no/such/folder",
    ],
)
def test_no_password_shows_in_an_error_or_a_repr(url, key, monkeypatch):
    with pytest.raises(StoreUnavailableError) as raised:
        postgresql_store(url, keys=[key])
    seen = [str(raised.value), repr(raised.value), repr(raised.value.__cause__)]
    assert "store: PostgreSQL database 'x' at " in seen[0]
    database = sql_store.database_of(url)
    seen += [repr(database), repr(database.engine), str(database.engine.url)]
    assert [text for text in seen if "hunter2" in text] == []


def one_more(tx):
    tx.save_link(count_up(tx.link("link_1")))


def test_many_threads_share_a_few_connections(shared_postgresql, key, postgresql):
    store: Any = postgresql_store(shared_postgresql, keys=[key], pool_size=2)
    v.with_link(store, v.link())
    gate = threading.Barrier(8)

    def count_ups(_):
        gate.wait()
        for _ in range(5):
            store.transact(one_more)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_ups, range(8)))
    assert store.transact(lambda tx: tx.link("link_1")).refused_logins == 40
    assert store._database.engine.pool.checkedin() <= 2
    store.close()


# --- what may be missing


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("psycopg", lambda: sql_store.migrate("postgresql://localhost/x"), "postgresql"),
        ("platformdirs", lambda: local_cluster("x").__enter__(), "local-postgresql"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(monkeypatch, module, call, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "bankbridge.store.sql.postgresql")
    with pytest.raises(
        ConfigurationError, match=re.escape(f"store: {module} is missing: pip install 'bankbridge[{extra}]'")
    ):
        call()
