"""Who is let in: keys and their modes, versions, what an organisation may do, and how often it may ask.

https://docs.fintoc.com/api/fintoc-api/authentication and https://docs.fintoc.com/guides/home/upgrade-api-version
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs
from starlette.requests import Request

from bankbridge_fintoc.emulator.errors import refusal
from bankbridge_fintoc.emulator.limits import PROFILES
from bankbridge_fintoc.emulator.world import LATEST, MODES, VERSIONS, World

KEY_KINDS: Final[Mapping[str, str]] = MappingProxyType({"secret": "sk", "publishable": "pk"})

EXPIRED: Final = tuple(f"sk_{mode}_expired" for mode in MODES)
"""Keys that have always expired, for who wants to see what that is like."""

ORGANISATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "payment_required": "Your organization has to pay first.",
        "product_access_required": "Your organization has no access to this product.",
        "forbidden_request": "Your organization may not do this.",
        "missing_allowed_cidr_blocks": "Your organization has to name the addresses that it asks from.",
        "allowed_cidr_blocks_does_not_contain_ip": "Your organization does not ask from this address.",
    }
)
"""What an organisation that is not in order is told; only the codes are known (fintoc-com/fintoc-ruby errors.rb)."""


@attrs.frozen(kw_only=True)
class Visitor:
    """Who asks: in which mode, and in which version of the API."""

    mode: str
    version: str


@attrs.frozen(kw_only=True)
class Door:
    """The keys that open, and how many requests may come through."""

    world: World
    keys: Mapping[str, str] = attrs.field(repr=False)
    """As in `bankbridge.emulation.Emulator.keys`."""

    def let_in(self, request: Request) -> Visitor:
        """Who asks; raises `FintocApiError` where nothing is done for them."""
        mode = self._mode(request)
        version = self._version(request.headers.get("fintoc-version"))
        if (status := self.world.refuses_all) is not None:
            raise refusal(status, ORGANISATIONS[status])
        return Visitor(mode=mode, version=version)

    def _mode(self, request: Request) -> str:
        """The documents ask for the raw key; `Bearer` is what Fintoc's own ruby SDK sends."""
        given = request.headers.get("authorization", "")
        if self.world.chose("bearer", "accepted"):
            given = given.removeprefix("Bearer ")
        name = next((name for name, key in self.keys.items() if key == given), "")
        kind, _, mode = name.partition("_")
        if kind == "publishable" or given.startswith("pk_"):
            raise refusal(self.world.switches["public_key_code"], "Public keys are for the widget alone.")
        if given in EXPIRED or name in self.world.expired_keys:
            raise refusal("expired_api_key", "This API key has expired.")
        if kind != "secret":
            raise refusal("invalid_api_key", "Invalid API key: send the secret key in Authorization.")
        return mode

    def _version(self, asked: str | None) -> str:
        """The version of this request; the first one pins the account's."""
        if asked is not None and asked not in VERSIONS:
            raise refusal("invalid_api_version", f"Unknown API version: known are {', '.join(VERSIONS)}.")
        if self.world.pinned_version is None:
            self.world.pinned_version = asked or LATEST
        return asked or self.world.pinned_version

    def count(self, request: Request, now: datetime) -> None:
        """Let one more request through; raises `FintocApiError` where there have been too many."""
        limit = PROFILES.get(self.world.switches["rate_limit"])
        if limit is None:
            return
        address = request.client.host if request.client else ""
        who = address if limit.per == "address" else "organisation"
        if not self.world.limiter.lets_through(limit, who, now):
            # Neither a header tells when to come again, nor is one documented.
            raise refusal("rate_limit_exceeded", "Too many requests.")


def make_keys(world: World) -> Mapping[str, str]:
    """The keys of the one organisation there is."""
    return MappingProxyType(
        {
            f"{kind}_{mode}": world.ids.secret(f"{prefix}_{mode}_", "key")
            for mode in MODES
            for kind, prefix in KEY_KINDS.items()
        }
    )
