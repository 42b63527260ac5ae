"""What really happened in the emulated Fintoc, in JSON's types and without a secret."""

from collections.abc import Sequence
from datetime import datetime

from bankbridge.emulation import WebhookSender
from bankbridge_fintoc.emulator.world import Intent, Json, Link, Report, World


def tell(world: World, sender: WebhookSender, now: datetime) -> Json:
    """Everything, by link; `deliveries` are those of all links."""
    return {
        "provider": "fintoc",
        "now": now.isoformat(),
        "links": {link.id: _link(link) for link in world.links.values()},
        "requests": dict(world.requests),
        "deliveries": sender.report(),
        "faults": world.faults.report(),
    }


def _link(link: Link) -> Json:
    return {
        "status": link.status if link.deleted_at is None else "deleted",
        "institution": link.institution["id"],
        "webhooks": link.webhooks,
        "account_ids": [account.id for account in link.accounts],
        "login_attempts": link.login_attempts,
        "refused_logins": link.refused_logins,
        "creates": list(link.creates),
        "intents": [_intent(intent, link.creates) for intent in link.intents],
        "requests": dict(link.requests),
    }


def _intent(intent: Intent, creates: Sequence[Json]) -> Json:
    return {
        "id": intent.id,
        "type": intent.type,
        "made_by": intent.made_by,
        "status": intent.status or "created",
        "error_code": intent.public_error,
        "prompt": intent.prompt,
        "accounts": {report.account_id: _report(report) for report in intent.reports},
        "created_at": intent.created_at.isoformat(),
        "started_at": _iso(intent.started_at),
        "ended_at": _iso(intent.ended_at),
        "creates": [create for create in creates if create["intent_id"] == intent.id],
        "polls": [at.isoformat() for at in intent.polls],
    }


def _report(report: Report) -> Json:
    return {
        "status": report.status or "created",
        "error_code": report.public_error,
        "new_movements": report.new_movements,
        "reported_at": _iso(report.reported_at),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
