"""What every store must do, whatever it is made of."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import attrs
import pytest

from bankbridge.machine.link import Institution, LinkStatus
from bankbridge.machine.status import TERMINAL, Status
from bankbridge.store import Pruned
from bankbridge.store.sql.upkeep import STEP
from bankbridge.words.errors import StaleVersionError, UnknownLinkError
from bankbridge.words.ids import DeliveryId
from tests.store import values as v

THREADS = 8


def together(works):
    """Run every piece of work in a thread of its own, all released at once; what each returned or raised."""
    gate = threading.Barrier(len(works))

    def run(work):
        gate.wait()
        try:
            return work()
        except StaleVersionError as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


# --- transactions


def test_what_a_transaction_returns_is_handed_on(store):
    assert store.transact(lambda tx: 42) == 42


def test_work_that_raises_leaves_no_trace(store):
    old = v.with_link(store, v.link("link_1", v.RAIL, "acc_1"))
    running = v.intent("intent_1", old)
    store.transact(lambda tx: tx.add_intent(running))
    store.transact(lambda tx: tx.add_delivery(v.delivery("d_1")))
    store.transact(lambda tx: tx.park(v.parked("d_1", link_id="link_1")))

    def everything_and_then(tx):
        tx.save_link(attrs.evolve(old, status=LinkStatus.LOCKED))
        tx.save_link(v.link("link_2", v.RAIL, "acc_1", "acc_2"))
        tx.save_intent(v.ended(running), replaces=0)
        tx.add_intent(v.intent("intent_2", old))
        tx.add_delivery(v.delivery("d_2"))
        tx.settle_delivery("d_1", "applied", at=v.NOON)
        tx.park(v.parked("d_2", link_id="link_1"))
        tx.unpark(v.parked("d_1", link_id="link_1"))
        tx.log(v.entry("WokeUp"))
        raise LookupError

    with pytest.raises(LookupError):
        store.transact(everything_and_then)

    def look(tx):
        assert tx.links() == [old]
        assert tx.link_of_account("acc_1") == old
        assert tx.link_of_account("acc_2") is None
        assert tx.intents(old, limit=9) == [running]
        assert tx.delivery("d_2") is None
        assert tx.waiting_deliveries(limit=9) == [v.delivery("d_1")]
        assert tx.parked_for(v.about(link_id="link_1"), v.RAIL) == [v.parked("d_1", link_id="link_1")]
        assert tx.log_of("intent_1") == []

    store.transact(look)


def test_a_transaction_sees_its_own_writes(store):
    def work(tx):
        tx.save_link(v.link())
        return tx.link("link_1")

    assert store.transact(work) == v.link()


def test_the_store_goes_on_after_work_that_raised(store):
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            store.transact(lambda tx: 1 / 0)
    assert store.transact(lambda tx: tx.links()) == []


def test_threads_that_decide_on_two_rows_and_write_one_decide_as_if_alone(store):
    """Each spends from its own link what both together may spend: no row is written by two, and none twice."""
    v.with_link(store, v.link("link_0"))
    v.with_link(store, v.link("link_1"))
    budget = 3

    def spend(number):
        def work(tx):
            both = [tx.link("link_0"), tx.link("link_1")]
            if sum(link.refused_logins for link in both) < budget:
                mine = both[number % 2]
                tx.save_link(attrs.evolve(mine, refused_logins=mine.refused_logins + 1))

        store.transact(work)

    together([lambda number=number: spend(number) for number in range(THREADS)])
    assert sum(link.refused_logins for link in store.transact(lambda tx: tx.links())) == budget


def test_threads_that_read_then_write_lose_no_update(store):
    v.with_link(store, v.link())

    def count_one(tx):
        seen = tx.link("link_1")
        tx.save_link(attrs.evolve(seen, refused_logins=seen.refused_logins + 1))

    together([lambda: [store.transact(count_one) for _ in range(5)]] * THREADS)
    assert store.transact(lambda tx: tx.link("link_1")).refused_logins == 5 * THREADS


# --- links


def test_an_unknown_link_is_none(store):
    assert store.transact(lambda tx: (tx.link("link_1"), tx.link("link_1", v.RAIL))) == (None, None)


def test_a_link_comes_back_whole(store):
    rich = v.link(
        "link_1",
        v.FINTOC,
        "acc_1",
        "acc_2",
        token="link_token_x",
        institution=Institution(id="cl_banco_de_chile", name="Banco de Chile"),
        status=LinkStatus.NEEDS_RECONNECT,
        credential_version=3,
        refused_logins=1,
        abandoned_prompts=2,
        cooldown_until=v.minutes(5),
        refreshed_at=v.NOON,
        status_at=v.minutes(-1),
        counted_at=v.minutes(-2),
    )
    v.with_link(store, rich)
    assert store.transact(lambda tx: tx.link("link_1", v.FINTOC)) == rich


def test_a_saved_link_replaces_the_one_before(store):
    v.with_link(store, v.link())
    locked = v.with_link(store, v.link(status=LinkStatus.LOCKED))
    assert store.transact(lambda tx: tx.links()) == [locked]


def test_links_come_by_id(store):
    names = ["link_3", "link_1", "link_2"]
    for name in names:
        v.with_link(store, v.link(name))
    assert [link.id for link in store.transact(lambda tx: tx.links())] == sorted(names)


def test_links_come_by_the_characters_of_their_ids_and_not_by_a_language(store):
    names = ["b", "a", "B", "_", "Z", "ñ", "n", "é", "1", "日"]
    for name in names:
        v.with_link(store, v.link(name))
    assert [link.id for link in store.transact(lambda tx: tx.links())] == sorted(names)


ODD = ["a\x00b", "\ud800", "back\\slash", "\\0000", "\\005c", "ñ日🏦", "'; --", "%s :x ?", " ", "\n"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_any_text_that_json_can_say_is_stored_as_it_came(store, odd):
    """A provider's ids and words are its own; one that a database refused would come back for ever."""
    home = v.with_link(store, v.link(f"link{odd}", v.RAIL, f"acc{odd}", token=odd))
    delivery = v.delivery(f"d{odd}")
    delivery = attrs.evolve(delivery, delivery=attrs.evolve(delivery.delivery, headers={"x-odd": odd}))
    running = v.intent("intent_1", home)
    line = v.entry("WokeUp", of=running.id, said=odd, delivery_id=delivery.id)
    parked = v.parked(delivery.id, link_id=odd)

    def write(tx):
        tx.add_intent(running)
        tx.add_delivery(delivery)
        tx.park(parked)
        tx.log(line)

    store.transact(write)
    other = attrs.evolve(delivery, id=DeliveryId(f"fast{odd}"))
    assert list(store.add_deliveries([other])) == [True]
    assert list(store.add_deliveries([delivery, other])) == [False, False]

    def look(tx):
        assert tx.link_of_account(f"acc{odd}") == home
        assert tx.open_intent(home) == tx.intent(running.id) == running
        assert tx.waiting_deliveries(limit=9) == [delivery, other]
        assert tx.parked_for(v.about(link_id=odd), v.RAIL) == [parked]
        assert tx.log_of(running.id) == [line]
        tx.settle_delivery(delivery.id, odd, at=v.NOON)
        assert tx.waiting_deliveries(limit=9) == [other]

    store.transact(look)


