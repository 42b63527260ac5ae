"""Emulated Rails to talk to."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.emulation.receiver import Receiver
from tests.rail.emulated import Rail, Serve, served


@pytest.fixture(scope="module")
def one_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(one_receiver: Receiver) -> Receiver:
    one_receiver.forget()
    return one_receiver


@pytest.fixture
def serve(receiver: Receiver) -> Iterator[Serve]:
    """An emulator with these switches, and with options of `served`."""
    with ExitStack() as stack:

        def start(options: dict[str, Any] | None = None, **switches: str) -> Rail:
            return stack.enter_context(served(receiver, switches, **(options or {})))

        yield start


@pytest.fixture
def rail(serve: Serve) -> Rail:
    return serve()


@pytest.fixture(scope="module")
def shared_rail(one_receiver: Receiver) -> Iterator[Rail]:
    """For requests that change nothing."""
    with served(one_receiver, {}, is_subscribed=False) as rail:
        yield rail
