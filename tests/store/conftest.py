import pytest

from bankbridge.store import Store
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import SqlStore, new_key, sqlite_store


@pytest.fixture(scope="session")
def key() -> str:
    return new_key()


@pytest.fixture
def sql(tmp_path, key):
    """A store in a real file, with its path in ``tmp_path / "store.db"``."""
    store: SqlStore = sqlite_store(tmp_path / "store.db", keys=[key])
    yield store
    store.close()


@pytest.fixture(params=["memory", "sql"])
def store(request):
    """Every store there is: what a test asks of one, it asks of all."""
    store: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("sql")
    return store
