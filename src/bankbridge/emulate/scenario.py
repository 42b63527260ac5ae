"""What a scenario says: which providers are emulated, how, and with which links."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from bankbridge.emulation import NEVER
from bankbridge.emulation.kind import EmulatorKind

LAST_PORT: Final = 65535
FASTEST: Final = 1_000_000
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199

NO_SWITCHES: Final[Mapping[str, str]] = MappingProxyType({})


def _is_speed(_: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    if value < 0:
        msg = f"{attribute.name}: must be 0 or more, time cannot run backwards"
        raise ValueError(msg)
    if value > FASTEST:
        msg = f"{attribute.name}: must be at most {FASTEST}"
        raise ValueError(msg)


def _is_start(_: object, attribute: "attrs.Attribute[datetime | None]", value: datetime | None) -> None:
    # Signatures count seconds from 1970, and everything that is told of the future must have a date.
    if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
        msg = f"{attribute.name}: must be from {FIRST_YEAR} to {LAST_YEAR}"
        raise ValueError(msg)


def _is_port(_: object, attribute: "attrs.Attribute[int | None]", value: int | None) -> None:
    if value is not None and not 0 <= value <= LAST_PORT:
        msg = f"{attribute.name}: must be from 1 to {LAST_PORT}, or 0 for any free one"
        raise ValueError(msg)


def _is_web_address(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        msg = f"{attribute.name}: must be an http or https URL with a host"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class LinkPlan:
    """A link that is there from the start; the arguments of `bankbridge.emulation.Emulator.add_link`."""

    name: str | None = None
    """The link's id is then `link_NAME`, and its token, where the provider has one, `link_NAME_token`."""
    institution: str | None = None
    """The bank, by the provider's id for it; without it, one that the emulator chooses."""
    attempts: tuple[str, ...] = ("succeeds",)
    """Script words: what each refresh of the link does, in order; the last one repeats."""
    webhooks: str = "normal"
    """How the link's webhooks come: `normal`, `lost`, `twice` or `early`."""
    accounts: int = 3
    """How many accounts the link has."""
    mode: str = "test"
    """`test` or `live`: which API key sees the link."""
    faults: Mapping[str, float] = NEVER
    """Rates of faults that hold for this link instead of the provider's."""


@attrs.frozen(kw_only=True)
class EndpointPlan:
    """A webhook endpoint that is registered from the start."""

    url: str = attrs.field(validator=_is_web_address)
    """Where events are posted to."""
    events: tuple[str, ...] | None = None
    """The types of event that are sent there; without it, all."""
    mode: str = "test"
    """`test` or `live`: the links of which mode it is told of."""
    secret: str | None = attrs.field(default=None, repr=False)
    """What deliveries are signed with; without it, a secret that follows from the seed."""


@attrs.frozen(kw_only=True)
class ProviderPlan:
    """One emulated provider."""

    port: int | None = attrs.field(default=None, validator=_is_port)
    """Where it listens: 0 for any free port; without it, the provider's usual one."""
    switches: Mapping[str, str] = NO_SWITCHES
    """Readings of what the provider's documentation leaves open, by the switch's name."""
    timings: Any = None
    """How long things take, in seconds of virtual time."""
    faults: Mapping[str, float] = NEVER
    """What goes wrong, and how often: a probability from 0 to 1 for each fault."""
    links: tuple[LinkPlan, ...] = ()
    """The links that are there from the start."""
    webhooks: tuple[EndpointPlan, ...] = ()
    """The webhook endpoints that are registered from the start."""


@attrs.frozen(kw_only=True)
class Scenario:
    """Everything that an emulation starts with. The same scenario gives the same ids, keys, accounts and movements."""

    seed: int = 0
    """What ids, keys, accounts, movements and faults follow from."""
    speed: float = attrs.field(default=1.0, validator=_is_speed)
    """Virtual seconds that pass in each real one; at 0 time stands still until it is moved."""
    start: datetime | None = attrs.field(default=None, validator=_is_start)
    """The virtual time at the start, with its offset from UTC; without it, the real one."""
    providers: Mapping[str, ProviderPlan] = attrs.field(factory=dict[str, ProviderPlan])
    """What is emulated, by provider."""


def well_known_links(kind: EmulatorKind) -> tuple[LinkPlan, ...]:
    """One link for each script word, named after it: ``link_mfa`` asks for a code whenever it is refreshed."""
    return tuple(LinkPlan(name=word, attempts=(word,)) for word in kind.words)
