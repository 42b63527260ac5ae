"""Rail's words and ours: what each event type says, and what each error code means."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs

from bankbridge.hookspecs import ReasonRow
from bankbridge.machine.attempt import Prompt, prompt_id
from bankbridge.machine.events import (
    PromptOffered,
    ProviderEvent,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshSucceeded,
)
from bankbridge.machine.link import (
    AccountAppeared,
    AccountVanished,
    LinkConnected,
    LinkDeleted,
    LinkExpired,
    LinkRefreshed,
)
from bankbridge.machine.notices import Statement, Subject
from bankbridge.payload import Payload
from bankbridge.translation import Translation
from bankbridge.words.ids import AccountId, LinkId, RefreshId
from bankbridge.words.reasons import Failure, Reason


@attrs.frozen(kw_only=True)
class Meaning:
    """What an ``error_code`` of a failed refresh intent means."""

    reason: Reason
    rejected: bool = False
    or_wrong_code: bool = False
    means: str
    source: str

    def row(self, code: str) -> ReasonRow:
        """The row on Rail's page."""
        return ReasonRow(said=code, reason=self.reason, means=self.means, source=self.source)


REASONS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        # One code for two things, told apart by whether this refresh had a prompt: the machine does that.
        "rejected_credentials": Meaning(
            reason=Reason.CREDENTIALS_REJECTED,
            rejected=True,
            or_wrong_code=True,
            means="rejected: the code was wrong if this refresh had a prompt, else the credentials are",
            source="https://docs.rail.cl/guides/mfa-handling",
        ),
        "requires_mfa_user_timeout": Meaning(
            reason=Reason.MFA_EXPIRED,
            means="failed: nobody answered the prompt in ten minutes",
            source="https://docs.rail.cl/guides/mfa-handling",
        ),
        "bank_unavailable": Meaning(
            reason=Reason.INSTITUTION_UNAVAILABLE,
            means="failed: the bank was not there",
            source="https://docs.rail.cl/concepts/events",
        ),
    }
)
"""The codes that Rail's pages name. The catalogue ("Errors → Banks") is not verified; others become *unknown*."""


def ended_badly(code: str | None) -> RefreshFailed | RefreshRejected:
    """The end that a ``failed`` intent with this ``error_code`` means."""
    meaning = REASONS.get(code or "")
    if meaning is None:
        return RefreshFailed(failure=Failure(reason=Reason.UNKNOWN, code=code))
    failure = Failure(reason=meaning.reason, code=code, or_wrong_code=meaning.or_wrong_code)
    return RefreshRejected(failure=failure) if meaning.rejected else RefreshFailed(failure=failure)


def intent_event(intent: Payload, *, seen_at: datetime) -> ProviderEvent:
    """What a refresh intent's state says, in an event's ``data`` or in the answer to a read.

    Unknown statuses pass as progress: the documented sample keeps polling on them too
    (https://docs.rail.cl/guides/mfa-handling).
    """
    match intent.maybe_text("status"):
        case "succeeded":
            summary = intent.maybe_section("summary")
            return RefreshSucceeded(
                new_movements=None if summary is None else summary.maybe_integer("new_movements_count")
            )
        case "failed":
            return ended_badly(intent.maybe_text("error_code"))
        case "requires_mfa":
            return _prompt(intent, seen_at)
        case "canceled" | "cancelled":  # undocumented: what a DELETE leaves behind
            return RefreshCanceled()
        case _:
            return RefreshProgressed()


def _prompt(intent: Payload, seen_at: datetime) -> PromptOffered | RefreshProgressed:
    asked = intent.maybe_section("requires_mfa")
    if asked is None:  # undocumented: the status without its object
        return RefreshProgressed()
    token = asked.text("widget_token")
    prompt = Prompt(
        id=prompt_id(token), token=token, offered_at=seen_at, expires_at=asked.maybe_moment("expires_at")
    )
    return PromptOffered(prompt=prompt)


def _intent(data: Payload) -> Subject:
    link_id = data.maybe_text("link_id")
    return Subject(
        refresh_id=RefreshId(data.text("id")), link_id=None if link_id is None else LinkId(link_id)
    )


def _link(data: Payload) -> Subject:
    return Subject(link_id=LinkId(data.text("id")))


def _account(data: Payload) -> Subject:
    return Subject(link_id=LinkId(data.text("link_id")), account_id=AccountId(data.text("id")))


def _by_status(data: Payload, at: datetime) -> Statement:
    return intent_event(data, seen_at=at)


EVENTS: Final[Mapping[str, Translation]] = MappingProxyType(
    {
        "link.created": Translation(
            about=_link, says=lambda _data, _at: LinkConnected(), means="the link is connected"
        ),
        "link.refreshed": Translation(
            about=_link,
            # Of every sync, on request or not: it never ends an intent, which has its own event.
            says=lambda data, _at: LinkRefreshed(new_movements=data.maybe_integer("new_movements_count")),
            means="the link is fresh; background syncs say so too",
        ),
        "link.expired": Translation(
            about=_link,
            says=lambda data, _at: LinkExpired(code=data.maybe_text("last_error_code")),
            means="the link is expired: reconnect",
        ),
        "link.deleted": Translation(
            about=_link,
            says=lambda _data, _at: LinkDeleted(),
            means="the link is gone; a running refresh fails",
        ),
        "account.created": Translation(
            about=_account,
            says=lambda data, _at: AccountAppeared(account_id=AccountId(data.text("id"))),
            means="an account appeared",
        ),
        "account.removed": Translation(
            about=_account,
            says=lambda data, _at: AccountVanished(account_id=AccountId(data.text("id"))),
            means="an account vanished",
        ),
        "refresh_intent.created": Translation(
            about=_intent, says=lambda _data, _at: RefreshProgressed(), means="the refresh is known there"
        ),
        "refresh_intent.requires_mfa": Translation(
            about=_intent, says=_by_status, means="a prompt for the person, with its end"
        ),
        "refresh_intent.succeeded": Translation(
            about=_intent, says=_by_status, means="the refresh succeeded"
        ),
        "refresh_intent.failed": Translation(
            about=_intent, says=_by_status, means="failed or rejected, by the reasons table"
        ),
    }
)
"""All ten event types. https://docs.rail.cl/concepts/events"""
