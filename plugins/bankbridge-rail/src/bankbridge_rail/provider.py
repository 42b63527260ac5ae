"""Rail's settings, conversations and deliveries."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final, cast

import attrs

from bankbridge.banking import Account, LinkFacts, Movement, MovementPage, balance_of, money_of
from bankbridge.machine.attempt import Attempt, PromptKind
from bankbridge.machine.events import CreateRefused, CreateUnclear, Event, RefreshStarted, RefreshVanished
from bankbridge.machine.intent import Scope
from bankbridge.machine.link import Institution, Link, LinkStatus
from bankbridge.machine.notices import Notice
from bankbridge.payload import Payload, payloads
from bankbridge.provider import Capabilities, Correlation, Evidence, Granularity, Pace
from bankbridge.refusals import failure_of
from bankbridge.settings import base_url_field, secret_field, secrets_field
from bankbridge.translation import identity_of, translate_by
from bankbridge.webhooks import TOLERANCE, Delivery, Verification, verify_signature
from bankbridge.wire import Flow, Request, Response, ask, path_of, refusal
from bankbridge.words.errors import PayloadError
from bankbridge.words.ids import AccountId, LinkId, MovementId, RefreshId
from bankbridge_rail.tables import EVENTS, intent_event

_REFRESH_TYPES: Final[Mapping[Scope, str]] = MappingProxyType(
    # https://docs.rail.cl/guides/mfa-handling (full), https://docs.rail.cl/banks (historical)
    {Scope.LATEST: "full", Scope.HISTORICAL: "historical"}
)

_LINK_STATUSES: Final[Mapping[str, LinkStatus]] = MappingProxyType(
    {"active": LinkStatus.ACTIVE, "expired": LinkStatus.EXPIRED}
)

# undocumented: a community client takes a page of fewer than 30 rows for the last one.
_PAGE: Final = 30
_MOST_PAGES: Final = 1000

_SERVER_ERROR: Final = 500


@attrs.frozen(kw_only=True)
class Rail:
    """Rail (https://docs.rail.cl). One event ends a refresh; a code from the bank is given in Rail's widget.

    ``secret_key`` is the server's key (``rail_sk_test_…`` or ``rail_sk_live_…``), which also decides the mode;
    ``webhook_secrets`` are the endpoint's secrets (``whsec_…``), several while one is rotated;
    ``signature_tolerance`` is how far a delivery's time may be from ours.
    """

    name: ClassVar[str] = "rail"
    capabilities: ClassVar[Capabilities] = Capabilities(
        granularity=Granularity.LINK,
        correlation=Correlation.REFRESH_ID,
        event_ids=True,
        idempotency_keys=True,
        replays_errors=False,  # undocumented: the same key is sent again, which is safe under every reading
        finds_running=False,  # no list of refresh intents is documented
        cancels=True,
        prompts=frozenset({PromptKind.WIDGET}),
        scopes=frozenset(_REFRESH_TYPES),
        first_poll=timedelta(seconds=30),
        longest_poll=timedelta(minutes=2),
        poll_floor=timedelta(seconds=5),  # https://docs.rail.cl/guides/mfa-handling
        date_windows=False,
        # https://docs.rail.cl/guides/mfa-handling: more than 100 in a minute are answered 429. Ten are left for what
        # a person asks for.
        pace=Pace(most=90, per=timedelta(minutes=1)),
        event_types=frozenset(EVENTS),
    )

    secret_key: str = secret_field(
        wrong={"rail_pk_": "is a publishable key: use the secret key"},
        usual={"rail_sk_test_": "test", "rail_sk_live_": "live"},  # https://docs.rail.cl/quickstart
    )
    # https://docs.rail.cl/guides/webhooks
    webhook_secrets: tuple[str, ...] = secrets_field(usual={"whsec_": None})
    base_url: str = base_url_field(default="https://api.rail.cl")
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
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        return Request(
            method=method,
            path=path,
            query=query or {},
            headers={"authorization": f"Bearer {self.secret_key}", **(headers or {})},
            body=body,
            secrets=self.secrets,
        )

    # --- refresh ---------------------------------------------------------------------------------------------

    def create_refresh(
        self, link: Link, attempt: Attempt, *, scope: Scope, look_first: bool, now: datetime
    ) -> Flow[Evidence]:
        """``POST /v1/refresh_intents`` with an ``Idempotency-Key``. https://docs.rail.cl/guides/mfa-handling

        There is no list to look in first, so a repeat relies on the same key, and on the event that names the link.
        """
        del look_first  # never asked for: ``finds_running`` is not declared
        request = self._request(
            "POST",
            "/v1/refresh_intents",
            body={"link_id": link.id, "refresh_type": _REFRESH_TYPES[scope]},
            headers={"idempotency-key": attempt.key},
        )
        response = yield request
        if response.ok:
            intent = Payload(response.json())
            started = RefreshStarted(
                refresh_id=RefreshId(intent.text("id")), started_at=intent.maybe_moment("created_at")
            )
            events: tuple[Event, ...] = (started, intent_event(intent, seen_at=now))
            return Evidence(events=events, words=_words(intent))
        refused = refusal(request, response)
        words = f"HTTP {refused.status} {refused.code or ''}".rstrip()
        if response.status >= _SERVER_ERROR:
            return Evidence(events=(CreateUnclear(detail=words, answered=True),), words=words)
        return Evidence(events=(CreateRefused(failure=failure_of(refused, now=now)),), words=words)

    def poll_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        """``GET /v1/refresh_intents/{id}``, not more often than every 5 s. https://docs.rail.cl/guides/mfa-handling"""
        del link
        request = self._request("GET", path_of("/v1/refresh_intents/{}", attempt.refresh_id or ""))
        response = yield request
        if response.status in (404, 410):
            return Evidence(events=(RefreshVanished(),), words=f"HTTP {response.status}")
        if not response.ok:
            raise refusal(request, response)
        intent = Payload(response.json())
        return Evidence(events=(intent_event(intent, seen_at=now),), words=_words(intent))

    def cancel_refresh(self, link: Link, attempt: Attempt, *, now: datetime) -> Flow[Evidence]:
        """``DELETE /v1/refresh_intents/{id}``. https://docs.rail.cl/guides/mfa-handling

        # undocumented: status, body and events of the answer. Any answer is taken, and none is waited for.
        """
        del link, now
        response = yield self._request("DELETE", path_of("/v1/refresh_intents/{}", attempt.refresh_id or ""))
        return Evidence(events=(), words=f"HTTP {response.status}")

    # --- reading ---------------------------------------------------------------------------------------------

    def link(self, link: Link) -> Flow[LinkFacts]:
        """The link's row in ``GET /v1/links``: a read of one link is not documented. https://docs.rail.cl/quickstart"""
        for row in (yield from self._list("/v1/links", {})):
            if row.maybe_text("id") == link.id:
                return _link_facts(row)
        raise refusal(self._request("GET", "/v1/links"), Response(status=404))

    def accounts(self, link: Link) -> Flow[tuple[Account, ...]]:
        """``GET /v1/accounts?link_id=``. https://docs.rail.cl/concepts/accounts"""
        rows = yield from self._list("/v1/accounts", {"link_id": link.id})
        return tuple(_account(row) for row in rows)

    def _list(self, path: str, query: Mapping[str, str]) -> Flow[tuple[Payload, ...]]:
        """A whole list of things with ids.

        # undocumented: whether it comes in pages. One that has none answers a second page with what is known.
        """
        known: list[Payload] = []
        ids: set[str | None] = set()
        for page in range(1, _MOST_PAGES + 1):
            paged = query if page == 1 else {**query, "page": str(page)}
            rows = _rows((yield from ask(self._request("GET", path, query=paged))))
            fresh = [row for row in rows if row.maybe_text("id") not in ids]
            known += fresh
            ids |= {row.maybe_text("id") for row in fresh}
            if not fresh or len(rows) < _PAGE:
                return tuple(known)
        raise PayloadError("$", f"the list at {path} does not end after {_MOST_PAGES} pages")

    def movements(
        self, link: Link, account_id: AccountId, *, since: date | None, until: date | None, page: int
    ) -> Flow[MovementPage]:
        """``GET /v1/accounts/{id}/movements``, seen in a community client only; no page of Rail's documents it.

        # undocumented: date filters, so every row is read and the reader keeps the days that were asked for.
        """
        del link, since, until
        path = path_of("/v1/accounts/{}/movements", account_id)
        query = {"page": str(page), "confirmed_only": "false"}
        response = yield from ask(self._request("GET", path, query=query))
        rows = _rows(response)
        return MovementPage(
            rows=tuple(_movement(row, account_id) for row in rows),
            has_next=len(rows) >= _PAGE,
            announced=None,
        )

    # --- deliveries ------------------------------------------------------------------------------------------

    def verify(self, delivery: Delivery, *, now: datetime) -> Verification:
        """The ``Rail-Signature`` header over the raw body. https://docs.rail.cl/guides/webhooks"""
        header = delivery.headers.get("rail-signature")
        return verify_signature(
            header, delivery.body, self.webhook_secrets, now=now, tolerance=self.signature_tolerance
        )

    def identity(self, delivery: Delivery) -> str:
        """The event's ``id``, documented as the key to de-duplicate by. https://docs.rail.cl/concepts/events"""
        return identity_of(delivery)

    def translate(self, delivery: Delivery) -> Sequence[Notice]:
        """One event, one notice. https://docs.rail.cl/concepts/events"""
        return translate_by(EVENTS, delivery)


def _words(intent: Payload) -> str:
    said = [f"{key}={value}" for key in ("status", "error_code") if (value := intent.maybe_text(key))]
    return " ".join(said)


def _rows(response: Response) -> tuple[Payload, ...]:
    """A bare list (https://docs.rail.cl/quickstart) or one under ``data``, which a community client expects too."""
    body: object = response.json()
    if isinstance(body, dict):
        # Without `data` it is no empty list: that would take a link's accounts away.
        return payloads(Payload(cast(object, body)).raw.get("data"), "$.data")
    return payloads(body)


def _link_facts(row: Payload) -> LinkFacts:
    institution = row.maybe_section("institution")
    bank = row.maybe_text("bank_id") if institution is None else institution.maybe_text("id")
    said = row.maybe_text("status")
    paused = row.maybe_flag("is_paused")
    return LinkFacts(
        id=LinkId(row.text("id")),
        status=LinkStatus.PAUSED if paused else _LINK_STATUSES.get(said or "", LinkStatus.ACTIVE),
        said=said,
        institution=None
        if bank is None
        else Institution(id=bank, name=None if institution is None else institution.maybe_text("name")),
        # The two spellings of one field: https://docs.rail.cl/concepts/events, https://docs.rail.cl/concepts/accounts
        refreshed_at=row.maybe_moment("last_synced_at", "last_sync_at"),
        raw=row.raw,
    )


def _account(row: Payload) -> Account:
    currency = row.text("currency")
    return Account(
        id=AccountId(row.text("id")),
        link_id=LinkId(row.text("link_id")),
        name=row.maybe_text("name", "official_name"),
        type=row.maybe_text("type"),
        currency=currency,
        number=row.maybe_text("number"),
        balance=balance_of(row.maybe_section("balance"), currency),
        refreshed_at=row.maybe_moment("refreshed_at", "last_sync_at"),
        removed=row.maybe_text("status") == "removed",
        raw=row.raw,
    )


def _movement(row: Payload, account_id: AccountId) -> Movement:
    identifier = row.maybe_text("id")
    return Movement(
        id=None if identifier is None else MovementId(identifier),
        account_id=account_id,
        amount=money_of(row.integer("amount"), row.text("currency")),
        post_date=row.maybe_day("post_date", "transaction_date", "date", "created_at"),
        transaction_at=None,
        description=row.maybe_text("description"),
        status=row.maybe_text("status"),
        type=row.maybe_text("type"),
        raw=row.raw,
    )
