"""A provider whose answers are a test's own and whose deliveries are the real ones: stories without sockets."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from bankbridge import BankBridge
from bankbridge.machine.events import Event, RefreshFailed, RefreshProgressed, RefreshStarted
from bankbridge.machine.link import Link, LinkConnected, observe
from bankbridge.machine.notices import Notice, NotUnderstood, Subject
from bankbridge.provider import Evidence
from bankbridge.store import StoredDelivery
from bankbridge.store.memory import MemoryStore
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId, RefreshId
from bankbridge.words.reasons import Reason
from bankbridge_fintoc import Fintoc
from tests.deliveries import payload

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
ACCOUNTS = (AccountId("acc_1"), AccountId("acc_2"))
LINK = LinkId("link_1")


def not_hearing(kind: type, *types: str) -> type:
    """A plugin of a version that did not know these event types."""

    class Older(kind):  # type: ignore[misc]
        def translate(self, delivery):
            return [
                Notice(type=one.type, about=Subject(), says=NotUnderstood(why="event type not known"), raw={})
                if one.type in types
                else one
                for one in super().translate(delivery)
            ]

    return Older


def blaming(kind: type, reason: Reason) -> type:
    """A plugin of a version that took every failure that is delivered for this one."""

    class Other(kind):  # type: ignore[misc]
        def translate(self, delivery):
            return [self._other(one) for one in super().translate(delivery)]

        def _other(self, one):
            failure = getattr(one.says, "failure", None)
            if failure is None:
                return one
            return attrs.evolve(one, says=RefreshFailed(failure=attrs.evolve(failure, reason=reason)))

    return Other


@attrs.define
class Desk:
    """A bridge with one link, a clock that never stands quite still, and what the provider would answer.

    ``kind`` is the plugin; by default every create starts a refresh (ri_1, ri_2, …) and every look finds it running.
    """

    kind: type
    store: Any = attrs.field(factory=MemoryStore)
    created: Callable[["Desk"], tuple[Event, ...]] = attrs.field(default=lambda desk: (desk.started(),))
    seen: Callable[["Desk"], tuple[Event, ...]] = attrs.field(default=lambda _: (RefreshProgressed(),))
    now: datetime = START
    refreshes: list[str] = attrs.field(factory=list)
    told: list[Any] = attrs.field(factory=list)
    numbers: Iterator[int] = attrs.field(factory=itertools.count)
    bridge: BankBridge = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        link = Link(id=LINK, connection=self.name, accounts=ACCOUNTS)
        self.store.transact(lambda tx: tx.save_link(observe(link, LinkConnected(), now=START)))
        self.bridge = self.another(self.kind)

    @property
    def name(self) -> ConnectionName:
        """The connection's, and the folder's of the payloads."""
        return ConnectionName("fintoc" if issubclass(self.kind, Fintoc) else "rail")

    def another(self, kind: type, **options: Any) -> BankBridge:
        """A process with the same store, and perhaps with another version of the plugin."""
        return BankBridge(
            {self.name: self._scripted(kind)},
            store=self.store,
            clock=self.clock,
            new_id=lambda: IntentId(f"rfi_{next(self.numbers)}"),
            on_news=self.told.append,
            **options,
        )

    def clock(self) -> datetime:
        """A microsecond passes each time that somebody looks."""
        self.now += timedelta(microseconds=1)
        return self.now

    def started(self) -> RefreshStarted:
        """A new refresh at the provider."""
        self.refreshes.append(f"ri_{len(self.refreshes) + 1}")
        expected = ACCOUNTS if self.name == "fintoc" else None
        return RefreshStarted(refresh_id=RefreshId(self.refreshes[-1]), expected=expected)

    def hear(
        self, name: str, *, account: str = ACCOUNTS[0], ago: float = 0, refresh: str | None = None
    ) -> str:
        """Put a documented event into the inbox, about the link and by default its last refresh; its id."""
        body = self._body(name, account, refresh or (self.refreshes or ["ri_0"])[-1], ago)
        delivery = Delivery(connection=self.name, headers={}, body=body, received_at=self.clock())
        stored = StoredDelivery(id=DeliveryId(f"{self.name}/evt_{next(self.numbers)}"), delivery=delivery)
        self.store.add_deliveries([stored])
        return stored.id

    def wake(self, *, most: int = 1) -> None:
        """Let time pass to the next wake-up, drain and wake; ``most`` times, or until nothing is left to wake."""
        for _ in range(most):
            wake_at = self.store.transact(lambda tx: tx.next_wake_at())
            self.now = max(self.now, wake_at or self.now)
            if not self.bridge.wake_due() and wake_at is None:
                return

    def _body(self, name: str, account: str, refresh_id: str, ago: float) -> bytes:
        at = (self.now - timedelta(seconds=ago)).isoformat()

        def ours(value: Any, key: str = "") -> Any:
            match value:
                case dict():
                    return {name: ours(inner, name) for name, inner in value.items()}
                case str() if value.startswith("link_"):
                    return LINK
                case str() if value.startswith("acc_"):
                    return account
                case str() if value.startswith("ri_") and "_sec_" not in value:
                    return refresh_id
                case str() if key == "created_at":
                    return at
                case _:
                    return value

        return json.dumps(ours(payload(self.name, name))).encode()

    def _scripted(self, kind: type) -> Any:
        desk = self

        class Scripted(kind):  # type: ignore[misc]
            def create_refresh(self, *_: Any, **__: Any) -> Any:
                yield from ()
                return Evidence(events=desk.created(desk), words="created")

            def poll_refresh(self, *_: Any, **__: Any) -> Any:
                yield from ()
                return Evidence(events=desk.seen(desk), words="seen")

            def cancel_refresh(self, *_: Any, **__: Any) -> Any:
                yield from ()
                return Evidence(events=(), words="canceled")

        return Scripted(secret_key="sk_1", webhook_secrets=("whsec_0",), base_url="http://127.0.0.1:1")