def test_one_id_under_two_connections_is_two_links(store):
    rail = v.with_link(store, v.link("link_1", v.RAIL, "acc_1"))
    fintoc = v.with_link(store, v.link("link_1", v.FINTOC, "acc_1"))

    def look(tx):
        assert tx.link("link_1", v.RAIL) == rail
        assert tx.link("link_1", v.FINTOC) == fintoc
        assert tx.link("link_1") is None, "which of the two is not said"
        assert tx.link_of_account("acc_1", v.RAIL) == rail
        assert tx.link_of_account("acc_1", v.FINTOC) == fintoc
        assert tx.link_of_account("acc_1") is None
        assert set(tx.links()) == {rail, fintoc}

    store.transact(look)


def test_each_of_two_links_with_one_id_may_have_an_open_intent(store):
    rail, fintoc = (v.with_link(store, v.link("link_1", where)) for where in (v.RAIL, v.FINTOC))
    mine, other = v.intent("intent_1", rail), v.intent("intent_2", fintoc)

    def add(tx):
        tx.add_intent(mine)
        tx.add_intent(other)

    store.transact(add)
    assert store.transact(lambda tx: (tx.open_intent(rail), tx.open_intent(fintoc))) == (mine, other)
    assert store.transact(lambda tx: tx.intents(rail, limit=9)) == [mine]


