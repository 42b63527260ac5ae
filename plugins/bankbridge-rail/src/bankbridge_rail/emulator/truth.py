"""What really happened at the emulated Rail, for a test to compare with."""

from datetime import datetime
from typing import Any

from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.world import Create, Intent, Link, World


def tell_truth(world: World, events: Events) -> dict[str, Any]:
    """Everything, in the form that `bankbridge.emulation.Emulator.truth` describes.

    In an order that does not depend on who came first, where links are worked on side by side.
    """
    return {
        "provider": "rail",
        "now": world.clock.now().isoformat(),
        "links": {link.id: _link(link) for link in world.links()},
        "requests": dict(sorted(world.requests.items())),
        "deliveries": events.report(),
        "faults": sorted(world.faults.report(), key=lambda row: (row["at"], row["on"], row["fault"])),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "status": link.status,
        "mode": link.mode.name,
        "institution": link.bank_id,
        "webhooks": link.webhooks,
        "account_ids": [account.id for account in link.present_accounts],
        "login_attempts": link.login_attempts,
        "refused_logins": link.refused_logins,
        "failures_in_a_row": link.failures,
        "automatic_syncs": [
            {"at": sync.at.isoformat(), "error_code": sync.error_code} for sync in link.automatic_syncs
        ],
        "creates": [_create(create) for create in link.creates],
        "intents": _intents(link),
    }


def _intents(link: Link) -> list[dict[str, Any]]:
    creates: dict[str | None, list[Create]] = {}
    for create in link.creates:
        creates.setdefault(create.intent_id, []).append(create)
    return [_intent(intent, creates.get(intent.id, [])) for intent in link.intents.values()]


def _intent(intent: Intent, creates: list[Create]) -> dict[str, Any]:
    return {
        "id": intent.id,
        "status": intent.status,
        "error_code": intent.error_code,
        "prompts": len(intent.prompts),
        "accounts": {},
        "created_at": intent.created_at.isoformat(),
        "ended_at": _iso(intent.ended_at),
        "creates": [_create(create) for create in creates],
        "polls": [at.isoformat() for at in intent.polls],
    }


def _create(create: Create) -> dict[str, Any]:
    return {
        "idempotency_key": create.idempotency_key,
        "status": create.status,
        "intent_id": create.intent_id,
        "at": create.at.isoformat(),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
