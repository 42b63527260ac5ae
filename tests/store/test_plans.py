"""Every statement that runs in a loop goes by an index, on every database, among many rows."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from bankbridge.store.sql import SqlStore
from bankbridge.store.sql.tables import SCHEMA
from bankbridge.store.sql.upkeep import STEP
from tests.benchmarks.store_rows import LONG_AGO, fill, name_of
from tests.store import values as v

LINKS = 3000

# These hold nothing but what is waited for, in its order: they are read from their start, as far as the limit.
QUEUES = ("bankbridge_deliveries_waiting", "bankbridge_intents_due")
STEP_TAKEN = "SCAN anon_1"  # the rows that a step of pruning has found


def use_everything(tx) -> None:
    """Every call of a transaction but those that go through everything."""
    home = v.link("link_1", v.RAIL, "acc_1", "acc_2")
    running = v.intent("intent_1", home)
    tx.expect(v.RAIL, [v.about(link_id="link_1"), v.about(account_id="acc_1"), v.about(account_id="acc_2")])
    tx.save_link(home)
    tx.save_link(v.link("link_2"))
    tx.link("link_1")
    tx.link("link_1", v.RAIL)
    tx.link_of_account("acc_1")
    tx.link_of_account("acc_1", v.RAIL)
    tx.add_intent(running)
    tx.save_intent(attrs.evolve(running, version=1), replaces=0)
    tx.save_intent(v.ended(attrs.evolve(running, version=1)), replaces=1)
    with pytest.raises(Exception, match="no longer the stored one"):
        tx.save_intent(running, replaces=0)
    tx.intent("intent_1")
    tx.intents(home, limit=9)
    tx.open_intent(home)
    tx.due_intents(v.NOON, limit=9, connections=v.EVERYWHERE)
    tx.next_wake_at()
    tx.add_delivery(v.delivery("d_1"))
    tx.delivery("d_1")
    tx.waiting_deliveries(limit=9)
    tx.settle_delivery("d_1", "applied", at=v.NOON)
    tx.put_back("d_1")
    tx.park(v.parked("d_1", refresh_id="ri_1"))
    tx.parked_for(v.about(refresh_id="ri_1"), v.RAIL)
    tx.parked_for(v.about(refresh_id="ri_1", link_id="link_1", account_id="acc_1"), v.RAIL)
    tx.parked_for(v.about(), v.RAIL)
    tx.unpark(v.parked("d_1"))
    tx.drop_parked(v.minutes(-9))
    tx.log(v.entry("WokeUp"))
    tx.log_of("intent_1")


def filled(store: SqlStore) -> None:
    """Let a database have many rows of everything."""
    fill(store, LINKS)
    names = [name_of(index) for index in range(LINKS)]
    store.add_deliveries([v.delivery(f"d_{name}") for name in names])

    def park(tx):
        for name in names:
            tx.park(v.parked(f"d_{name}", link_id=name))

    store.transact(park)


def statements_of(store: SqlStore) -> dict[str, Any]:
    """What is sent to a database with many rows by all that runs in a loop, each with what was given."""
    filled(store)
    sent: dict[str, Any] = {}

    def remember(_connection, _cursor, statement, parameters, _context, many):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            sent[statement] = parameters[0] if many else parameters

    sa.event.listen(store._database.engine, "before_cursor_execute", remember)
    store.transact(use_everything)
    store.prune(before=LONG_AGO, intents=True)
    store.prune(before=v.NOON)
    store.renew()
    sa.event.remove(store._database.engine, "before_cursor_execute", remember)
    assert len(sent) >= 28, "something is no longer seen here"
    return sent


def test_sqlite_scans_and_sorts_nothing(sqlite, tmp_path):
    sent = statements_of(sqlite)
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        plans = {
            statement: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
            for statement, given in sent.items()
        }
    scans = {
        statement: plan
        for statement, plan in plans.items()
        if any(
            step.startswith("SCAN") and not any(name in step for name in (*QUEUES, STEP_TAKEN))
            for step in plan
        )
    }
    assert scans == {}
    sorts = {
        statement: plan
        for statement, plan in plans.items()
        if "LIMIT" in statement and any("TEMP B-TREE" in step for step in plan)
    }
    assert sorts == {}


def test_postgresql_scans_and_sorts_nothing(postgresql):
    sent = statements_of(postgresql)
    with postgresql._database.engine.begin() as connection:
        # What was pruned must be there again: on a few rows all plans are alike, and chance decides.
        for table in reversed(SCHEMA.sorted_tables):
            connection.execute(table.delete())
    filled(postgresql)
    with postgresql._database.engine.begin() as connection:
        # The server would do it by itself, but not at once; until then it takes a table for an empty one.
        connection.exec_driver_sql("ANALYZE")
    for statement, given in sent.items():
        for node in nodes(plan_of(postgresql, statement, given)):
            assert node["Node Type"] != "Seq Scan", statement
            if "Index Name" in node and node["Index Name"] not in QUEUES:
                assert "Index Cond" in node, f"{statement}: reads all of {node['Index Name']}"
            assert node.get("Rows Removed by Filter", 0) <= STEP, statement
            if node["Node Type"] == "Limit":
                assert not [under for under in nodes(node) if "Sort" in under["Node Type"]], statement


def plan_of(store: SqlStore, statement: str, given: Any) -> dict[str, Any]:
    """The plan with which a statement really runs; what it changes is undone."""
    with store._database.engine.connect() as connection:
        explained = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given
        ).scalar_one()
        plan: dict[str, Any] = explained[0]["Plan"]
        return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
