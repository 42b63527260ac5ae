"""Where the processes of the application are born: ``python -m tests.crash.nursery``, spoken to by the harness alone.

It imports what they need once and then forks, since importing takes most of a second of each start. What it makes are
processes like any other; it does nothing but tell who was born and who has ended, and ends all of them with itself.

====================================  ==================================================================================
on its input                          ``["web", "/path/settings.json", "/path/web.log"]``
on its output                         ``["web", 4711, null]``, and when it has ended ``["web", 4711, -9]``
====================================  ==================================================================================
"""

import contextlib
import json
import os
import selectors
import signal
import sys
import traceback
from typing import NoReturn

from tests.crash.application import main


def serve() -> None:
    """Bear whom the harness asks for, until it closes our input."""
    alive: dict[int, str] = {}
    woken, waker = os.pipe2(os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    with selectors.DefaultSelector() as selector:
        selector.register(woken, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        asked = b""
        while True:
            for key, _ in selector.select():
                if key.fd == woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
                    continue
                heard = os.read(sys.stdin.fileno(), 65536)
                if not heard:
                    _end_all(alive)
                    return
                *lines, asked = (asked + heard).split(b"\n")
                for line in lines:
                    name, settings, log = json.loads(line)
                    pid = _bear(settings, log)
                    alive[pid] = name
                    _tell(name, pid, None)
            _bury(alive)


def _bear(settings: str, log: str) -> int:
    pid = os.fork()
    return pid or _live(settings, log)


def _live(settings: str, log: str) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, path, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, log, os.O_WRONLY | os.O_APPEND | os.O_CREAT),
            (2, log, os.O_WRONLY | os.O_APPEND | os.O_CREAT),
        ):
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        main(settings)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 (as the interpreter does at the end of a program)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _bury(alive: dict[int, str]) -> None:
    for pid in list(alive):
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            _tell(alive.pop(pid), pid, os.waitstatus_to_exitcode(status))


def _end_all(alive: dict[int, str]) -> None:
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _tell(*said: str | int | None) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    serve()
