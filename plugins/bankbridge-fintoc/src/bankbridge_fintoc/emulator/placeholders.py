"""Made-up events, which an application asks for to try its receiver: they are about nothing that exists.

https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-testing
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from bankbridge_fintoc.emulator import events, render
from bankbridge_fintoc.emulator.objects import Json
from bankbridge_fintoc.emulator.world import World

ACCOUNT_ID: Final = "acc_00000000"
LINK_ID: Final = "link_00000000"


def make(
    world: World,
    owner: str,
    mode: str,
    event_type: str,
    at: datetime,
    overrides: Mapping[str, object] | None = None,
) -> Json:
    """Such an event, with ``overrides`` in its data; ``owner`` is what it was asked for."""
    data = _data(event_type, mode, at) | dict(overrides or {})
    number = world.number(f"event of {owner}")
    is_old = world.chose("test_event_keys", "camelCase")
    if is_old:
        # The legacy page's example has neither `type` nor `new_movements`, and a status that no outcome has.
        data = {name: value for name, value in data.items() if name not in ("type", "new_movements")}
        data |= {"status": "created"} if "status" in data else {}
    event = events.envelope(world, (owner, number), mode, event_type, data, at)
    return _camel_case(event) if is_old else event


def _data(event_type: str, mode: str, at: datetime) -> Json:
    if event_type == events.MODIFIED:
        return {"account_id": ACCOUNT_ID, "movements_changed": []}
    if event_type in (events.CREATED, events.CREDENTIALS_CHANGED):
        return {
            "id": LINK_ID,
            "object": "link",
            "accounts": [],
            "created_at": render.stamp(at),
            "institution": {"id": "cl_banco_de_chile", "country": "cl", "name": "Banco de Chile"},
            "link_token": None,
            "mode": mode,
            "status": "active" if event_type == events.CREATED else "login_required",
        }
    family, _, status = event_type.rpartition(".")
    is_of_account = family.startswith("account.")
    return {
        "object": "refresh_intent",
        "refreshed_object": "account" if is_of_account else "link",
        "refreshed_object_id": ACCOUNT_ID if is_of_account else LINK_ID,
        "status": status if status in ("failed", "rejected") else "succeeded",
        "public_error": None,
        "created_at": render.stamp(at),
        "type": "only_last",
        "new_movements": 0,
    }


def _camel_case(event: Mapping[str, object]) -> Json:
    written: Json = {}
    for name, value in event.items():
        head, *rest = name.split("_")
        inner = _camel_case(cast(Json, value)) if name == "data" else value
        written[head + "".join(part.title() for part in rest)] = inner
    return written
