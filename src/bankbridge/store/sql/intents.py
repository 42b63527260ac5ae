"""The intents of one transaction.

What it has read it has at hand, since opening a sealed document costs more than finding it; what it saved is written
when it must be seen, at the latest at the end: many rows by one statement, and each intent once, however many
versions it went through.
"""

import sqlalchemy as sa

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.store.sql import statements as sql
from bankbridge.store.sql.tables import INTENTS
from bankbridge.store.sql.work import Home, Work, given_home, home_of
from bankbridge.words.errors import StaleVersionError, UnknownLinkError
from bankbridge.words.ids import ConnectionName, IntentId, LinkId


class Intents:
    """Each as it would be read now, and the open one of each link that somebody has looked for."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._intents: dict[IntentId, RefreshIntent] = {}
        self._open: dict[Home, IntentId | None] = {}
        self._stored_versions: dict[IntentId, int] = {}
        """Of those that are to be written, the versions that the database has."""

    # --- reading

    def read(self, statement: sa.Executable, **given: object) -> list[RefreshIntent]:
        """The intents that a statement finds. It must find them whether or not what was saved is written."""
        rows = self._work.connection.execute(statement, given)
        intents = [self._known(row.id, row.document) for row in rows]
        for intent in intents:
            self._work.is_about(link_id=intent.link_id)
        return intents

    def open_of(self, link: Link) -> RefreshIntent | None:
        """The one that is not over."""
        home = link.connection, link.id
        if home not in self._open:
            found = self.read(sql.OPEN_INTENT, **given_home(link))
            self._open[home] = found[0].id if found else None
        running = self._open[home]
        return None if running is None else self._intents[running]

    def take(
        self, connection: ConnectionName, link_id: LinkId, intent_id: IntentId | None, document: bytes
    ) -> None:
        """What was found to be open of a link."""
        if intent_id is not None:
            self._known(intent_id, document)
        self._open.setdefault((connection, link_id), intent_id)

    def _known(self, intent_id: IntentId, document: bytes) -> RefreshIntent:
        if intent_id not in self._intents:
            intent = self._work.sealer.open_intent(document, f"intent {intent_id}")
            self._intents[intent_id] = intent
            if not intent.status.terminal:
                self._open[home_of(intent)] = intent_id
        return self._intents[intent_id]

    # --- writing

    def add(self, intent: RefreshIntent) -> None:
        """Store a new one; its link must have been written. Raises `UnknownLinkError`, `StaleVersionError`."""
        self.write()
        home = {"the_id": intent.link_id, "the_connection": intent.connection}
        if self._work.connection.scalar(sql.HAS_LINK, home) is None:
            msg = f"link {intent.link_id}: is not stored; add it first"
            raise UnknownLinkError(msg)
        stays = {
            "id": intent.id,
            "connection": intent.connection,
            "link_id": intent.link_id,
            "created_at": intent.created_at,
        }
        if not self._work.insert_new(INTENTS, {**stays, **self._changing(intent)}):
            msg = f"intent {intent.id}: it, or another open one of link {intent.link_id}, is stored already"
            raise StaleVersionError(msg)
        self._keep(intent)

    def save(self, intent: RefreshIntent, replaces: int) -> None:
        """Replace version ``replaces``. Raises `StaleVersionError`."""
        before = self._intents.get(intent.id)
        if before is None or (before.status.terminal and not intent.status.terminal):
            self._save_at_once(intent, replaces)
        elif before.version == replaces:
            self._stored_versions.setdefault(intent.id, replaces)
        else:
            raise _stale(intent, replaces)
        self._keep(intent)

    def _save_at_once(self, intent: RefreshIntent, replaces: int) -> None:
        """Its version is not known; or it opens again, which another open one forbids."""
        self.write()
        given = {"the_id": intent.id, "the_version": replaces}
        statement = sql.SAVE_INTENT if intent.status.terminal else sql.SAVE_OPEN_INTENT
        if self._work.connection.execute(statement, given | self._changing(intent)).rowcount:
            return
        if self._work.connection.scalar(sql.HAS_VERSION, given) is None:
            raise _stale(intent, replaces)
        msg = f"intent {intent.id}: another one of link {intent.link_id} is open"
        raise StaleVersionError(msg)

    def write(self) -> None:
        """Write what was saved. Nobody has come between: the transaction is isolated, and saw these versions."""
        versions, self._stored_versions = self._stored_versions, {}
        rows = [
            {"the_id": intent_id, "the_version": version, **self._changing(self._intents[intent_id])}
            for intent_id, version in versions.items()
        ]
        if rows and self._work.connection.execute(sql.SAVE_INTENT, rows).rowcount != len(rows):
            msg = f"intents {', '.join(versions)}: of one of them another version is stored than was read"
            raise StaleVersionError(msg)

    def _changing(self, intent: RefreshIntent) -> dict[str, object]:
        """The columns that change in an intent's life."""
        return {
            "open": not intent.status.terminal,
            "wake_at": None if intent.wake is None else intent.wake.at,
            "ended_at": intent.ended_at,
            "version": intent.version,
            "document": self._work.sealer.seal_intent(intent),
        }

    def _keep(self, intent: RefreshIntent) -> None:
        before = self._intents.get(intent.id)
        self._intents[intent.id] = intent
        if not intent.status.terminal:
            self._open[home_of(intent)] = intent.id
        elif before is not None and not before.status.terminal:
            self._open[home_of(intent)] = None


def _stale(intent: RefreshIntent, replaces: int) -> StaleVersionError:
    return StaleVersionError(f"intent {intent.id}: version {replaces} is no longer the stored one")
