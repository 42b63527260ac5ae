"""Every store, as `tests.store` sets it up."""

from tests.store.conftest import (  # noqa: F401 - fixtures are used by their names
    cluster_folder,
    key,
    postgresql,
    postgresql_server,
    postgresql_url,
    shared_postgresql,
    sqlite,
    store,
)
