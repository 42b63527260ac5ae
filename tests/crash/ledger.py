"""What stands in the application's database, looked at from outside and without its code."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

_OPEN: Final = sa.text("SELECT id FROM bankbridge_intents WHERE open")
_WAITING: Final = sa.text("SELECT count(*) FROM bankbridge_deliveries WHERE result IS NULL")
_CUT: Final = sa.text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'the harness'"
)

_EVERY: Final = 0.1


class Ledger:
    """Knows which intents are open, a moment late."""

    def __init__(self, database: str) -> None:
        is_url = "://" in database
        url = sa.make_url(database) if is_url else sa.URL.create("sqlite", database=database)
        options: dict[str, Any] = {}
        if is_url:
            url = url.set(drivername="postgresql+psycopg")
            options = {"connect_args": {"application_name": "the harness"}}
        self._engine = sa.create_engine(url, isolation_level="AUTOCOMMIT" if is_url else None, **options)
        self._open: frozenset[str] = frozenset()
        self._looks = 0
        self._is_over = threading.Event()

    @contextmanager
    def looking(self) -> Iterator["Ledger"]:
        """Look again and again."""
        looker = threading.Thread(target=self._look, name="ledger", daemon=True)
        looker.start()
        try:
            yield self
        finally:
            self._is_over.set()
            looker.join()
            self._engine.dispose()

    @property
    def looks(self) -> int:
        """How often it has looked; pass it to `is_over`."""
        return self._looks

    @property
    def open(self) -> frozenset[str]:
        """The intents that were open at the last look."""
        return self._open

    def is_over(self, intent_id: str, since: int) -> bool:
        """Whether an intent that was there after so many looks has ended."""
        # The look that was under way then may have been before it.
        return self._looks > since + 1 and intent_id not in self._open

    def waiting(self) -> int:
        """How many deliveries nobody has looked at."""
        with self._engine.connect() as connection:
            return int(connection.execute(_WAITING).scalar_one())

    def cut(self) -> int:
        """Cut every connection of the application to PostgreSQL; how many there were."""
        with self._engine.connect() as connection:
            return int(connection.execute(_CUT).scalar_one())

    def _look(self) -> None:
        while not self._is_over.wait(_EVERY):
            with self._engine.connect() as connection:
                self._open = frozenset(connection.execute(_OPEN).scalars())
            self._looks += 1
