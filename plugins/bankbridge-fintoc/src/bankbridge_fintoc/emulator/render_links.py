"""How Fintoc writes links, accounts and movements: https://docs.fintoc.com/api/movements-api."""

from datetime import date
from types import MappingProxyType
from typing import Any, Final

from bankbridge_fintoc.emulator.objects import Account, Json, Link, Movement
from bankbridge_fintoc.emulator.render import as_it_may_be, stamp, stamp_or_null
from bankbridge_fintoc.emulator.world import Look

HOLDER: Final = MappingProxyType({"holder_id": "111111111", "holder_name": "Test Customer 1"})
OTHER_HOLDER: Final = MappingProxyType({"holder_id": "222222222", "holder_name": "Test Company 2"})


def link(look: Look, item: Link, *, accounts: bool, token: bool = False) -> Json:
    """A Link; lists leave its accounts out, and only the exchange and events show its token."""
    embedded = [_embedded_account(look, one) for one in item.accounts] if accounts else None
    is_unsaid = item.active or look.chose("inactive_status", "unchanged")
    return as_it_may_be(
        look,
        {
            "id": item.id,
            "object": "link",
            "accounts": embedded,
            "active": item.active,
            "created_at": stamp(item.created_at),
            "holder_id": HOLDER["holder_id"],
            "holder_type": item.holder_type,
            "institution": dict(item.institution),
            "last_time_refreshed": stamp_or_null(item.last_refreshed_at),
            "link_token": item.token if token else None,
            "mode": item.mode,
            "refresh_status": _link_refresh_status(look, item),
            "status": item.status if is_unsaid else "inactive",
            "username": item.username,
        },
    )


def link_in_event(look: Look, item: Link) -> Json:
    """A Link as events carry it: the published example has its token, and lacks some fields."""
    whole = link(look, item, accounts=True, token=look.chose("event_link_token", "present"))
    if look.chose("event_link", "whole"):
        return whole
    for name in ("active", "status", "refresh_status", "last_time_refreshed"):
        del whole[name]
    for one in whole["accounts"]:
        one["refreshed_at"] = None
    return whole


def account(look: Look, item: Account, owner: Link) -> Json:
    """An Account as its own endpoints give it."""
    return _embedded_account(look, item) | {
        "refreshed_at": stamp_or_null(item.refreshed_at),
        "next_refresh": stamp_or_null(item.next_refresh),
        "refresh_status": _account_refresh_status(look, item, owner),
        "removed_from_link": item.removed,
    }


def movement(look: Look, item: Movement, owner: Link) -> Json:
    """A Movement; in test mode `transaction_date` is null, and nobody is at its other end."""
    is_live = owner.mode == "live"
    other = _other_end(owner) if is_live and item.type == "transfer" else None
    row = {
        "id": item.id,
        "object": "movement",
        "amount": _amount(look, item.currency, item.amount),
        "comment": None,
        "currency": item.currency,
        "description": item.description,
        "pending": _is_pending(item),
        "post_date": _day(look, item.post_date),
        "recipient_account": other if item.amount < 0 else None,
        "reference_id": item.reference_id,
        "sender_account": other if item.amount >= 0 else None,
        "status": _movement_status(look, item),
        "transaction_date": f"{item.post_date.isoformat()}T11:31:12.000Z" if is_live else None,
        "type": item.type,
    }
    if look.chose("movement_extras", "as_seen"):
        row |= {"transfer_id": None, "document_number": item.reference_id}
    return as_it_may_be(look, row)


def changed_movement(look: Look, item: Movement) -> Json:
    """A row as the event `movements_modified` tells it: fewer fields, and dates without milliseconds."""
    return {
        "id": item.id,
        "type": item.type,
        "amount": _amount(look, item.currency, item.amount),
        "status": _movement_status(look, item),
        "currency": item.currency,
        "post_date": f"{item.post_date.isoformat()}T00:00:00Z",
        "description": item.description,
        "pending": _is_pending(item),
    }


def _embedded_account(look: Look, item: Account) -> Json:
    return as_it_may_be(
        look,
        {
            "id": item.id,
            "object": "account",
            "balance": {
                "available": _amount(look, item.currency, item.balance),
                "current": _amount(look, item.currency, item.balance),
                "limit": _amount(look, item.currency, item.limit),
            },
            "currency": item.currency,
            "name": item.name,
            "number": item.number,
            "official_name": item.official_name,
            "type": item.type,
            **HOLDER,
        },
    )


def _amount(look: Look, currency: str, amount: int) -> int:
    return amount * 100 if currency == "CLP" and look.chose("amounts_in_pesos", "cents") else amount


def _other_end(owner: Link) -> dict[str, Any]:
    return {**OTHER_HOLDER, "institution": dict(owner.institution), "number": "0000000001"}


def _day(look: Look, value: date) -> str:
    """A date, which Fintoc writes as midnight UTC, with or without milliseconds."""
    fraction = ".000" if look.chose("post_date", "milliseconds") else ""
    return f"{value.isoformat()}T00:00:00{fraction}Z"


def _is_pending(item: Movement) -> bool:
    return item.type == "check" and item.status == "processing"


def _movement_status(look: Look, item: Movement) -> str:
    return look.switches["processing_word"] if item.status == "processing" else item.status


def _is_refreshing(owner: Link, item: Account) -> bool:
    return any(
        report.account_id == item.id and report.status is None
        for intent in owner.running.values()
        if intent.started_at is not None
        for report in intent.reports
    )


def _account_refresh_status(look: Look, item: Account, owner: Link) -> str:
    """`refreshing` is in the example; the others are taken to be the link's."""
    if _is_refreshing(owner, item):
        return "refreshing"
    is_interrupted = look.chose("refresh_status_words", "four") and owner.status == "login_required"
    return "interrupted" if is_interrupted else "idle"


def _link_refresh_status(look: Look, item: Link) -> str:
    """Documents show `refreshing`; `idle` and two more were seen by others."""
    running = [one for one in item.running.values() if one.started_at is not None]
    if look.chose("refresh_status_words", "two"):
        return "refreshing" if running else "idle"
    if any(report.status for one in running for report in one.reports):
        return "partially_refreshing"
    if running:
        return "refreshing"
    return "interrupted" if item.status == "login_required" else "idle"
