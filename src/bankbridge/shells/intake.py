"""The way into the inbox: one durable commit for all deliveries that come together, and nobody waits to be joined.

Who comes while nothing is being committed is committed at once; who comes meanwhile shares the next commit, which
begins when this one is through. Everybody is answered after the commit of their own group, and if it fails, nobody
in it is told otherwise.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import attrs

from bankbridge.store import Store, StoredDelivery
from bankbridge.words.errors import StoreUnavailableError

_log: Final = logging.getLogger("bankbridge")

LARGEST_GROUP: Final = 500
"""How many deliveries share a commit at most, so that none becomes slow enough to run into a time limit."""


class _Inbox:
    """The inbox of a store, written by one commit at a time. An outage is logged when it begins and when it is over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sent_away = 0

    def add(self, stored: Sequence[StoredDelivery]) -> Sequence[bool]:
        try:
            new = self._store.add_deliveries(stored)
        except StoreUnavailableError as error:
            if not self._sent_away:
                _log.error("deliveries cannot be stored and are told to come back later: %s", error)
            self._sent_away += len(stored)
            raise
        if self._sent_away:
            _log.warning(
                "deliveries are stored again; %d were told to come back later meanwhile", self._sent_away
            )
            self._sent_away = 0
        return new


@attrs.define(eq=False)
class _Group:
    stored: list[StoredDelivery] = attrs.field(factory=list[StoredDelivery], init=False)
    answer: Future[Sequence[bool]] = attrs.field(factory=Future[Sequence[bool]], init=False)


class Intake:
    """For threads: the first of a group waits for the commit before its own, and commits for all who have joined."""

    def __init__(self, store: Store) -> None:
        self._inbox = _Inbox(store)
        self._joining, self._committing = threading.Lock(), threading.Lock()
        self._open: _Group | None = None

    def put(self, stored: StoredDelivery) -> bool:
        """Store a delivery durably; ``False`` when it is known. Raises `StoreUnavailableError` when it is not."""
        with self._joining:
            group = self._open
            is_first = group is None or len(group.stored) == LARGEST_GROUP
            if group is None or is_first:
                group = self._open = _Group()
            group.stored.append(stored)
            place = len(group.stored) - 1
        if is_first:
            self._commit(group)
        return group.answer.result()[place]

    def _commit(self, group: _Group) -> None:
        try:
            with self._committing:
                self._close(group)
                new = self._inbox.add(group.stored)
        except BaseException as error:
            self._close(group)
            interrupted = StoreUnavailableError("store: interrupted: whether it went through is not known")
            group.answer.set_exception(error if isinstance(error, Exception) else interrupted)
            raise
        group.answer.set_result(new)

    def _close(self, group: _Group) -> None:
        with self._joining:
            if self._open is group:
                self._open = None


@attrs.define(eq=False)
class _AsyncGroup:
    stored: list[StoredDelivery] = attrs.field(factory=list[StoredDelivery], init=False)
    committed: asyncio.Task[Sequence[bool]] = attrs.field(init=False)


class AsyncIntake:
    """For an event loop: a task commits for each group, in a thread of its own, one group after the other.

    The loop's common threads may all be busy with other work on the store; the inbox does not queue behind it.
    """

    def __init__(self, store: Store) -> None:
        self._inbox = _Inbox(store)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bankbridge-intake")
        self._committing = asyncio.Lock()
        self._open: _AsyncGroup | None = None

    async def put(self, stored: StoredDelivery) -> bool:
        """Store a delivery durably; ``False`` when it is known. Raises `StoreUnavailableError` when it is not."""
        group = self._open
        is_first = group is None or len(group.stored) == LARGEST_GROUP
        if group is None or is_first:
            group = self._open = _AsyncGroup()
        group.stored.append(stored)
        place = len(group.stored) - 1
        if is_first:
            # Only now: some loops begin a task at once.
            group.committed = asyncio.create_task(self._commit(group))
        # Who is canceled must not take the others along.
        return (await asyncio.shield(group.committed))[place]

    async def _commit(self, group: _AsyncGroup) -> Sequence[bool]:
        async with self._committing:
            if self._open is group:
                self._open = None
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._inbox.add, group.stored)

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(wait=False)
