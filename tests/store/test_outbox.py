"""What a transaction did to wake-ups is told in it, to whoever keeps timers; in SQLite as in PostgreSQL."""

import attrs
import pytest

from tests.store import values as v


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def told(store):
    seen: list = []
    store.attach(lambda connection, wakes: seen.append((type(connection).__module__, dict(wakes))))
    return seen


def later(one, minutes, **fields):
    """The next version, which sets a wake-up."""
    version = one.version + 1
    wake = attrs.evolve(one.wake, at=v.minutes(minutes), version=version)
    return attrs.evolve(one, version=version, wake=wake, **fields)


def test_what_is_set_and_what_is_over_is_told_once(store, told):
    one, two = (v.intent(f"intent_{n}", v.with_link(store, v.link(f"link_{n}"))) for n in (1, 2))
    for intent in (one, two):
        store.transact(lambda tx, intent=intent: tx.add_intent(intent))
    assert [wakes for _, wakes in told] == [{one.id: one.wake}, {two.id: two.wake}]
    assert told[0][0].partition(".")[0] in {"sqlite3", "psycopg"}
    told.clear()

    moved = later(later(one, 1), 2)

    def work(tx):
        tx.save_intent(moved, replaces=one.version)
        tx.save_intent(v.ended(two), replaces=two.version)

    store.transact(work)
    assert [wakes for _, wakes in told] == [{one.id: moved.wake, two.id: None}]


def test_what_sets_no_wake_up_tells_nothing(store, told):
    one = v.intent("intent_1", v.with_link(store, v.link()))
    store.transact(lambda tx: tx.add_intent(one))
    moved = later(one, 1)
    store.transact(lambda tx: tx.save_intent(moved, replaces=one.version))
    told.clear()
    store.transact(lambda tx: tx.save_intent(attrs.evolve(moved, version=2, attended=True), replaces=1))
    store.transact(lambda tx: tx.intent(one.id))
    assert told == []


def test_what_the_outbox_raises_undoes_everything(store):
    one = v.intent("intent_1", v.with_link(store, v.link()))

    def full(connection, wakes):
        raise LookupError

    store.attach(full)
    with pytest.raises(LookupError):
        store.transact(lambda tx: tx.add_intent(one))
    assert store.transact(lambda tx: tx.intent(one.id)) is None
