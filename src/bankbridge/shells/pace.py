"""No look at a refresh into a minute that is full: it is answered here, as the provider would."""

import json
import math
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

from bankbridge.provider import Pace
from bankbridge.wire import Response

HELD_BACK: Final = "held_back"
"""The code of an answer that no provider gave."""


class Limiter:
    """Counts the requests of one connection in this process, from any of its threads.

    What an application asks for goes out at once; only our own looks wait, since there is always a later one. In the
    first stretch of time they have half the room: the process before this one may have asked a moment ago.
    """

    def __init__(self, pace: Pace, clock: Callable[[], datetime]) -> None:
        self._pace = pace
        self._clock = clock
        self._began_at = clock()
        self._sent: deque[datetime] = deque()
        self._lock = threading.Lock()

    def instead(self, *, is_look: bool) -> Response | None:
        """``None`` when a request may go, which then counts; else what it is answered: wait so long."""
        with self._lock:
            now = self._clock()
            while self._sent and self._sent[0] <= now - self._pace.per:
                self._sent.popleft()
            is_new = now < self._began_at + self._pace.per
            room = self._pace.most // 2 if is_new else self._pace.most
            if not is_look or len(self._sent) < room:
                self._sent.append(now)
                return None
            free_at = self._sent[len(self._sent) - room] + self._pace.per
        wait = math.ceil((free_at - now).total_seconds())
        message = f"held back here: {self._pace}"
        body = json.dumps({"error": {"code": HELD_BACK, "message": message}}).encode()
        return Response(status=429, headers={"retry-after": str(wait)}, body=body)
