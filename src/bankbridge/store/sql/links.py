"""The links of one transaction, and which account leads to which.

What it has read it has at hand, since opening a sealed document costs more than finding it; what it saved is written
when it must be seen, at the latest at the end: many rows by one statement.
"""

from collections.abc import Collection, Sequence
from typing import TypeAlias

import sqlalchemy as sa

from bankbridge.machine.link import Link
from bankbridge.store.sql import statements as sql
from bankbridge.store.sql.tables import ACCOUNTS, LINKS
from bankbridge.store.sql.work import Home, Work, chunks
from bankbridge.words.ids import AccountId, ConnectionName, LinkId

_Place: TypeAlias = tuple[ConnectionName, AccountId]


class Links:
    """Each as it would be read now. ``None``: it is not there. No entry: nobody has looked."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._links: dict[Home, Link | None] = {}
        self._homes: dict[_Place, LinkId | None] = {}
        self._saved: dict[Home, Link] = {}
        self._mapped: dict[_Place, LinkId] = {}

    # --- reading

    def one(self, connection: ConnectionName, link_id: LinkId) -> Link | None:
        """One link."""
        home = connection, link_id
        if home not in self._links:
            self._links[home] = self._only(sql.LINK, the_id=link_id, the_connection=connection)
        return self._links[home]

    def anywhere(self, link_id: LinkId) -> Link | None:
        """The only link with this id."""
        self.write()
        return self._only(sql.LINK_ANYWHERE, the_id=link_id)

    def every(self) -> list[Link]:
        """All there are, by id."""
        self.write()
        return self._read(sql.ALL_LINKS)

    def of_account(self, connection: ConnectionName, account_id: AccountId) -> Link | None:
        """The link that an account was last seen under."""
        place = connection, account_id
        if place not in self._homes:
            link = self._only(sql.LINK_OF_ACCOUNT, the_id=account_id, the_connection=connection)
            self._homes[place] = None if link is None else link.id
        link_id = self._homes[place]
        return None if link_id is None else self.one(connection, link_id)

    def of_account_anywhere(self, account_id: AccountId) -> Link | None:
        """The same, if there is only one."""
        self.write()
        return self._only(sql.LINK_OF_ACCOUNT_ANYWHERE, the_id=account_id)

    def expect_accounts(self, connection: ConnectionName, accounts: Collection[AccountId]) -> list[LinkId]:
        """Read at once where these lead to, and say so."""
        for some in chunks([one for one in accounts if (connection, one) not in self._homes]):
            stored = self._stored_homes(connection, some)
            self._homes.update({(connection, one): stored.get(one) for one in some})
        homes = (self._homes[connection, account_id] for account_id in accounts)
        return [link_id for link_id in homes if link_id is not None]

    def unread(self, connection: ConnectionName, links: Collection[LinkId]) -> list[LinkId]:
        """Which of these nobody has looked at."""
        return [link_id for link_id in links if (connection, link_id) not in self._links]

    def take(self, connection: ConnectionName, link_id: LinkId, document: bytes | None) -> None:
        """What was found of a link that nobody had looked at."""
        found = None if document is None else self._work.sealer.open_link(document, f"link {link_id}")
        self._links[connection, link_id] = found

    def _stored_homes(
        self, connection: ConnectionName, accounts: Sequence[AccountId]
    ) -> dict[AccountId, LinkId]:
        given = {"the_connection": connection, "the_accounts": accounts}
        rows = self._work.connection.execute(sql.HOMES_OF_ACCOUNTS, given)
        return {row.id: row.link_id for row in rows}

    def _only(self, statement: sa.Executable, **given: object) -> Link | None:
        links = self._read(statement, **given)
        return links[0] if len(links) == 1 else None

    def _read(self, statement: sa.Executable, **given: object) -> list[Link]:
        links: list[Link] = []
        for row in self._work.connection.execute(statement, given):
            link = self._links.get((row.connection, row.id))
            if link is None:
                link = self._work.sealer.open_link(row.document, f"link {row.id}")
                self._links[row.connection, row.id] = link
            links.append(link)
        return links

    # --- writing

    def save(self, link: Link) -> None:
        """Add or replace a link: it leads to its accounts now."""
        home = link.connection, link.id
        self._links[home] = self._saved[home] = link
        for account_id in link.accounts or ():
            place = link.connection, account_id
            self._homes[place] = self._mapped[place] = link.id

    def write(self) -> None:
        """Write what was saved."""
        saved, self._saved = self._saved, {}
        documents = [
            {"id": link.id, "connection": link.connection, "document": self._work.sealer.seal_link(link)}
            for link in saved.values()
        ]
        self._work.put(LINKS, documents, "id", "connection")
        mapped, self._mapped = self._mapped, {}
        for connection in {connection for connection, _ in mapped}:
            accounts = {name: link_id for (where, name), link_id in mapped.items() if where == connection}
            for some in chunks(list(accounts)):
                self._map(connection, {account_id: accounts[account_id] for account_id in some})

    def _map(self, connection: ConnectionName, accounts: dict[AccountId, LinkId]) -> None:
        stored = self._stored_homes(connection, list(accounts))
        moved = {one: link_id for one, link_id in accounts.items() if stored.get(one) != link_id}
        for account_id in moved:
            self._work.is_about(account_id=account_id)
        rows = [{"id": one, "connection": connection, "link_id": link_id} for one, link_id in moved.items()]
        self._work.put(ACCOUNTS, rows, "id", "connection")
