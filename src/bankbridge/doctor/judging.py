"""What is good about the facts of a store and what is not: pure, so that each case can be seen in a test."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bankbridge.doctor.checks import Check, ok, plural, problem, warning
from bankbridge.store.sql import Schema, Sealed, Server, Waiting

LATE: Final = timedelta(minutes=1)
"""A worker takes a delivery within a second or so, and an intent that is due too."""

SMALL: Final = 1 << 30
"""Bytes of room on a disk below which there is a warning."""
TINY: Final = 1 << 26

_UPGRADE: Final = "bankbridge store upgrade"

# Of a setting: the values with which what was committed survives a power cut, and what to do otherwise.
_LASTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "journal_mode": (("wal",), "move the file to a disk of this machine: write-ahead needs one"),
    "synchronous": (("full", "extra"), "use a SQLite that obeys PRAGMA synchronous = FULL"),
    "fsync": (("on",), "set fsync = on in postgresql.conf, and reload it"),
    "full_page_writes": (("on",), "set full_page_writes = on in postgresql.conf, and reload it"),
    "synchronous_commit": (
        ("on", "local", "remote_write", "remote_apply"),
        "set synchronous_commit = on for the role",
    ),
}
# How much of the server's connections may be open before there is a warning.
_CROWDED: Final = 0.8


def judge_space(folder: Path, free: int) -> Check:
    """The room that is left on the disk of a SQLite file."""
    says = f"{free / (1 << 30):,.1f} GiB free in {folder}"
    remedy = "make room, or forget what is old: bankbridge store prune --older-than 90d"
    if free < TINY:
        return problem("disk", f"{says}: soon nothing can be stored, and webhooks are answered 503", remedy)
    return warning("disk", says, remedy) if free < SMALL else ok("disk", says)


def judge_settings(name: str, server: Server) -> Iterator[Check]:
    """What the database is set to: whether it takes anything, and whether that lasts."""
    settings = server.settings
    if settings.get("transaction_read_only", "off") != "off":
        remedy = "let store.url name the primary server, and a role without default_transaction_read_only"
        yield problem("store", f"{name} takes no writes: it is a standby, or set to read only", remedy)
    elif "server_version" in settings:
        yield ok("store", f"{name}: version {settings['server_version']}, {settings['server_encoding']}")
    else:
        yield ok("store", f"{name}: can be written")
    lost = [setting for setting, (good, _) in _LASTS.items() if settings.get(setting, good[0]) not in good]
    for setting in lost:
        says = f"{setting} is {settings[setting]}: an acknowledged delivery may be lost in a power cut"
        yield warning("durability", says, _LASTS[setting][1])
    if not lost:
        said = [f"{setting} {settings[setting]}" for setting in _LASTS if setting in settings]
        yield ok("durability", f"a commit survives a power cut ({', '.join(said)})")
    if server.connections is not None:
        yield _crowd(server.connections, int(settings["max_connections"]))


def _crowd(count: int, most: int) -> Check:
    says = f"{count} of the server's {most} are open"
    if count < _CROWDED * most:
        return ok("connections", says)
    return warning("connections", says, "fewer processes, a smaller pool_size, or a higher max_connections")


def judge_schema(schema: Schema, *, makes_itself: bool) -> Iterator[Check]:
    """The schema that is there; ``makes_itself``: opening the store upgrades it."""
    name = "migrations"
    if schema.foreign:
        says = f"the database has a table {schema.foreign[0]} that is not ours"
        yield problem(
            name, says, "use another database, or another schema: store.url takes options=-csearch_path%3D…"
        )
    elif schema.found is None or schema.found < schema.needed:
        has = "no tables of ours yet" if schema.found is None else f"schema {schema.found}"
        says = f"the database has {has}, this bankbridge needs {schema.needed}"
        if makes_itself:
            yield warning(
                name, f"{says}: opening it upgrades it", f"make a copy of the file, then {_UPGRADE}"
            )
        else:
            yield problem(name, says, _UPGRADE)
    elif schema.found > schema.needed:
        says = f"the database has schema {schema.found}, this bankbridge knows {schema.needed}"
        yield problem(name, says, "a newer version was here: install that one")
    elif schema.forbidden:
        says = f"our role may not {schema.forbidden[0]}"
        yield problem(
            name, says, "GRANT SELECT, INSERT, UPDATE, DELETE on all tables bankbridge_… to the role"
        )
    else:
        yield ok(name, f"schema {schema.found}, as needed")


def judge_sealed(sealed: Sealed, *, keys: int) -> Check:
    """Whether the keys open what is stored, by a sample."""
    name, looked_at = "store keys", f"of {plural(sealed.seen, 'row')} looked at"
    if not sealed.seen:
        return ok(name, f"{plural(keys, 'key')} of the right form; there is nothing to open yet")
    if sealed.locked:
        return problem(
            name,
            f"no key opens {sealed.locked} {looked_at}",
            "add the key that they were written with to store.keys, behind the others",
        )
    if sealed.older:
        return warning(
            name,
            f"{sealed.older} {looked_at} still need an older key",
            "bankbridge store rotate-keys, before that key is left out",
        )
    if keys > 1:
        return ok(
            name, f"the first of {keys} opens every one {looked_at}; docs/how-to/rotate-keys.md ends it"
        )
    return ok(name, f"one key, which opens every one {looked_at}")


def judge_work(work: Waiting, *, now: datetime) -> Iterator[Check]:
    """Whether anybody takes what waits."""
    yield _late("inbox", "a delivery waits", work.oldest_delivery_at, now)
    yield _late("wake-ups", "an intent is due", work.oldest_wake_at, now)


def _late(name: str, what: str, since: datetime | None, now: datetime) -> Check:
    waited = timedelta() if since is None else max(now - since, timedelta())
    if waited < LATE:
        return ok(name, "nothing is late")
    return problem(
        name,
        f"{what} since {since:%Y-%m-%d %H:%M:%S} UTC, {_long(waited)}: no worker runs, or too few",
        "bankbridge worker",
    )


def _long(time: timedelta) -> str:
    minutes = time // timedelta(minutes=1)
    if minutes < 120:
        return plural(minutes, "minute")
    return plural(minutes // 60, "hour") if minutes < 48 * 60 else plural(minutes // 1440, "day")
