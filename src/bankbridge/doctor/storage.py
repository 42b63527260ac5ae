"""The store: whether it is there, lasts, has the schema that is needed, and opens with the keys."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bankbridge.doctor.checks import (
    Check,
    Examination,
    WaitingFor,
    problem,
    skipped,
    warning,
)
from bankbridge.doctor.clocks import judge_clock, read
from bankbridge.doctor.judging import judge_schema, judge_sealed, judge_settings, judge_space, judge_work
from bankbridge.store.sql import Inspection, Sealed, Server
from bankbridge.store.sql.sealing import Sealer
from bankbridge.webhooks import TOLERANCE
from bankbridge.words.errors import BankBridgeError, StoreKeyError

# ``keys`` are None in here where the configuration does not tell them.


def examine_file(path: Path, keys: Sequence[str] | None, clock: Callable[[], datetime]) -> Examination[None]:
    """A SQLite file, which is not made if it is missing."""
    folder = path.resolve().parent
    if not folder.is_dir():
        yield problem("store", f"SQLite file {str(path)!r}: its folder does not exist", f"mkdir -p {folder}")
        return
    yield judge_space(folder, shutil.disk_usage(folder).free)
    if not path.exists():
        yield from _keys_alone(keys)
        if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            yield problem(
                "store", f"{folder} cannot be written by who runs this", f"chown it, or chmod u+w {folder}"
            )
            return
        yield warning(
            "migrations", f"SQLite file {str(path)!r} does not exist yet", "bankbridge store upgrade makes it"
        )
        return
    yield from examine_database(path, keys, clock)


def examine_database(
    where: str | Path, keys: Sequence[str] | None, clock: Callable[[], datetime]
) -> Examination[None]:
    """What a database says, each thing by itself."""
    try:
        look = Inspection(where)
    except BankBridgeError as error:
        yield problem("store", _words(error), "mend store.path or store.url in the configuration")
        yield from _keys_alone(keys)
        return
    yield WaitingFor(what=look.name)
    try:
        yield from _server(look, look.server(), clock)
    except BankBridgeError as error:
        yield problem("store", _words(error), _way_in(where))
        yield from _keys_alone(keys)
        for name in ("migrations", "inbox", "wake-ups"):
            yield skipped(name, "the store does not answer")
    else:
        yield from _contents(look, keys, clock)
    finally:
        look.close()


def _server(look: Inspection, server: Server, clock: Callable[[], datetime]) -> Iterator[Check]:
    yield from judge_settings(look.name, server)
    if (reading := read(look.clock, clock)) is not None:
        yield judge_clock(reading, "the database", tolerance=TOLERANCE)


def _contents(look: Inspection, keys: Sequence[str] | None, clock: Callable[[], datetime]) -> Iterator[Check]:
    try:
        schema = look.schema()
        yield from judge_schema(schema, makes_itself=look.makes_itself)
        if schema.found != schema.needed:
            yield from _keys_alone(keys)
            for name in ("inbox", "wake-ups"):
                yield skipped(name, "the schema is not the one that is needed")
            return
        yield from _keys(look, keys)
        yield from judge_work(look.work(), now=clock())
    except BankBridgeError as error:
        yield problem("store", _words(error), "try again; if it stays, see what keeps the database busy")


def _keys(look: Inspection, keys: Sequence[str] | None) -> Iterator[Check]:
    if keys is None:
        yield from _keys_alone(keys)
        return
    try:
        yield judge_sealed(look.sealed(keys), keys=len(keys))
    except StoreKeyError as error:
        yield _no_key(error)


def _keys_alone(keys: Sequence[str] | None) -> Iterator[Check]:
    """The form of the keys, where there is nothing that they could open."""
    if keys is None:
        yield skipped("store keys", "the configuration must be mended first")
        return
    try:
        Sealer(keys)
    except StoreKeyError as error:
        yield _no_key(error)
    else:
        yield judge_sealed(Sealed(), keys=len(keys))


def _no_key(error: StoreKeyError) -> Check:
    return problem("store keys", _words(error), "set store.keys: docs/how-to/store-in-sqlite.md makes one")


def _words(error: BankBridgeError) -> str:
    return str(error).removeprefix("store: ")


def _way_in(where: str | Path) -> str:
    if isinstance(where, Path):
        return f"see that {where} is a database of ours, and that who runs this may write it and its folder"
    return (
        "see that the server runs, that this machine reaches it, and that store.url names role and database"
    )
