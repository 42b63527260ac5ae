"""Fintoc's settings, conversations and deliveries."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final

import attrs

from bankbridge.banking import Account, LinkFacts, MovementPage
from bankbridge.machine.attempt import AccountResult, AccountStatus, Attempt, Prompt, PromptKind, prompt_id
from bankbridge.machine.events import (
    AccountReported,
    CreateRefused,
    CreateUnclear,
    Event,
    PromptOffered,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshStarted,
    RefreshSucceeded,
    RefreshVanished,
)
from bankbridge.machine.intent import Scope
from bankbridge.machine.link import Link
from bankbridge.machine.notices import Notice
from bankbridge.payload import Payload, payloads
from bankbridge.provider import Capabilities, Correlation, Evidence, Granularity
from bankbridge.refusals import failure_of
from bankbridge.settings import base_url_field, secret_field, secrets_field
from bankbridge.translation import identity_of, translate_by
from bankbridge.webhooks import TOLERANCE, Delivery, Verification, verify_signature
from bankbridge.wire import Flow, Request, Response, ask, path_of, refusal
from bankbridge.words.errors import NotSupportedError, PayloadError, RefusedError
from bankbridge.words.ids import AccountId, RefreshId
from bankbridge.words.reasons import Failure, Reason
from bankbridge_fintoc.keys import KEYS, WEBHOOK_SECRETS
from bankbridge_fintoc.rows import account_of, link_facts_of, movement_of
from bankbridge_fintoc.tables import CREATE_REASONS, EVENTS, failure_for, refused_for_good, said_by_a_test

_REFRESH_TYPES: Final[Mapping[Scope, str]] = MappingProxyType(
    # https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-create
    {Scope.LATEST: "only_last", Scope.HISTORICAL: "historical"}
)

_PER_PAGE: Final = 300
# Far more accounts than a person has: a list that is longer does not end.
_MOST_PAGES: Final = 20
_SERVER_ERROR: Final = 500
_OVER: Final = frozenset({"succeeded", "failed", "rejected", "canceled", "cancelled"})

# On a read the same code as a create's cooldown is the HTTP limiter, and nothing there refuses a login.
_READ_REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        code: meaning.reason
        for code, meaning in CREATE_REASONS.items()
        if meaning.reason not in (Reason.COOLDOWN, Reason.CREDENTIALS_UNCONFIRMED)
    }
)

# What Fintoc's times lose of the moment that they tell: they end with milliseconds.
_CUT_OFF: Final = timedelta(milliseconds=1)
# How far Fintoc's clock may be behind ours when we look for a refresh that we may have started.
_SKEW: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Fintoc:
    """Fintoc (https://docs.fintoc.com). A link is addressed by its secret token; every account reports for itself.

    ``secret_key`` is the server's key (``sk_test_…`` or ``sk_live_…``), which also decides the mode;
    ``webhook_secrets`` are the endpoint's secrets (``whsec_…``), several while one is rotated; ``api_version``
    is sent as ``Fintoc-Version`` when given; ``signature_tolerance`` is how far a delivery's time may be from ours.
    """

    name: ClassVar[str] = "fintoc"
    capabilities: ClassVar[Capabilities] = Capabilities(
        granularity=Granularity.ACCOUNT,
        correlation=Correlation.ACCOUNT_AND_TIME,
        event_ids=True,
        idempotency_keys=True,
        replays_errors=True,  # https://docs.fintoc.com/reference/idempotent-requests
        finds_running=True,
        cancels=False,
        prompts=frozenset({PromptKind.WIDGET}),
        scopes=frozenset(_REFRESH_TYPES),
        # https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-create
        cooldowns=MappingProxyType(
            {Scope.LATEST: timedelta(minutes=5), Scope.HISTORICAL: timedelta(minutes=60)}
        ),
        first_poll=timedelta(seconds=30),
        longest_poll=timedelta(minutes=4),
        poll_floor=timedelta(seconds=30),
        date_windows=True,
        event_types=frozenset(name for name in EVENTS if not name.startswith("link.refresh_intent.")),
    )

    secret_key: str = secret_field(wrong={"pk_": "is a public key: use the secret key"}, usual=KEYS)
    webhook_secrets: tuple[str, ...] = secrets_field(usual=WEBHOOK_SECRETS)
    base_url: str = base_url_field(default="https://api.fintoc.com")
    api_version: str | None = None
    signature_tolerance: timedelta = TOLERANCE

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key and the webhook secrets."""
        return (self.secret_key, *self.webhook_secrets)

    def _request(
        self,
        method: str,
        path: str,
        *,
        link: Link,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        version = {} if self.api_version is None else {"fintoc-version": self.api_version}
        return Request(
            method=method,
            path=path,
            query=query or {},
            # The raw key, without a scheme. https://docs.fintoc.com/api/fintoc-api/authentication
            headers={"authorization": self.secret_key, **version, **(headers or {})},
            secrets=(*self.secrets, _token(link)),
        )

    def _page(self, path: str, link: Link, page: int = 1) -> Flow[tuple[tuple[Payload, ...], bool]]:
        """One page of a list, and whether there is another. The page number is ours: no URL is followed."""
        query = {"link_token": _token(link), "page": str(page), "per_page": str(_PER_PAGE)}
        response = yield from ask(self._request("GET", path, link=link, query=query))
        rows = payloads(response.json())
        return rows, bool(rows) and _has_next(response)

    # --- refresh ---------------------------------------------------------------------------------------------

    def create_refresh(
        self, link: Link, attempt: Attempt, *, scope: Scope, look_first: bool, now: datetime
    ) -> Flow[Evidence]:
        """``POST /v1/refresh_intents``, after a look at the accounts that it will be waited for.

        https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-create
        """
        try:
            accounts = yield from self.accounts(link)
            newest = (yield from self._newest(link)) if look_first else None
        except RefusedError as unread:
            failure = failure_of(unread, now=now, codes=_READ_REASONS)
            if failure.reason is Reason.PROVIDER_ERROR:
                raise  # nothing has been asked for yet
            return Evidence(events=(CreateRefused(failure=failure),), words=_refused_words(unread))
        if newest is not None and _may_be(newest, attempt, now):
            return _started(newest, accounts, now, adopted=True)
        request = self._request(
            "POST",
            "/v1/refresh_intents",
            link=link,
            query={"link_token": _token(link), "refresh_type": _REFRESH_TYPES[scope]},
            headers={"idempotency-key": attempt.key},
        )
        response = yield request
        if response.ok:
            return _started(Payload(response.json()), accounts, now, adopted=False)
        refused = refusal(request, response)
        words = _refused_words(refused)
        failure = _create_failure(refused, now)
        if response.status >= _SERVER_ERROR and failure.reason is Reason.PROVIDER_ERROR:
            return Evidence(events=(CreateUnclear(detail=words, answered=True),), words=words)
        if failure.reason is Reason.ALREADY_IN_PROGRESS:
            running = yield from self._newest(link)
            if running is not None and running.maybe_text("status") not in _OVER:
                return _started(running, accounts, now, adopted=True, words=words)
        return Evidence(events=(CreateRefused(failure=failure),), words=words)

    def _newest(self, link: Link) -> Flow[Payload | None]:
        """The link's newest refresh: the list has the newest first, and perhaps rows of single accounts."""
        rows, _ = yield from self._page("/v1/refresh_intents", link)
        return next((row for row in rows if row.maybe_text("refreshed_object") == "link"), None)

    def poll_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        """``GET /v1/refresh_intents/{id}``, and after a bad end the accounts, which tell the fresh ones apart.

        https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-get
        """
        path = path_of("/v1/refresh_intents/{}", attempt.refresh_id or "")
        request = self._request("GET", path, link=link, query={"link_token": _token(link)})
        response = yield request
        if response.status == 404:
            return Evidence(events=(RefreshVanished(),), words="HTTP 404")
        if not response.ok:
            raise refusal(request, response)
        intent = Payload(response.json())
        events = _state(intent, now)
        if isinstance(events[-1], RefreshFailed | RefreshRejected):
            accounts = yield from self.accounts(link)
            events = (*_by_account(attempt, accounts, events[-1]), *events)
        return Evidence(events=events, words=_words(intent))

    def cancel_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        """Fintoc has no way to cancel a refresh intent. Raises `NotSupportedError`."""
        del link, attempt, now
        msg = "fintoc: a refresh intent cannot be canceled there; it is left to run"
        raise NotSupportedError(msg)
        yield  # a flow, though it never gets this far

    # --- reading ---------------------------------------------------------------------------------------------

    def link(self, link: Link) -> Flow[LinkFacts]:
        """``GET /v1/links/{link_token}``: the path takes the token, not the id."""
        response = yield from ask(self._request("GET", path_of("/v1/links/{}", _token(link)), link=link))
        return link_facts_of(Payload(response.json()))

    def accounts(self, link: Link) -> Flow[tuple[Account, ...]]:
        """``GET /v1/accounts?link_token=``. https://docs.fintoc.com/api/movements-api/accounts/accounts-object"""
        accounts: list[Account] = []
        for page in range(1, _MOST_PAGES + 1):
            rows, more = yield from self._page("/v1/accounts", link, page)
            accounts += (account_of(row, link.id) for row in rows)
            if not more:
                return tuple(accounts)
        raise PayloadError("$", f"the list of accounts does not end after {_MOST_PAGES} pages")

    def movements(
        self, link: Link, account_id: AccountId, *, since: date | None, until: date | None, page: int
    ) -> Flow[MovementPage]:
        """``GET /v1/accounts/{id}/movements``. https://docs.fintoc.com/api/movements-api/movements/movements-list

        ``until`` is exclusive on one page and inclusive on another, so one day more is asked for.
        """
        query = {
            "link_token": _token(link),
            "confirmed_only": "false",
            "page": str(page),
            "per_page": str(_PER_PAGE),
        }
        if since is not None:
            query["since"] = since.isoformat()
        if until is not None and until < date.max:
            query["until"] = (until + timedelta(days=1)).isoformat()
        path = path_of("/v1/accounts/{}/movements", account_id)
        response = yield from ask(self._request("GET", path, link=link, query=query))
        rows = tuple(movement_of(row, account_id) for row in payloads(response.json()))
        count = response.headers.get("x-total-count", "")
        return MovementPage(
            rows=rows,
            has_next=bool(rows) and _has_next(response),
            announced=int(count) if count.isascii() and count.isdigit() else None,
        )

    # --- deliveries ------------------------------------------------------------------------------------------

    def verify(self, delivery: Delivery, *, now: datetime) -> Verification:
        """The ``Fintoc-Signature`` header over the raw body.

        https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating
        """
        header = delivery.headers.get("fintoc-signature")
        return verify_signature(
            header, delivery.body, self.webhook_secrets, now=now, tolerance=self.signature_tolerance
        )

    def identity(self, delivery: Delivery) -> str:
        """The event's ``id``. https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-good-practices"""
        return identity_of(delivery)

    def translate(self, delivery: Delivery) -> Sequence[Notice]:
        """One event, one notice. Webhooks come in the organisation's pinned version, so nothing extra is demanded."""
        return translate_by(EVENTS, delivery, instead=said_by_a_test)


def _token(link: Link) -> str:
    if link.token is None:
        msg = f"link {link.id}: Fintoc finds a link by its token, which was not given: add the link with it"
        raise NotSupportedError(msg)
    return link.token


def _has_next(response: Response) -> bool:
    return 'rel="next"' in response.headers.get("link", "")


def _words(intent: Payload) -> str:
    said = [f"{key}={value}" for key in ("status", "public_error") if (value := intent.maybe_text(key))]
    return " ".join([*said, "requires_mfa"] if intent.maybe_section("requires_mfa") else said)


def _refused_words(refused: RefusedError) -> str:
    return f"HTTP {refused.status} {refused.code or ''}".rstrip()


def _may_be(newest: Payload, attempt: Attempt, now: datetime) -> bool:
    """Whether the link's newest refresh can be the one that we may have started.

    Fintoc's clock is given some leeway, but not for one that is over: that could be the attempt before, and to ask
    again with the same key starts nothing new.
    """
    leeway = _CUT_OFF if newest.maybe_text("status") in _OVER else _SKEW
    return _created_at(newest, now) >= attempt.asked_at - leeway


def _created_at(intent: Payload, now: datetime) -> datetime:
    return intent.maybe_moment("created_at", "createdAt") or now


def _started(
    intent: Payload,
    accounts: tuple[Account, ...],
    now: datetime,
    *,
    adopted: bool,
    words: str | None = None,
) -> Evidence:
    started = RefreshStarted(
        refresh_id=RefreshId(intent.text("id")),
        expected=_waited_for(intent, accounts),
        started_at=intent.maybe_moment("created_at", "createdAt"),
        adopted=adopted,
    )
    said = _words(intent) if words is None else f"{words}, then {_words(intent)}"
    # A bad end is left for the next read, which also tells which accounts are fresh.
    state = tuple(
        event for event in _state(intent, now) if not isinstance(event, RefreshFailed | RefreshRejected)
    )
    return Evidence(events=(started, *state), words=said)


def _waited_for(intent: Payload, accounts: tuple[Account, ...]) -> tuple[AccountId, ...]:
    """The accounts to wait for; of a refresh that has succeeded, those that were there for it."""
    present = [account for account in accounts if not account.removed]
    began_at = intent.maybe_moment("created_at", "createdAt")
    if intent.maybe_text("status") == "succeeded" and began_at is not None:
        fresh = [one for one in present if one.refreshed_at is not None and one.refreshed_at >= began_at]
        present = fresh or present
    return tuple(account.id for account in present)


def _state(intent: Payload, now: datetime) -> tuple[Event, ...]:
    """What the link's refresh says of itself. Unknown statuses pass as progress: the set is open."""
    match intent.maybe_text("status"):
        case "succeeded":
            # No count: new_movements is documented for accounts only.
            return (RefreshSucceeded(),)
        case "failed" as status:
            return (RefreshFailed(failure=failure_for(status, intent.maybe_text("public_error"))),)
        case "rejected" as status:
            return (RefreshRejected(failure=failure_for(status, intent.maybe_text("public_error"))),)
        case "canceled" | "cancelled":  # undocumented
            return (RefreshCanceled(),)
        case _:
            return (_prompt_or_progress(intent, now),)


def _prompt_or_progress(intent: Payload, now: datetime) -> PromptOffered | RefreshProgressed:
    asked = intent.maybe_section("requires_mfa")
    if asked is None:
        return RefreshProgressed()
    # A field, not a status: nothing runs until the widget is opened. https://docs.fintoc.com/docs/refresh-intents-widget
    token = asked.text("widget_token")
    offered_at = min(_created_at(intent, now), now)
    return PromptOffered(prompt=Prompt(id=prompt_id(token), token=token, offered_at=offered_at))


def _by_account(
    attempt: Attempt, accounts: tuple[Account, ...], end: RefreshFailed | RefreshRejected
) -> tuple[AccountReported, ...]:
    """Which accounts a bad end left fresh: the ones refreshed since it began, by their own ``refreshed_at``.

    An account that owes its event is given the end's failure as the weakest of hints: its own event, should it
    still come, counts instead.
    """
    status = AccountStatus.FAILED if isinstance(end, RefreshFailed) else AccountStatus.REJECTED
    known = {account.id: account for account in accounts}
    results: list[AccountReported] = []
    for account_id in attempt.expected or ():
        account = known.get(account_id)
        if account is None or account.removed:
            result = _result(account_id, AccountStatus.VANISHED, attempt.since, None, read=True)
        elif account.refreshed_at is not None and account.refreshed_at >= attempt.since:
            result = _result(account_id, AccountStatus.SUCCEEDED, account.refreshed_at, None, read=True)
        else:
            result = _result(account_id, status, attempt.since, end.failure, read=False)
        results.append(AccountReported(result=result))
    return tuple(results)


def _result(
    account_id: AccountId, status: AccountStatus, at: datetime, failure: Failure | None, *, read: bool
) -> AccountResult:
    return AccountResult(account_id=account_id, status=status, reported_at=at, failure=failure, read=read)


def _create_failure(refused: RefusedError, now: datetime) -> Failure:
    codes = {code: meaning.reason for code, meaning in CREATE_REASONS.items()}
    failure = failure_of(refused, now=now, codes=codes)
    if refused_for_good(refused.code, refused.message):
        return attrs.evolve(failure, reason=Reason.CREDENTIALS_REJECTED)
    return failure
