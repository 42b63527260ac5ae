"""Work for an engine that writes down what it is asked, and does with the store what the real one does there."""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

import attrs

from bankbridge.engine import Claim, Look, Timer
from bankbridge.machine.intent import RefreshIntent, WakeUp
from bankbridge.store import Store, Transaction
from bankbridge.words.ids import ConnectionName
from tests.store import values as v

PATIENCE = 30.0


@attrs.define
class Recording:
    """What was done: ``("drained", count)``, ``("woke", intent_id, version)``, ``("performed", intent_id)``."""

    store: Store
    done: list[tuple] = attrs.field(factory=list)
    drains: int = 0
    hurt: Callable[[str], None] = lambda what: None
    """Called before anything is done; what it raises is raised."""
    _news: threading.Condition = attrs.field(factory=threading.Condition)

    def look(self) -> Look:
        self.hurt("look")
        now = datetime.now(UTC)

        def read(tx: Transaction) -> Look:
            wake_at = tx.next_wake_at()
            return Look(
                deliveries=bool(tx.waiting_deliveries(limit=1)),
                due_in=None if wake_at is None else wake_at - now,
            )

        return self.store.transact(read)

    def drain(self) -> int:
        self.hurt("drain")
        now = datetime.now(UTC)

        def settle(tx: Transaction) -> int:
            waiting = tx.waiting_deliveries(limit=100)
            for stored in waiting:
                tx.settle_delivery(stored.id, "seen", at=now)
            return len(waiting)

        count = self.store.transact(settle)
        self.drains += 1
        if count:
            self.tell("drained", count)
        return count

    def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        self.hurt("claim")
        now = datetime.now(UTC)

        def wake(tx: Transaction) -> list[RefreshIntent]:
            due = list(tx.due_intents(now, limit=limit, connections={v.RAIL}))
            for intent in due:
                put_off(tx, intent, now)
            return due

        return [
            Claim(intent_id=intent.id, connection=intent.connection, effects=())
            for intent in self.store.transact(wake)
        ]

    def perform(self, claim: Claim) -> None:
        self.hurt("perform")
        self.tell("performed", claim.intent_id)

    def wake(self, timer: Timer) -> bool:
        self.hurt("wake")
        now = datetime.now(UTC)

        def wake(tx: Transaction) -> bool:
            intent = tx.intent(timer.intent_id)
            if intent is None or intent.wake is None:
                return False
            if intent.wake.version != timer.version or intent.wake.at > now:
                return False
            put_off(tx, intent, now)
            return True

        if self.store.transact(wake):
            self.tell("woke", timer.intent_id, timer.version)
            return True
        return False

    def tell(self, *what: object) -> None:
        with self._news:
            self.done.append(what)
            self._news.notify_all()

    def until(self, *what: object) -> None:
        """Wait until it has been done."""
        assert self.wait(lambda: what in self.done, PATIENCE), self.done

    def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds, or so long."""
        with self._news:
            return self._news.wait_for(holds, seconds)


@attrs.frozen
class InLoop:
    """`Recording` for an event loop; its store's calls are short enough to be made in it."""

    work: Recording

    async def look(self) -> Look:
        return self.work.look()

    async def drain(self) -> int:
        return self.work.drain()

    async def claim(self, *, limit: int, avoid: Collection[ConnectionName] = ()) -> Sequence[Claim]:
        return self.work.claim(limit=limit, avoid=avoid)

    async def perform(self, claim: Claim) -> None:
        self.work.perform(claim)

    async def wake(self, timer: Timer) -> bool:
        return self.work.wake(timer)


def put_off(tx: Transaction, intent: RefreshIntent, now: datetime) -> RefreshIntent:
    """What being woken does to an intent: the next wake-up is set, an hour later."""
    return set_wake(tx, intent, now + timedelta(hours=1))


def set_wake(tx: Transaction, intent: RefreshIntent, at: datetime | None) -> RefreshIntent:
    """The intent's next version, which wakes at another time, or not at all."""
    version = intent.version + 1
    assert intent.wake is not None
    wake = None if at is None else WakeUp(at=at, purpose=intent.wake.purpose, version=version)
    changed = attrs.evolve(intent, version=version, wake=wake)
    tx.save_intent(changed, replaces=intent.version)
    return changed