def test_an_account_leads_to_the_link_it_was_last_seen_under(store):
    v.with_link(store, v.link("link_1", v.RAIL, "acc_1", "acc_2"))
    moved = v.with_link(store, v.link("link_2", v.RAIL, "acc_2"))
    assert store.transact(lambda tx: tx.link_of_account("acc_2")) == moved
    gone = v.with_link(store, v.link("link_1", v.RAIL, "acc_3"))
    assert store.transact(lambda tx: tx.link_of_account("acc_1")) == gone, "it was last seen there"
    assert store.transact(lambda tx: tx.link_of_account("acc_9", v.RAIL)) is None


# --- intents


def test_an_unknown_intent_is_none(store):
    assert store.transact(lambda tx: tx.intent("intent_1")) is None
    assert store.transact(lambda tx: tx.open_intent(v.link())) is None
    assert store.transact(lambda tx: tx.intents(v.link(), limit=9)) == []


def test_an_intent_needs_its_link(store):
    with pytest.raises(UnknownLinkError, match="link link_1: is not stored"):
        store.transact(lambda tx: tx.add_intent(v.intent("intent_1", v.link())))


def test_an_intent_is_replaced_by_its_next_version(store):
    first = v.intent("intent_1", v.with_link(store, v.link()))
    second = attrs.evolve(first, status=Status.IN_PROGRESS, version=1)
    store.transact(lambda tx: tx.add_intent(first))
    assert store.transact(lambda tx: tx.intent("intent_1")) == first
    store.transact(lambda tx: tx.save_intent(second, replaces=0))
    assert store.transact(lambda tx: tx.intent("intent_1")) == second


@pytest.mark.parametrize("replaces", [0, 2])
def test_another_version_than_the_stored_one_is_stale(store, replaces):
    first = v.intent("intent_1", v.with_link(store, v.link()), version=1)
    store.transact(lambda tx: tx.add_intent(first))
    with pytest.raises(StaleVersionError, match=f"intent intent_1: version {replaces} is no longer"):
        store.transact(lambda tx: tx.save_intent(attrs.evolve(first, version=9), replaces=replaces))
    assert store.transact(lambda tx: tx.intent("intent_1")) == first


def test_an_intent_that_is_not_stored_cannot_be_replaced(store):
    new = v.intent("intent_1", v.with_link(store, v.link()))
    with pytest.raises(StaleVersionError):
        store.transact(lambda tx: tx.save_intent(new, replaces=0))


def test_an_intent_cannot_be_added_twice(store):
    over = v.ended(v.intent("intent_1", v.with_link(store, v.link())))
    store.transact(lambda tx: tx.add_intent(over))
    with pytest.raises(StaleVersionError):
        store.transact(lambda tx: tx.add_intent(attrs.evolve(over, version=5)))
    assert store.transact(lambda tx: tx.intent("intent_1")) == over


def test_a_link_has_at_most_one_open_intent(store):
    home = v.with_link(store, v.link())
    store.transact(lambda tx: tx.add_intent(v.intent("intent_1", home)))
    with pytest.raises(StaleVersionError, match=r"intent_2.* another"):
        store.transact(lambda tx: tx.add_intent(v.intent("intent_2", home)))
    assert store.transact(lambda tx: tx.open_intent(home)).id == "intent_1"


def test_when_an_intent_is_over_the_next_may_open(store):
    home = v.with_link(store, v.link())
    first, second = v.intent("intent_1", home), v.intent("intent_2", home)
    store.transact(lambda tx: tx.add_intent(first))
    store.transact(lambda tx: tx.save_intent(v.ended(first), replaces=0))
    assert store.transact(lambda tx: tx.open_intent(home)) is None
    store.transact(lambda tx: tx.add_intent(second))
    assert store.transact(lambda tx: tx.open_intent(home)) == second


def test_an_ended_intent_cannot_open_again_beside_another(store):
    home = v.with_link(store, v.link())
    first = v.intent("intent_1", home)

    def prepare(tx):
        tx.add_intent(v.ended(first))
        tx.add_intent(v.intent("intent_2", home))

    store.transact(prepare)
    with pytest.raises(StaleVersionError, match=r"intent_1.*another.*open"):
        store.transact(lambda tx: tx.save_intent(first, replaces=1))
    assert store.transact(lambda tx: tx.intent("intent_1")) == v.ended(first)


