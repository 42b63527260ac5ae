"""Whatever one piece of work does, step by step, it reads what it has written, as it does in memory.

A database is written to late, and asked no question twice: every answer must be the same all the same.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bankbridge.machine.status import Status
from bankbridge.store import Store, Transaction
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql.tables import SCHEMA
from bankbridge.words.errors import StaleVersionError, UnknownLinkError
from tests.store import values as v

HOMES = (v.link("link_1", v.RAIL, "acc_1", "acc_2"), v.link("link_2"), v.link("link_1", v.FINTOC, "acc_1"))
STORED = (
    v.ended(v.intent("intent_1", HOMES[0])),
    v.intent("intent_2", HOMES[0], v.minutes(1)),
    v.waking(v.intent("intent_3", HOMES[1]), v.minutes(2)),
)

homes = st.sampled_from(HOMES) | st.just(v.link("link_3"))
names = st.sampled_from([*(one.id for one in STORED), "intent_4"])
accounts = st.sampled_from(["acc_1", "acc_2", "acc_3"])
moments = st.integers(0, 3).map(v.minutes)
statuses = st.sampled_from([Status.REQUESTED, Status.BACKING_OFF, Status.FAILED])

Step = Callable[[Transaction], Any]


def fill(tx):
    for home in HOMES:
        tx.save_link(home)
    for one in STORED:
        tx.add_intent(one)


def save_link(home, seen, count, tx):
    seen = tuple(sorted(seen)) or None
    tx.save_link(attrs.evolve(home, accounts=seen, refused_logins=count))


def changed(one, at, status):
    if status.terminal:
        return attrs.evolve(one, status=status, wake=None, ended_at=at)
    return attrs.evolve(one, status=status, wake=STORED[1].wake, ended_at=None)


def add(name, home, at, status, tx):
    tx.add_intent(changed(v.intent(name, home, at), at, status))


def save(name, at, status, behind, tx):
    stored = tx.intent(name)
    if stored is not None:
        saved = attrs.evolve(changed(stored, at, status), version=stored.version + 1)
        tx.save_intent(saved, replaces=stored.version - behind)


def save_unseen(index, at, status, tx):
    """As somebody who knows its version from an earlier transaction."""
    stored = STORED[index]
    tx.save_intent(
        attrs.evolve(changed(stored, at, status), version=stored.version + 1), replaces=stored.version
    )


def expect(home, account, tx):
    tx.expect(home.connection, [v.about(link_id=home.id), v.about(account_id=account), v.about()])


LOOKS: dict[str, Callable[..., Any]] = {
    "link": lambda tx, home, account: tx.link(home.id, home.connection),
    "link anywhere": lambda tx, home, account: tx.link(home.id),
    "links": lambda tx, home, account: tx.links(),
    "account": lambda tx, home, account: tx.link_of_account(account, home.connection),
    "account anywhere": lambda tx, home, account: tx.link_of_account(account),
    "intents": lambda tx, home, account: tx.intents(home, limit=9),
    "open": lambda tx, home, account: tx.open_intent(home),
    "due": lambda tx, home, account: tx.due_intents(v.minutes(2), limit=9, connections=v.EVERYWHERE),
    "next": lambda tx, home, account: tx.next_wake_at(),
}


def look(what, home, account, tx):
    return LOOKS[what](tx, home, account)


def steps() -> st.SearchStrategy[Step]:
    """What matters most is an intent that was read, and is saved: more of those."""

    def step(function: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
        return st.builds(partial, st.just(function), *strategies)

    writes = st.one_of(
        step(save_link, homes, st.sets(accounts), st.integers(0, 2)),
        step(add, names, homes, moments, statuses),
        step(save, names, moments, statuses, st.sampled_from([0, 0, 0, 1])),
        step(save_unseen, st.integers(0, 2), moments, statuses),
    )
    looks = st.one_of(
        step(look, st.sampled_from(sorted(LOOKS)), homes, accounts), step(expect, homes, accounts)
    )
    return writes | looks


def every(what: str, tx: Transaction) -> list[Any]:
    """What one kind of look says of everything."""
    return [look(what, home, account, tx) for home in HOMES for account in ("acc_1", "acc_2", "acc_3")]


def told(store: Store, work: Sequence[Step]) -> list[Any]:
    """What every step said, if only that it was not allowed: then it has done nothing, and the work goes on."""

    def answer(step: Step, tx: Transaction) -> Any:
        try:
            return step(tx)
        except (StaleVersionError, UnknownLinkError) as error:
            return type(error)

    return store.transact(lambda tx: [answer(step, tx) for step in work])


def test_each_step_sees_those_before_it(sql):
    # The first look of the last ones may have to write what the steps have saved; so their order matters.
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(work=st.lists(steps(), min_size=2, max_size=8), looks=st.permutations(sorted(LOOKS)))
    def as_in_memory(work, looks):
        with sql._database.engine.begin() as connection:
            for table in reversed(SCHEMA.sorted_tables):
                connection.execute(table.delete())
        memory = MemoryStore()
        for store in (sql, memory):
            store.transact(fill)
        everything = [partial(every, what) for what in looks]
        assert told(sql, [*work, *everything]) == told(memory, [*work, *everything])
        assert told(sql, everything) == told(memory, everything)

    as_in_memory()
