"""Why not: the closed list of reasons, who can lift each of them, and the failure that carries one."""

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs


class Actor(enum.Enum):
    """Who must act before another try makes sense. Callers branch on this."""

    NOBODY = "nobody"
    """Nobody: wait, it mends itself."""
    PERSON = "person"
    """The bank's customer, in the application."""
    OPERATOR = "operator"
    """Whoever runs the application: a key, a plan, a setting."""
    SUPPORT = "support"
    """The provider's support."""
    BANK = "bank"
    """The bank itself, perhaps asked by its customer."""


class Reason(enum.Enum):
    """Why a refresh did not succeed. Closed: a provider's code that we don't know is ``UNKNOWN``."""

    CREDENTIALS_REJECTED = "credentials_rejected"
    CREDENTIALS_UNCONFIRMED = "credentials_unconfirmed"
    CREDENTIALS_LOCKED = "credentials_locked"
    MFA_REJECTED = "mfa_rejected"
    MFA_EXPIRED = "mfa_expired"
    INSTITUTION_UNAVAILABLE = "institution_unavailable"
    PROVIDER_ERROR = "provider_error"
    COOLDOWN = "cooldown"
    ALREADY_IN_PROGRESS = "already_in_progress"
    RATE_LIMITED = "rate_limited"
    LINK_GONE = "link_gone"
    LINK_EXPIRED = "link_expired"
    NOT_PERMITTED = "not_permitted"
    NEEDS_SUPPORT = "needs_support"
    CONFIGURATION = "configuration"
    NO_ANSWER = "no_answer"
    QUOTA_EXHAUSTED = "quota_exhausted"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_REVOKED = "consent_revoked"
    ACTION_NEEDED_AT_BANK = "action_needed_at_bank"
    SESSION_CONFLICT = "session_conflict"
    DENIED_BY_PERSON = "denied_by_person"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN = "unknown"


ACTORS: Final[Mapping[Reason, Actor]] = MappingProxyType(
    {
        Reason.CREDENTIALS_REJECTED: Actor.PERSON,
        Reason.CREDENTIALS_UNCONFIRMED: Actor.NOBODY,
        Reason.CREDENTIALS_LOCKED: Actor.BANK,
        Reason.MFA_REJECTED: Actor.PERSON,
        Reason.MFA_EXPIRED: Actor.PERSON,
        Reason.INSTITUTION_UNAVAILABLE: Actor.NOBODY,
        Reason.PROVIDER_ERROR: Actor.NOBODY,
        Reason.COOLDOWN: Actor.NOBODY,
        Reason.ALREADY_IN_PROGRESS: Actor.NOBODY,
        Reason.RATE_LIMITED: Actor.NOBODY,
        Reason.LINK_GONE: Actor.PERSON,
        Reason.LINK_EXPIRED: Actor.PERSON,
        Reason.NOT_PERMITTED: Actor.OPERATOR,
        Reason.NEEDS_SUPPORT: Actor.SUPPORT,
        Reason.CONFIGURATION: Actor.OPERATOR,
        Reason.NO_ANSWER: Actor.NOBODY,
        Reason.QUOTA_EXHAUSTED: Actor.NOBODY,
        Reason.CONSENT_EXPIRED: Actor.PERSON,
        Reason.CONSENT_REVOKED: Actor.PERSON,
        Reason.ACTION_NEEDED_AT_BANK: Actor.PERSON,
        Reason.SESSION_CONFLICT: Actor.NOBODY,
        Reason.DENIED_BY_PERSON: Actor.PERSON,
        Reason.NOT_SUPPORTED: Actor.OPERATOR,
        # Nobody can know who lifts an unknown reason; the operator can read the code and ask.
        Reason.UNKNOWN: Actor.OPERATOR,
    }
)
"""Who can lift each reason."""


REJECTIONS: Final = frozenset(
    {
        Reason.CREDENTIALS_REJECTED,
        Reason.CREDENTIALS_UNCONFIRMED,
        Reason.CREDENTIALS_LOCKED,
        Reason.MFA_REJECTED,
    }
)
"""The bank refused the person, as opposed to *it did not work*. Repeats can lock the login."""


@attrs.frozen(kw_only=True)
class Failure:
    """One failure, four things: our reason, the provider's own words, and (by the reason) who must act.

    ``code`` and ``message`` are the provider's, verbatim, ``None`` where it said nothing. ``not_before`` is
    the provider's own "too soon, not before": our policy may wait longer, never shorter. ``ours`` is true
    when no provider said this: we concluded it, for instance because a prompt's time was up.
    ``or_wrong_code`` is true when the provider has the same words for a wrong code: then the intent's own
    history decides which of the two it was.
    """

    reason: Reason
    code: str | None = None
    message: str | None = None
    not_before: datetime | None = None
    ours: bool = False
    or_wrong_code: bool = False

    @property
    def actor(self) -> Actor:
        """Who must act before another try makes sense."""
        return ACTORS[self.reason]
