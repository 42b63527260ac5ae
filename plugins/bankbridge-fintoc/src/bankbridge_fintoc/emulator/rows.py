"""The movements of an account: what it had when it was connected, what refreshes bring, and what happens to them."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Final

import attrs

from bankbridge_fintoc.emulator.objects import Account, Movement
from bankbridge_fintoc.emulator.world import World

MOST_NEW_ROWS: Final = 4
BACKDATED: Final = timedelta(days=30)
"""How long before all that an account had the fault ``backdated_rows`` dates a row."""

# How movements are spread over Fintoc's statuses: one draw in twenty is in each of the last three.
STATUSES: Final = ("confirmed",) * 17 + ("processing", "reversed", "duplicated")
# One in four of what was processing turns out to be reversed.
SETTLED: Final = ("confirmed", "confirmed", "confirmed", "reversed")
TYPES: Final = ("transfer", "transfer", "check", "other")

# When the new rows of a refresh happened: the second is back-dated, the third has an accounting day that is to come.
DAYS_AGO: Final = (0, 3, -2, 0)


@attrs.frozen(kw_only=True)
class Brought:
    """What a refresh brought for one account: how many new rows, and which of the old ones are not what they were."""

    new: int
    changed: tuple[Movement, ...] = ()
    removed: tuple[str, ...] = ()


def rows_of(world: World, account: Account) -> list[Movement]:
    """Every row that Fintoc has read; those of before the connection are made now if they have not been."""
    if account.unmade_history:
        count, account.unmade_history = account.unmade_history, 0
        source = _source(world, account.id, "history")
        # Before what refreshes brought meanwhile: nothing may depend on when somebody reads.
        account.movements[:0] = [_history_row(world, account, position, source) for position in range(count)]
    return account.movements


def readable(
    world: World, account: Account, now: datetime, since: date | None = None, until: date | None = None
) -> list[Movement]:
    """The rows that a list shows, the newest ``post_date`` first, both days included."""
    rows = [
        row
        for row in rows_of(world, account)
        if (since is None or row.post_date >= since)
        and (until is None or row.post_date <= until)
        and (row.readable_at is None or row.readable_at <= now)
    ]
    return sorted(rows, key=lambda row: row.post_date, reverse=True)


def refresh(world: World, account: Account, at: datetime, faults: frozenset[str]) -> Brought:
    """Read the account at the bank."""
    account.refreshed_at = at
    account.refreshes += 1
    if account.unread_history:
        brought, account.unread_history = account.unread_history, 0
        account.unmade_history = brought
        return Brought(new=brought)
    source = _source(world, account.id, account.refreshes)
    changed = _settle(world, account, at)
    if "changed_rows" in faults:
        changed += _change(world, account, source)
    removed = _remove(world, account, source) if "vanished_rows" in faults else ()
    new = _bring(world, account, at, source, faults)
    return Brought(new=new, changed=tuple(row for row in changed if row.id not in removed), removed=removed)


def amend(row: Movement) -> None:
    """Let a row have another description, and be confirmed."""
    row.description, row.status, row.settles_at = f"{row.description} (corregido)", "confirmed", None


def _bring(world: World, account: Account, at: datetime, source: Random, faults: frozenset[str]) -> int:
    count = source.randrange(1, MOST_NEW_ROWS + 1)
    days = [at.date() - timedelta(days=DAYS_AGO[position]) for position in range(count)]
    if "backdated_rows" in faults:
        days.append(account.connected_on - timedelta(days=account.history_days) - BACKDATED)
    for position, day in enumerate(days):
        row_id = world.ids.make("mov_", account.id, account.refreshes, position)
        row = _row(account, row_id, day, source)
        account.movements.append(row)
        account.balance += row.amount if row.status == "confirmed" else 0
        row.settles_at = at + world.timings.settling if row.status == "processing" else None
        row.readable_at = at + world.timings.late_rows if "late_rows" in faults else None
    return len(days)


def _settle(world: World, account: Account, at: datetime) -> tuple[Movement, ...]:
    """What was processing long enough is confirmed or reversed now."""
    settled = tuple(row for row in account.movements if row.settles_at is not None and row.settles_at <= at)
    for row in settled:
        row.status, row.settles_at = _source(world, row.id, "settles").choice(SETTLED), None
    return settled


def _change(world: World, account: Account, source: Random) -> tuple[Movement, ...]:
    rows = rows_of(world, account)
    if not rows:
        return ()
    row = source.choice(rows)
    amend(row)
    return (row,)


def _remove(world: World, account: Account, source: Random) -> tuple[str, ...]:
    rows = rows_of(world, account)
    return (rows.pop(source.randrange(len(rows))).id,) if rows else ()


def _history_row(world: World, account: Account, position: int, source: Random) -> Movement:
    days = source.randrange(1, account.history_days) if account.history_days > 1 else 1
    row_id = world.ids.make("mov_", account.id, "history", position)
    return _row(account, row_id, account.connected_on - timedelta(days=days), source)


def _row(account: Account, row_id: str, day: date, source: Random) -> Movement:
    return Movement(
        id=row_id,
        post_date=day,
        amount=source.choice((-1, 1)) * source.randrange(1_000, 500_000),
        currency=account.currency,
        description=f"Movimiento de prueba {source.randrange(10**6)}",
        type=source.choice(TYPES),
        status=source.choice(STATUSES),
        reference_id=str(source.randrange(10**8, 10**9)),
    )


def _source(world: World, *owner: str | int) -> Random:
    text = " ".join(str(part) for part in (world.seed, *owner))
    return Random(text)  # noqa: S311  invented data, not a secret
