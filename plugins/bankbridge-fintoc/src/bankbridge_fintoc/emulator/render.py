"""How Fintoc writes its objects: https://docs.fintoc.com/api/movements-api."""

from datetime import UTC, date, datetime, timedelta

from bankbridge_fintoc.emulator.world import (
    Account,
    Intent,
    Json,
    Link,
    Movement,
    Report,
    WebhookEndpoint,
    World,
)

MODE = "test"
HOLDER = {"holder_id": "111111111", "holder_name": "Test Customer 1"}

# The values that exist in each generation of the OpenAPI document; what is not in the set comes as null.
PUBLIC_ERRORS = {
    "2023": {"retryable_error", "support_required_error"},
    "2026": {
        "retryable_error",
        "support_required_error",
        "invalid_credentials_error",
        "credentials_locked_error",
    },
}


def stamp(at: datetime) -> str:
    """An instant as Fintoc writes it, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp_or_null(at: datetime | None) -> str | None:
    """An instant that may not have come yet."""
    return None if at is None else stamp(at)


def day(value: date) -> str:
    """A date, which Fintoc writes as midnight UTC."""
    return f"{value.isoformat()}T00:00:00.000Z"


def link(item: Link, *, accounts: bool, token: bool = False) -> Json:
    """A Link; lists leave its accounts out, and only an event shows its token."""
    return {
        "id": item.id,
        "object": "link",
        "accounts": [_embedded_account(account) for account in item.accounts] if accounts else None,
        "active": True,
        "created_at": stamp(item.created_at),
        "holder_id": HOLDER["holder_id"],
        "holder_type": "individual",
        "institution": dict(item.institution),
        "last_time_refreshed": stamp_or_null(item.last_refreshed_at),
        "link_token": item.token if token else None,
        "mode": MODE,
        "refresh_status": _refresh_status(item),
        "status": item.status,
        "username": HOLDER["holder_id"],
    }


def account(item: Account, owner: Link) -> Json:
    """An Account as its own endpoints give it."""
    # undocumented: when Fintoc refreshes by itself; the published example has four hours.
    upcoming = None if item.refreshed_at is None else item.refreshed_at + timedelta(hours=4)
    return _embedded_account(item) | {
        "refreshed_at": stamp_or_null(item.refreshed_at),
        "next_refresh": stamp_or_null(upcoming),
        "refresh_status": _refresh_status(owner),
        "removed_from_link": False,
    }


def movement(item: Movement) -> Json:
    """A Movement; `transaction_date` is null in test mode."""
    return {
        "id": item.id,
        "object": "movement",
        "amount": item.amount,
        "comment": None,
        "currency": item.currency,
        "description": item.description,
        "pending": item.type == "check" and item.status == "processing",
        "post_date": day(item.post_date),
        "recipient_account": None,
        "reference_id": item.reference_id,
        "sender_account": None,
        "status": item.status,
        "transaction_date": None,
        "type": item.type,
    }


def changed_movement(item: Movement) -> Json:
    """A row as the event `movements_modified` tells it: fewer fields, and dates without milliseconds."""
    fields = ("id", "type", "amount", "status", "currency", "description", "pending")
    whole = movement(item)
    return {name: whole[name] for name in fields} | {"post_date": f"{item.post_date.isoformat()}T00:00:00Z"}


def intent(world: World, item: Intent) -> Json:
    """A refresh intent of a link."""
    prompt = None if item.widget_token is None else {"widget_token": item.widget_token}
    return {
        "id": item.id,
        "object": "refresh_intent",
        "created_at": stamp(item.created_at),
        "refreshed_object": "link",
        "refreshed_object_id": item.link_id,
        "status": item.status or world.switches["running_status"],
        "type": item.type,
        "public_error": public_error(world, item.public_error),
        "requires_mfa": prompt,
        "new_movements": 0,
    }


def account_row(world: World, item: Intent, report: Report) -> Json:
    """The part of one account as a refresh intent of its own."""
    return intent(world, item) | {
        "id": report.id,
        "refreshed_object": "account",
        "refreshed_object_id": report.account_id,
        "status": report.status or world.switches["running_status"],
        "public_error": public_error(world, report.public_error),
        "requires_mfa": None,
        "new_movements": report.new_movements,
    }


def outcome(world: World, item: Intent, report: Report) -> Json:
    """What the event about one account carries: no id, neither of the intent nor of the link."""
    data = account_row(world, item, report)
    left_out = {"id", "requires_mfa"}
    if world.switches["event_public_error"] == "absent":
        left_out.add("public_error")
    return {name: value for name, value in data.items() if name not in left_out}


def webhook_endpoint(item: WebhookEndpoint, *, secret: bool = False) -> Json:
    """A webhook endpoint; its secret is shown once, in the answer to its creation."""
    return {
        "id": item.id,
        "object": "webhook_endpoint",
        "created_at": stamp(item.created_at),
        "description": item.description,
        "mode": MODE,
        "name": item.name,
        "enabled_events": list(item.enabled_events),
        "secret": item.secret if secret else None,
        "status": "disabled" if item.disabled else "enabled",
        "url": item.url,
    }


def public_error(world: World, value: str | None) -> str | None:
    """The value as far as it exists in the chosen generation of the API."""
    return value if value in PUBLIC_ERRORS[world.switches["public_error_set"]] else None


def _embedded_account(item: Account) -> Json:
    return {
        "id": item.id,
        "object": "account",
        "balance": {"available": item.balance, "current": item.balance, "limit": item.balance},
        "currency": item.currency,
        "name": item.name,
        "number": item.number,
        "official_name": item.official_name,
        "type": item.type,
        **HOLDER,
    }


def _refresh_status(item: Link) -> str:
    running = any(one.started_at is not None and one.status is None for one in item.intents)
    return "refreshing" if running else "idle"
