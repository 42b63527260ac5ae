"""The commands ``bankbridge store …``: look after the store that a configuration file names."""

import json
import re
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import typer
from rich.console import Console

from bankbridge.shells.config import StoreSettings, read_engine, read_store
from bankbridge.words.errors import BankBridgeError, ConfigurationError

SHORTEST: Final = timedelta(days=7)
"""What may be pruned is older. Fintoc says that it repeats a delivery 17 times, from 3 s on, each time after a longer
wait: if each is twice the last, for four and a half days. A copy of what was pruned would count as new."""

_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

store = typer.Typer(
    name="store",
    help="Look after the store: its schema, its keys, its size.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Option(help="The configuration file whose [store] is meant.")]
Json = Annotated[bool, typer.Option("--json", help="Print for a program.")]
_DEFAULT: Final = Path("bankbridge.toml")


@store.command()
def upgrade(*, config: Config = _DEFAULT) -> None:
    """Bring the schema of the store to what this version needs: all of it or, if anything fails, nothing.

    Procrastinate's tables too, where [engine] names it.
    """
    from bankbridge.store.sql import migrate  # noqa: PLC0415 (only this command needs it)

    with _plain_errors(), _busy("upgrading the schema"):
        settings, tables = _lasting(read_store(config)), read_engine(config).tables()
        if tables is not None and settings.url is None:
            raise ConfigurationError(
                ["engine.kind: procrastinate needs a store in PostgreSQL: set store.url"]
            )
        migrated = migrate(settings.url or Path(settings.path or ""), tables)
    was = "a new one" if migrated.before is None else migrated.before
    typer.echo(
        f"schema {migrated.after}" + (f" (was {was})" if migrated.before != migrated.after else ", as before")
    )


@store.command()
def status(*, config: Config = _DEFAULT, as_json: Json = False) -> None:
    """Count what the store holds. Reads every row, so it is not for every minute."""
    with _plain_errors(), _opened(config) as opened, _busy("counting"):
        contents = attrs.asdict(opened.contents())
    if as_json:
        typer.echo(json.dumps(contents, default=datetime.isoformat))
        return
    width = max(map(len, contents))
    for name, value in contents.items():
        typer.echo(f"{name.replace('_', ' '):{width}}  {_shown(value)}")


@store.command()
def prune(
    *,
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="How old, such as 90d, 26w or 720h; at least 7d.")
    ],
    intents: Annotated[
        bool,
        typer.Option(
            "--intents", help="Forget ended intents too: nobody can ask for their outcome any more."
        ),
    ] = False,
    config: Config = _DEFAULT,
    as_json: Json = False,
) -> None:
    """Forget settled deliveries and the logs of ended intents that are older. May run while everything else does.

    Links and accounts, what is not over, waiting deliveries and what parked notices need are never forgotten.
    """
    before = datetime.now(UTC) - _age(older_than)
    with _plain_errors(), _opened(config) as opened, _busy("pruning"):
        pruned = opened.prune(before=before, intents=intents)
    if as_json:
        typer.echo(json.dumps(attrs.asdict(pruned)))
        return
    typer.echo(f"before {_shown(before)}: forgot {pruned.deliveries} deliveries, {pruned.log} lines of logs,")
    typer.echo(f"{pruned.intents} intents, {pruned.parked} parked notices")


@store.command()
def rotate_keys(*, config: Config = _DEFAULT) -> None:
    """Seal everything with the first key, so that the others can be left out. May be stopped and started again."""
    with _plain_errors(), _opened(config) as opened, _busy("sealing anew"):
        renewed = opened.renew()
    typer.echo(f"sealed {renewed} documents anew: the first key opens everything")


@store.command()
def local_postgresql(
    folder: Annotated[Path, typer.Argument(help="Where its data are; made if it is missing.")],
) -> None:
    """Run a PostgreSQL server of this machine's own until Ctrl-C: for development, not for production."""
    from bankbridge.store.sql.cluster import local_cluster  # noqa: PLC0415 (needs an extra)

    with _plain_errors(), local_cluster(folder) as url:
        typer.echo(f"PostgreSQL runs until Ctrl-C. For bankbridge.toml:\n\n[store]\nurl = {json.dumps(url)}")
        _until_stopped()
    typer.echo("stopped")


# --- what the commands share -----------------------------------------------------------------------------


@contextmanager
def _opened(config: Path) -> Generator[Any]:
    """The store in the database that is configured."""
    settings = _lasting(read_store(config))
    if settings.path is not None and not Path(settings.path).exists():
        raise ConfigurationError(
            [f"store.path: {settings.path!r} does not exist: `bankbridge store upgrade` makes it"]
        )
    opened = settings.open()
    try:
        yield opened
    finally:
        opened.close()


def _lasting(settings: StoreSettings) -> StoreSettings:
    if settings.path is None and settings.url is None:
        raise ConfigurationError(["store: is kept in memory: give it a path or a url"])
    return settings


@contextmanager
def _plain_errors() -> Generator[None]:
    try:
        yield
    except BankBridgeError as error:
        typer.echo(f"bankbridge store: {error}", err=True)
        raise typer.Exit(1) from None


@contextmanager
def _busy(what: str) -> Generator[None]:
    """Show a person that something is under way; a pipe is shown nothing."""
    with Console(stderr=True).status(f"{what} …"):
        yield


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([hdw])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r}: write a number and h, d or w: 90d", param_hint="--older-than")
    age = int(found[1]) * _UNITS[found[2]]
    if age < SHORTEST:
        msg = f"{text!r}: at least {SHORTEST.days}d, since providers repeat a delivery for days"
        raise typer.BadParameter(msg, param_hint="--older-than")
    return age


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _until_stopped() -> None:
    """Wait for Ctrl-C, or for whoever supervises us."""
    stopped = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while not stopped.wait(1.0):
        pass  # on Windows a signal wakes no one who waits, so look up now and then
