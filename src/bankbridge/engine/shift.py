"""What the embedded engine does next, without a colour: a generator of steps, as in `bankbridge.wire`.

The engine carries each `Step` out, blocking or awaited, and sends its result in, or throws its `BankBridgeError` in.
"""

import enum
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

import attrs

from bankbridge.engine import BATCH, Claim, Look
from bankbridge.words.errors import BankBridgeError, EngineBusyError, StoreUnavailableError
from bankbridge.words.ids import ConnectionName

_log: Final = logging.getLogger("bankbridge")

_BATCHES: Final = 20
"""How many batches of deliveries are drained before it is looked whether an intent is due."""

_SHORTEST_REST: Final = timedelta(milliseconds=1)
"""A clock that is a little behind must not be asked again and again."""

GATHERING: Final = timedelta(seconds=0.005)
"""How long it rests after little work: deliveries that others store meanwhile share a batch, which costs far less."""

_FIRST_PAUSE: Final = timedelta(seconds=0.5)
_LONGEST_PAUSE: Final = timedelta(seconds=15)


class Plain(enum.Enum):
    """The steps that are told nothing."""

    LOOK = enum.auto()
    DRAIN = enum.auto()


@attrs.frozen(kw_only=True)
class TakeOn:
    """Claim so much and begin to perform it. Answered with how many there were."""

    limit: int
    avoid: frozenset[ConnectionName]


@attrs.frozen(kw_only=True)
class Rest:
    """Wait so long, or until somebody rings."""

    longest: timedelta


Step: TypeAlias = Literal[Plain.LOOK, Plain.DRAIN] | TakeOn | Rest
_Steps: TypeAlias = Generator[Step, Any, int]


class Begun(Protocol):
    """What is under way, in either colour: a future or a task."""

    def done(self) -> bool:
        """Whether it is over."""
        ...

    def cancelled(self) -> bool:
        """Whether it was broken off."""
        ...

    def exception(self) -> BaseException | None:
        """What it ended with."""
        ...


BegunT = TypeVar("BegunT", bound=Begun)


@contextmanager
def only_run(lock: threading.Lock) -> Generator[None]:
    """One run of an engine at a time: whoever holds its ``lock``. Raises `EngineBusyError`."""
    if not lock.acquire(blocking=False):
        msg = "the engine runs already: stop it first, or give each bridge an engine of its own"
        raise EngineBusyError(msg)
    try:
        yield
    finally:
        lock.release()


class Outage:
    """One kind of work that may not work for a while: said once, tried again after growing pauses, until it does.

    The pauses are those of exponential backoff with jitter, so that processes that failed together do not return
    together: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._tries = 0
        self._said: type[BankBridgeError] | None = None
        self._until = 0.0

    @property
    def left(self) -> timedelta:
        """How long it is not tried yet."""
        return timedelta(seconds=max(0.0, self._until - self._clock()))

    def began(self, error: BankBridgeError) -> None:
        """It failed, for the first time or again."""
        if type(error) is not self._said:
            _log.error("engine: cannot %s: %s: %s; trying again", self._what, type(error).__name__, error)
        self._said = type(error)
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._tries, 30))
        self._tries += 1
        self._until = self._clock() + longest.total_seconds() * random.uniform(0.5, 1)  # noqa: S311 (no secret)

    def ended(self) -> None:
        """It worked."""
        if self._tries:
            _log.warning("engine: can %s again, after %d failed tries", self._what, self._tries)
        self._tries, self._said, self._until = 0, None, 0.0


@attrs.frozen(kw_only=True)
class Rules:
    """How to work: look ``every`` so often, hold ``per_connection`` conversations at once and ``at_once`` in all."""

    every: timedelta
    per_connection: int
    at_once: int
    is_stopping: Callable[[], bool]


class Shift(Generic[BegunT]):
    """One run of the engine: what is under way, and what is to be done next."""

    def __init__(self, rules: Rules) -> None:
        self.under_way: dict[BegunT, Claim] = {}
        self._rules = rules
        self._looking = Outage("read the store")
        self._draining = Outage("drain deliveries")
        self._claiming = Outage("wake what is due")

    def turns(self) -> Generator[Step, Any, None]:
        """Steps, until it is to stop. A bug in what was under way comes out of here."""
        while not self._rules.is_stopping():
            self.reap()
            if (left := self._looking.left) > timedelta(0):
                yield Rest(longest=left)
                continue
            try:
                look: Look = yield Plain.LOOK
            except BankBridgeError as error:
                self._looking.began(error)
                continue
            self._looking.ended()
            did = 0
            if look.deliveries:
                did += yield from self._tried(self._draining, self._drain())
            if look.due_in is not None and look.due_in <= timedelta(0):
                did += yield from self._tried(self._claiming, self._claim())
            if self._rules.is_stopping():
                return
            if not did:
                yield Rest(longest=self._until_next(look))
            elif did < BATCH:
                yield Rest(longest=GATHERING)

    def _drain(self) -> _Steps:
        count = 0
        for _ in range(_BATCHES):
            drained: int = yield Plain.DRAIN
            count += drained
            if drained < BATCH or self._rules.is_stopping():
                break
        return count

    def _claim(self) -> _Steps:
        busy = Counter(claim.connection for claim in self.under_way.values())
        avoid = frozenset(name for name, count in busy.items() if count >= self._rules.per_connection)
        # So few that none of those that are left can get more than its share, whoever is due first.
        most = max((count for name, count in busy.items() if name not in avoid), default=0)
        limit = min(self._rules.at_once - len(self.under_way), self._rules.per_connection - most)
        if limit < 1:
            return 0
        claimed: int = yield TakeOn(limit=limit, avoid=avoid)
        return claimed

    @staticmethod
    def _tried(outage: Outage, steps: _Steps) -> _Steps:
        """One kind of work that fails does not keep the other from being done."""
        if outage.left > timedelta(0):
            return 0
        try:
            count = yield from steps
        except BankBridgeError as error:
            outage.began(error)
            return 0
        outage.ended()
        return count

    def _until_next(self, look: Look) -> timedelta:
        """Until the next intent is due; what is due but not to be had yet is looked for as often as anything."""
        if look.due_in is None or look.due_in <= timedelta(0):
            return self._rules.every
        return min(self._rules.every, max(look.due_in, _SHORTEST_REST))

    def reap(self) -> None:
        """Put away what is over. Raises what a bug raised.

        An error of ours is one intent's, which is due again by itself; or the store's, which is then left alone.
        """
        bugs: list[BaseException] = []
        for begun in [one for one in self.under_way if one.done()]:
            claim = self.under_way.pop(begun)
            match None if begun.cancelled() else begun.exception():
                case None:
                    pass
                case StoreUnavailableError() as error:
                    self._looking.began(error)
                case BankBridgeError() as error:
                    _log.warning("intent %s: %s: %s", claim.intent_id, type(error).__name__, error)
                case bug:
                    bugs.append(bug)
        if len(bugs) > 1:
            raise BaseExceptionGroup("several pieces of work failed", bugs)
        if bugs:
            raise bugs[0]
