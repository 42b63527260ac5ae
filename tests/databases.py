"""A real PostgreSQL for the tests: one server for a run of pytest, and as many databases as they like.

The server comes with the test dependencies. To use another, set BANKBRIDGE_TEST_POSTGRESQL to the URL of one whose
user may make databases.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import psycopg
import sqlalchemy as sa

from bankbridge.store.sql.cluster import local_cluster


@attrs.define
class _Shared:
    """A server that several fixtures of this process use at once."""

    users: int = 0
    url: str = ""
    stack: ExitStack = attrs.field(factory=ExitStack)


_SHARED: dict[str, _Shared] = {}


@contextmanager
def server(run: str, *, durable: bool = False) -> Iterator[str]:
    """The URL of the server of one run; its processes share it, and the last to leave stops it.
    So do the fixtures of one process, which the package itself counts as one user.

    Unless it is to be ``durable``, a commit waits for no disk: what a power cut would do is not tested.
    """
    given = os.environ.get("BANKBRIDGE_TEST_POSTGRESQL")
    if given is not None:
        yield given
        return
    shared = _SHARED.setdefault(run, _Shared())
    if not shared.users:
        shared.url = shared.stack.enter_context(_started(run, durable=durable))
    shared.users += 1
    try:
        yield shared.url
    finally:
        shared.users -= 1
        if not shared.users:
            shared.stack.close()


@contextmanager
def _started(run: str, *, durable: bool) -> Iterator[str]:
    # Not in pytest's own folder: PostgreSQL does not run as root, and nobody else may look in there.
    with local_cluster(Path(tempfile.gettempdir()) / f"bankbridge-{run}", keep=False) as url:
        if not durable:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
        yield url


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"bankbridge_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