@pytest.mark.parametrize("status", Status)
def test_an_intent_is_open_until_its_status_is_terminal(store, status):
    home = v.with_link(store, v.link())
    store.transact(lambda tx: tx.add_intent(v.intent("intent_1", home, status=status)))
    assert (store.transact(lambda tx: tx.open_intent(home)) is None) is (status in TERMINAL)


def test_a_links_intents_come_newest_first_and_no_more_than_asked_for(store):
    home, other = v.with_link(store, v.link()), v.with_link(store, v.link("link_2"))

    def add(tx):
        tx.add_intent(v.intent("intent_0", other))
        for name, at in (("intent_b", 2), ("intent_c", 1), ("intent_a", 3), ("intent_d", 3)):
            tx.add_intent(v.ended(v.intent(name, home, v.minutes(at))))

    store.transact(add)
    newest = ["intent_d", "intent_a", "intent_b", "intent_c"]
    assert [one.id for one in store.transact(lambda tx: tx.intents(home, limit=9))] == newest
    assert [one.id for one in store.transact(lambda tx: tx.intents(home, limit=2))] == newest[:2]


def test_due_intents_come_longest_due_first(store):
    wakes = {"intent_a": 3, "intent_b": 1, "intent_c": 2, "intent_d": 2, "intent_e": 4}

    def add(tx):
        for name, at in wakes.items():
            home = v.link(f"link_{name}")
            tx.save_link(home)
            tx.add_intent(v.waking(v.intent(name, home), v.minutes(at)))

    store.transact(add)
    due = store.transact(lambda tx: tx.due_intents(v.minutes(3), limit=9, connections=v.EVERYWHERE))
    assert [one.id for one in due] == ["intent_b", "intent_c", "intent_d", "intent_a"]
    first = store.transact(lambda tx: tx.due_intents(v.minutes(3), limit=2, connections=v.EVERYWHERE))
    assert [one.id for one in first] == ["intent_b", "intent_c"]
    for elsewhere in ([], [v.FINTOC]):
        found = store.transact(lambda tx, there=elsewhere: tx.due_intents(v.NOON, limit=2, connections=there))
        assert found == []
    just_before = v.minutes(1) - timedelta(microseconds=1)
    assert store.transact(lambda tx: tx.due_intents(just_before, limit=9, connections=v.EVERYWHERE)) == []
    assert store.transact(lambda tx: tx.next_wake_at()) == v.minutes(1)


def test_without_a_wake_up_an_intent_is_never_due(store):
    home = v.with_link(store, v.link())
    assert store.transact(lambda tx: tx.next_wake_at()) is None
    store.transact(lambda tx: tx.add_intent(v.ended(v.intent("intent_1", home))))
    assert store.transact(lambda tx: tx.due_intents(v.minutes(999), limit=9, connections=v.EVERYWHERE)) == []
    assert store.transact(lambda tx: tx.next_wake_at()) is None


def test_a_wake_up_follows_the_newest_version(store):
    first = v.intent("intent_1", v.with_link(store, v.link()))
    store.transact(lambda tx: tx.add_intent(first))
    later = attrs.evolve(v.waking(first, v.minutes(30)), version=1)
    store.transact(lambda tx: tx.save_intent(later, replaces=0))
    assert store.transact(lambda tx: tx.next_wake_at()) == v.minutes(30)
    assert store.transact(lambda tx: tx.due_intents(v.minutes(29), limit=9, connections=v.EVERYWHERE)) == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda tx: tx.due_intents(v.minutes(9), limit=9, connections=v.EVERYWHERE),
        lambda tx: tx.next_wake_at(),
    ],
)
def test_a_wake_up_that_was_saved_a_moment_ago_counts(store, ask):
    first = v.intent("intent_1", v.with_link(store, v.link()))
    store.transact(lambda tx: tx.add_intent(first))

    def save_and_ask(tx):
        read = tx.intent("intent_1")
        tx.save_intent(attrs.evolve(v.waking(read, v.minutes(30)), version=1), replaces=0)
        later = ask(tx)
        tx.save_intent(attrs.evolve(v.waking(read, v.minutes(3)), version=2), replaces=1)
        return later, ask(tx)

    later, soon = store.transact(save_and_ask)
    assert later in ([], v.minutes(30))
    assert soon in ([store.transact(lambda tx: tx.intent("intent_1"))], v.minutes(3))


