"""What an HTTP refusal comes down to: a failure with a reason, for every provider alike."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

from bankbridge.words.errors import RefusedError
from bankbridge.words.reasons import Failure, Reason

HTTP_REASONS: Final[Mapping[int, Reason]] = MappingProxyType(
    {
        401: Reason.CONFIGURATION,
        402: Reason.NOT_PERMITTED,
        403: Reason.NOT_PERMITTED,
        404: Reason.LINK_GONE,
        405: Reason.NOT_SUPPORTED,
        409: Reason.ALREADY_IN_PROGRESS,
        410: Reason.LINK_GONE,
        423: Reason.CREDENTIALS_LOCKED,
        429: Reason.RATE_LIMITED,
    }
)
"""The reason of a status whose code says nothing more."""

LONGEST_RETRY_AFTER: Final = timedelta(hours=1)
"""A longer ``Retry-After`` is not believed: it is cut to this."""

_SERVER_ERROR: Final = 500


def failure_of(
    refused: RefusedError, *, now: datetime, codes: Mapping[str, Reason] = MappingProxyType({})
) -> Failure:
    """The failure a refusal stands for: by the provider's ``code`` if the table knows it, else by the status."""
    reason = codes.get(refused.code or "")
    if reason is None:
        server = refused.status >= _SERVER_ERROR
        reason = Reason.PROVIDER_ERROR if server else HTTP_REASONS.get(refused.status, Reason.UNKNOWN)
    return Failure(
        reason=reason,
        code=refused.code or f"HTTP {refused.status}",
        message=refused.message,
        not_before=retry_at(refused.retry_after, now=now),
    )


def retry_at(header: str | None, *, now: datetime) -> datetime | None:
    """When ``Retry-After`` allows the next request: seconds or an HTTP date, bounded; ``None`` for anything else."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        wait = min(timedelta(seconds=min(int(text), 10**6)), LONGEST_RETRY_AFTER)
        return now + wait
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(at, now), now + LONGEST_RETRY_AFTER)
