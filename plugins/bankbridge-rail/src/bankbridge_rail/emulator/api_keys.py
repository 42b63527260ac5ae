"""API keys: https://docs.rail.cl/api-reference/api-keys/emitir-nueva-api-key."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, cast

import attrs
from starlette.responses import Response

from bankbridge_rail.emulator.answers import Call, InvalidError, RailError, answer, choice, listed, texts
from bankbridge_rail.emulator.bodies import Body, stamp
from bankbridge_rail.emulator.world import ApiKey, KeyType, World

TYPES: Final[tuple[KeyType, ...]] = ("secret", "publishable")
MODES: Final = ("test", "live")

GRACE: Final = 24
LONGEST_GRACE: Final = 168
"""Hours: https://docs.rail.cl/api-reference/api-keys/rotar-api-key."""


def first_keys(world: World) -> Mapping[str, str]:
    """Issue the four keys that an organisation begins with; by type and mode, such as ``secret_test``."""
    return MappingProxyType(
        {f"{kind}_{mode}": issue(world, kind, mode, ()).key for mode in MODES for kind in TYPES}
    )


def issue(world: World, kind: KeyType, mode: str, scopes: tuple[str, ...]) -> ApiKey:
    """A new key."""
    number = world.ids.number("api key", kind, mode)
    # https://docs.rail.cl/quickstart has `rail_sk_test_`, the reference pages `sk_`.
    prefix = "rail_" if world.switches["key_prefix"] == "rail_sk" else ""
    key = ApiKey(
        id=world.ids.of("key", kind, mode, number),
        key=f"{prefix}{kind[0]}k_{mode}_{world.ids.hex(32, 'api key', kind, mode, number)}",
        type=kind,
        mode=mode,
        created_at=world.clock.now(),
        scopes=scopes,
    )
    world.keys[key.key] = key
    return key


class KeyRoutes:
    """Issue, list and rotate keys. undocumented: the answers, and the list."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def issue(self, call: Call) -> Response:
        """A new key, of either mode; shown here and never again. undocumented: what ``scopes`` there are."""
        body = call.body()
        kind = cast(KeyType, choice(body, "type", TYPES, "secret"))
        mode = choice(body, "mode", MODES, call.mode.name)
        return answer(self._shown(issue(self._world, kind, mode, texts(body, "scopes"))))

    async def list(self, call: Call) -> Response:
        """The keys of the caller's mode, themselves left out."""
        keys = (key for key in self._world.keys.values() if key.mode == call.mode.name)
        return listed(self._world, (_body(key) for key in keys))

    async def rotate(self, call: Call) -> Response:
        """A new key for an old one, which works until the grace is over."""
        grace = _grace(call.body())
        old = self._find(call)
        now = self._world.clock.now()
        if old.works_until is not None:
            raise RailError(409, "api_key_rotated", "the key was rotated before")
        self._world.keys[old.key] = attrs.evolve(old, works_until=now + grace)
        return answer(self._shown(issue(self._world, old.type, old.mode, old.scopes)))

    def _find(self, call: Call) -> ApiKey:
        key_id = call.param("key_id")
        for key in self._world.keys.values():
            if key.id == key_id and key.mode == call.mode.name:
                return key
        raise RailError(404, "not_found", "there is no such API key")

    def _shown(self, key: ApiKey) -> Body:
        return {**_body(key), "key": key.key}


def _body(key: ApiKey) -> Body:
    return {
        "object": "api_key",
        "id": key.id,
        "type": key.type,
        "mode": key.mode,
        "scopes": list(key.scopes),
        "last_4": key.key[-4:],
        "created_at": stamp(key.created_at),
        "works_until": None if key.works_until is None else stamp(key.works_until),
    }


def _grace(body: dict[str, object]) -> timedelta:
    hours = body.get("grace_hours", GRACE)
    if not isinstance(hours, int) or isinstance(hours, bool) or not 1 <= hours <= LONGEST_GRACE:
        raise InvalidError(f"grace_hours must be a whole number from 1 to {LONGEST_GRACE}")
    return timedelta(hours=hours)
