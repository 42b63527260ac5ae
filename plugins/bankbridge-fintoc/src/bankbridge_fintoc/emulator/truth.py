"""What really happened in the emulated Fintoc, in JSON's types and without a secret."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from bankbridge.emulation import Sending, WebhookSender
from bankbridge_fintoc.emulator.objects import Intent, Json, Link, Report
from bankbridge_fintoc.emulator.world import World


def tell(world: World, sender: WebhookSender, now: datetime) -> Json:
    """Everything, by link; `deliveries` are those of all links.

    In an order that does not depend on whose request came first.
    """
    return {
        "provider": "fintoc",
        "now": now.isoformat(),
        "pinned_version": world.pinned_version,
        "links": {link.id: _link(link) for link in world.links.values()},
        "requests": dict(sorted(world.requests.items())),
        "deliveries": [one.report() for one in sorted(sender.sendings, key=lambda one: _place(world, one))],
        "faults": sorted(world.faults.report(), key=lambda one: (one["at"], one["fault"], one["on"])),
    }


def _place(world: World, sending: Sending) -> tuple[datetime, str, int, str, str]:
    # What the fault `unknown_type` sends besides has an id that is made of the event's own.
    own_id = sending.event_id.removesuffix("_undocumented")
    owner, number = world.event_owners.get(own_id, ("", 0))
    return (sending.at, owner, number, sending.event_id, sending.endpoint.id)


def _link(link: Link) -> Json:
    answered: defaultdict[str | None, list[Json]] = defaultdict(list)
    for create in link.creates:
        answered[create["intent_id"]].append(create)
    return {
        "mode": link.mode,
        "status": link.status if link.deleted_at is None else "deleted",
        "active": link.active,
        "institution": link.institution["id"],
        "webhooks": link.webhooks,
        "account_ids": [account.id for account in link.accounts],
        "removed_account_ids": [account.id for account in link.accounts if account.removed],
        "login_attempts": link.login_attempts,
        "refused_logins": link.refused_logins,
        "creates": list(link.creates),
        "intents": [_intent(intent, answered[intent.id]) for intent in link.intents.values()],
        "own_refreshes": [_intent(intent, ()) for intent in link.own_refreshes.values()],
        "requests": dict(sorted(link.requests.items())),
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
        "creates": list(creates),
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
