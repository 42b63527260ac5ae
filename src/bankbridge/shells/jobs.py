"""A job is what the application asked for, as a generator without a colour: it yields the steps that need the world.

A driver carries each `Step` out and sends its result back. The same job runs blocking and async.
"""

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

import attrs

from bankbridge.shells.connections import Connection
from bankbridge.shells.news import News
from bankbridge.store import Transaction
from bankbridge.wire import Flow

_T = TypeVar("_T")


@attrs.frozen
class Call:
    """Drive a flow against its connection's provider. Its result comes back, or a `TransportError` is thrown in."""

    connection: Connection
    flow: Flow[Any] = attrs.field(repr=False)


@attrs.frozen
class Transact:
    """Run work in one transaction of the store."""

    work: Callable[[Transaction], Any]


@attrs.frozen
class Announce:
    """Tell the application's listener."""

    news: News


Step: TypeAlias = Call | Transact | Announce
Job: TypeAlias = Generator[Step, Any, _T]


def call(connection: Connection, flow: Flow[_T]) -> Job[_T]:
    """`Call`, typed."""
    result: _T = yield Call(connection, flow)
    return result


def transact(work: Callable[[Transaction], _T]) -> Job[_T]:
    """`Transact`, typed."""
    result: _T = yield Transact(work)
    return result


def announce(news: list[News]) -> Job[None]:
    """`Announce` each, in order."""
    for item in news:
        yield Announce(item)
