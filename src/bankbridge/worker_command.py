"""The command ``bankbridge worker``: the engine as a process of its own."""

import logging
import os
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from bankbridge.shells.config import Config, read_config
from bankbridge.shells.sync import BankBridge
from bankbridge.words.errors import BankBridgeError, ConfigurationError, YoursError

_STOPPING: Final = b"stopping: what is under way is finished; once more to stop at once\n"


def worker(
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = Path("bankbridge.toml"),
) -> None:
    """Drain deliveries and wake intents until Ctrl-C or SIGTERM. Any number may work on one store.

    A second signal stops it at once; nothing is lost then either. Exits with 2 if the configuration cannot work.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = _shared(read_config(config))
        store, engine = settings.open()
    except YoursError as error:
        problems = error.problems if isinstance(error, ConfigurationError) else (str(error),)
        typer.echo(f"bankbridge worker: {config} cannot work; mend this and start again:", err=True)
        for problem in problems:
            typer.echo(f"  {problem}", err=True)
        raise typer.Exit(2) from None
    except BankBridgeError as error:
        typer.echo(f"bankbridge worker: {error}", err=True)
        raise typer.Exit(1) from None
    with BankBridge(settings.providers, store=store, policies=settings.policies, engine=engine) as bridge:
        _stop_on_signals(bridge)
        for name, about in _what(settings):
            typer.echo(f"{name:12} {about}")
        typer.echo("working until Ctrl-C or SIGTERM")
        bridge.run()
    typer.echo("stopped")


def _shared(config: Config) -> Config:
    if config.store.path is None and config.store.url is None:
        msg = "store: is kept in memory, where nothing else can put work: give it a path or a url"
        raise ConfigurationError([msg])
    return config


def _what(config: Config) -> list[tuple[str, str]]:
    """What it works on, without any secret: a URL may hold one."""
    names = (
        name if name == provider.name else f"{name} ({provider.name})"
        for name, provider in config.providers.items()
    )
    store = "PostgreSQL" if config.store.path is None else f"SQLite file {config.store.path!r}"
    return [("connections", ", ".join(names)), ("store", store), ("engine", str(config.engine))]


def _stop_on_signals(bridge: BankBridge) -> None:
    def stop(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        bridge.stop()
        os.write(2, _STOPPING)  # what is buffered may be half written where the signal struck

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
