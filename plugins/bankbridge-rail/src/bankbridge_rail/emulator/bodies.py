"""The JSON that the emulated Rail shows: its objects, and the ``data`` of its events.

Fields and values are those of https://docs.rail.cl/concepts/events and https://docs.rail.cl/concepts/accounts.
undocumented: the movement; its fields are those that a client in production reads.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from bankbridge_rail.emulator.world import Account, Intent, Link, World

Body: TypeAlias = dict[str, Any]

HOLDER: Final = "JANE DOE EXAMPLE"
SYNC_EVERY: Final = timedelta(hours=4)
PROCESSING: Final = 2
"""How many of an account's newest movements the bank has not confirmed yet."""

_BANK_NAMES: Final[Mapping[str, str]] = {
    "banco_estado": "BancoEstado",
    "banco_chile": "Banco de Chile",
    "banco_falabella": "Banco Falabella",
    "santander": "Santander",
    "bci": "BCI",
    "bice": "BICE",
    "itau": "Itaú",
    "scotia": "Scotiabank",
    "cencosud": "Cencosud",
    "mercado_pago": "Mercado Pago",
}
BANKS: Final = tuple(_BANK_NAMES)
"""https://docs.rail.cl/api-reference/links/crear-link-bancario"""


def stamp(at: datetime) -> str:
    """An instant as Rail writes it: UTC, whole seconds, ``Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def link_body(world: World, link: Link) -> Body:
    """A link as ``GET /v1/links`` shows it. undocumented: the union of all fields seen anywhere."""
    bank: Body = {"bank_id": link.bank_id}
    if world.switches["bank_field"] == "institution":
        bank = {"institution": {"id": link.bank_id, "name": _BANK_NAMES[link.bank_id]}}
    return {
        "object": "link",
        "id": link.id,
        **bank,
        "status": link.status,
        "holder_name": HOLDER,
        "holder_id": "11111111-1",
        "holder_type": "individual",
        "created_at": stamp(link.created_at),
        **_synced(world, link),
        "accounts_count": len(_listed(link)),
        "last_error": None,
        "required_action": None,
        "is_paused": False,
    }


def account_body(link: Link, account: Account) -> Body:
    """An account. Card balances do not follow the documented rule: neither does the documented example."""
    kind = account.kind
    return {
        "object": "account",
        "id": account.id,
        "link_id": account.link_id,
        "name": kind.name,
        "official_name": kind.name.upper(),
        "type": kind.type,
        "currency": kind.currency,
        "number": account.number,
        "last_4": account.number[-4:],
        "balance": {"available": 850_000, "current": 150_000, "limit": kind.limit},
        "holder_id": None,
        "holder_name": HOLDER,
        "refreshed_at": stamp(account.last_sync_at),
        "last_sync_at": stamp(account.last_sync_at),
        "next_sync_at": stamp(account.last_sync_at + SYNC_EVERY),
        "link_status": link.status,
        "status": "removed" if account.removed_at else "active",
    }


def movement_bodies(account: Account, *, is_confirmed_only: bool, page: int, per_page: int) -> list[Body]:
    """One page of an account's movements, the newest first."""
    total = account.movements_before + len(account.found_at)
    newest = total - (PROCESSING if is_confirmed_only else 0)
    first = newest - (page - 1) * per_page
    return [
        _movement(account, number, total) for number in range(first - 1, max(first - per_page, 0) - 1, -1)
    ]


def intent_body(intent: Intent) -> Body:
    """An intent as Rail answers with it: what its last event said, and the kind of refresh."""
    return {
        "object": "refresh_intent",
        "id": intent.id,
        "link_id": intent.link_id,
        "status": intent.status,
        "refresh_type": intent.refresh_type,
        **_progress(intent),
    }


def intent_event(intent: Intent) -> Body:
    """The ``data`` of an intent's event; only the first one says what kind of refresh it is."""
    body = intent_body(intent)
    if intent.status != "created":
        del body["refresh_type"]
    return body


def link_created(link: Link) -> Body:
    """The ``data`` of ``link.created``."""
    return {
        "object": "link",
        "id": link.id,
        "bank_id": link.bank_id,
        "status": link.status,
        "holder_name": HOLDER,
        "created_at": stamp(link.created_at),
    }


def link_refreshed(world: World, link: Link, new_movements: int) -> Body:
    """The ``data`` of ``link.refreshed``."""
    return {
        "object": "link",
        "id": link.id,
        "status": link.status,
        **_synced(world, link),
        "accounts_count": len(_listed(link)),
        "new_movements_count": new_movements,
    }


def link_expired(link: Link, error_code: str, at: datetime) -> Body:
    """The ``data`` of ``link.expired``."""
    return {
        "object": "link",
        "id": link.id,
        "status": link.status,
        "last_error_code": error_code,
        "expired_at": stamp(at),
    }


def link_deleted(link: Link, at: datetime) -> Body:
    """The ``data`` of ``link.deleted``."""
    return {"object": "link", "id": link.id, "deleted_at": stamp(at)}


def account_created(account: Account) -> Body:
    """The ``data`` of ``account.created``."""
    return {
        "object": "account",
        "id": account.id,
        "link_id": account.link_id,
        "name": account.kind.name,
        "type": account.kind.type,
        "currency": account.kind.currency,
        "last_4": account.number[-4:],
    }


def account_removed(account: Account, at: datetime) -> Body:
    """The ``data`` of ``account.removed``."""
    return {
        "object": "account",
        "id": account.id,
        "link_id": account.link_id,
        "status": "removed",
        "removed_at": stamp(at),
    }


def _progress(intent: Intent) -> Body:
    body: Body = {}
    if intent.status == "requires_mfa" and intent.prompt is not None:
        prompt = intent.prompt
        body["requires_mfa"] = {"widget_token": prompt.token, "expires_at": stamp(prompt.expires_at)}
    if intent.error_code is not None:
        body["error_code"] = intent.error_code
    if intent.ended_at is not None:
        body["completed_at"] = stamp(intent.ended_at)
    if intent.summary is not None:
        body["summary"] = dict(intent.summary)
    return body


def _synced(world: World, link: Link) -> Body:
    return {
        world.switches["sync_field"]: stamp(link.last_sync_at),
        "next_sync_at": stamp(link.last_sync_at + SYNC_EVERY),
    }


def _listed(link: Link) -> list[Account]:
    return [account for account in link.accounts.values() if account.removed_at is None]


def _movement(account: Account, number: int, total: int) -> Body:
    """A movement follows from its account and number (0 is the oldest) alone, so none needs to be kept."""
    digest = hashlib.sha256(f"{account.id}:{number}".encode()).hexdigest()
    size, is_outbound = 1_000 + int(digest[16:21], 16), int(digest[21], 16) < 12
    at = _posted_at(account, number)
    return {
        "object": "movement",
        "id": f"mov_{digest[:16]}",
        "account_id": account.id,
        "amount": -size if is_outbound else size,
        "currency": account.kind.currency,
        "description": f"{'COMPRA' if is_outbound else 'ABONO'} {digest[22:28].upper()}",
        "type": "other",
        "direction": "outbound" if is_outbound else "inbound",
        "status": "processing" if number >= total - PROCESSING else "confirmed",
        "post_date": at.date().isoformat(),
        "transaction_date": at.date().isoformat(),
    }


def _posted_at(account: Account, number: int) -> datetime:
    if number >= account.movements_before:
        return account.found_at[number - account.movements_before]
    return account.created_at - timedelta(hours=6) * (account.movements_before - number)
