"""When the store is down: nothing is acknowledged that is not durable, and what was sent away comes again."""

import contextlib
import json
import sqlite3
from datetime import timedelta
from typing import Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from bankbridge import LinkChanged
from bankbridge.store.sql import cluster, postgresql_store, sqlite, sqlite_store
from bankbridge_rail import Rail
from tests.deliveries import payload, signed
from tests.stages import COLOURS, START, bridged, staged
from tests.store import values as v

SECRET = "whsec_0123456789"
EVENT = payload("rail", "link.refreshed")
DOWN = (503, "come back later")


@attrs.define
class Door:
    """A bridge to knock at, with nothing behind it but a store."""

    bridge: Any
    store: Any

    def knock(self, name="evt_1", at=START):
        body = json.dumps(EVENT | {"id": name}).encode()
        answer = self.bridge.receive("rail", signed("Rail-Signature", SECRET, body, at), body)
        return answer.status, answer.body

    def settled(self):
        """Whether each delivery that is stored was drained."""
        return self.store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == []


@contextlib.contextmanager
def door(colour, store, on_news=None):
    rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,), base_url="http://127.0.0.1:1")
    with bridged(colour, {"rail": rail}, store=store, clock=lambda: START, on_news=on_news) as bridge:
        yield Door(bridge, store)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "bankbridge"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(sqlite, "PATIENCE", timedelta(milliseconds=100))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_file_that_somebody_has_locked(tmp_path, key, colour, caplog):
    with (
        door(colour, sqlite_store(tmp_path / "store.db", keys=[key])) as found,
        contextlib.closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as somebody,
    ):
        assert found.knock("evt_1") == (200, "ok")
        somebody.execute("BEGIN IMMEDIATE")
        assert [found.knock(name) for name in ("evt_1", "evt_2", "evt_2")] == [DOWN] * 3
        somebody.execute("ROLLBACK")
        assert [found.knock(name) for name in ("evt_1", "evt_2")] == [(200, "known"), (200, "ok")]
        assert found.settled()
    began, over = lines(caplog)
    assert began.endswith("store.db': database is locked")
    assert over.startswith("deliveries are stored again; 3 ")


@pytest.mark.parametrize("pragma", ["query_only = ON", "max_page_count = 1"], ids=["read-only", "full"])
def test_a_file_that_cannot_be_written(tmp_path, key, pragma):
    with door("blocking", sqlite_store(tmp_path / "store.db", keys=[key])) as found:

        def tell(pragma):
            with found.store._database.engine.connect() as connection:
                connection.connection.driver_connection.execute(f"PRAGMA {pragma}")

        tell(pragma)
        # A page may have room for some; what is answered with 200 is there.
        answers = [found.knock(f"evt_{number}") for number in range(200)]
        assert answers[-1] == DOWN
        tell("query_only = OFF")
        tell("max_page_count = 1000000")
        kept = [found.knock(f"evt_{number}") == (200, "known") for number in range(200)]
        assert kept == [answer == (200, "ok") for answer in answers]
        assert found.settled()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_server_that_is_stopped(cluster_folder, key, colour, caplog):
    with cluster.local_cluster(cluster_folder) as url:
        store = postgresql_store(url, keys=[key], upgrade=True)
    with door(colour, store) as found:
        assert [found.knock(name) for name in ("evt_1", "evt_1", "evt_2")] == [DOWN] * 3
        with cluster.local_cluster(cluster_folder, keep=False):
            assert [found.knock(name) for name in ("evt_1", "evt_1")] == [(200, "ok"), (200, "known")]
            assert found.settled()
    assert len(lines(caplog)) == 2


def test_a_server_that_takes_no_more_connections(postgresql_url, key, caplog):
    store = postgresql_store(postgresql_url, keys=[key], upgrade=True)
    name = sa.make_url(postgresql_url).database
    with (
        psycopg.connect(postgresql_url.replace(f"/{name}", "/postgres"), autocommit=True) as operator,
        door("blocking", store) as found,
    ):
        assert found.knock("evt_1") == (200, "ok")
        operator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        assert found.knock("evt_2") == DOWN
        operator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        assert found.knock("evt_2") == (200, "ok")
    assert "whsec" not in caplog.text


def tries(stage):
    """What the emulator was answered to the newest event, try by try."""
    statuses: list[int | None] = stage.emulator.truth()["deliveries"][-1]["statuses"]
    return statuses


@pytest.mark.parametrize("colour", COLOURS)
def test_what_was_sent_away_comes_again(tmp_path, key, colour):
    told: list[Any] = []
    store = sqlite_store(tmp_path / "store.db", keys=[key])
    with (
        staged("rail", colour=colour, store=store, on_news=told.append) as stage,
        contextlib.closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as somebody,
    ):
        link = stage.link()
        stage.settle()
        told.clear()
        somebody.execute("BEGIN IMMEDIATE")
        stage.emulator.expire_link(link.link_id)
        stage.settle()
        assert tries(stage) == [503]
        somebody.execute("ROLLBACK")
        assert told == []
        stage.pass_time(5)
        assert tries(stage) == [503, 200]
        assert [type(news) for news in told] == [LinkChanged]


@pytest.mark.parametrize("colour", COLOURS)
def test_what_goes_wrong_afterwards_is_not_the_sender_s_matter(store, colour, caplog):
    def angry(news):
        raise RuntimeError("no room in the queue")

    v.with_link(store, v.link(EVENT["data"]["id"]))
    with door(colour, store, angry) as found:
        assert found.knock() == (200, "ok")
        assert found.settled()
    assert lines(caplog) == ["on_news raised when it was told of DataArrived"]
    assert "no room in the queue" in caplog.text
