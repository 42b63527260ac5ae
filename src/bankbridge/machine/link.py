"""The link: its own small machine, kept apart from the intent's, and the guard that no refresh goes round."""

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import Status
from bankbridge.words.ids import AccountId, ConnectionName, LinkId
from bankbridge.words.reasons import Actor, Failure, Reason


class LinkStatus(enum.Enum):
    """How a link is, apart from any refresh."""

    ACTIVE = "active"
    NEEDS_RECONNECT = "needs_reconnect"
    LOCKED = "locked"
    PAUSED = "paused"
    EXPIRED = "expired"
    DELETED = "deleted"


@attrs.frozen(kw_only=True)
class Institution:
    """The bank: the provider's id for it and the name to show, where it says one."""

    id: str
    name: str | None = None


@attrs.frozen(kw_only=True)
class Link:
    """A person's connection to an institution at a provider.

    ``token`` is the provider's secret for the link, where it has one. ``accounts`` are the accounts last seen,
    ``None`` before the first look. ``refused_logins`` and ``abandoned_prompts`` count since ``credential_version``
    last changed or a refresh last succeeded.
    """

    id: LinkId
    connection: ConnectionName
    token: str | None = attrs.field(default=None, repr=False)
    institution: Institution | None = None
    status: LinkStatus = LinkStatus.ACTIVE
    accounts: tuple[AccountId, ...] | None = None
    credential_version: int = 1
    refused_logins: int = 0
    abandoned_prompts: int = 0
    cooldown_until: datetime | None = None
    refreshed_at: datetime | None = None
    version: int = 0


@attrs.frozen(kw_only=True)
class LinkConnected:
    """The person connected it, or connected it again: new credentials, new budgets."""


@attrs.frozen(kw_only=True)
class LinkRefreshed:
    """The provider refreshed it, on request or by itself. ``account_id`` where it speaks of one account only."""

    account_id: AccountId | None = None
    new_movements: int | None = None


@attrs.frozen(kw_only=True)
class LinkExpired:
    """The provider gave up on it until the person connects again. ``code`` is its word for why."""

    code: str | None = None


@attrs.frozen(kw_only=True)
class CredentialsChanged:
    """The bank's password changed: the person must connect again."""


@attrs.frozen(kw_only=True)
class LinkDeleted:
    """It is gone, with its accounts and movements."""


@attrs.frozen(kw_only=True)
class AccountAppeared:
    """A new account showed up under the link."""

    account_id: AccountId


@attrs.frozen(kw_only=True)
class AccountVanished:
    """An account is no longer at the bank."""

    account_id: AccountId


LinkEvent: TypeAlias = (
    LinkConnected
    | LinkRefreshed
    | LinkExpired
    | CredentialsChanged
    | LinkDeleted
    | AccountAppeared
    | AccountVanished
)

LINK_TABLE: Final[Mapping[type[LinkEvent], LinkStatus]] = MappingProxyType(
    {
        LinkConnected: LinkStatus.ACTIVE,
        LinkRefreshed: LinkStatus.ACTIVE,
        LinkExpired: LinkStatus.EXPIRED,
        CredentialsChanged: LinkStatus.NEEDS_RECONNECT,
        LinkDeleted: LinkStatus.DELETED,
    }
)
"""The status a link event leads to from anywhere but ``deleted``; the others change no status."""


def observe(link: Link, event: LinkEvent, *, now: datetime) -> Link:
    """What one link event means to ``link``. Telling it twice changes nothing more, except a new connection."""
    if link.status is LinkStatus.DELETED:
        return link
    link = attrs.evolve(link, status=LINK_TABLE.get(type(event), link.status))
    known = link.accounts or ()
    match event:
        case LinkConnected():
            return attrs.evolve(
                link,
                credential_version=link.credential_version + 1,
                refused_logins=0,
                abandoned_prompts=0,
            )
        case LinkRefreshed():
            return attrs.evolve(link, refreshed_at=max(now, link.refreshed_at or now))
        case AccountAppeared(account_id=account_id):
            return attrs.evolve(link, accounts=tuple(sorted({*known, account_id})))
        case AccountVanished(account_id=account_id):
            return attrs.evolve(link, accounts=tuple(account for account in known if account != account_id))
        case LinkExpired() | CredentialsChanged() | LinkDeleted():
            return link


