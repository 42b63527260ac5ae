"""The books of a run: everything that the providers know to have happened, and everything that is in the store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import attrs
import sqlalchemy as sa

from bankbridge import BankBridge
from bankbridge.machine.link import Link
from bankbridge.store import Transaction
from bankbridge.store.sql import SqlStore, postgresql_store, sqlite_store
from bankbridge.store.sql.tables import DELIVERIES, INTENTS, PARKED
from bankbridge.words.ids import ConnectionName, LinkId
from tests.chaos.play import Living
from tests.chaos.promises import Known
from tests.crash import news
from tests.crash.news import Told
from tests.crash.people import People
from tests.crash.scene import Scene
from tests.stages import PROVIDERS

_SLACK: Final = timedelta(seconds=5)
"""How long, in real time, a transaction may wait for others."""


@attrs.frozen(kw_only=True)
class Books(Known):
    """All that a balance is drawn from."""

    lives: Sequence[Living]
    results: Mapping[str, str | None]
    """What became of every stored delivery, by its id; None where nothing has."""
    parked: Sequence[tuple[str, str | None]]
    """Every notice that fits nothing: its delivery, and the refresh it names."""
    links: Mapping[tuple[str, str], Link]
    """By connection and id."""
    told: Sequence[Told]
    """Everything that any process announced of an intent."""
    gave_up: Sequence[str]
    """Whoever waited in vain."""

    @property
    def acknowledged(self) -> list[str]:
        """Every delivery that was answered 2xx, by the id it has in the store."""
        return [
            f"{provider}/{delivery['id']}"
            for provider, truth in self.truths.items()
            for delivery in truth["deliveries"]
            if any(status is not None and 200 <= status < 300 for status in delivery["statuses"])
        ]

    @property
    def faults(self) -> Mapping[str, int]:
        """Which faults struck, and how often."""
        return Counter(one["fault"] for truth in self.truths.values() for one in truth["faults"])


def books_of(scene: Scene, people: People) -> Books:
    """Read everything, while the emulators still run."""
    open_store = postgresql_store if "://" in scene.database else sqlite_store
    store = open_store(scene.database, keys=scene.keys)
    providers = {name: PROVIDERS[name](**given) for name, given in scene.connections.items()}
    with BankBridge(providers, store=store) as bridge:
        return books_from(
            bridge,
            store,
            truths={name: emulator.truth() for name, emulator in scene.emulators.items()},
            lives=people.lives,
            told=news.read(scene.news),
            gave_up=people.failures,
            slack=_SLACK * scene.clock.speed,
        )


def books_from(
    bridge: BankBridge,
    store: SqlStore,
    *,
    truths: Mapping[str, Any],
    lives: Sequence[Living],
    told: Sequence[Told] = (),
    gave_up: Sequence[str] = (),
    slack: timedelta = timedelta(0),
) -> Books:
    """Read the store. Each life is told the intents of its link, also those that nobody was told of."""
    with store._database.engine.connect() as connection:
        intents = connection.execute(
            sa.select(INTENTS.c.id, INTENTS.c.link_id).order_by(INTENTS.c.position)
        ).all()
        results = {
            row.id: row.result for row in connection.execute(sa.select(DELIVERIES.c.id, DELIVERIES.c.result))
        }
        parked = [
            (row[0], row[1])
            for row in connection.execute(sa.select(PARKED.c.delivery_id, PARKED.c.refresh_id))
        ]
    for living in lives:
        living.intents[:] = [row.id for row in intents if row.link_id == living.key]

    def links(tx: Transaction) -> dict[tuple[str, str], Link]:
        found = {
            (one.life.provider, one.key): tx.link(LinkId(one.key), ConnectionName(one.life.provider))
            for one in lives
        }
        return {name: link for name, link in found.items() if link is not None}

    return Books(
        truths=truths,
        stories={row.id: bridge.explain(row.id) for row in intents},
        lives=lives,
        results=results,
        parked=parked,
        links=store.transact(links),
        told=told,
        gave_up=gave_up,
        slack=slack,
    )
