"""What a test can make happen at the emulated Fintoc beyond the face of all emulators, and its HTTP form.

::

    POST /__emulator/links/{id}/reconnect
    POST /__emulator/links/{id}/change_credentials
    POST /__emulator/links/{id}/refresh_in_background     {"outcome": "succeeds"}
    POST /__emulator/accounts/{id}/modify_movements       {"count": 1}
    POST /__emulator/accounts/{id}/remove_movements       {"count": 1}
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bankbridge.emulation import UnknownLinkError, check_word
from bankbridge_fintoc.emulator import bank, events, render
from bankbridge_fintoc.emulator.world import Account, Json, Movement, World

Act: TypeAlias = Callable[[World, str, Json, datetime], tuple[str, ...] | None]
Change: TypeAlias = Callable[[Callable[[World, datetime], tuple[str, ...] | None]], tuple[str, ...] | None]


class BadControlError(ValueError):
    """A control was asked for something senseless."""


def reconnect(world: World, link_id: str) -> None:
    """The person connects the link again."""
    link = world.link(link_id)
    link.status = "active"
    link.must_reconnect = False
    link.refused_until = None


def change_credentials(world: World, link_id: str, now: datetime) -> None:
    """The person changes the password at the bank."""
    bank.require_reconnection(world, world.link(link_id), now)


def refresh_in_background(world: World, link_id: str, outcome: str, now: datetime) -> None:
    """Fintoc refreshes the link by itself."""
    check_word("outcome", outcome, bank.ENDINGS)
    bank.refresh_in_background(world, world.link(link_id), outcome, now)


def modify_movements(world: World, account_id: str, count: int, now: datetime) -> tuple[str, ...]:
    """The newest rows get another description and are confirmed."""
    link, account = world.link_of_account(account_id)
    rows = _newest(account, count)
    for row in rows:
        row.description, row.status = f"{row.description} (corregido)", "confirmed"
    events.tell_modified(world, link, account, [render.changed_movement(row) for row in rows], now)
    return tuple(row.id for row in rows)


def remove_movements(world: World, account_id: str, count: int, now: datetime) -> tuple[str, ...]:
    """The newest rows are gone."""
    link, account = world.link_of_account(account_id)
    rows = _newest(account, count)
    account.movements = [row for row in account.movements if row not in rows]
    intent = bank.unlisted_intent(world, link, now)
    report = next(one for one in intent.reports if one.account_id == account_id)
    report.status = "succeeded"
    events.tell_removed(world, link, intent, report, now)
    return tuple(row.id for row in rows)


ON_LINKS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        "reconnect": lambda world, link_id, _body, _now: reconnect(world, link_id),
        "change_credentials": lambda world, link_id, _body, now: change_credentials(world, link_id, now),
        "refresh_in_background": lambda world, link_id, body, now: refresh_in_background(
            world, link_id, str(body.get("outcome", "succeeds")), now
        ),
    }
)
"""What can happen to a link, by the last part of its path."""

ON_ACCOUNTS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        "modify_movements": lambda world, account_id, body, now: modify_movements(
            world, account_id, _count(body), now
        ),
        "remove_movements": lambda world, account_id, body, now: remove_movements(
            world, account_id, _count(body), now
        ),
    }
)
"""What can happen to an account, by the last part of its path."""


def more_control_routes(change: Change) -> list[BaseRoute]:
    """The routes of this module."""
    return [
        Route(f"/__emulator/{kind}/{{object_id}}/{name}", _answering(change, act), methods=["POST"])
        for kind, acts in (("links", ON_LINKS), ("accounts", ON_ACCOUNTS))
        for name, act in acts.items()
    ]


def _answering(change: Change, act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        object_id = request.path_params["object_id"]
        try:
            body = _object(await request.body())
            done = change(lambda world, now: act(world, object_id, body, now))
        except ValueError as error:
            return JSONResponse({"error": {"code": "bad_request", "message": str(error)}}, 400)
        except UnknownLinkError as error:
            return JSONResponse({"error": {"code": "not_found", "message": str(error)}}, 404)
        return JSONResponse({"movement_ids": done} if done is not None else {})

    return answer


def _object(raw: bytes) -> Json:
    body: object = json.loads(raw or b"{}")
    if not isinstance(body, dict):
        raise BadControlError(f"the body is a JSON {type(body).__name__}: send an object")
    return cast(Json, body)


def _count(body: Json) -> int:
    count = body.get("count", 1)
    if not isinstance(count, int) or count < 1:
        raise BadControlError(f"count is {count!r}: send how many movements, 1 or more")
    return count


def _newest(account: Account, count: int) -> list[Movement]:
    """The newest rows of an account that is not short of them."""
    if not 1 <= count <= len(account.movements):
        raise BadControlError(f"count is {count}: {account.id} has {len(account.movements)} movements")
    return sorted(account.movements, key=lambda row: row.post_date, reverse=True)[:count]
