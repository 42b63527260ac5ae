"""The processes of the application: started, killed for good, and started again as a supervisor would."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from tests.crash.settings import Settings

PATIENCE: Final = 120.0
"""How long, in real seconds, anything may take before the run is given up: far longer than it should."""

_LOOK: Final = 0.02


def wait_for(what: str, holds: Callable[[], bool], *, patience: float = PATIENCE) -> None:
    """Return once a condition holds. Raises TimeoutError."""
    give_up_at = time.monotonic() + patience
    while not holds():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"waited {patience:g} s in vain: {what}")
        time.sleep(_LOOK)


class Nursery:
    """Starts the processes, and hears of their end."""

    def __init__(self) -> None:
        self._serving: subprocess.Popen[str] | None = None
        self._heard = threading.Condition()
        self._pids: dict[str, int | None] = {}
        self._ended: dict[int, int] = {}
        self._asking = threading.Lock()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Be there for as long as any process is: they end with it."""
        command = (sys.executable, "-m", "tests.crash.nursery")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as self._serving:
            ear = threading.Thread(target=self._listen, name="nursery", daemon=True)
            ear.start()
            try:
                yield
            finally:
                assert self._serving.stdin is not None
                self._serving.stdin.close()
                ear.join()

    def start(self, name: str, settings: Path, log: Path) -> int:
        """Start a process; its number."""
        assert self._serving is not None
        assert self._serving.stdin is not None
        with self._asking, self._heard:
            self._pids[name] = None
            self._serving.stdin.write(json.dumps([name, str(settings), str(log)]) + "\n")
            self._serving.stdin.flush()
            self._heard.wait_for(lambda: self._pids[name] is not None, PATIENCE)
            pid = self._pids[name]
        if pid is None:
            raise TimeoutError(f"{name} was not started within {PATIENCE:g} s")
        return pid

    def end_of(self, pid: int, patience: float = 0) -> int | None:
        """How a process ended; None while it runs."""
        with self._heard:
            self._heard.wait_for(lambda: pid in self._ended, patience)
            return self._ended.get(pid)

    def _listen(self) -> None:
        assert self._serving is not None
        assert self._serving.stdout is not None
        for line in self._serving.stdout:
            name, pid, code = json.loads(line)
            with self._heard:
                if code is None:
                    self._pids[name] = pid
                else:
                    self._ended[pid] = code
                self._heard.notify_all()


@attrs.define(eq=False, kw_only=True)
class Process:
    """One place at which a process runs, again and again."""

    settings: Settings
    nursery: Nursery
    died: list[int] = attrs.field(factory=list)
    """How it ended, each time that nobody had killed it."""
    _running: int | None = None
    _is_expected: bool = False
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def name(self) -> str:
        """What its requests are signed with."""
        return self.settings.name

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        running = self._running
        return running is not None and self.nursery.end_of(running) is None

    @property
    def is_ready(self) -> bool:
        """Whether it works."""
        return self.runs and self.settings.ready.exists()

    def start(self) -> None:
        """Start it, if it does not run."""
        with self._lock:
            if self.runs:
                return
            self._bury()
            self.settings.ready.unlink(missing_ok=True)
            folder = self.settings.folder
            self._running = self.nursery.start(
                self.name, folder / f"{self.name}.json", folder / f"{self.name}.log"
            )

    def kill(self) -> bool:
        """End it as a power cut would; whether it ran. It is gone when this returns."""
        with self._lock:
            return self._end(signal.SIGKILL)

    def trap(self, moment: str, patience: float) -> bool:
        """Let it kill itself at a moment, should it come to that in time; whether it has."""
        with self._lock:
            if self._running is None or not self.runs:
                return False
            self._is_expected = True
            self.settings.trap.write_text(moment, encoding="utf-8")
            if self.nursery.end_of(self._running, patience) is None:
                try:
                    self.settings.trap.unlink()
                except FileNotFoundError:
                    # It has just fallen into it.
                    return self.nursery.end_of(self._running, PATIENCE) is not None
                self._is_expected = False
                return False
            return True

    def freeze(self) -> None:
        """Let it neither work nor end: nobody will ever hear of it, and its connections stay open."""
        with self._lock:
            if self._running is not None and self.runs:
                os.kill(self._running, signal.SIGSTOP)
                self._is_expected = True

    def stop(self) -> None:
        """End it in good order; if it was frozen, in none."""
        with self._lock:
            self._end(signal.SIGKILL if self._is_expected else signal.SIGTERM)
            self._bury()

    def _end(self, how: signal.Signals) -> bool:
        if self._running is None or not self.runs:
            return False
        self._is_expected = self._is_expected or how is signal.SIGKILL
        os.kill(self._running, how)
        if self.nursery.end_of(self._running, PATIENCE) is None:
            raise TimeoutError(f"{self.name} did not end within {PATIENCE:g} s")
        return True

    def _bury(self) -> None:
        """Remember an end that nobody had wished for."""
        code = None if self._running is None else self.nursery.end_of(self._running)
        if code not in (None, 0) and not self._is_expected:
            self.died.append(code)
        self._running, self._is_expected = None, False


class Fleet:
    """All processes of a run. A supervisor starts again whoever has ended, but for those that are kept ``down``."""

    def __init__(self, settings: list[Settings]) -> None:
        self._nursery = Nursery()
        self.processes = {one.name: Process(settings=one, nursery=self._nursery) for one in settings}
        for one in settings:
            one.write()
        self.killed: Counter[str] = Counter()
        """How often each was killed."""
        self._down: dict[str, float] = {}
        self._is_over = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Fleet"]:
        """Start everybody, and see to it that they run."""
        with self._nursery.open(), self._supervised():
            self.await_all()
            yield self

    @contextmanager
    def _supervised(self) -> Iterator[None]:
        supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        supervisor.start()
        try:
            yield
        finally:
            self._is_over.set()
            supervisor.join()
            for one in self.processes.values():
                one.stop()

    def named(self, start: str) -> list[Process]:
        """Those whose names start so: ``web`` or ``worker``."""
        return [one for name, one in self.processes.items() if name.startswith(start)]

    def await_all(self) -> None:
        """Return when every process works."""
        wait_for("every process works", lambda: all(one.is_ready for one in self.processes.values()))

    def kill(self, *names: str, down: float = 0) -> list[str]:
        """Kill these, all of them before any is started again; who of them ran."""
        for name in names:
            self._down[name] = float("inf")
        killed = [name for name in names if self.processes[name].kill()]
        self.killed.update(killed)
        for name in names:
            self._down[name] = time.monotonic() + down
        return killed

    def trap(self, name: str, moment: str, *, down: float, patience: float) -> bool:
        """Let a process kill itself at a moment, if it comes to that in time; whether it did."""
        self._down[name] = float("inf")
        caught = self.processes[name].trap(moment, patience)
        self.killed.update([name] * caught)
        self._down[name] = time.monotonic() + down * caught
        return caught

    def died(self) -> dict[str, list[int]]:
        """Who ended though nobody had killed them, and how."""
        return {name: one.died for name, one in self.processes.items() if one.died}

    def _supervise(self) -> None:
        while not self._is_over.wait(_LOOK):
            for name, one in self.processes.items():
                if not one.runs and time.monotonic() >= self._down.get(name, 0):
                    one.start()
