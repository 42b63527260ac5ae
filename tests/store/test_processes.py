"""What holds between processes, and when one of them is killed: with real processes, on every database."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.store import values as v

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("writer.py")


def start(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(WRITER), *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_a_killed_process_acknowledged_is_there(place):
    with start(place.url, place.key, "forever") as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(25)]
        writer.kill()
        acknowledged += writer.stdout.read().split()
    assert writer.returncode == -9
    kept = place.open().transact(lambda tx: tx.waiting_deliveries(limit=1_000_000))
    assert [stored.id for stored in kept][: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) in (0, 1), "the last commit may have been cut off before its word"


def test_processes_share_a_database_from_its_first_moment(place):
    names = ["intent_1", "intent_2", "intent_3"]
    writers = [start(place.url, place.key, "race", "20") for _ in names]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer, name in zip(writers, names, strict=True):
        assert writer.stdin is not None
        writer.stdin.write(f"{name}\n")
        writer.stdin.flush()
    won = Counter(word for writer in writers for word in writer.communicate(timeout=60)[0].split())
    assert [writer.returncode for writer in writers] == [0, 0, 0]

    def look(tx):
        opened_by = tx.open_intent(v.link()).id
        assert won == Counter([*(f"d_{number}" for number in range(20)), opened_by])
        assert tx.link("link_1").refused_logins == 60

    place.open().transact(look)


def test_what_was_stored_is_there_after_reopening(place):
    first = place.open()
    home = v.with_link(first, v.link("link_1", v.RAIL, "acc_1"))
    running, line, waiting = v.intent("intent_1", home), v.entry("RefreshStarted"), v.delivery("d_1")
    parked = v.parked("d_1", link_id="link_1")

    def write(tx):
        tx.add_intent(running)
        tx.add_delivery(waiting)
        tx.park(parked)
        tx.log(line)

    first.transact(write)
    first.close()

    def read(tx):
        assert tx.link_of_account("acc_1") == home
        assert tx.open_intent(home) == running
        assert tx.waiting_deliveries(limit=9) == [waiting]
        assert tx.parked_for(parked.about, v.RAIL) == [parked]
        assert tx.log_of(running.id) == [line]

    place.open().transact(read)
