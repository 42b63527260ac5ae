"""How Fintoc writes its objects: https://docs.fintoc.com/api/movements-api.

Each function takes the `Look` of things: the switches, and the version of the API that is spoken.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from bankbridge_fintoc.emulator.objects import (
    Account,
    Intent,
    Json,
    Link,
    LinkIntent,
    Movement,
    Report,
    WebhookEndpoint,
)
from bankbridge_fintoc.emulator.world import Look

HOLDER: Final = MappingProxyType({"holder_id": "111111111", "holder_name": "Test Customer 1"})
OTHER_HOLDER: Final = MappingProxyType({"holder_id": "222222222", "holder_name": "Test Company 2"})

# The values that exist in each generation of the OpenAPI document; what is not in the set comes as null.
PUBLIC_ERRORS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "2023": frozenset({"retryable_error", "support_required_error"}),
        "2026": frozenset(
            {
                "retryable_error",
                "support_required_error",
                "invalid_credentials_error",
                "credentials_locked_error",
            }
        ),
    }
)

# Values outside the published lists, for the switch `compatible_changes`: (kind, field, published, new).
NEW_VALUES: Final = (
    ("movement", "type", "other", "card_payment"),
    ("movement", "status", "duplicated", "under_review"),
    ("account", "type", "line_of_credit", "prepaid_card"),
)

NOT_THE_INTENTS_DAY: Final = timedelta(days=4)


def stamp(at: datetime) -> str:
    """An instant as Fintoc writes it, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp_or_null(at: datetime | None) -> str | None:
    """An instant that may not have come yet."""
    return None if at is None else stamp(at)


def link(look: Look, item: Link, *, accounts: bool, token: bool = False) -> Json:
    """A Link; lists leave its accounts out, and only the exchange and events show its token."""
    embedded = [_embedded_account(look, one) for one in item.accounts] if accounts else None
    is_unsaid = item.active or look.chose("inactive_status", "unchanged")
    return _as_it_may_be(
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
        "refresh_status": "refreshing" if _is_refreshing(owner, item) else "idle",
        "removed_from_link": item.removed,
    }


