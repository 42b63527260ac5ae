from collections.abc import Iterator

import psycopg
import pytest

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
