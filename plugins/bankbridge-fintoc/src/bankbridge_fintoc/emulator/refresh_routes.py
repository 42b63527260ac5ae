"""Fintoc's endpoints for refresh intents: https://docs.fintoc.com/api/movements-api/refresh-intents."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from bankbridge_fintoc.emulator import creating, render
from bankbridge_fintoc.emulator.account_routes import link_of
from bankbridge_fintoc.emulator.answers import Answered, Route
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.errors import missing
from bankbridge_fintoc.emulator.objects import Intent, Json, Link, Report
from bankbridge_fintoc.emulator.paging import page_of
from bankbridge_fintoc.emulator.world import World


def create_refresh_intent(world: World, ask: Ask) -> Answered:
    """What was asked may stand in the query, as documented, or in the body, as SDKs send it."""
    link = link_of(world, ask)
    refresh_type = ask.one_of("refresh_type", creating.COOLDOWNS, code="invalid_refresh_type")
    created = creating.create_intent(
        world,
        link,
        refresh_type=refresh_type or "only_last",
        result_status=ask.one_of("result_status", creating.FORCED),
        now=ask.now,
    )
    body = render.intent(ask.look, created.intent)
    if created.tells_first:
        # Whatever has become of it since: at the moment of its creation it was this.
        body |= {"status": ask.look.switches["running_status"]}
        body |= {"public_error": None} if "public_error" in body else {}
    return Answered(
        status=int(world.switches["create_status"]),
        body=body,
        is_lost=created.answer_is_lost,
        tells_first=created.tells_first,
    )


def list_refresh_intents(world: World, ask: Ask) -> Answered:
    """Newest first."""
    found: list[tuple[Intent, Report | None]] = []
    for intent in sorted(_shown(world, link_of(world, ask), ask), key=_age, reverse=True):
        if world.chose("intent_rows", "with_accounts"):
            found += [(intent, report) for report in intent.reports]
        found.append((intent, None))
    return page_of(ask, found, lambda one: _write(ask, *one))


def get_refresh_intent(world: World, ask: Ask) -> Answered:
    """One intent, of a single account only where the list shows those."""
    link, intent_id = link_of(world, ask), ask.parts["intent_id"]
    for intent in _shown(world, link, ask):
        if intent.id == intent_id:
            intent.polls.append(ask.now)
            return Answered(status=200, body=render.intent(ask.look, intent))
        for report in intent.reports:
            if report.id == intent_id and world.chose("intent_rows", "with_accounts"):
                return Answered(status=200, body=render.account_row(ask.look, intent, report))
    raise missing("refresh intent", intent_id, "ri_")


REFRESH_ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("POST", "/v1/refresh_intents"): create_refresh_intent,
        ("GET", "/v1/refresh_intents"): list_refresh_intents,
        ("GET", "/v1/refresh_intents/{intent_id}"): get_refresh_intent,
    }
)


def _shown(world: World, link: Link, ask: Ask) -> list[Intent]:
    """The intents that can be read: whether Fintoc's own are among them is not documented."""
    own = link.own_refreshes.values() if world.chose("background_rows", "listed") else ()
    found = [*link.intents.values(), *own]
    if world.chose("intent_retention", "limited"):
        oldest = ask.now - world.timings.intent_retention
        found = [intent for intent in found if intent.created_at > oldest]
    return found


def _age(intent: Intent) -> datetime:
    return intent.created_at


def _write(ask: Ask, intent: Intent, report: Report | None) -> Json:
    if report is None:
        return render.intent(ask.look, intent)
    return render.account_row(ask.look, intent, report)
