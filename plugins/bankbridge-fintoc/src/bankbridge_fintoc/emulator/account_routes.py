"""Fintoc's endpoints for accounts and movements: https://docs.fintoc.com/api/movements-api/accounts."""

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from bankbridge_fintoc.emulator import render_links, rows
from bankbridge_fintoc.emulator.answers import Answered, Route
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.errors import missing, refusal
from bankbridge_fintoc.emulator.link_routes import invalid_link_token
from bankbridge_fintoc.emulator.objects import Account, Link, Movement
from bankbridge_fintoc.emulator.paging import page_of
from bankbridge_fintoc.emulator.world import World


def list_accounts(world: World, ask: Ask) -> Answered:
    """The accounts of the link that the token opens."""
    link = readable_link(world, ask)
    return page_of(ask, link.accounts, lambda one: render_links.account(ask.look, one, link))


def get_account(world: World, ask: Ask) -> Answered:
    """One account of the link that the token opens."""
    link = readable_link(world, ask)
    return Answered(status=200, body=render_links.account(ask.look, _account(world, link, ask), link))


def list_movements(world: World, ask: Ask) -> Answered:
    """The newest `post_date` first, only confirmed rows unless asked otherwise."""
    link = readable_link(world, ask)
    account = _account(world, link, ask)
    found = _movements(world, account, ask)
    unstable = _is_unstable(world, link, account)
    return page_of(ask, found, lambda row: render_links.movement(ask.look, row, link), unstable=unstable)


def list_movements_of_link(world: World, ask: Ask) -> Answered:
    """Those of every account: only an entry of the changelog knows this path."""
    if world.chose("movements_path", "accounts_only"):
        raise refusal("invalid_url", "Unknown URL.")
    link = readable_link(world, ask)
    found = [row for account in link.accounts for row in _movements(world, account, ask)]
    found.sort(key=lambda row: row.post_date, reverse=True)
    return page_of(ask, found, lambda row: render_links.movement(ask.look, row, link))


def get_movement(world: World, ask: Ask) -> Answered:
    """One row, whatever its status."""
    link = readable_link(world, ask)
    movement_id = ask.parts["movement_id"]
    for row in rows.readable(world, _account(world, link, ask), ask.now):
        if row.id == movement_id:
            return Answered(status=200, body=render_links.movement(ask.look, row, link))
    raise missing("movement", movement_id, "mov_")


ACCOUNT_ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("GET", "/v1/accounts"): list_accounts,
        ("GET", "/v1/accounts/{account_id}"): get_account,
        ("GET", "/v1/accounts/{account_id}/movements"): list_movements,
        ("GET", "/v1/accounts/{account_id}/movements/{movement_id}"): get_movement,
        ("GET", "/v1/movements"): list_movements_of_link,
    }
)


def link_of(world: World, ask: Ask) -> Link:
    """The link that the request's token opens; raises `FintocApiError`."""
    link = world.link_with_token(ask.required("link_token"), ask.mode)
    if link is None:
        raise invalid_link_token(world)
    return link


def readable_link(world: World, ask: Ask) -> Link:
    """The same for reading its data: one page says both that an inactive link can be read, and that it cannot."""
    link = link_of(world, ask)
    if not link.active and world.chose("inactive_link", "refused"):
        # undocumented: with which code.
        raise refusal("forbidden_request", f"{link.id} is inactive: its data cannot be read.")
    return link


def _account(world: World, link: Link, ask: Ask) -> Account:
    account_id = ask.parts["account_id"]
    owner, account = world.accounts.get(account_id, (None, None))
    if account is None or owner is not link:
        raise missing("account", account_id, "acc_")
    return account


def _movements(world: World, account: Account, ask: Ask) -> list[Movement]:
    """The rows that a query means, the newest `post_date` first."""
    since, until = ask.day("since"), ask.day("until")
    confirmed_only = ask.boolean("confirmed_only", default=True)
    if until is not None and world.chose("until", "exclusive"):
        until = until - timedelta(days=1) if until > date.min else date.min
    found = rows.readable(world, account, ask.now, since, until)
    return [row for row in found if row.status == "confirmed"] if confirmed_only else found


def _is_unstable(world: World, link: Link, account: Account) -> bool:
    """Whether the fault has struck this account; it does not get well again."""
    if not account.is_unstable:
        account.is_unstable = world.faults.strikes("unstable_paging", account.id, rates=link.faults)
    return account.is_unstable
