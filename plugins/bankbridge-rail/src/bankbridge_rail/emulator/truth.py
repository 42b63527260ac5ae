"""What really happened at the emulated Rail, for a test to compare with."""

from typing import Any

from bankbridge_rail.emulator.world import Create, Intent, Link, World


def tell_truth(world: World, deliveries: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything, in the form that `bankbridge.emulation.Emulator.truth` describes."""
    return {
        "provider": "rail",
        "now": world.clock.now().isoformat(),
        "links": {link.id: _link(link) for link in world.links.values()},
        "requests": dict(world.requests),
        "deliveries": deliveries,
        "faults": world.faults.report(),
    }


def _link(link: Link) -> dict[str, Any]:
    return {
        "status": link.status,
        "institution": link.bank_id,
        "webhooks": link.webhooks,
        "account_ids": [account.id for account in link.accounts.values() if account.removed_at is None],
        "login_attempts": link.login_attempts,
        "refused_logins": link.refused_logins,
        "creates": [_create(create) for create in link.creates],
        "intents": [_intent(link, intent) for intent in link.intents.values()],
    }


def _intent(link: Link, intent: Intent) -> dict[str, Any]:
    return {
        "id": intent.id,
        "status": intent.status,
        "error_code": intent.error_code,
        "accounts": {},
        "created_at": intent.created_at.isoformat(),
        "ended_at": None if intent.ended_at is None else intent.ended_at.isoformat(),
        "creates": [_create(create) for create in link.creates if create.intent_id == intent.id],
        "polls": [at.isoformat() for at in intent.polls],
    }


def _create(create: Create) -> dict[str, Any]:
    return {
        "idempotency_key": create.idempotency_key,
        "status": create.status,
        "intent_id": create.intent_id,
        "at": create.at.isoformat(),
    }
