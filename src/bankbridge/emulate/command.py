"""``bankbridge emulate``: serve emulators until somebody stops them, or list what they can be told."""

import json
import signal
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import typer
from rich.console import Console

from bankbridge.emulate import lists
from bankbridge.emulate.choosing import EMPTY, Wish, wished
from bankbridge.emulate.reading import load_scenario
from bankbridge.emulate.scenario import Scenario
from bankbridge.emulate.served import ServedEmulator
from bankbridge.emulate.serving import emulated
from bankbridge.emulate.show import show_start, start_as_data
from bankbridge.emulation import PortInUseError
from bankbridge.words.errors import ConfigurationError

_LOOK: Final = 0.5
"""Seconds after which the main thread looks up: on Windows a signal does not wake it."""


def run(wish: Wish, *, scenario: Path | None, host: str, listing: lists.Listing | None, as_json: bool) -> int:
    """What the command does with its options; its exit code: 0, or 2 for what cannot be done."""
    try:
        chosen = wished(wish, EMPTY if scenario is None else load_scenario(scenario))
        if listing is None:
            _serve(chosen, host=host, as_json=as_json)
        elif as_json:
            _print_data(lists.as_data(listing, tuple(chosen.providers)))
        else:
            lists.show(Console(highlight=False), listing, tuple(chosen.providers))
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"bankbridge emulate: {problem}", err=True)
        return 2
    return 0


def _serve(scenario: Scenario, *, host: str, as_json: bool) -> None:
    with _until_stopped() as stopped, ExitStack() as stack:
        served = stack.enter_context(_listening(scenario, host))
        if as_json:
            _print_data(start_as_data(scenario, served))
        else:
            show_start(Console(highlight=False), scenario, served)
        while not stopped.wait(_LOOK):
            pass


@contextmanager
def _listening(scenario: Scenario, host: str) -> Generator[Mapping[str, ServedEmulator]]:
    with ExitStack() as stack:
        try:
            served = stack.enter_context(emulated(scenario, host=host))
        except PortInUseError as error:
            problem = f"{error}; write it after the provider's name, NAME:PORT"
            raise ConfigurationError([problem]) from None
        except OSError as error:
            raise ConfigurationError([f"cannot listen on {host}: {error.strerror or error}"]) from None
        yield served


@contextmanager
def _until_stopped() -> Generator[threading.Event]:
    """An event that is set by Ctrl-C, and by who asks the process to end."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    usual = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def _print_data(data: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
