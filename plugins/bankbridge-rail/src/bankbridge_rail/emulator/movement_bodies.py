"""Movements as the emulated Rail shows them.

undocumented: all of it; the fields are those that a client in production reads.
"""

import hashlib
from datetime import datetime
from typing import Any

import attrs

from bankbridge_rail.emulator.bodies import Body, drifted, stamp
from bankbridge_rail.emulator.ledger import Account, unsettled
from bankbridge_rail.emulator.world import Link, World

PER_PAGE = 30
"""undocumented: movements per page, as a client in production assumes."""


@attrs.frozen(kw_only=True)
class Question:
    """What a client wants of an account's movements; ``since`` and ``until`` are days, both included."""

    page: int = 1
    per_page: int = PER_PAGE
    is_confirmed_only: bool = False
    since: str | None = None
    until: str | None = None


def movement_page(world: World, link: Link, account: Account, question: Question) -> list[Body]:
    """One page of an account's movements."""
    rows = _rows(world, account, question)
    if len(rows) > question.per_page and _is_unstable(world, link, account):
        rows = unsettled(world.ids, account, rows, question.page)
    first = (question.page - 1) * question.per_page
    return [_body(world, account, number) for number in rows[first : first + question.per_page]]


def all_movements(world: World, account: Account) -> list[Body]:
    """Every movement that can be read now, as a careful client ends up with them."""
    return [_body(world, account, number) for number in _rows(world, account, Question())]


def _rows(world: World, account: Account, question: Question) -> list[int]:
    rows = account.shown(world.clock.now())
    if question.is_confirmed_only:
        rows = [number for number in rows if account.is_confirmed(number)]
    if question.since is not None or question.until is not None:
        since, until = question.since or "", question.until or "9999"
        rows = [number for number in rows if since <= _day(account.posted_at(number)) <= until]
    return rows[::-1] if world.switches["movement_order"] == "oldest_first" else rows


def _is_unstable(world: World, link: Link, account: Account) -> bool:
    """Whether this account's pages are unsettled: once they are, they stay so."""
    if not account.is_unstable:
        account.is_unstable = world.faults.strikes("unstable_paging", account.id, rates=link.faults)
    return account.is_unstable


def _body(world: World, account: Account, number: int) -> Body:
    digest = hashlib.sha256(f"{account.id}:{number}".encode()).hexdigest()
    oddity = account.oddities.get(number)
    revision = 0 if oddity is None else oddity.revision
    is_outbound = int(digest[21], 16) < 12
    size = 1_000 + int(digest[16:21], 16) + 10 * revision
    body: Body = {
        "object": "movement",
        **_id(world, account, number, digest),
        "account_id": account.id,
        "amount": -size if is_outbound else size,
        "currency": account.kind.currency,
        "description": f"{'COMPRA' if is_outbound else 'ABONO'} {digest[22:28].upper()}"
        + " CORREGIDO" * bool(revision),
        "type": "other",
        "direction": "outbound" if is_outbound else "inbound",
        "status": "confirmed" if account.is_confirmed(number) else world.switches["unconfirmed_status"],
        **_dates(world, account.posted_at(number)),
    }
    return drifted(world, body)


def _id(world: World, account: Account, number: int, digest: str) -> Body:
    match world.switches["movement_ids"]:
        case "none":
            return {}
        case "new_when_confirmed":
            text = f"{digest}:{account.is_confirmed(number)}"
        case "new_each_sync":
            text = f"{digest}:{account.syncs}"
        case _:
            return {"id": f"mov_{digest[:16]}"}
    return {"id": f"mov_{hashlib.sha256(text.encode()).hexdigest()[:16]}"}


def _dates(world: World, at: datetime) -> dict[str, Any]:
    match world.switches["movement_dates"]:
        case "datetime":
            return {"post_date": stamp(at), "transaction_date": None}
        case "other_fields":
            return {"date": _day(at), "created_at": stamp(at)}
        case _:
            return {"post_date": _day(at), "transaction_date": _day(at)}


def _day(at: datetime) -> str:
    return at.date().isoformat()
