"""Whatever is done to a store in a database, in whatever order, it answers as the one in memory does."""

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bankbridge.machine.status import Status
from bankbridge.store import Store, Transaction
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import SqlStore
from bankbridge.store.sql.tables import SCHEMA
from bankbridge.words.errors import BankBridgeError
from tests.store import values as v

# Few of each, so that they meet.
link_ids = st.sampled_from(["link_1", "link\x00ï"])
connections = st.sampled_from([v.RAIL, v.FINTOC])
account_ids = st.lists(st.sampled_from(["acc_1", "acc_2", "acc\\1"]), max_size=3, unique=True)
intent_ids = st.sampled_from(["intent_1", "intent_2", "intent_3"])
delivery_ids = st.sampled_from(["d_1", "d_2", "d_3", "d_\ud800"])
moments = st.integers(0, 3).map(v.minutes)
limits = st.integers(1, 4)
subjects = st.builds(
    v.about,
    refresh_id=st.none() | st.just("ri_1"),
    link_id=st.none() | link_ids,
    account_id=st.none() | st.just("acc_1"),
)


class GivenUpError(Exception):
    """What a piece of work raises to be undone."""


@attrs.define
class Answer:
    """What a piece of work said: a value, or the kind of error."""

    value: Any = None
    error: type[Exception] | None = None


def answer(call: Callable[[], Any]) -> Answer:
    try:
        return Answer(value=call())
    except (BankBridgeError, GivenUpError) as error:
        return Answer(error=type(error))


class Both(RuleBasedStateMachine):
    """Everything is done to two stores and must be answered alike."""

    opened: Callable[[], SqlStore]

    def __init__(self) -> None:
        super().__init__()
        self.sql = type(self).opened()
        self.memory = MemoryStore()

    def both(self, call: Callable[[Store], Any]) -> None:
        assert answer(lambda: call(self.sql)) == answer(lambda: call(self.memory))

    def work(self, work: Callable[[Transaction], Any], *, undone: bool = False) -> None:
        def and_then(tx: Transaction) -> Any:
            result = work(tx)
            if undone:
                raise GivenUpError
            return result

        self.both(lambda store: store.transact(and_then))

    @rule(
        name=link_ids, where=connections, accounts=account_ids, count=st.integers(0, 3), undone=st.booleans()
    )
    def save_link(self, name, where, accounts, count, undone):
        saved = v.link(name, where, *accounts, refused_logins=count)
        self.work(lambda tx: tx.save_link(saved), undone=undone)

    @rule(
        name=intent_ids,
        home=link_ids,
        where=connections,
        at=moments,
        status=st.sampled_from(Status),
        undone=st.booleans(),
    )
    def add_intent(self, name, home, where, at, status, undone):
        added = v.intent(name, v.link(home, where), at, status=status)
        if status.terminal:
            added = attrs.evolve(added, wake=None, ended_at=at)
        self.work(lambda tx: tx.add_intent(added), undone=undone)

    @rule(name=intent_ids, replaces=st.integers(0, 2), at=moments, status=st.sampled_from(Status))
    def save_intent(self, name, replaces, at, status):
        def save(tx):
            stored = tx.intent(name)
            if stored is not None:
                changed = attrs.evolve(
                    v.waking(stored, at) if stored.wake else stored, status=status, version=replaces + 1
                )
                ended_at = at if status.terminal else None
                tx.save_intent(attrs.evolve(changed, ended_at=ended_at), replaces=replaces)

        self.work(save)

    @rule(names=st.lists(delivery_ids, max_size=4), at=moments)
    def add_deliveries(self, names, at):
        some = [
            v.delivery(name, at, body=name.encode(errors="replace") * number)
            for number, name in enumerate(names)
        ]
        self.both(lambda store: list(store.add_deliveries(some)))

    @rule(name=delivery_ids, at=moments, undone=st.booleans())
    def add_delivery(self, name, at, undone):
        self.work(lambda tx: tx.add_delivery(v.delivery(name, at)), undone=undone)

    @rule(limit=limits, undone=st.booleans())
    def drain(self, limit, undone):
        def settle(tx):
            for stored in tx.waiting_deliveries(limit=limit):
                tx.settle_delivery(stored.id, "applied", at=v.NOON)
                tx.log(v.entry("WokeUp", said=stored.id, delivery_id=stored.id))

        self.work(settle, undone=undone)

    @rule(name=delivery_ids, index=st.integers(0, 1), about=subjects, until=moments, where=connections)
    def park(self, name, index, about, until, where):
        parked = attrs.evolve(v.parked(name, until, index=index, connection=where), about=about)
        self.work(lambda tx: tx.park(parked))

    @rule(about=subjects, where=connections)
    def unpark(self, about, where):
        def unpark(tx):
            for parked in tx.parked_for(about, where)[:1]:
                tx.unpark(parked)

        self.work(unpark)

    @rule(now=moments)
    def drop_parked(self, now):
        self.work(lambda tx: tx.drop_parked(now))

    @rule(name=intent_ids, at=moments)
    def log(self, name, at):
        self.work(lambda tx: tx.log(attrs.evolve(v.entry("WokeUp", of=name, told=name), at=at)))

    @rule(name=delivery_ids)
    def put_back(self, name):
        self.work(lambda tx: tx.put_back(name))

    @rule(before=moments, intents=st.booleans())
    def prune(self, before, intents):
        self.both(lambda store: store.prune(before=before, intents=intents))

    @invariant()
    def they_hold_the_same(self):
        def everything(tx):
            homes = tx.links()
            return (
                homes,
                [tx.link(home.id) for home in homes],
                [
                    tx.link_of_account(name, where)
                    for name in ("acc_1", "acc_2", "acc\\1")
                    for where in (None, v.RAIL, v.FINTOC)
                ],
                [tx.intents(home, limit=9) for home in homes],
                [tx.open_intent(home) for home in homes],
                tx.due_intents(v.minutes(3), limit=9, connections=v.EVERYWHERE),
                tx.next_wake_at(),
                tx.waiting_deliveries(limit=9),
                [tx.delivery(name) for name in ("d_1", "d_2", "d_3", "d_\ud800")],
                [tx.parked_for(v.about(link_id=home.id), home.connection) for home in homes],
                [one for _, one in tx.every_intent(after=0, limit=9, since=v.minutes(-99))],
                [
                    attrs.evolve(one, position=0)
                    for one in tx.unmoving_deliveries(after=0, limit=9, since=v.NOON)
                ],
                [tx.log_of(name) for name in ("intent_1", "intent_2", "intent_3")],
            )

        assert self.sql.transact(everything) == self.memory.transact(everything)


def test_a_database_does_as_the_memory_does(sql):
    def opened() -> SqlStore:
        with sql._database.engine.begin() as connection:
            for table in reversed(SCHEMA.sorted_tables):
                connection.execute(table.delete())
        return sql

    machine = type("Machine", (Both,), {"opened": staticmethod(opened)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
