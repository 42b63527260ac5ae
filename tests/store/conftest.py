import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from bankbridge.store import Store
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import SqlStore, new_key, postgresql_store, sqlite_store
from bankbridge.store.sql.tables import SCHEMA
from tests import databases


@pytest.fixture(scope="session")
def key() -> str:
    return new_key()


@pytest.fixture(scope="session")
def postgresql_server(testrun_uid: str) -> Iterator[str]:
    with databases.server(testrun_uid) as url:
        yield url


@pytest.fixture
def cluster_folder() -> Iterator[Path]:
    """Where a server of the test's own can keep its data: not in pytest's folder, which only its owner may enter."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="session")
def shared_postgresql(postgresql_server: str, key: str) -> Iterator[str]:
    """A database with the schema in it, for all tests of this process that leave no more than rows behind."""
    with databases.database(postgresql_server) as url:
        postgresql_store(url, keys=[key], upgrade=True).close()
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A database of the test's own, empty."""
    with databases.database(postgresql_server) as url:
        yield url


@pytest.fixture
def sqlite(tmp_path, key) -> Iterator[SqlStore]:
    """A store in a real file, with its path in ``tmp_path / "store.db"``."""
    store = sqlite_store(tmp_path / "store.db", keys=[key])
    yield store
    store.close()


@pytest.fixture
def postgresql(shared_postgresql: str, key: str) -> Iterator[SqlStore]:
    """An empty store in PostgreSQL."""
    store = postgresql_store(shared_postgresql, keys=[key])
    yield store
    store.close()
    with psycopg.connect(shared_postgresql, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(SCHEMA.tables)} RESTART IDENTITY")


@attrs.define
class Place:
    """A database of the test's own, empty at first, with and without the store in it."""

    url: str
    key: str
    stores: list[SqlStore] = attrs.field(factory=list)

    def open(self, *keys: str, upgrade: bool = True) -> SqlStore:
        """The store, with the session's key or with these."""
        self.stores.append(SqlStore(self.url, keys=keys or [self.key], upgrade=upgrade))
        return self.stores[-1]

    def raw(self, statement: str, **given: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement, without us."""
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement), given)
            rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows

    def tables(self) -> set[str]:
        """The names of all tables."""
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        names = set(sa.inspect(engine).get_table_names())
        engine.dispose()
        return names


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path: Path, key: str) -> Iterator[Place]:
    """A database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        url = request.getfixturevalue("postgresql_url")
    found = Place(url, key)
    yield found
    for store in found.stores:
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def sql(request) -> SqlStore:
    """Every store in a database."""
    store: SqlStore = request.getfixturevalue(request.param)
    return store


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request) -> Store:
    """Every store there is: what a test asks of one, it asks of all."""
    store: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue(request.param)
    return store
