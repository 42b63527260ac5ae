"""The deliveries that changed no intent, in a window that moves along with the intents of a replay.

A store of years has millions of them, and no index says whom they are about. So they are read once, in the order of
arrival, and held only as long as an intent that is replayed may want them.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from bankbridge.machine.attempt import AccountStatus
from bankbridge.machine.events import AccountReported, ProviderEvent, RefreshSucceeded
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import LinkConnected, LinkEvent, LinkRefreshed
from bankbridge.machine.notices import Notice, NotUnderstood, Subject, TestDelivery
from bankbridge.shells.connections import Connection, Core
from bankbridge.shells.jobs import Job, transact
from bankbridge.shells.replay import Heard, NowUnderstood
from bankbridge.shells.routing import KEPT
from bankbridge.shells.saying import notices_of
from bankbridge.store import Settled, StoredDelivery
from bankbridge.words.ids import AccountId, ConnectionName

LATE: Final = timedelta(days=5)
"""How long after an intent is over a delivery may still be about it: providers repeat one for about as long."""

_PAGE: Final = 100

# Processes whose clocks differ may write in an order that is not quite the order of time.
_SLACK: Final = timedelta(minutes=10)

_Key: TypeAlias = tuple[ConnectionName, str, str]
_Held: TypeAlias = tuple[Heard, tuple[_Key, ...]]


def heard_now(
    connection: Connection, stored: StoredDelivery, at: datetime, *, position: int = 0, result: str = ""
) -> Heard:
    """A stored delivery as it is translated today."""
    return Heard(
        delivery_id=stored.id,
        position=position,
        received_at=stored.delivery.received_at,
        at=at,
        result=result,
        notices=tuple(notices_of(connection, stored)),
    )


def translated(core: Core, settled: Settled) -> Heard | None:
    """A settled delivery as it is translated today; ``None`` where its connection is no longer configured."""
    connection = core.connections.get(settled.stored.delivery.connection)
    if connection is None:
        return None
    return heard_now(connection, settled.stored, settled.at, position=settled.position, result=settled.result)


@attrs.define
class Strays:
    """The window. ``since``: nothing that was received before is wanted at all."""

    _core: Core
    _since: datetime
    _after: int = attrs.field(default=0, init=False)
    _read_until: datetime | None = attrs.field(default=None, init=False)
    _held: deque[_Held] = attrs.field(factory=deque[_Held], init=False)
    _by_key: defaultdict[_Key, list[Heard]] = attrs.field(
        factory=lambda: defaultdict[_Key, list[Heard]](list), init=False
    )

    def read(self, *, until: datetime) -> Job[None]:
        """Read on until what was received ``until`` then is there."""
        while self._read_until is None or self._read_until < until + _SLACK:
            page = yield from transact(
                lambda tx: tx.unmoving_deliveries(after=self._after, limit=_PAGE, since=self._since)
            )
            for settled in page:
                self._hold(settled)
            if page:
                self._after = page[-1].position
                self._read_until = page[-1].stored.delivery.received_at
            if len(page) < _PAGE:
                return

    def forget(self, *, before: datetime) -> None:
        """Let go of what was received long enough before."""
        while self._held and self._held[0][0].received_at < before - _SLACK:
            heard, keys = self._held.popleft()
            for key in keys:
                self._by_key[key].remove(heard)
                if not self._by_key[key]:
                    del self._by_key[key]

    def about(self, intent: RefreshIntent, accounts: Iterable[AccountId]) -> list[Heard]:
        """What may be about an intent, in the order in which it was drained."""
        refreshes = (attempt.refresh_id for attempt in (intent.attempt, *intent.past))
        subjects = [
            Subject(link_id=intent.link_id),
            *(Subject(account_id=account) for account in accounts),
            *(Subject(refresh_id=refresh_id) for refresh_id in refreshes if refresh_id is not None),
        ]
        keys = (key for subject in subjects for key in _keys(intent.connection, subject))
        found = {heard.delivery_id: heard for key in keys for heard in self._by_key.get(key, ())}
        return sorted(found.values(), key=lambda heard: (heard.at, heard.received_at, heard.position))

    def _hold(self, settled: Settled) -> None:
        heard = translated(self._core, settled)
        if heard is None or not any(map(may_move, heard.notices)):
            return
        name = settled.stored.delivery.connection
        keys = tuple(dict.fromkeys(key for one in heard.notices for key in _keys(name, one.about)))
        self._held.append((heard, keys))
        for key in keys:
            self._by_key[key].append(heard)


def understood(heard: Heard, connection: ConnectionName) -> NowUnderstood | None:
    """What a delivery means now that was not understood then, if it does."""
    says = [one for one in heard.notices if not isinstance(one.says, NotUnderstood | TestDelivery)]
    if not says or not heard.result.startswith(KEPT):
        return None
    return NowUnderstood(
        delivery_id=heard.delivery_id,
        connection=connection,
        received_at=heard.received_at,
        says=tuple(f"{one.type}: {type(one.says).__name__}" for one in says),
        about=tuple(one.about for one in says),
        frees=any(map(_frees, says)),
    )


def _frees(notice: Notice) -> bool:
    match notice.says:
        case LinkConnected() | LinkRefreshed() | RefreshSucceeded():
            return True
        case AccountReported(result=result):
            return result.status is AccountStatus.SUCCEEDED
        case _:
            return False


def may_move(notice: Notice) -> bool:
    """Whether a notice can be about a refresh at all."""
    return isinstance(notice.says, ProviderEvent | LinkEvent)


def _keys(connection: ConnectionName, about: Subject) -> list[_Key]:
    fields = {"link": about.link_id, "account": about.account_id, "refresh": about.refresh_id}
    return [(connection, kind, value) for kind, value in fields.items() if value is not None]
