"""The processes of the end-to-end benchmark: the receiver, the worker, and the line that deliveries come on.

``end_to_end_parts.py receiver URL KEY`` and ``… worker URL KEY COUNT`` say ``{"ready": …}`` on their standard output
when they are; the worker also when it has drained COUNT deliveries. Both end with their standard input.
"""

import json
import logging
import os
import select
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvicorn

from bankbridge import AsyncBankBridge, BankBridge
from bankbridge.engine import BATCH
from bankbridge.engine.embedded import Embedded
from bankbridge.engine.shift import GATHERING
from bankbridge.server import webhook_app
from bankbridge.shells.working import Tasks
from bankbridge.store.sql import SqlStore
from tests.benchmarks.end_to_end_stories import PROVIDERS

ROOT: Final = Path(__file__).parents[2]
_PATIENCE_SECONDS: Final = 300


# --- the receiver


def receive(url: str, key: str) -> None:
    """Take deliveries until the standard input ends."""
    bridge = AsyncBankBridge(PROVIDERS, store=SqlStore(url, keys=[key]), engine=Embedded(elsewhere=True))
    config = uvicorn.Config(
        webhook_app(bridge), log_config=None, access_log=False, timeout_keep_alive=600, backlog=1024
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _say(ready=listener.getsockname()[1])
        threading.Thread(target=_when_told, args=(setattr, server, "should_exit", True), daemon=True).start()
        server.run([listener])


# --- the worker


def work(url: str, key: str, count: int) -> None:
    """Drain until told; say when ``count`` are drained, and at the end how long each batch took to be committed."""
    times: list[datetime] = []

    def clock() -> datetime:
        times.append(datetime.now(UTC))
        return times[-1]

    batches: list[tuple[float, float, int]] = []
    left, told = count, threading.Event()
    with BankBridge(PROVIDERS, store=SqlStore(url, keys=[key]), clock=clock) as bridge:
        tasks = Tasks(bridge._core, bridge._run)
        _say(ready=True)
        threading.Thread(target=_when_told, args=(told.set,), daemon=True).start()
        while not told.is_set():
            if drained := tasks.drain():
                batches.append((times[-1].timestamp(), time.time(), drained))
            left -= drained
            if left <= 0 < left + drained:
                _say(done=time.time())
            if drained < BATCH:  # as the engine does
                told.wait(GATHERING.total_seconds())
        _say(batches=batches)


def _when_told(act: Callable[..., None], *given: Any) -> None:
    """Act when a line is sent, or the end of all lines."""
    sys.stdin.readline()
    act(*given)


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


@contextmanager
def part(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """One of the processes, ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.end_to_end_parts", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()


def heard(process: "subprocess.Popen[str]", word: str) -> Any:
    """What a process says under this word next."""
    assert process.stdout is not None
    waited_for, _, _ = select.select([process.stdout], [], [], _PATIENCE_SECONDS)
    line = process.stdout.readline() if waited_for else ""
    assert line, f"the process ended, or waited too long, before it said {word}"
    return json.loads(line)[word]


# --- the line


def send(port: int, requests: Sequence[bytes], connections: int) -> tuple[Counter[int], list[float]]:
    """Send them all, each connection one after the other and kept alive; the statuses, and the seconds to each."""
    left, statuses, seconds = iter(requests), Counter[int](), []
    began: dict[socket.socket, float] = {}

    def go_on(line: socket.socket) -> None:
        request = next(left, None)
        if request is None:
            ready.unregister(line)
            line.close()
            return
        began[line] = time.perf_counter()
        line.sendall(request)

    with selectors.DefaultSelector() as ready:
        for _ in range(min(connections, len(requests))):
            line = socket.create_connection(("127.0.0.1", port))
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(line, selectors.EVENT_READ, bytearray())
            go_on(line)
        while ready.get_map():
            for key, _ in ready.select():
                heard_on: Any = key.fileobj
                answer: bytearray = key.data
                received = heard_on.recv(4096)
                assert received, "the receiver hung up"
                answer += received
                if _is_whole(answer):
                    statuses[int(answer[9:12])] += 1
                    seconds.append(time.perf_counter() - began[heard_on])
                    answer.clear()
                    go_on(heard_on)
    return statuses, seconds


def _is_whole(answer: bytearray) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])


# --- processor time, where the system tells it


def cpu_seconds(pid: int) -> float | None:
    """What a process and all that it has begun have used so far."""
    tree = _tree()
    if tree is None:
        return None
    total, ask = 0.0, [pid]
    while ask:
        parent = ask.pop()
        found = tree.get(parent)
        if found is not None:
            total += found[1]
            ask += [child for child, (mother, _) in tree.items() if mother == parent]
    return total


def _tree() -> dict[int, tuple[int, float]] | None:
    """Of every process its parent, and its own time with that of its children that have ended."""
    if not Path("/proc/self/stat").exists():
        return None
    tick = os.sysconf("SC_CLK_TCK")
    found: dict[int, tuple[int, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        found[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / tick)
    return found


if __name__ == "__main__":
    logging.basicConfig()
    kind, *rest = sys.argv[1:]
    if kind == "receiver":
        receive(*rest)
    else:
        work(rest[0], rest[1], int(rest[2]))