def test_a_time_in_another_zone_is_the_same_time(store):
    home = v.with_link(store, v.link())
    santiago = v.NOON.astimezone(timezone(timedelta(hours=-3)))
    store.transact(lambda tx: tx.add_intent(v.waking(v.intent("intent_1", home), santiago)))
    assert store.transact(lambda tx: tx.next_wake_at()) == v.NOON
    assert len(store.transact(lambda tx: tx.due_intents(v.NOON, limit=9, connections=v.EVERYWHERE))) == 1


def test_of_many_threads_one_replaces_a_version(store):
    first = v.intent("intent_1", v.with_link(store, v.link()))
    store.transact(lambda tx: tx.add_intent(first))

    def save(number):
        mine = attrs.evolve(first, version=1, attempt=attrs.evolve(first.attempt, number=number))
        store.transact(lambda tx: tx.save_intent(mine, replaces=0))
        return number

    results = together([lambda number=number: save(number) for number in range(THREADS)])
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1
    assert store.transact(lambda tx: tx.intent("intent_1")).attempt.number == winners[0]


def test_of_many_threads_one_opens_an_intent(store):
    home = v.with_link(store, v.link())

    def add(number):
        store.transact(lambda tx: tx.add_intent(v.intent(f"intent_{number}", home)))
        return number

    results = together([lambda number=number: add(number) for number in range(THREADS)])
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1
    assert store.transact(lambda tx: tx.open_intent(home)).id == f"intent_{winners[0]}"


# --- deliveries


def test_an_unknown_delivery_is_none(store):
    assert store.transact(lambda tx: tx.delivery("d_1")) is None
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == []


def test_a_delivery_comes_back_byte_for_byte(store):
    raw = v.delivery("d_1", body=bytes(range(256)))
    store.transact(lambda tx: tx.add_delivery(raw))
    assert store.transact(lambda tx: tx.delivery("d_1")) == raw


def test_deliveries_come_in_together_and_each_is_taken_once(store):
    assert list(store.add_deliveries([])) == []
    assert list(store.add_deliveries([v.delivery("d_1")])) == [True]
    assert list(store.add_deliveries([v.delivery("d_1", body=b"again")])) == [False]
    raw = v.delivery("d_2", body=bytes(range(256)))
    some = [v.delivery("d_3"), v.delivery("d_1", body=b"again"), raw, v.delivery("d_3", body=b"again")]
    assert list(store.add_deliveries(some)) == [True, False, True, False]
    waiting = store.transact(lambda tx: tx.waiting_deliveries(limit=9))
    assert waiting == [v.delivery("d_1"), v.delivery("d_3"), raw]


def test_of_many_threads_one_takes_each_of_many_deliveries(store):
    names = [f"d_{number}" for number in range(20)]

    def add(number):
        # In another order each, so that each waits for another one's row.
        mine = names[number:] + names[:number]
        return dict(zip(mine, store.add_deliveries([v.delivery(name) for name in mine]), strict=True))

    results = together([lambda number=number: add(number) for number in range(THREADS)])
    assert [sum(result[name] for result in results) for name in names] == [1] * len(names)


def test_a_delivery_is_taken_once_and_the_first_copy_stays(store):
    first, second = v.delivery("d_1"), v.delivery("d_1", v.minutes(1), body=b"again")
    assert store.transact(lambda tx: tx.add_delivery(first)) is True
    assert store.transact(lambda tx: tx.add_delivery(second)) is False
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == [first]


def test_a_copy_leaves_the_rest_of_its_transaction_alone(store):
    store.transact(lambda tx: tx.add_delivery(v.delivery("d_1")))

    def work(tx):
        return [tx.add_delivery(v.delivery(name)) for name in ("d_0", "d_1", "d_2")]

    assert store.transact(work) == [True, False, True]
    assert len(store.transact(lambda tx: tx.waiting_deliveries(limit=9))) == 3


def test_waiting_deliveries_come_oldest_first_and_no_more_than_asked_for(store):
    def add(tx):
        for name, at in (("d_c", 2), ("d_b", 2), ("d_a", 1)):
            tx.add_delivery(v.delivery(name, v.minutes(at)))

    store.transact(add)
    assert [one.id for one in store.transact(lambda tx: tx.waiting_deliveries(limit=9))] == [
        "d_a",
        "d_c",
        "d_b",
    ]
    assert [one.id for one in store.transact(lambda tx: tx.waiting_deliveries(limit=1))] == ["d_a"]


