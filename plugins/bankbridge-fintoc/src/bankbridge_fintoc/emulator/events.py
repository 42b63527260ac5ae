"""The events of the emulated Fintoc, on their way to the endpoints that are subscribed to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from bankbridge.emulation import Faults
from bankbridge_fintoc.emulator import render
from bankbridge_fintoc.emulator.world import Account, Intent, Json, Link, Outgoing, Report, World

CREDENTIALS_CHANGED: Final = "link.credentials_changed"
MODIFIED: Final = "account.refresh_intent.movements_modified"
REMOVED: Final = "account.refresh_intent.movements_removed"
OUTCOMES: Final = tuple(f"account.refresh_intent.{status}" for status in ("succeeded", "failed", "rejected"))

# https://docs.fintoc.com/api/main-resources/events-reference/types-of-events, as far as bank data goes.
EVENT_TYPES: Final = (
    "link.created",
    CREDENTIALS_CHANGED,
    *OUTCOMES,
    MODIFIED,
    REMOVED,
    "link.refresh_intent.succeeded",
    "link.refresh_intent.failed",
)

TWICE: Final = Faults(copies=2)
LOST: Final = Faults(lost=True)
NORMAL: Final = Faults()


def tell_outcome(world: World, link: Link, intent: Intent, report: Report, at: datetime) -> None:
    """One account has reported."""
    event_type = f"account.refresh_intent.{report.status}"
    _emit(world, link, event_type, render.outcome(world, intent, report), at)


def tell_credentials_changed(world: World, link: Link, at: datetime) -> None:
    """The person has to reconnect; the body carries the link's token, as the published example does."""
    _emit(world, link, CREDENTIALS_CHANGED, render.link(link, accounts=True, token=True), at)


def tell_modified(world: World, link: Link, account: Account, changed: list[Json], at: datetime) -> None:
    """Some rows of an account are not what they were."""
    _emit(world, link, MODIFIED, {"account_id": account.id, "movements_changed": changed}, at)


def tell_removed(world: World, link: Link, intent: Intent, report: Report, at: datetime) -> None:
    """Some rows of an account are gone; the documents promise a refresh intent and show no example."""
    _emit(world, link, REMOVED, render.outcome(world, intent, report), at)


def tested(world: World, event_type: str, at: datetime) -> Json:
    """The made-up event that an endpoint's test sends, about an account that does not exist."""
    data: Json = {
        "object": "refresh_intent",
        "refreshed_object": "account",
        "refreshed_object_id": "acc_00000000",
        "status": "succeeded",
        "created_at": render.stamp(at),
    }
    event = _envelope(world, event_type, data | {"type": "only_last", "new_movements": 0}, at)
    if world.switches["test_event_keys"] == "snake_case":
        return event
    return _camel_case(event | {"data": data | {"status": "created"}})


def _emit(world: World, link: Link, event_type: str, data: Json, at: datetime) -> None:
    event = _envelope(world, event_type, data, at)
    faults = _faults(link, event_type)
    for endpoint in world.endpoints.values():
        if endpoint.wants(event_type):
            world.outbox.append(Outgoing(endpoint=endpoint.address(), event=event, faults=faults))


def _faults(link: Link, event_type: str) -> Faults:
    if link.webhooks == "twice":
        return TWICE
    if link.webhooks == "lost" and event_type in OUTCOMES:
        return LOST
    return NORMAL


def _envelope(world: World, event_type: str, data: Json, at: datetime) -> Json:
    return {
        "id": world.ids.new("evt_"),
        "type": event_type,
        "mode": render.MODE,
        "created_at": render.stamp(at),
        "data": data,
        "object": "event",
    }


def _camel_case(event: Mapping[str, object]) -> Json:
    written: Json = {}
    for name, value in event.items():
        head, *rest = name.split("_")
        inner = _camel_case(cast(Json, value)) if name == "data" else value
        written[head + "".join(part.title() for part in rest)] = inner
    return written
