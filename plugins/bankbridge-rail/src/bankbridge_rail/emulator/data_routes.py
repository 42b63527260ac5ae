"""Accounts and movements over HTTP: https://docs.rail.cl/concepts/accounts.

undocumented: the movements' path and parameters, known from a client in production.
"""

from datetime import date

from starlette.responses import Response

from bankbridge_rail.emulator.answers import Call, InvalidError, RailError, answer, find_link, listed
from bankbridge_rail.emulator.bodies import account_body
from bankbridge_rail.emulator.ledger import Account
from bankbridge_rail.emulator.link_routes import paged
from bankbridge_rail.emulator.movement_bodies import PER_PAGE, Question, movement_page
from bankbridge_rail.emulator.world import Link, World

MOST_PER_PAGE = 300


class DataRoutes:
    """Read accounts and movements."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def accounts(self, call: Call) -> Response:
        """The accounts of a link, or of all."""
        is_with_removed = (
            call.flag("include_removed") or self._world.switches["include_removed"] == "movements"
        )
        link_id = call.request.query_params.get("link_id")
        if link_id is None and self._world.switches["accounts_link_id"] == "required":
            raise InvalidError("link_id is missing")
        links = (
            [*call.mode.listed_links()] if link_id is None else [find_link(self._world, call.mode, link_id)]
        )
        accounts = [
            (link, account)
            for link in links
            if link.status != "pending"
            for account in link.accounts.values()
            if is_with_removed or account.removed_at is None
        ]
        rows = paged(self._world, call, accounts)
        return listed(self._world, (account_body(self._world, *row) for row in rows))

    async def account(self, call: Call) -> Response:
        """One account, also one that was removed."""
        return answer(account_body(self._world, *self._find(call)))

    async def movements(self, call: Call) -> Response:
        """One page of an account's movements."""
        link, account = self._find(call)
        question = self._question(call)
        is_hidden = self._world.switches["include_removed"] != "accounts" and not call.flag("include_removed")
        if account.removed_at is not None and is_hidden:
            raise RailError(404, "not_found", "the account was removed: ask with include_removed=true")
        return listed(self._world, movement_page(self._world, link, account, question))

    def _question(self, call: Call) -> Question:
        call.flag("include_removed")
        page, is_confirmed_only = call.number("page", 1), call.flag("confirmed_only")
        if self._world.switches["movement_filters"] == "ignored":
            return Question(page=page, is_confirmed_only=is_confirmed_only)
        return Question(
            page=page,
            per_page=call.number("per_page", PER_PAGE, MOST_PER_PAGE),
            is_confirmed_only=is_confirmed_only,
            since=_day(call, "since"),
            until=_day(call, "until"),
        )

    def _find(self, call: Call) -> tuple[Link, Account]:
        account = call.mode.accounts.get(call.param("account_id"))
        if account is None:
            raise RailError(404, "not_found", "there is no such account")
        return find_link(self._world, call.mode, account.link_id), account


def _day(call: Call, name: str) -> str | None:
    value = call.request.query_params.get(name)
    if value is None:
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise InvalidError(f"{name} must be a day, such as 2026-06-03") from None
