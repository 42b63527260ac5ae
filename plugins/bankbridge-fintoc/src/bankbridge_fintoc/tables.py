"""Fintoc's words and ours: what each event type says, what each result and each error code means."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import attrs

from bankbridge.hookspecs import ReasonRow
from bankbridge.machine.attempt import AccountResult, AccountStatus
from bankbridge.machine.events import AccountReported
from bankbridge.machine.link import CredentialsChanged, LinkConnected
from bankbridge.machine.notices import (
    MovementsAmended,
    MovementsRemoved,
    NotUnderstood,
    Statement,
    Subject,
    TestDelivery,
)
from bankbridge.payload import Payload
from bankbridge.translation import Translation
from bankbridge.words.ids import AccountId, LinkId, MovementId
from bankbridge.words.reasons import Failure, Reason

_GET = "https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-get"
_EVENTS_2021 = "https://docs.fintoc.com/docs/refresh-intents-webhook"
_ERRORS = "https://docs.fintoc.com/guides/movements/refresh-intents-walkthrough/refresh-intents-errors"
_CODES = "https://docs.fintoc.com/api/fintoc-api/errors"


@attrs.frozen(kw_only=True)
class Meaning:
    """What a result or an error code means."""

    reason: Reason
    or_wrong_code: bool = False
    means: str
    source: str

    def row(self, said: str) -> ReasonRow:
        """The row on Fintoc's page."""
        return ReasonRow(said=said, reason=self.reason, means=self.means, source=self.source)


RESULTS: Final[Mapping[tuple[str, str | None], Meaning]] = MappingProxyType(
    {
        ("failed", None): Meaning(
            reason=Reason.PROVIDER_ERROR,
            means="it did not work; a new refresh may be made at once",
            source=_EVENTS_2021,
        ),
        ("failed", "retryable_error"): Meaning(reason=Reason.PROVIDER_ERROR, means="try again", source=_GET),
        ("failed", "support_required_error"): Meaning(
            reason=Reason.NEEDS_SUPPORT, means="ask Fintoc; do not loop", source=_GET
        ),
        # A judgement: without a public_error nobody has confirmed that the credentials are wrong, and banks
        # sometimes call good ones invalid. undocumented: a wrong code at the widget may look the same.
        ("rejected", None): Meaning(
            reason=Reason.CREDENTIALS_UNCONFIRMED,
            or_wrong_code=True,
            means="the bank refused; not confirmed, so once more after an hour, or a wrong code after a prompt",
            source=_EVENTS_2021,
        ),
        ("rejected", "invalid_credentials_error"): Meaning(
            reason=Reason.CREDENTIALS_REJECTED,
            means="the bank refused the credentials: reconnect",
            source=_GET,
        ),
        ("rejected", "credentials_locked_error"): Meaning(
            reason=Reason.CREDENTIALS_LOCKED,
            means="the login is locked: unlock it at the bank first",
            source=_GET,
        ),
    }
)
"""``status`` and ``public_error`` of a refresh. Which values go together is inferred; others become *unknown*."""


def failure_for(status: str, public_error: str | None) -> Failure:
    """Why a refresh ``failed`` or was ``rejected``. An unknown ``public_error`` is an unknown reason, not a retry."""
    meaning = RESULTS.get((status, public_error))
    if meaning is None:
        return Failure(reason=Reason.UNKNOWN, code=public_error)
    return Failure(reason=meaning.reason, code=public_error, or_wrong_code=meaning.or_wrong_code)


def _code(reason: Reason, means: str, source: str = _CODES) -> Meaning:
    return Meaning(reason=reason, means=means, source=source)


CREATE_REASONS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        "refresh_intent_in_progress": _code(Reason.ALREADY_IN_PROGRESS, "one runs: it is adopted", _ERRORS),
        # Not HTTP throttling: the link was refreshed successfully less than 5 (or 60) minutes ago.
        "rate_limit_exceeded": _code(Reason.COOLDOWN, "refreshed lately: wait the cooldown's end", _ERRORS),
        # One code for "reconnect" and for "wait an hour"; only the message tells. Taken as unconfirmed, which is
        # tried once more after an hour and spends no login: Fintoc refuses before it asks the bank.
        "rejected_refresh_intent": _code(
            Reason.CREDENTIALS_UNCONFIRMED, "refused lately: after an hour once more, then reconnect", _ERRORS
        ),
        "on_demand_policy_required": _code(
            Reason.NOT_PERMITTED, "the organisation lacks on-demand refreshes"
        ),
        "on_demand_refresh_unavailable": _code(Reason.NOT_PERMITTED, "no on-demand refresh for this link"),
        "invalid_on_demand_link": _code(Reason.NOT_PERMITTED, "no on-demand refresh for this link"),
        "institution_credentials_invalid": _code(Reason.CREDENTIALS_REJECTED, "reconnect"),
        "locked_credentials": _code(Reason.CREDENTIALS_LOCKED, "unlock at the bank"),
        "unavailable_institution": _code(Reason.INSTITUTION_UNAVAILABLE, "the bank was not there"),
        "invalid_link_token": _code(Reason.LINK_GONE, "no such link any more"),
        "missing_resource": _code(Reason.LINK_GONE, "no such link any more"),
        "invalid_api_key": _code(Reason.CONFIGURATION, "the key is wrong"),
        "expired_api_key": _code(Reason.CONFIGURATION, "the key is out of date"),
        "invalid_api_key_mode": _code(
            Reason.CONFIGURATION, "a live key for a test link, or the other way round"
        ),
        "invalid_api_version": _code(Reason.CONFIGURATION, "no such API version"),
        "payment_required": _code(Reason.NOT_PERMITTED, "the account is not paid"),
        "product_access_required": _code(Reason.NOT_PERMITTED, "the plan lacks the product"),
        "forbidden_request": _code(Reason.NOT_PERMITTED, "not allowed"),
        "forbidden_account": _code(Reason.NOT_PERMITTED, "not allowed"),
        "invalid_refresh_type": _code(Reason.NOT_SUPPORTED, "no such refresh type"),
        "not_supported_product": _code(Reason.NOT_SUPPORTED, "not for this product"),
        "operation_not_allowed": _code(Reason.NOT_SUPPORTED, "not for this link"),
        "internal_server_error": _code(Reason.PROVIDER_ERROR, "an error of Fintoc's"),
        "core_response": _code(Reason.PROVIDER_ERROR, "an error of Fintoc's"),
    }
)
"""Error codes of a create. The status and the message are not looked at, with the one exception below."""


