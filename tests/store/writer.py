"""A process of its own that writes to a store: ``writer.py URL KEY forever`` or ``writer.py URL KEY race COUNT``.

``forever`` adds one delivery after the other, and says each one's name when it is committed. ``race`` waits for a
line on its standard input, then opens the store, tries to add the same COUNT deliveries as everybody else, to open
the intent of the same link, and to count the link's refused logins up; it says what it won. Half of the deliveries
go the fast way in.
"""

import itertools
import sys

import attrs

from bankbridge.store import StoredDelivery
from bankbridge.store.sql import SqlStore
from bankbridge.words.errors import StaleVersionError
from tests.store import values as v


def add(store: SqlStore, stored: StoredDelivery, *, fast: bool) -> bool:
    if fast:
        return store.add_deliveries([stored])[0]
    return store.transact(lambda tx: tx.add_delivery(stored))


def write_forever(store: SqlStore) -> None:
    for number in itertools.count():
        stored = v.delivery(f"d_{number}")
        add(store, stored, fast=number % 2 == 0)
        print(stored.id, flush=True)  # noqa: T201


def race(store: SqlStore, count: int, name: str) -> None:
    for number in range(count):
        stored = v.delivery(f"d_{number}")
        if add(store, stored, fast=number % 2 == 0):
            print(stored.id)  # noqa: T201
        store.transact(count_one)
    try:
        store.transact(lambda tx: tx.add_intent(v.intent(name, v.link())))
        print(name)  # noqa: T201
    except StaleVersionError:
        pass


def count_one(tx) -> None:
    seen = tx.link("link_1") or v.link()
    tx.save_link(attrs.evolve(seen, refused_logins=seen.refused_logins + 1))


if __name__ == "__main__":
    url, key, mode, *rest = sys.argv[1:]
    if mode == "race":
        print("ready", flush=True)  # noqa: T201
        name = sys.stdin.readline().strip()
        race(SqlStore(url, keys=[key], upgrade=True), int(rest[0]), name)
    else:
        write_forever(SqlStore(url, keys=[key], upgrade=True))