_REFUSED_LOGIN: Final = frozenset(
    {
        Reason.CREDENTIALS_REJECTED,
        Reason.CREDENTIALS_UNCONFIRMED,
        Reason.CREDENTIALS_LOCKED,
        Reason.MFA_REJECTED,
    }
)

_STATUS_AFTER: Final[Mapping[Reason, LinkStatus]] = MappingProxyType(
    {
        Reason.CREDENTIALS_REJECTED: LinkStatus.NEEDS_RECONNECT,
        Reason.CREDENTIALS_LOCKED: LinkStatus.LOCKED,
        Reason.LINK_EXPIRED: LinkStatus.EXPIRED,
        Reason.LINK_GONE: LinkStatus.DELETED,
    }
)


def account_for(
    link: Link, before: RefreshIntent, after: RefreshIntent, *, now: datetime, policy: Policy
) -> Link:
    """Write an attempt's end into its link: budgets, cooldown, status. To be stored with the intent, at once."""
    over = after.status.terminal or after.status is Status.BACKING_OFF
    if (
        not over
        or before.status.terminal
        or before.status is Status.BACKING_OFF
        or link.status is LinkStatus.DELETED
    ):
        return link
    if after.status in (Status.SUCCEEDED, Status.PARTIAL):
        # Whether a partial success starts the provider's cooldown is not documented; waiting is safe.
        cooldown = policy.cooldowns.get(after.scope)
        return attrs.evolve(
            link,
            status=LinkStatus.ACTIVE,
            refused_logins=0,
            abandoned_prompts=0,
            cooldown_until=None if cooldown is None else now + cooldown,
            refreshed_at=now,
        )
    if after.failure is None:
        return link
    reason = after.failure.reason
    spent_login = reason in _REFUSED_LOGIN and not (
        after.attempt.end is not None and after.attempt.end.refused
    )
    return attrs.evolve(
        link,
        status=_STATUS_AFTER.get(reason, link.status),
        refused_logins=link.refused_logins + spent_login,
        abandoned_prompts=link.abandoned_prompts + (reason is Reason.MFA_EXPIRED),
    )


@attrs.frozen(kw_only=True)
class Blocker:
    """One thing that stands against a refresh now: why, until when (``None``: until somebody acts), and who lifts it."""

    failure: Failure
    until: datetime | None = None

    @property
    def actor(self) -> Actor:
        """Who can lift it."""
        return self.failure.actor


_BLOCKED_BY_STATUS: Final[Mapping[LinkStatus, Reason]] = MappingProxyType(
    {
        LinkStatus.NEEDS_RECONNECT: Reason.CREDENTIALS_REJECTED,
        LinkStatus.LOCKED: Reason.CREDENTIALS_LOCKED,
        LinkStatus.PAUSED: Reason.NOT_PERMITTED,
        LinkStatus.EXPIRED: Reason.LINK_EXPIRED,
        LinkStatus.DELETED: Reason.LINK_GONE,
    }
)


def blockers_of(link: Link, *, attended: bool, now: datetime, policy: Policy) -> tuple[Blocker, ...]:
    """Everything that stands against starting a refresh of ``link`` now. Every path that creates one asks here."""
    blockers: list[Blocker] = []
    if link.status in _BLOCKED_BY_STATUS:
        blockers.append(
            Blocker(failure=_ours(_BLOCKED_BY_STATUS[link.status], f"the link is {link.status.value}"))
        )
    if link.refused_logins >= policy.refused_logins and link.status is LinkStatus.ACTIVE:
        said = f"the bank refused {link.refused_logins} logins since the person last connected"
        blockers.append(Blocker(failure=_ours(Reason.CREDENTIALS_REJECTED, said)))
    if link.abandoned_prompts >= policy.abandoned_prompts and not attended:
        said = f"{link.abandoned_prompts} prompts were left unanswered: the person must start the next one"
        blockers.append(Blocker(failure=_ours(Reason.MFA_EXPIRED, said)))
    if link.cooldown_until is not None and link.cooldown_until > now:
        cooldown = _ours(Reason.COOLDOWN, "refreshed a moment ago")
        blockers.append(
            Blocker(failure=attrs.evolve(cooldown, not_before=link.cooldown_until), until=link.cooldown_until)
        )
    return tuple(blockers)


def _ours(reason: Reason, message: str) -> Failure:
    return Failure(reason=reason, message=message, ours=True)
