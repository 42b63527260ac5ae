"""What every part of a transaction works with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import attrs
import sqlalchemy as sa

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.store.sql.databases import insert_new, put
from bankbridge.store.sql.sealing import Sealer
from bankbridge.words.ids import ConnectionName, LinkId

_T = TypeVar("_T")

Home: TypeAlias = tuple[ConnectionName, LinkId]
"""A link, by all that it takes to name one."""

_AT_ONCE: Final = 500


def home_of(intent: RefreshIntent) -> Home:
    """The link of an intent."""
    return intent.connection, intent.link_id


def given_home(link: Link) -> dict[str, object]:
    """A link, as statements are told of it."""
    return {"the_id": link.id, "the_connection": link.connection}


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """So many at a time as one statement may name."""
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


@attrs.define
class Work:
    """One transaction's connection and keys, and what must be said of it at its end.

    ``about``: links, accounts, refreshes, whether they were there or not.
    """

    connection: sa.Connection
    sealer: Sealer
    about: set[str] = attrs.field(factory=set[str], init=False)
    wrote: bool = attrs.field(default=False, init=False)

    def is_about(self, **ids: str | None) -> None:
        """Its answers follow from these, or it changes them."""
        self.about.update(f"{name} {value}" for name, value in ids.items() if value is not None)

    def insert_new(self, table: sa.Table, row: Mapping[str, object]) -> bool:
        """Insert a row; whether no unique constraint stood against it."""
        return self.connection.execute(insert_new(self.connection.dialect.name, table), row).rowcount > 0

    def put(self, table: sa.Table, rows: Sequence[Mapping[str, object]], *keys: str) -> None:
        """Insert rows, or replace those with the same ``keys``."""
        if rows:
            self.connection.execute(put(self.connection.dialect.name, table, *keys), rows)
