"""A job is what the application asked for, as a generator without a colour: it yields the steps that need the world.

A driver carries each `Step` out and sends its result back. The same job runs blocking and async.
"""

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

import attrs

from bankbridge.shells.connections import Connection
from bankbridge.shells.news import News
from bankbridge.store import StoredDelivery, Transaction
from bankbridge.wire import Flow

_T = TypeVar("_T")


@attrs.frozen
class Call:
    """Drive a flow against its connection's provider. Its result comes back, or a `TransportError` is thrown in.

    ``once``: no request of it is sent again at once, not even a read.
    """

    connection: Connection
    flow: Flow[Any] = attrs.field(repr=False)
    once: bool = False


@attrs.frozen
class Transact:
    """Run work in one transaction of the store."""

    work: Callable[[Transaction], Any]


@attrs.frozen
class TakeIn:
    """Put a delivery into the inbox, durably and together with others that come now. Whether it is new comes back."""

    stored: StoredDelivery


@attrs.frozen
class Arrived:
    """Something new waits in the inbox, and is safe there: see to it that it is drained. Never fails."""


@attrs.frozen
class Announce:
    """Tell the application's listener."""

    news: News


Step: TypeAlias = Call | Transact | TakeIn | Arrived | Announce
Job: TypeAlias = Generator[Step, Any, _T]


def call(connection: Connection, flow: Flow[_T], *, once: bool = False) -> Job[_T]:
    """`Call`, typed."""
    result: _T = yield Call(connection, flow, once)
    return result


def transact(work: Callable[[Transaction], _T]) -> Job[_T]:
    """`Transact`, typed."""
    result: _T = yield Transact(work)
    return result


def take_in(stored: StoredDelivery) -> Job[bool]:
    """`TakeIn`, typed."""
    result: bool = yield TakeIn(stored)
    return result


def announce(news: list[News]) -> Job[None]:
    """`Announce` each, in order."""
    for item in news:
        yield Announce(item)