def test_a_settled_delivery_waits_no_more_and_is_still_known(store):
    def work(tx):
        tx.add_delivery(v.delivery("d_1"))
        tx.add_delivery(v.delivery("d_2"))
        tx.settle_delivery("d_1", "applied", at=v.NOON)

    store.transact(work)
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == [v.delivery("d_2")]
    assert store.transact(lambda tx: tx.delivery("d_1")) == v.delivery("d_1")
    assert store.transact(lambda tx: tx.add_delivery(v.delivery("d_1"))) is False


def test_settling_what_never_came_does_nothing(store):
    store.transact(lambda tx: tx.settle_delivery("d_1", "applied", at=v.NOON))
    store.transact(lambda tx: tx.add_delivery(v.delivery("d_1")))
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == [v.delivery("d_1")]


def test_within_one_transaction_things_happen_in_their_order(store):
    def work(tx):
        tx.settle_delivery("d_1", "not there yet", at=v.NOON)
        tx.add_delivery(v.delivery("d_1"))
        tx.add_delivery(v.delivery("d_2"))
        tx.settle_delivery("d_2", "applied", at=v.NOON)
        tx.log(v.entry("WokeUp"))
        assert tx.waiting_deliveries(limit=9) == [v.delivery("d_1")]
        assert tx.log_of("intent_1") == [v.entry("WokeUp")]
        tx.log(v.entry("RefreshStarted"))

    store.transact(work)
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == [v.delivery("d_1")]
    assert store.transact(lambda tx: tx.log_of("intent_1")) == [v.entry("WokeUp"), v.entry("RefreshStarted")]


def test_of_many_threads_one_takes_a_delivery(store):
    def add(number):
        copy = v.delivery("d_1", body=b"%d" % number)
        return store.transact(lambda tx: tx.add_delivery(copy))

    results = together([lambda number=number: add(number) for number in range(THREADS)])
    assert sorted(results) == [False] * (THREADS - 1) + [True]
    winner = b"%d" % results.index(True)
    assert store.transact(lambda tx: tx.delivery("d_1")).delivery.body == winner


# --- parked notices

PARKED = (
    v.parked("d_1", v.minutes(1), refresh_id="ri_1"),
    v.parked("d_1", v.minutes(1), index=1, link_id="link_1"),
    v.parked("d_2", v.minutes(2), account_id="acc_1"),
    v.parked("d_3", v.minutes(3), refresh_id="ri_1", link_id="link_1", account_id="acc_1"),
    v.parked("d_4", v.minutes(4), connection=v.FINTOC, link_id="link_1", account_id="acc_1"),
)


@pytest.mark.parametrize(
    ("ids", "fitting"),
    [
        ({"refresh_id": "ri_1"}, [0, 3]),
        ({"link_id": "link_1"}, [1, 3]),
        ({"account_id": "acc_1"}, [2, 3]),
        ({"link_id": "link_1", "account_id": "acc_1"}, [1, 2, 3]),
        ({"refresh_id": "ri_1", "link_id": "link_1", "account_id": "acc_1"}, [0, 1, 2, 3]),
        ({"refresh_id": "ri_9", "link_id": "link_9"}, []),
        ({}, []),
    ],
)
def test_a_parked_notice_is_found_by_whatever_it_shares(store, ids, fitting):
    store.transact(lambda tx: [tx.park(one) for one in PARKED])
    found = store.transact(lambda tx: tx.parked_for(v.about(**ids), v.RAIL))
    assert found == [PARKED[index] for index in fitting]


def test_parked_notices_stay_with_their_connection(store):
    store.transact(lambda tx: [tx.park(one) for one in PARKED])
    assert store.transact(lambda tx: tx.parked_for(v.about(link_id="link_1"), v.FINTOC)) == [PARKED[4]]


def test_a_notice_parked_again_is_still_one_and_keeps_its_place(store):
    longer = attrs.evolve(PARKED[0], until=v.minutes(9))

    def work(tx):
        for one in (*PARKED, longer):
            tx.park(one)

    store.transact(work)
    found = store.transact(lambda tx: tx.parked_for(v.about(refresh_id="ri_1"), v.RAIL))
    assert found == [longer, PARKED[3]]


