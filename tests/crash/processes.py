"""The processes of the application: started, killed for good, and started again as a supervisor would."""

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


@attrs.define(eq=False)
class Process:
    """One place at which a process runs, again and again."""

    settings: Settings
    log: Path
    command: tuple[str, ...]
    started: int = 0
    died: list[int] = attrs.field(factory=list)
    """How it ended, each time that nobody had killed it."""
    _running: subprocess.Popen[bytes] | None = None
    _is_expected: bool = False
    _is_frozen: bool = False
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def name(self) -> str:
        """What its requests are signed with."""
        return self.settings.name

    @property
    def pid(self) -> int | None:
        """Its number, while it runs."""
        running = self._running
        return None if running is None or running.poll() is not None else running.pid

    @property
    def is_ready(self) -> bool:
        """Whether it works."""
        return self.pid is not None and self.settings.ready.exists()

    def start(self) -> None:
        """Start it, if it does not run."""
        with self._lock:
            if self.pid is not None:
                return
            self._bury()
            self.settings.ready.unlink(missing_ok=True)
            with self.log.open("ab") as log:
                self._running = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=log, stderr=log)
            self.started += 1

    def kill(self) -> bool:
        """End it as a power cut would; whether it ran. It is gone when this returns."""
        with self._lock:
            if self._running is None or self._running.poll() is not None:
                return False
            self._is_expected = True
            self._running.kill()
            self._running.wait()
            return True

    def trap(self, moment: str, patience: float) -> bool:
        """Let it kill itself at a moment, should it come to that in time; whether it has."""
        with self._lock:
            running = self._running
            if running is None or running.poll() is not None:
                return False
            self._is_expected = True
            self.settings.trap.write_text(moment, encoding="utf-8")
            try:
                running.wait(patience)
            except subprocess.TimeoutExpired:
                try:
                    self.settings.trap.unlink()
                    self._is_expected = False
                    return False
                except FileNotFoundError:
                    running.wait(PATIENCE)  # it has just fallen into it
            return True

    def freeze(self) -> None:
        """Let it neither work nor end: nobody will ever hear of it, and its connections stay open."""
        with self._lock:
            if self._running is not None:
                self._running.send_signal(signal.SIGSTOP)
                self._is_frozen = True

    def stop(self) -> None:
        """End it in good order, or else not."""
        with self._lock:
            if self._is_frozen and self._running is not None:
                self._is_expected = True
                self._running.kill()
            if self._running is not None:
                self._running.terminate()
                try:
                    self._running.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    self._running.kill()
                    self._running.wait()
            self._bury()

    def _bury(self) -> None:
        """Remember an end that nobody had wished for."""
        if self._running is not None and self._running.stdin is not None:
            self._running.stdin.close()
        if self._running is not None and self._running.returncode not in (None, 0) and not self._is_expected:
            self.died.append(self._running.returncode)
        self._running, self._is_expected = None, False


class Fleet:
    """All processes of a run. A supervisor starts again whoever has ended, but for those that are kept ``down``."""

    def __init__(self, settings: list[Settings]) -> None:
        self.processes: dict[str, Process] = {}
        for one in settings:
            command = (sys.executable, "-m", "tests.crash.application", str(one.write()))
            self.processes[one.name] = Process(one, one.folder / f"{one.name}.log", command)
        self.killed: Counter[str] = Counter()
        """How often each was killed."""
        self._down: dict[str, float] = {}
        self._is_over = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Fleet"]:
        """Start everybody, and see to it that they run."""
        supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        try:
            for one in self.processes.values():
                one.start()
            supervisor.start()
            self.await_all()
            yield self
        finally:
            self._is_over.set()
            if supervisor.is_alive():
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
                if one.pid is None and time.monotonic() >= self._down.get(name, 0):
                    one.start()
