"""The link: its own small machine, kept apart from the intent's, and the guard that no refresh goes round."""

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.joint import Over
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import TERMINAL, Status
from bankbridge.words.ids import AccountId, ConnectionName, LinkId
from bankbridge.words.reasons import REJECTIONS, Actor, Failure, Reason


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
    status_at: datetime | None = None
    """When what the status follows from happened: an older event says nothing of it any more."""
    counted_at: datetime | None = None
    """When a refused login or an abandoned prompt was last counted: an older connection does not renew the budgets."""


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


def observe(link: Link, event: LinkEvent, *, now: datetime, occurred_at: datetime | None = None) -> Link:
    """What one link event means to ``link``. Telling it twice changes nothing more, except a new connection.

    ``occurred_at`` is the provider's time of the event, ``now`` where it says none. An event that is older than
    what the link's status follows from comes too late to change it.
    """
    at = occurred_at or now
    late = link.status_at is not None and at < link.status_at and not isinstance(event, LinkDeleted)
    if link.status is LinkStatus.DELETED or (late and type(event) in LINK_TABLE):
        return link
    if type(event) in LINK_TABLE:
        link = attrs.evolve(link, status=LINK_TABLE[type(event)], status_at=at)
    match event:
        case LinkConnected() if link.counted_at is not None and at < link.counted_at:
            return link
        case LinkConnected():
            return attrs.evolve(
                link,
                credential_version=link.credential_version + 1,
                refused_logins=0,
                abandoned_prompts=0,
            )
        case LinkRefreshed():
            return attrs.evolve(link, refreshed_at=max(at, link.refreshed_at or at))
        # Before the first look nobody knows the others, and one account must not pass for all of them.
        case AccountAppeared(account_id=account_id) if link.accounts is not None:
            return attrs.evolve(link, accounts=tuple(sorted({*link.accounts, account_id})))
        case AccountVanished(account_id=account_id) if link.accounts is not None:
            return attrs.evolve(link, accounts=tuple(sorted({*link.accounts} - {account_id})))
        case AccountAppeared() | AccountVanished() | LinkExpired() | CredentialsChanged() | LinkDeleted():
            return link


_STATUS_AFTER: Final[Mapping[Reason, LinkStatus]] = MappingProxyType(
    {
        Reason.CREDENTIALS_REJECTED: LinkStatus.NEEDS_RECONNECT,
        Reason.CREDENTIALS_LOCKED: LinkStatus.LOCKED,
        Reason.LINK_EXPIRED: LinkStatus.EXPIRED,
        Reason.LINK_GONE: LinkStatus.DELETED,
    }
)


_GOOD: Final = frozenset({Status.SUCCEEDED, Status.PARTIAL})
_SETTLED: Final = TERMINAL | {Status.BACKING_OFF}


def account_for(
    link: Link, before: RefreshIntent, after: RefreshIntent, *, now: datetime, policy: Policy
) -> Link:
    """Write an attempt's end into its link: budgets, cooldown, status. To be stored with the intent, at once.

    An attempt counts once. What is learnt of it after its end only puts right what was written.
    """
    if link.status is LinkStatus.DELETED or after.status not in _SETTLED:
        return link
    if after.status in _GOOD:
        if before.status in _GOOD:
            return link
        # Whether a partial success starts the provider's cooldown is not documented; waiting is safe.
        cooldown = policy.cooldowns.get(after.scope)
        return attrs.evolve(
            link,
            status=LinkStatus.ACTIVE,
            status_at=now,
            refused_logins=0,
            abandoned_prompts=0,
            cooldown_until=None if cooldown is None else now + cooldown,
            refreshed_at=now,
        )
    was, reason = _reason_of(before, policy), _reason_of(after, policy)
    if reason is None or reason is was or _is_outdated(link, before):
        return link
    taken_back = was is not None and link.status is _STATUS_AFTER.get(was)
    status = _STATUS_AFTER.get(reason, LinkStatus.ACTIVE if taken_back else link.status)
    # A create that was refused, by the provider or by our own guard, has cost no login and shown no prompt.
    ran = after.attempt.refusal is None
    refused = (reason in REJECTIONS) - (was in REJECTIONS) if ran else 0
    abandoned = (reason is Reason.MFA_EXPIRED) - (was is Reason.MFA_EXPIRED) if ran else 0
    return attrs.evolve(
        link,
        status=status,
        status_at=link.status_at if status is link.status else now,
        counted_at=now if refused > 0 or abandoned > 0 else link.counted_at,
        refused_logins=max(0, link.refused_logins + refused),
        abandoned_prompts=max(0, link.abandoned_prompts + abandoned),
    )


def _reason_of(intent: RefreshIntent, policy: Policy) -> Reason | None:
    """Why its attempt did not do, once that is settled. Where we stopped waiting, the provider may still say so."""
    verdict = policy.joint.judge(intent.attempt) if intent.gave_up else None
    failure = verdict.failure if isinstance(verdict, Over) else intent.failure
    return failure.reason if failure is not None and intent.status in _SETTLED else None


def _is_outdated(link: Link, intent: RefreshIntent) -> bool:
    """Whether the link's status follows from something that came after the intent was over."""
    return intent.ended_at is not None and link.status_at is not None and intent.ended_at < link.status_at


@attrs.frozen(kw_only=True)
class Blocker:
    """One thing that stands against a refresh now: why, who lifts it, and until when (``None``: until they do)."""

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