def test_an_unparked_notice_is_forgotten_and_only_that_one(store):
    store.transact(lambda tx: [tx.park(one) for one in PARKED])
    store.transact(lambda tx: tx.unpark(PARKED[1]))
    store.transact(lambda tx: tx.unpark(PARKED[1]))
    assert store.transact(lambda tx: tx.parked_for(v.about(link_id="link_1"), v.RAIL)) == [PARKED[3]]
    assert PARKED[0] in store.transact(lambda tx: tx.parked_for(v.about(refresh_id="ri_1"), v.RAIL))


def test_what_was_parked_until_before_now_is_dropped_and_counted(store):
    store.transact(lambda tx: [tx.park(one) for one in PARKED])
    assert store.transact(lambda tx: tx.drop_parked(v.minutes(1))) == 0, "until then means then too"
    assert store.transact(lambda tx: tx.drop_parked(v.minutes(2.5))) == 3
    everything = v.about(refresh_id="ri_1", link_id="link_1", account_id="acc_1")
    assert store.transact(lambda tx: tx.parked_for(everything, v.RAIL)) == [PARKED[3]]


def test_a_delivery_that_is_put_back_waits_again(store):
    store.add_deliveries([v.delivery("d_1")])

    def work(tx):
        tx.settle_delivery("d_1", "kept: event type not known", at=v.NOON)
        tx.put_back("d_1")
        tx.put_back("d_9")
        assert tx.waiting_deliveries(limit=9) == [v.delivery("d_1")]

    store.transact(work)
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == [v.delivery("d_1")]
    assert store.transact(lambda tx: tx.unmoving_deliveries(after=0, limit=9, since=v.NOON)) == []


def test_what_moved_no_intent_is_read_in_the_order_of_arrival_a_few_at_a_time(store):
    results = ["already known", "intent intent_1", None, "kept: intent not known", "parked", "intents"]
    store.add_deliveries([v.delivery(f"d_{number}", v.minutes(number)) for number, _ in enumerate(results)])

    def settle(tx):
        for number, result in enumerate(results):
            if result is not None:
                tx.settle_delivery(f"d_{number}", result, at=v.minutes(10 + number))

    store.transact(settle)

    def read(tx):
        first = tx.unmoving_deliveries(after=0, limit=2, since=v.NOON)
        return [*first, *tx.unmoving_deliveries(after=first[-1].position, limit=9, since=v.NOON)]

    found = store.transact(read)
    assert [(one.stored, one.result, one.at) for one in found] == [
        (v.delivery(f"d_{number}", v.minutes(number)), results[number], v.minutes(10 + number))
        for number in (0, 3, 4, 5)
    ]
    late = store.transact(lambda tx: tx.unmoving_deliveries(after=0, limit=9, since=v.minutes(4)))
    assert [one.stored.id for one in late] == ["d_4", "d_5"]


def test_every_intent_is_read_in_the_order_of_making_a_few_at_a_time(store):
    homes = [v.with_link(store, v.link(f"link_{number}")) for number in range(4)]
    made = [v.intent(f"intent_{9 - number}", home) for number, home in enumerate(homes)]
    store.transact(lambda tx: [tx.add_intent(one) for one in made])
    changed = v.ended(made[0])
    store.transact(lambda tx: tx.save_intent(changed, replaces=0))

    def read(tx):
        first = tx.every_intent(after=0, limit=3, since=v.minutes(-99))
        rest = tx.every_intent(after=first[-1][0], limit=3, since=v.minutes(-99))
        assert tx.every_intent(after=rest[-1][0], limit=3, since=v.minutes(-99)) == []
        return [one for _, one in (*first, *rest)]

    assert store.transact(read) == [changed, *made[1:]]
    assert store.transact(lambda tx: tx.every_intent(after=0, limit=9, since=v.minutes(1))) == []


# --- the log


def test_the_log_keeps_the_order_it_was_written_in(store):
    lines = [
        v.entry("RefreshStarted", said="created", delivery_id="d_1", told='{"refresh_id":"ri_1"}'),
        attrs.evolve(v.entry("WokeUp"), at=v.minutes(-5), after=Status.LOST),
        v.entry("RefreshStarted"),
    ]
    store.transact(lambda tx: [tx.log(line) for line in lines[:2]])
    store.transact(lambda tx: tx.log(v.entry("WokeUp", of="intent_2")))
    store.transact(lambda tx: tx.log(lines[2]))
    assert store.transact(lambda tx: tx.log_of("intent_1")) == lines
    assert store.transact(lambda tx: tx.log_of("intent_9")) == []


