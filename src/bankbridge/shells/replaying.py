"""The jobs of a replay: go through the store a little at a time, and put right what may be put right.

What is read is read in short transactions and told again outside of them, so a replay stands in nobody's way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

import attrs

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.machine.policy import Policy
from bankbridge.shells.connections import Connection, Core
from bankbridge.shells.jobs import Job, announce, transact
from bankbridge.shells.refreshing import intent_in, link_in
from bankbridge.shells.replay import Heard, NowUnderstood, Record, Replayed, Verdict, said_of
from bankbridge.shells.retelling import accounts_of, replayed
from bankbridge.shells.righting import links_of, put_back, put_right
from bankbridge.shells.strays import LATE, Strays, heard_now, translated, understood
from bankbridge.store import LogEntry, Settled, StoredDelivery, Transaction
from bankbridge.words.errors import ConfigurationError, UnknownConnectionError
from bankbridge.words.ids import IntentId, LinkId

Found: TypeAlias = Replayed | NowUnderstood
"""What a replay comes upon: an intent, told again, or a delivery that means something now."""

_PAGE: Final = 25
"""Intents that one transaction reads: some ten milliseconds, for which other writers wait at SQLite."""

_MOST: Final = 10_000
"""Intents of one link: six refreshes a day for more than four years."""

_RECENT: Final = 20
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Wish:
    """Which intents to tell again (of one link, one alone, made since), and whether to put right what differs."""

    link_id: LinkId | None = None
    connection: str | None = None
    intent_id: IntentId | None = None
    since: datetime | None = None
    apply: bool = False


@attrs.frozen(kw_only=True)
class _Stored:
    """What the store has of one intent, not yet translated."""

    intent: RefreshIntent
    link: Link
    entries: Sequence[LogEntry]
    deliveries: Sequence[StoredDelivery]
    strays: Sequence[Heard]


class Replaying:
    """A replay on its way: `go_on` until it is ``done``."""

    def __init__(self, core: Core, wish: Wish, policies: Mapping[str, Policy]) -> None:
        unknown = policies.keys() - core.connections.keys()
        if unknown:
            msg = f"policy for {', '.join(sorted(unknown))}: no such connection"
            raise UnknownConnectionError(msg)
        if wish.apply and policies:
            msg = "replay: a changed policy is for what comes: leave out apply, or the policies"
            raise ConfigurationError([msg])
        self.done = False
        self._core = core
        self._wish = wish
        self._policies = policies
        self._strays: Strays | None = None
        self._after = 0
        self._listed: list[RefreshIntent] | None = None
        self._are_told = False
        self._used: set[str] = set()

    def go_on(self) -> Job[list[Found]]:
        """The next few of what is found."""
        if self._are_told:
            return (yield from self._read_again())
        intents = yield from transact(self._next_intents)
        if intents:
            return (yield from self._tell(intents))
        self._are_told, self._after = True, 0
        # What is about one intent was told to it.
        self.done = self._wish.intent_id is not None
        return []

    # --- the intents

    def _next_intents(self, tx: Transaction) -> list[RefreshIntent]:
        wish = self._wish
        since = wish.since or _EVER
        if wish.intent_id is None and wish.link_id is None:
            page = tx.every_intent(after=self._after, limit=_PAGE, since=since)
            self._after = page[-1][0] if page else self._after
            return [intent for _, intent in page]
        if self._listed is None:
            self._listed = self._list(tx, since)
        some, self._listed = self._listed[:_PAGE], self._listed[_PAGE:]
        return some

    def _list(self, tx: Transaction, since: datetime) -> list[RefreshIntent]:
        if self._wish.intent_id is not None:
            return [intent_in(tx, self._wish.intent_id)[0]]
        link = link_in(tx, LinkId(self._wish.link_id or ""), self._wish.connection)
        return [one for one in reversed(tx.intents(link, limit=_MOST)) if one.created_at >= since]

    def _tell(self, intents: Sequence[RefreshIntent]) -> Job[list[Found]]:
        now = self._core.clock()
        oldest = min(intent.created_at for intent in intents)
        if self._strays is None:
            self._strays = Strays(self._core, oldest)
        yield from self._strays.read(until=max((one.ended_at or now) for one in intents) + LATE)
        self._strays.forget(before=oldest)
        found: list[Found] = []
        stored = yield from transact(lambda tx: [self._stored(tx, intent) for intent in intents])
        for one in stored:
            result = self._told(one)
            if self._wish.apply and result.verdict is Verdict.DIFFERS:
                result = yield from self._applied(result)
            if result.verdict is Verdict.DIFFERS:
                self._used.update(heard.delivery_id for heard in result.used)
            found.append(result)
        return found

    def _stored(self, tx: Transaction, intent: RefreshIntent) -> _Stored:
        # It may have moved since it was listed, and then it is another story.
        intent, link = intent_in(tx, intent.id)
        entries = tx.log_of(intent.id)
        names = dict.fromkeys(entry.delivery_id for entry in entries if entry.delivery_id is not None)
        deliveries = [one for one in map(tx.delivery, names) if one is not None]
        strays = self._strays_of(tx, intent, link, names)
        return _Stored(intent=intent, link=link, entries=entries, deliveries=deliveries, strays=strays)

    def _strays_of(
        self, tx: Transaction, intent: RefreshIntent, link: Link, told: Iterable[str]
    ) -> list[Heard]:
        if self._strays is None:
            return []
        known = set(told)
        strays = [
            heard
            for heard in self._strays.about(intent, accounts_of(intent, link))
            if heard.delivery_id not in known and heard.at >= intent.created_at
        ]
        if all(_names_refresh(heard, intent) for heard in strays):
            return strays
        # From the next intent on, what names no refresh is about that one.
        later = (
            one.created_at for one in tx.intents(link, limit=_RECENT) if one.created_at > intent.created_at
        )
        until = min(later, default=None)
        return [one for one in strays if until is None or one.at < until or _names_refresh(one, intent)]

    def _told(self, stored: _Stored) -> Replayed:
        connection = self._core.connections.get(stored.intent.connection)
        if connection is None:
            return Replayed(
                intent_id=stored.intent.id,
                connection=stored.intent.connection,
                link_id=stored.intent.link_id,
                version=stored.intent.version,
                verdict=Verdict.NOT_ENOUGH_STORED,
                was=said_of(stored.intent, stored.link),
                why="its connection is no longer configured",
            )
        heard = {one.id: heard_now(connection, one, one.delivery.received_at) for one in stored.deliveries}
        record = Record(
            intent=stored.intent, link=stored.link, entries=stored.entries, heard=heard, strays=stored.strays
        )
        return replayed(record, self._under_policy(connection))

    def _under_policy(self, connection: Connection) -> Connection:
        policy = self._policies.get(connection.name)
        return connection if policy is None else attrs.evolve(connection, policy=policy)

    def _applied(self, result: Replayed) -> Job[Replayed]:
        now, connection = self._core.clock(), self._core.connection(result.connection)
        applied, news = yield from transact(lambda tx: put_right(tx, connection, result, now=now))
        yield from announce(news)
        return attrs.evolve(result, applied=applied)

    # --- the deliveries that were not understood

    def _read_again(self) -> Job[list[Found]]:
        since = self._wish.since or _EVER
        page = yield from transact(
            lambda tx: tx.unmoving_deliveries(after=self._after, limit=_PAGE, since=since)
        )
        found: list[Found] = []
        for settled in page:
            one = yield from self._understood(settled)
            if one is not None:
                found.append(one)
        self._after = page[-1].position if page else self._after
        self.done = len(page) < _PAGE
        return found

    def _understood(self, settled: Settled) -> Job[NowUnderstood | None]:
        heard = translated(self._core, settled)
        if heard is None or heard.delivery_id in self._used:
            return None
        now = understood(heard, settled.stored.delivery.connection)
        if now is None or (self._wish.link_id is not None and not (yield from self._is_about_link(now))):
            return None
        if not self._wish.apply:
            return now
        applied = yield from transact(lambda tx: put_back(tx, settled, now))
        return attrs.evolve(now, applied=applied)

    def _is_about_link(self, now: NowUnderstood) -> Job[bool]:
        links = yield from transact(lambda tx: links_of(tx, now))
        return any(link.id == self._wish.link_id for link in links)


def _names_refresh(heard: Heard, intent: RefreshIntent) -> bool:
    ours = {attempt.refresh_id for attempt in (intent.attempt, *intent.past)} - {None}
    return all(notice.about.refresh_id in ours for notice in heard.notices)