def movement(look: Look, item: Movement, owner: Link) -> Json:
    """A Movement; in test mode `transaction_date` is null, and nobody is at its other end."""
    is_live = owner.mode == "live"
    other = _other_end(owner) if is_live and item.type == "transfer" else None
    row = {
        "id": item.id,
        "object": "movement",
        "amount": item.amount,
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
    return _as_it_may_be(look, row)


def changed_movement(look: Look, item: Movement) -> Json:
    """A row as the event `movements_modified` tells it: fewer fields, and dates without milliseconds."""
    return {
        "id": item.id,
        "type": item.type,
        "amount": item.amount,
        "status": _movement_status(look, item),
        "currency": item.currency,
        "post_date": f"{item.post_date.isoformat()}T00:00:00Z",
        "description": item.description,
        "pending": _is_pending(item),
    }


def intent(look: Look, item: Intent) -> Json:
    """A refresh intent of a link."""
    written = {
        "id": item.id,
        "object": "refresh_intent",
        "created_at": stamp(item.created_at),
        "refreshed_object": "link",
        "refreshed_object_id": item.link_id,
        "status": item.status or _unfinished(look, item),
        "type": item.type,
        "public_error": public_error(look, item.public_error),
        "requires_mfa": _prompt(look, item),
        "new_movements": 0,
    }
    if look.chose("intent_public_error", "absent"):
        del written["public_error"]
    if look.chose("link_new_movements", "absent"):
        del written["new_movements"]
    return _as_it_may_be(look, written)


def account_row(look: Look, item: Intent, report: Report) -> Json:
    """The part of one account as a refresh intent of its own."""
    return intent(look, item) | {
        "id": report.id,
        "refreshed_object": "account",
        "refreshed_object_id": report.account_id,
        "status": report.status or look.switches["running_status"],
        "public_error": public_error(look, report.public_error),
        "requires_mfa": None,
        "new_movements": report.new_movements,
    }


def outcome(look: Look, item: Intent, report: Report) -> Json:
    """What the event about one account carries: no id, neither of the intent nor of the link."""
    data = account_row(look, item, report)
    del data["id"], data["requires_mfa"]
    if look.chose("event_public_error", "absent"):
        del data["public_error"]
    if look.chose("event_created_at", "days_before"):
        data["created_at"] = stamp(item.created_at - NOT_THE_INTENTS_DAY)
    return data


def link_intent(look: Look, item: LinkIntent, *, is_new: bool) -> Json:
    """A link intent; only the answer to its creation shows the widget token."""
    shown = item.exchange_token if look.chose("link_intent_exchange_token", "present") else None
    return _as_it_may_be(
        look,
        {
            "id": item.id,
            "object": "link_intent",
            "country": item.country,
            "created_at": stamp(item.created_at),
            "exchange_token": shown,
            "exchange_token_expires_at": stamp_or_null(item.exchange_expires_at) if shown else None,
            "holder_type": item.holder_type,
            "mode": item.mode,
            "product": item.product,
            "status": "created",
            "widget_token": item.widget_token if is_new else None,
        },
    )


def institution(look: Look, institution_id: str, name: str) -> Json:
    """An institution: https://docs.fintoc.com/api/main-resources/institutions/institutions-object."""
    products = [{"holder_type": kind, "name": "movements"} for kind in ("individual", "business")]
    return _as_it_may_be(
        look,
        {
            "id": institution_id,
            "object_name": "institution",
            "country": "cl",
            "name": name,
            "products": products,
            "type": "bank",
        },
    )


def webhook_endpoint(look: Look, item: WebhookEndpoint, *, secret: bool = False) -> Json:
    """A webhook endpoint; its secret is shown once, in the answer to its creation."""
    written = {
        "id": item.id,
        "object": "webhook_endpoint",
        "created_at": stamp(item.created_at),
        "description": item.description,
        "mode": item.mode,
        "name": item.name,
        "enabled_events": list(item.enabled_events),
        "secret": item.secret if secret else None,
        "status": "disabled" if item.disabled else "enabled",
        "disabled": item.disabled,
        "url": item.url,
    }
    if not look.chose("endpoint_flag", "both"):
        del written["disabled" if look.chose("endpoint_flag", "status") else "status"]
    return _as_it_may_be(look, written)


def public_error(look: Look, value: str | None) -> str | None:
    """The value as far as it exists in the chosen generation of the API."""
    generation = look.switches["public_error_set"]
    if generation == "by_version":
        generation = "2023" if look.version == "2023-11-15" else "2026"
    return value if value in PUBLIC_ERRORS[generation] else None


def _as_it_may_be(look: Look, written: Json) -> Json:
    """What Fintoc may change without a new version: https://docs.fintoc.com/guides/home/changes.md."""
    if look.chose("compatible_changes", "none"):
        return written
    for kind, field, published, new in NEW_VALUES:
        if written.get("object") == kind and written[field] == published:
            written[field] = new
    more: Json = {"undocumented": {"list": [1, None, "ñ"], "flag": True}}
    return {**more, **dict(reversed(written.items()))}


def _embedded_account(look: Look, item: Account) -> Json:
    return _as_it_may_be(
        look,
        {
            "id": item.id,
            "object": "account",
            "balance": {"available": item.balance, "current": item.balance, "limit": item.limit},
            "currency": item.currency,
            "name": item.name,
            "number": item.number,
            "official_name": item.official_name,
            "type": item.type,
            **HOLDER,
        },
    )


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


def _unfinished(look: Look, item: Intent) -> str:
    is_waiting = item.prompt in ("open", "walk_away")
    says_so = not look.chose("mfa_status", "as_running")
    return look.switches["mfa_status" if is_waiting and says_so else "running_status"]


def _prompt(look: Look, item: Intent) -> Json | None:
    is_answered = item.prompt not in ("open", "walk_away")
    if item.widget_token is None or (is_answered and look.chose("answered_mfa", "null")):
        return None
    return {"widget_token": item.widget_token}


def _is_refreshing(owner: Link, item: Account) -> bool:
    return any(
        report.account_id == item.id and report.status is None
        for intent in owner.running.values()
        if intent.started_at is not None
        for report in intent.reports
    )


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
