"""How Fintoc writes its objects: https://docs.fintoc.com/api/movements-api.

Each function takes the `Look` of things: the switches, and the version of the API that is spoken.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from bankbridge_fintoc.emulator.objects import (
    Intent,
    Json,
    LinkIntent,
    Report,
    WebhookEndpoint,
)
from bankbridge_fintoc.emulator.world import Look

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
    return as_it_may_be(look, written)


def account_row(look: Look, item: Intent, report: Report) -> Json:
    """The part of one account as a refresh intent of its own."""
    row = _row(look, item, report)
    if look.chose("intent_public_error", "absent"):
        del row["public_error"]
    return row


def _row(look: Look, item: Intent, report: Report) -> Json:
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
    data = _row(look, item, report)
    del data["id"], data["requires_mfa"]
    if look.chose("event_public_error", "absent"):
        del data["public_error"]
    if look.chose("event_created_at", "days_before"):
        data["created_at"] = stamp(item.created_at - NOT_THE_INTENTS_DAY)
    return data


def link_intent(look: Look, item: LinkIntent, *, is_new: bool) -> Json:
    """A link intent; only the answer to its creation shows the widget token."""
    shown = item.exchange_token if look.chose("link_intent_exchange_token", "present") else None
    return as_it_may_be(
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
    return as_it_may_be(
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
    return as_it_may_be(look, written)


def public_error(look: Look, value: str | None) -> str | None:
    """The value as far as it exists in the chosen generation of the API."""
    generation = look.switches["public_error_set"]
    if generation == "by_version":
        generation = "2023" if look.version == "2023-11-15" else "2026"
    return value if value in PUBLIC_ERRORS[generation] else None


def as_it_may_be(look: Look, written: Json) -> Json:
    """What Fintoc may change without a new version: https://docs.fintoc.com/guides/home/changes.md."""
    if look.chose("compatible_changes", "none"):
        return written
    for kind, field, published, new in NEW_VALUES:
        if written.get("object") == kind and written[field] == published:
            written[field] = new
    more: Json = {"undocumented": {"list": [1, None, "ñ"], "flag": True}}
    return {**more, **dict(reversed(written.items()))}


def _unfinished(look: Look, item: Intent) -> str:
    is_waiting = item.prompt in ("open", "walk_away")
    says_so = not look.chose("mfa_status", "as_running")
    return look.switches["mfa_status" if is_waiting and says_so else "running_status"]


def _prompt(look: Look, item: Intent) -> Json | None:
    is_answered = item.prompt not in ("open", "walk_away")
    if item.widget_token is None or (is_answered and look.chose("answered_mfa", "null")):
        return None
    return {"widget_token": item.widget_token}
