"""The JSON that the emulated Rail shows of links, accounts and intents, and the ``data`` of its events.

Fields and values are those of https://docs.rail.cl/concepts/events and https://docs.rail.cl/concepts/accounts.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.ledger import Account
from bankbridge_rail.emulator.world import Intent, Link, World

Body: TypeAlias = dict[str, Any]

HOLDER: Final = "JANE DOE EXAMPLE"

_AVAILABLE: Final = 850_000
_OWED: Final = 150_000

_INTENT_FIELDS: Final = ("requires_mfa", "error_code", "completed_at", "summary")


@lru_cache(maxsize=10_000)
def stamp(at: datetime) -> str:
    """An instant as Rail writes it: UTC, whole seconds, ``Z``. Kept: a list of many links repeats it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def drifted(world: World, body: Body, **more: object) -> Body:
    """With ``extra_fields=some``, the same object with fields that no page shows."""
    if world.switches["extra_fields"] == "none":
        return body
    return {**body, **more, "livemode": None, "metadata": {"undocumented": [1, "ñ"]}}


def link_body(world: World, link: Link) -> Body:
    """A link as ``GET /v1/links`` shows it. undocumented: the union of all fields seen anywhere."""
    bank: Body = {"bank_id": link.bank_id}
    if world.switches["bank_field"] == "institution":
        bank = {"institution": {"id": link.bank_id, "name": BANKS[link.bank_id].name}}
    body = {
        "object": "link",
        "id": link.id,
        **bank,
        "status": _status(world, link),
        "holder_name": HOLDER,
        "holder_id": "11111111-1",
        "holder_type": link.holder_type,
        "created_at": stamp(link.created_at),
        **_synced(world, link),
        "accounts_count": len(link.present_accounts),
        "last_error": _last_error(world, link),
        # undocumented: its values.
        "required_action": "reconnect" if link.status == "expired" else None,
        "is_paused": link.is_paused,
    }
    return drifted(world, body, mode=link.mode.name)


def account_body(world: World, link: Link, account: Account) -> Body:
    """An account.

    undocumented: how ``refreshed_at`` and ``last_sync_at`` differ; here they do not.
    """
    kind = account.kind
    body = {
        "object": "account",
        "id": account.id,
        "link_id": account.link_id,
        "name": kind.name,
        "official_name": kind.name.upper(),
        "type": kind.type,
        "currency": kind.currency,
        "number": account.number,
        "last_4": account.number[-4:],
        "balance": _balance(world, kind.limit),
        "holder_id": None,
        "holder_name": HOLDER,
        "refreshed_at": stamp(account.last_sync_at),
        "last_sync_at": stamp(account.last_sync_at),
        "next_sync_at": stamp(account.last_sync_at + world.timings.sync_every),
        "link_status": _status(world, link),
        "status": "removed" if account.removed_at else "active",
    }
    return drifted(world, body, mode=link.mode.name)


def intent_body(world: World, intent: Intent) -> Body:
    """An intent as Rail answers with it: what its last event said, and the kind of refresh."""
    body: Body = {
        "object": "refresh_intent",
        "id": intent.id,
        "link_id": intent.link_id,
        "status": intent.status,
        "refresh_type": intent.refresh_type,
    }
    told = {name: value for name, value in _progress(intent).items() if value is not None}
    absent = {} if world.switches["absent_fields"] == "absent" else dict.fromkeys(_INTENT_FIELDS)
    message = None if intent.error_code is None else f"the bank said {intent.error_code}"
    return drifted(
        world, {**body, **absent, **told}, created_at=stamp(intent.created_at), error_message=message
    )


def intent_event(world: World, intent: Intent) -> Body:
    """The ``data`` of an intent's event; only the first one says what kind of refresh it is."""
    body = intent_body(world, intent)
    if intent.status != "created" and world.switches["event_data"] == "partial":
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
    """The ``data`` of ``link.refreshed``. The count is of what this sync found."""
    return {
        "object": "link",
        "id": link.id,
        "status": link.status,
        **_synced(world, link),
        "accounts_count": len(link.present_accounts),
        "new_movements_count": new_movements,
    }


def link_expired(link: Link, at: datetime) -> Body:
    """The ``data`` of ``link.expired``."""
    return {
        "object": "link",
        "id": link.id,
        "status": link.status,
        "last_error_code": link.last_error_code,
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
    prompt = intent.prompt if intent.status == "requires_mfa" else None
    return {
        "requires_mfa": None
        if prompt is None
        else {"widget_token": prompt.token, "expires_at": stamp(prompt.expires_at)},
        "error_code": intent.error_code,
        "completed_at": None if intent.ended_at is None else stamp(intent.ended_at),
        "summary": None if intent.summary is None else dict(intent.summary),
    }


def _balance(world: World, limit: int | None) -> Body:
    """Of a card, as in the example of https://docs.rail.cl/concepts/accounts, which the rule beside it contradicts."""
    available = _AVAILABLE
    if limit is not None and world.switches["card_balance"] == "rule":
        available = limit - _OWED
    return {"available": available, "current": _OWED, "limit": limit}


def _status(world: World, link: Link) -> str:
    if link.is_paused and link.status == "active" and world.switches["paused_status"] == "paused":
        return "paused"
    is_failing = link.status == "active" and link.last_error_code is not None
    return "error" if is_failing and world.switches["failing_status"] == "error" else link.status


def _synced(world: World, link: Link) -> Body:
    return {
        world.switches["sync_field"]: stamp(link.last_sync_at),
        "next_sync_at": stamp(link.next_sync_at),
    }


def _last_error(world: World, link: Link) -> object:
    if link.last_error_code is None or world.switches["last_error"] == "string":
        return link.last_error_code
    return {"code": link.last_error_code, "message": "the last sync failed"}
