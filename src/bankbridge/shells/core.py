"""What both faces share: how they are put together, and the words of their arguments."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Final

from bankbridge.machine.policy import Policy
from bankbridge.provider import Provider
from bankbridge.shells.connections import Core, connections_of
from bankbridge.shells.pace import Limiter
from bankbridge.words.errors import ConfigurationError
from bankbridge.words.ids import IntentId

_log: Final = logging.getLogger("bankbridge")


def utc_now() -> datetime:
    """The time, where none is passed in."""
    return datetime.now(UTC)


def new_intent_id() -> IntentId:
    """An id that nobody can guess."""
    return IntentId(f"rfi_{uuid.uuid4().hex}")


def core_of(
    providers: Mapping[str, Provider],
    policies: Mapping[str, Policy] | None,
    clock: Callable[[], datetime],
    new_id: Callable[[], IntentId],
) -> Core:
    """The core behind a face. Raises `ConfigurationError` when there is no connection at all."""
    if not providers:
        raise ConfigurationError(["connections: at least one is needed"])
    connections = connections_of(providers, policies or {})
    limiters = {
        name: Limiter(one.provider.capabilities.pace, clock)
        for name, one in connections.items()
        if one.provider.capabilities.pace is not None
    }
    return Core(connections=connections, limiters=limiters, clock=clock, new_id=new_id)


def tell_of_a_bug(run: Future[None] | asyncio.Future[None]) -> None:
    """Say at once that the engine's run has ended with an error, which else comes out when somebody waits for it."""
    if not run.cancelled() and (error := run.exception()) is not None:
        _log.critical("the engine has ended, and nothing is woken here any more", exc_info=error)
