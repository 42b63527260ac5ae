"""Deliveries, and the check that one is genuine: over the raw bytes, in constant time, before anything is parsed."""

import enum
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from bankbridge.words.ids import ConnectionName

TOLERANCE: Final = timedelta(seconds=300)
"""How far a signature's time may be from ours, both ways. Both providers recommend it."""

_LONGEST_HEADER: Final = 4096


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@attrs.frozen(kw_only=True)
class Delivery:
    """A webhook as it arrived. Header names are lower case; ``body`` is the raw bytes. Both can hold secrets."""

    connection: ConnectionName
    headers: Mapping[str, str] = attrs.field(converter=_lower, repr=False)
    body: bytes = attrs.field(repr=False)
    received_at: datetime


class Strength(enum.Enum):
    """What a verification is worth."""

    SIGNED = "signed"
    """The provider signed these bytes."""
    WEAK = "weak"
    """A shared header or nothing at all: read the provider before believing it."""


class RefusedWhy(enum.Enum):
    """Why a delivery is not believed. For our logs: the sender is never told which."""

    MALFORMED = "malformed"
    MISMATCH = "mismatch"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


@attrs.frozen(kw_only=True)
class Verified:
    """Genuine."""

    strength: Strength = Strength.SIGNED


@attrs.frozen(kw_only=True)
class Refused:
    """Not believed."""

    why: RefusedWhy


Verification: TypeAlias = Verified | Refused


def verify_signature(
    header: str | None,
    body: bytes,
    secrets: Iterable[str],
    *,
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Verification:
    """Check a ``t=<unix seconds>,v1=<hex>`` header, the scheme that Rail and Fintoc share.

    The signed message is ``t`` as written, a dot, and the raw body; the key is a whole secret string. Any ``v1``
    under any of the ``secrets`` is enough, so that a secret can be rotated.
    https://docs.rail.cl/guides/webhooks,
    https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating
    """
    parsed = _parse(header)
    if parsed is None:
        return Refused(why=RefusedWhy.MALFORMED)
    written, candidates = parsed
    message = written.encode() + b"." + body
    # An empty secret would let anyone sign.
    keys = [secret.encode() for secret in secrets if secret]
    digests = [hmac.new(key, message, hashlib.sha256).hexdigest().encode() for key in keys]
    # No early exit: every pair is compared, whichever fits.
    if not any([hmac.compare_digest(digest, candidate) for digest in digests for candidate in candidates]):  # noqa: C419
        return Refused(why=RefusedWhy.MISMATCH)
    age = now.timestamp() - float(written)
    if age > tolerance.total_seconds():
        return Refused(why=RefusedWhy.TOO_OLD)
    if -age > tolerance.total_seconds():
        return Refused(why=RefusedWhy.TOO_NEW)
    return Verified()


def _parse(header: str | None) -> tuple[str, list[bytes]] | None:
    if not header or len(header) > _LONGEST_HEADER:
        return None
    items = [item.strip().partition("=") for item in header.split(",")]
    times = [value for key, equals, value in items if equals and key == "t"]
    # Servers may hand over bytes that are not text as surrogates, which have no encoding.
    candidates = [
        value.encode(errors="replace") for key, equals, value in items if equals and key == "v1" and value
    ]
    if len(times) != 1 or not candidates:
        return None
    written = times[0]
    return (written, candidates) if written.isascii() and written.isdigit() else None
