"""Fintoc's endpoints for links, accounts, movements and refresh intents: https://docs.fintoc.com/api/movements-api."""

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from bankbridge_fintoc.emulator import creating, render
from bankbridge_fintoc.emulator.answers import Answered, Route
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.errors import FintocApiError, refusal
from bankbridge_fintoc.emulator.paging import page_of
from bankbridge_fintoc.emulator.world import Account, Json, Link, Movement, World

LINK_STATUSES: Final = ("active", "login_required")


def list_links(world: World, ask: Ask) -> Answered:
    """Newest first, without accounts and tokens."""
    status = ask.one_of("status", LINK_STATUSES)
    links = [one for one in world.links.values() if one.deleted_at is None and status in (None, one.status)]
    return page_of([render.link(one, accounts=False) for one in reversed(links)], ask)


def get_link(world: World, ask: Ask) -> Answered:
    """The path takes the token, not the id."""
    link = world.link_with_token(ask.parts["link_token"])
    if link is None:
        # undocumented: that an unknown token in the path is a 404 like any other object.
        raise refusal("missing_resource", "No such link: the path takes its link_token.")
    return Answered(status=200, body=render.link(link, accounts=True))


def delete_link(world: World, ask: Ask) -> Answered:
    """The path takes the id, not the token."""
    link = world.links.get(ask.parts["link_id"])
    if link is None or link.deleted_at is not None:
        raise refusal("missing_resource", "No such link: the path takes its id, which starts with link_.")
    link.deleted_at = ask.now
    return Answered(status=204)


def list_accounts(world: World, ask: Ask) -> Answered:
    """The accounts of the link that the token opens."""
    link = _link(world, ask)
    return page_of([render.account(one, link) for one in link.accounts], ask)


def get_account(world: World, ask: Ask) -> Answered:
    """One account of the link that the token opens."""
    link = _link(world, ask)
    return Answered(status=200, body=render.account(_account(link, ask), link))


def list_movements(world: World, ask: Ask) -> Answered:
    """The newest `post_date` first, only confirmed rows unless asked otherwise."""
    link = _link(world, ask)
    account = _account(link, ask)
    since, until = ask.day("since"), ask.day("until")
    rows = _movements(
        world, account, since, until, confirmed_only=ask.boolean("confirmed_only", default=True)
    )
    unstable = world.switches["paging"] == "unstable" and not _is_narrow(world, since, until)
    return page_of([render.movement(row) for row in rows], ask, unstable=unstable)


def get_movement(world: World, ask: Ask) -> Answered:
    """One row, whatever its status."""
    link = _link(world, ask)
    movement_id = ask.parts["movement_id"]
    for row in _account(link, ask).movements:
        if row.id == movement_id:
            return Answered(status=200, body=render.movement(row))
    raise _missing("movement", movement_id, "mov_")


def create_refresh_intent(world: World, ask: Ask) -> Answered:
    """What was asked may stand in the query, as documented, or in the body, as SDKs send it."""
    link = _link(world, ask)
    refresh_type = ask.one_of("refresh_type", creating.COOLDOWNS, code="invalid_refresh_type")
    result_status = ask.one_of("result_status", creating.FORCED)
    created = creating.create_intent(
        world,
        link,
        refresh_type=refresh_type or "only_last",
        result_status=result_status if world.switches["result_status"] == "honoured" else None,
        now=ask.now,
    )
    return Answered(
        status=int(world.switches["create_status"]),
        # Whatever has become of it since: at the moment of its creation it was this.
        body=render.intent(world, created.intent) | {"status": "created", "public_error": None},
        is_lost=created.answer_is_lost,
        tells_first=link.webhooks == "early",
    )


def list_refresh_intents(world: World, ask: Ask) -> Answered:
    """Newest first."""
    link = _link(world, ask)
    rows: list[Json] = []
    for intent in sorted(link.intents, key=lambda one: one.created_at, reverse=True):
        if world.switches["intent_rows"] == "with_accounts":
            rows += [render.account_row(world, intent, report) for report in intent.reports]
        rows.append(render.intent(world, intent))
    return page_of(rows, ask)


def get_refresh_intent(world: World, ask: Ask) -> Answered:
    """One intent, of a single account only where the list shows those."""
    link = _link(world, ask)
    intent_id = ask.parts["intent_id"]
    for intent in link.intents:
        if intent.id == intent_id:
            intent.polls.append(ask.now)
            return Answered(status=200, body=render.intent(world, intent))
        for report in intent.reports:
            if report.id == intent_id and world.switches["intent_rows"] == "with_accounts":
                return Answered(status=200, body=render.account_row(world, intent, report))
    raise _missing("refresh intent", intent_id, "ri_")


DATA_ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("GET", "/v1/links"): list_links,
        ("GET", "/v1/links/{link_token}"): get_link,
        ("DELETE", "/v1/links/{link_id}"): delete_link,
        ("GET", "/v1/accounts"): list_accounts,
        ("GET", "/v1/accounts/{account_id}"): get_account,
        ("GET", "/v1/accounts/{account_id}/movements"): list_movements,
        ("GET", "/v1/accounts/{account_id}/movements/{movement_id}"): get_movement,
        ("POST", "/v1/refresh_intents"): create_refresh_intent,
        ("GET", "/v1/refresh_intents"): list_refresh_intents,
        ("GET", "/v1/refresh_intents/{intent_id}"): get_refresh_intent,
    }
)


def _link(world: World, ask: Ask) -> Link:
    link = world.link_with_token(ask.required("link_token"))
    if link is None:
        status = int(world.switches["invalid_link_token_status"])
        raise refusal("invalid_link_token", "Invalid link token.", param="link_token", status=status)
    return link


def _account(link: Link, ask: Ask) -> Account:
    account_id = ask.parts["account_id"]
    for account in link.accounts:
        if account.id == account_id:
            return account
    raise _missing("account", account_id, "acc_")


def _missing(kind: str, object_id: str, prefix: str) -> FintocApiError:
    """A 404 in Fintoc's style: it names the id, and the prefix that such an object has."""
    return refusal(
        "missing_resource", f"No such {kind}: {object_id}. The id of a {kind} starts with {prefix}."
    )


def _movements(
    world: World, account: Account, since: date | None, until: date | None, *, confirmed_only: bool
) -> list[Movement]:
    """The rows that a query means, the newest `post_date` first."""
    last = until
    if until is not None and world.switches["until"] == "exclusive":
        last = until - timedelta(days=1) if until > date.min else date.min
    rows = [
        row
        for row in account.movements
        if (since is None or row.post_date >= since)
        and (last is None or row.post_date <= last)
        and (row.status == "confirmed" or not confirmed_only)
    ]
    return sorted(rows, key=lambda row: row.post_date, reverse=True)


def _is_narrow(world: World, since: date | None, until: date | None) -> bool:
    return since is not None and until is not None and until - since <= world.timings.narrow_window
