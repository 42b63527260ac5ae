"""What a test can do to the emulated Rail alone, over HTTP, besides what `bankbridge.emulation.controls` offers.

::

    POST   /__emulator/links/{id}/automatic     {"words": ["rejects"]}
    POST   /__emulator/links/{id}/pause
    POST   /__emulator/links/{id}/resume
    POST   /__emulator/links/{id}/expire        {"error_code": "rejected_credentials"}
    DELETE /__emulator/links/{id}
    POST   /__emulator/links/{id}/accounts
    DELETE /__emulator/accounts/{id}
    GET    /__emulator/accounts/{id}/movements
    POST   /__emulator/accounts/{id}/movements  {"count": 1430}
    GET    /__emulator/keys
"""

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from bankbridge.emulation import control
from bankbridge.emulation.reading import fields, text, texts, whole
from bankbridge_rail.emulator.hands import Hands

Ids = Mapping[str, str]
Json = dict[str, Any]


def rail_controls(hands: Hands) -> list[Route]:
    """The routes, for `bankbridge.emulation.control_routes`."""

    def automatic(ids: Ids, body: Json) -> object:
        hands.auto_sync(ids["link_id"], *fields(body, {"words": texts}, must=("words",))["words"])
        return {}

    def pause(ids: Ids, _body: Json) -> object:
        hands.pause(ids["link_id"])
        return {}

    def resume(ids: Ids, _body: Json) -> object:
        hands.resume(ids["link_id"])
        return {}

    def expire(ids: Ids, body: Json) -> object:
        hands.expire_link(ids["link_id"], **fields(body, {"error_code": text}))
        return {}

    def delete(ids: Ids, _body: Json) -> object:
        hands.delete_link(ids["link_id"])
        return {}

    return [
        control("POST", "links/{link_id}/automatic", automatic),
        control("POST", "links/{link_id}/pause", pause),
        control("POST", "links/{link_id}/resume", resume),
        control("POST", "links/{link_id}/expire", expire),
        control("DELETE", "links/{link_id}", delete),
        *_data(hands),
        control("GET", "keys", lambda _ids, _body: hands.issued_keys()),
    ]


def _data(hands: Hands) -> list[Route]:
    def add_account(ids: Ids, _body: Json) -> object:
        return {"account_id": hands.add_account(ids["link_id"])}

    def remove_account(ids: Ids, _body: Json) -> object:
        hands.remove_account(ids["account_id"])
        return {}

    def movements(ids: Ids, _body: Json) -> object:
        return hands.movements(ids["account_id"])

    def add_movements(ids: Ids, body: Json) -> object:
        hands.add_movements(ids["account_id"], **fields(body, {"count": whole}, must=("count",)))
        return {}

    return [
        control("POST", "links/{link_id}/accounts", add_account),
        control("DELETE", "accounts/{account_id}", remove_account),
        control("GET", "accounts/{account_id}/movements", movements),
        control("POST", "accounts/{account_id}/movements", add_movements),
    ]