# --- forgetting

LATER = v.minutes(60)


def test_what_is_settled_is_forgotten_by_age_and_then_new_again(store):
    store.add_deliveries([v.delivery("d_old"), v.delivery("d_waits"), v.delivery("d_new", LATER)])

    def settle(tx):
        tx.settle_delivery("d_old", "applied", at=v.NOON)
        tx.settle_delivery("d_new", "applied", at=v.NOON)

    store.transact(settle)
    assert store.prune(before=v.NOON) == Pruned()
    assert store.prune(before=LATER) == Pruned(deliveries=1)
    assert store.prune(before=LATER) == Pruned()
    kept = store.transact(
        lambda tx: [tx.delivery(name) is not None for name in ("d_old", "d_waits", "d_new")]
    )
    assert kept == [False, True, True]
    assert list(store.add_deliveries([v.delivery("d_old")])) == [True]
    assert {one.id for one in store.transact(lambda tx: tx.waiting_deliveries(limit=9))} == {
        "d_old",
        "d_waits",
    }


def test_a_delivery_is_kept_for_a_notice_that_is_parked(store):
    store.add_deliveries([v.delivery("d_1"), v.delivery("d_2")])

    def park(tx):
        for name, until in (("d_1", v.minutes(90)), ("d_2", v.minutes(30))):
            tx.park(v.parked(name, until, link_id="link_1"))
            tx.settle_delivery(name, "parked", at=v.NOON)

    store.transact(park)
    assert store.prune(before=LATER) == Pruned(deliveries=1, parked=1)
    store.transact(lambda tx: tx.unpark(v.parked("d_1")))
    assert store.prune(before=LATER) == Pruned(deliveries=1)


def test_the_log_is_forgotten_by_the_end_of_its_intent(store):
    homes = [v.with_link(store, v.link(f"link_{number}")) for number in range(3)]
    over = v.ended(v.intent("intent_0", homes[0]))
    just_over = attrs.evolve(v.ended(v.intent("intent_1", homes[1])), ended_at=LATER)
    running = v.intent("intent_2", homes[2])

    def write(tx):
        for one in (over, just_over, running):
            tx.add_intent(one)
            tx.log(v.entry("RefreshStarted", of=one.id))
        tx.log(attrs.evolve(v.entry("RefreshSucceeded", of=over.id), at=LATER))

    store.transact(write)
    assert store.prune(before=LATER) == Pruned(log=1)

    def look(tx):
        assert [line.event for line in tx.log_of(over.id)] == ["RefreshSucceeded"]
        assert [len(tx.log_of(one.id)) for one in (just_over, running)] == [1, 1]
        assert [tx.intent(one.id) for one in (over, just_over, running)] == [over, just_over, running]

    store.transact(look)


def test_ended_intents_are_forgotten_only_if_wished_and_their_log_with_them(store):
    home, other = v.with_link(store, v.link("link_1")), v.with_link(store, v.link("link_2"))
    over, running = v.ended(v.intent("intent_1", home)), v.intent("intent_2", other)
    no_end = v.intent("intent_3", home, status=Status.FAILED)

    def write(tx):
        for one in (over, running, no_end):
            tx.add_intent(one)
            tx.log(v.entry("RefreshStarted", of=one.id))

    store.transact(write)
    assert store.prune(before=LATER, intents=True) == Pruned(intents=1, log=1)

    def look(tx):
        assert tx.links() == [home, other]
        assert [tx.intent(one.id) for one in (over, running, no_end)] == [None, running, no_end]
        assert tx.intents(home, limit=9) == [no_end]
        assert tx.log_of(over.id) == []
        assert len(tx.log_of(running.id)) == 1

    store.transact(look)


def test_more_is_forgotten_than_one_step_takes(store):
    many = 2 * STEP + 3
    home = v.with_link(store, v.link())
    over = v.ended(v.intent("intent_1", home))
    store.add_deliveries([v.delivery(f"d_{number}") for number in range(many)])

    def settle(tx):
        tx.add_intent(over)
        for number in range(many):
            tx.settle_delivery(f"d_{number}", "applied", at=v.NOON)
            tx.log(v.entry("WokeUp"))
            tx.park(v.parked(f"p_{number}", link_id="link_1"))

    store.transact(settle)
    assert store.prune(before=LATER) == Pruned(deliveries=many, log=many, parked=many)
