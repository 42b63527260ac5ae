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
        # No redirect is followed: an API that sends one is not where the base URL says.
        301: Reason.CONFIGURATION,
        302: Reason.CONFIGURATION,
        303: Reason.CONFIGURATION,
        307: Reason.CONFIGURATION,
        308: Reason.CONFIGURATION,
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
    return Failure(
        reason=codes.get(refused.code or "") or _by_status(refused),
        code=refused.code or f"HTTP {refused.status}",
        message=refused.message,
        not_before=retry_at(refused.retry_after, now=now),
    )


def _by_status(refused: RefusedError) -> Reason:
    if refused.status >= _SERVER_ERROR:
        return Reason.PROVIDER_ERROR
    reason = HTTP_REASONS.get(refused.status, Reason.UNKNOWN)
    # Whatever answers "not found" without a code may not be the provider at all, and every link would seem deleted.
    return Reason.CONFIGURATION if reason is Reason.LINK_GONE and refused.code is None else reason


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
    except (ValueError, OverflowError):  # the second: a year that no clock will show
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(at, now), now + LONGEST_RETRY_AFTER)