def refused_for_good(code: str | None, message: str | None) -> bool:
    """Whether ``rejected_refresh_intent`` says *reconnect* and nothing of an hour.

    The message only ever makes us stricter, never bolder: it is not a basis for a retry.
    """
    text = (message or "").lower()
    return code == "rejected_refresh_intent" and "reconnect" in text and "hour" not in text


def _account_id(data: Payload) -> AccountId:
    return AccountId(data.text("refreshed_object_id", "account_id"))


def _account(data: Payload) -> Subject:
    return Subject(account_id=_account_id(data))


def _link(data: Payload) -> Subject:
    return Subject(link_id=LinkId(data.text("id")))


def _nobody(_data: Payload) -> Subject:
    return Subject()


def _reported(status: AccountStatus) -> Callable[[Payload, datetime], Statement]:
    def says(data: Payload, at: datetime) -> Statement:
        account_id = _account_id(data)
        if data.maybe_text("refreshed_object") not in ("account", None):
            return NotUnderstood(why="a result that is not about an account")
        good = status is AccountStatus.SUCCEEDED
        return AccountReported(
            result=AccountResult(
                account_id=account_id,
                status=status,
                reported_at=at,
                failure=None if good else failure_for(status.value, data.maybe_text("public_error")),
                new_movements=data.maybe_integer("new_movements"),
            )
        )

    return says


def _amended(data: Payload, _at: datetime) -> Statement:
    rows = data.sections("movements_changed")
    return MovementsAmended(account_id=_account_id(data), movement_ids=_ids(rows))


def _removed(data: Payload, _at: datetime) -> Statement:
    # undocumented: the payload. The events table says it is a refresh intent; a community client reads a list.
    rows = data.sections("movements_removed", "movements", "items")
    return MovementsRemoved(account_id=_account_id(data), movement_ids=_ids(rows))


def _ids(rows: tuple[Payload, ...]) -> tuple[MovementId, ...]:
    return tuple(MovementId(row.text("id")) for row in rows)


def _invoices(_data: Payload, _at: datetime) -> Statement:
    return NotUnderstood(why="of the invoices product, which says nothing of movements")


EVENTS: Final[Mapping[str, Translation]] = MappingProxyType(
    {
        "account.refresh_intent.succeeded": Translation(
            about=_account, says=_reported(AccountStatus.SUCCEEDED), means="the account is fresh"
        ),
        "account.refresh_intent.failed": Translation(
            about=_account,
            says=_reported(AccountStatus.FAILED),
            means="the account failed, by the results table",
        ),
        "account.refresh_intent.rejected": Translation(
            about=_account,
            says=_reported(AccountStatus.REJECTED),
            means="the bank refused, by the results table",
        ),
        "account.refresh_intent.movements_modified": Translation(
            about=_account, says=_amended, means="rows changed: read them again"
        ),
        "account.refresh_intent.movements_removed": Translation(
            about=_account, says=_removed, means="rows vanished: read the account again"
        ),
        "link.created": Translation(
            about=_link, says=lambda _d, _a: LinkConnected(), means="the link is connected"
        ),
        "link.credentials_changed": Translation(
            about=_link, says=lambda _d, _a: CredentialsChanged(), means="the password changed: reconnect"
        ),
        # undocumented: whether movements ever use these two; the documentation gives them to invoices.
        "link.refresh_intent.succeeded": Translation(
            about=_nobody, says=_invoices, means="kept: invoices only"
        ),
        "link.refresh_intent.failed": Translation(about=_nobody, says=_invoices, means="kept: invoices only"),
    }
)
"""The event types of bank data. https://docs.fintoc.com/api/main-resources/events-reference/types-of-events"""


def said_by_a_test(event: Payload) -> TestDelivery | None:
    """A dashboard's test event: test mode and an account id of zeros, in camel case on an older page.

    https://docs.fintoc.com/docs/webhooks-testing
    """
    data = event.maybe_section("data")
    account_id = None if data is None else data.maybe_text("refreshed_object_id", "account_id")
    placeholder = account_id is not None and not account_id.removeprefix("acc_").strip("0")
    return TestDelivery() if placeholder and event.maybe_text("mode") == "test" else None
