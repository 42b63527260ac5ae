"""The events of the emulated Fintoc, on their way to the endpoints that are subscribed to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bankbridge.emulation import NEVER, link_rates, webhook_faults
from bankbridge_fintoc.emulator import render, render_links
from bankbridge_fintoc.emulator.objects import (
    Account,
    Intent,
    Json,
    Link,
    Movement,
    Outgoing,
    Report,
    WebhookEndpoint,
)
from bankbridge_fintoc.emulator.rows import Brought
from bankbridge_fintoc.emulator.world import World

CREATED: Final = "link.created"
CREDENTIALS_CHANGED: Final = "link.credentials_changed"
MODIFIED: Final = "account.refresh_intent.movements_modified"
REMOVED: Final = "account.refresh_intent.movements_removed"
OUTCOMES: Final = tuple(f"account.refresh_intent.{status}" for status in ("succeeded", "failed", "rejected"))
# For invoices, says the first source; the bare one is in a sentence of a guide and in no list.
OF_LINKS: Final = tuple(
    f"{family}.{status}"
    for family in ("link.refresh_intent", "refresh_intent")
    for status in ("succeeded", "failed")
)

# https://docs.fintoc.com/api/main-resources/events-reference/types-of-events, as far as bank data goes.
EVENT_TYPES: Final = (CREATED, CREDENTIALS_CHANGED, *OUTCOMES, MODIFIED, REMOVED, *OF_LINKS)


def tell_outcome(world: World, link: Link, intent: Intent, report: Report, at: datetime) -> None:
    """One account has reported."""
    told = world.switches["background_events"]
    is_own = intent.made_by == "fintoc"
    if is_own and (told == "none" or (told == "succeeded_only" and report.status != "succeeded")):
        return
    data = render.outcome(world.look(), intent, report)
    emit(world, link, f"account.refresh_intent.{report.status}", data, at)


def tell_changes(
    world: World, link: Link, account: Account, intent: Intent, report: Report, brought: Brought, at: datetime
) -> None:
    """Some old rows of an account are not what they were, or gone."""
    if brought.changed:
        tell_modified(world, link, account, brought.changed, at)
    if brought.removed:
        tell_removed(world, link, intent, report, brought.removed, at)


def tell_modified(
    world: World, link: Link, account: Account, changed: tuple[Movement, ...], at: datetime
) -> None:
    """Rows changed: https://docs.fintoc.com/changelog/webhook-de-cambios-en-los-movimientos."""
    look = world.look()
    data: Json = {
        "account_id": account.id,
        "movements_changed": [render_links.changed_movement(look, row) for row in changed],
    }
    emit(world, link, MODIFIED, data, at)


def tell_removed(
    world: World, link: Link, intent: Intent, report: Report, removed: tuple[str, ...], at: datetime
) -> None:
    """Rows are gone; the documents promise a refresh intent and show no example."""
    written = world.switches["removed_payload"]
    if written == "refresh_intent":
        data = render.outcome(world.look(), intent, report)
    else:
        gone = [{"id": movement_id, "object": "movement"} for movement_id in removed]
        data = {"account_id": report.account_id, written: gone}
    emit(world, link, REMOVED, data, at)


def tell_end(world: World, link: Link, intent: Intent, at: datetime) -> None:
    """The whole has ended: not told for movements, says the list of events; a guide has a name for it."""
    family = world.switches["link_events"]
    if family != "none" and intent.made_by != "fintoc":
        data = render.intent(world.look(), intent)
        for name in ("id", "requires_mfa"):
            data.pop(name, None)
        status = "succeeded" if intent.status == "succeeded" else "failed"
        emit(world, link, f"{family}.{status}", data, at)


def tell_credentials_changed(world: World, link: Link, at: datetime) -> None:
    """The person has to reconnect; the body carries the link's token, as the published example does."""
    emit(world, link, CREDENTIALS_CHANGED, render_links.link_in_event(world.look(), link), at)


def tell_created(world: World, link: Link, webhook_url: str | None, at: datetime) -> None:
    """A person has connected a bank. It goes to the widget's own address, and perhaps to endpoints."""
    event = of_link(world, link, CREATED, render_links.link_in_event(world.look(), link), at)
    if world.chose("link_created", "endpoints_too"):
        deliver_to_all(world, event, link_rates(link.webhooks, link.faults, is_outcome=False))
    if webhook_url is not None:
        # undocumented: with which secret it is signed. This flow is older than endpoints and their secrets.
        widget = WebhookEndpoint(
            id="widget",
            mode=link.mode,
            url=webhook_url,
            enabled_events=(CREATED,),
            created_at=at,
            secret="",
        )
        deliver(world, widget, event, link.faults)


def emit(world: World, link: Link, event_type: str, data: Json, at: datetime) -> None:
    """Send an event about a link to every endpoint that wants it."""
    rates = link_rates(link.webhooks, link.faults, is_outcome=event_type in OUTCOMES)
    deliver_to_all(world, of_link(world, link, event_type, data, at), rates)


def of_link(world: World, link: Link, event_type: str, data: Json, at: datetime) -> Json:
    """The next event of a link."""
    return envelope(world, (link.id, link.number("event")), link.mode, event_type, data, at)


def envelope(
    world: World, owner: tuple[str, int], mode: str, event_type: str, data: Json, at: datetime
) -> Json:
    """An event; ``owner`` is whose it is, and the how manieth of theirs."""
    event_id = world.ids.make("evt_", *owner)
    world.event_owners[event_id] = owner
    return {
        "id": event_id,
        "type": event_type,
        "mode": mode,
        "created_at": render.stamp(at),
        "data": data,
        "object": "event",
    }


def deliver_to_all(world: World, event: Json, rates: Mapping[str, float] = NEVER) -> None:
    """Send an event to every endpoint of its mode that wants it."""
    for endpoint in world.endpoints.values():
        if endpoint.mode == event["mode"] and endpoint.wants(event["type"]):
            deliver(world, endpoint, event, rates)


def deliver(world: World, endpoint: WebhookEndpoint, event: Json, rates: Mapping[str, float] = NEVER) -> None:
    """Send an event to one endpoint, with the faults that strike it on its way there."""
    owner, number = world.event_owners[event["id"]]
    faults = webhook_faults(world.faults, (owner, "event", number, endpoint.id), rates)
    world.outbox.append(Outgoing(endpoint=endpoint.address(), event=event, faults=faults))
