"""The events that the dashboard sends on demand: the examples of https://docs.rail.cl/concepts/events."""

from datetime import datetime, timedelta
from typing import Final

from bankbridge_rail.emulator.bodies import HOLDER, Body, stamp

_LINK: Final = "link_8a2f4c6e1b9d5037"
_ACCOUNT: Final = "acc_5b1e4f7a3c9d6280"
_INTENT: Final = "ri_a1b2c3d4e5f6a7b8"


def example(event_type: str, at: datetime) -> Body:
    """The ``data`` of an event of a type of the catalogue, about things that do not exist."""
    family, _, happened = event_type.partition(".")
    now = stamp(at)
    match family:
        case "link":
            return {"object": "link", "id": _LINK, **_link(happened, now, at)}
        case "account":
            return {"object": "account", "id": _ACCOUNT, "link_id": _LINK, **_account(happened, now)}
        case _:
            subject = {"object": "refresh_intent", "id": _INTENT, "link_id": _LINK, "status": happened}
            return {**subject, **_intent(happened, now, at)}


def _link(happened: str, now: str, at: datetime) -> Body:
    match happened:
        case "created":
            return {"bank_id": "banco_estado", "status": "active", "holder_name": HOLDER, "created_at": now}
        case "refreshed":
            return {
                "status": "active",
                "last_synced_at": now,
                "next_sync_at": stamp(at + timedelta(hours=4)),
                "accounts_count": 3,
                "new_movements_count": 5,
            }
        case "expired":
            return {"status": "expired", "last_error_code": "rejected_credentials", "expired_at": now}
        case _:
            return {"deleted_at": now}


def _account(happened: str, now: str) -> Body:
    if happened == "removed":
        return {"status": "removed", "removed_at": now}
    return {"name": "Cuenta Vista", "type": "checking", "currency": "CLP", "last_4": "9876"}


def _intent(happened: str, now: str, at: datetime) -> Body:
    match happened:
        case "created":
            return {"refresh_type": "full"}
        case "requires_mfa":
            token = f"{_INTENT}_sec_0f1e2d3c4b5a69788796a5b4"
            return {"requires_mfa": {"widget_token": token, "expires_at": stamp(at + timedelta(minutes=10))}}
        case "succeeded":
            return {"completed_at": now, "summary": {"accounts_updated": 3, "new_movements_count": 5}}
        case _:
            return {"error_code": "bank_unavailable", "completed_at": now}
