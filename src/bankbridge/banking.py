"""What a refresh is for: accounts and movements as normalized values, the provider's own words kept beside them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import attrs

from bankbridge.machine.link import Institution, LinkStatus
from bankbridge.payload import Payload
from bankbridge.words.errors import MoneyError, PayloadError
from bankbridge.words.ids import AccountId, LinkId, MovementId
from bankbridge.words.money import Money


@attrs.frozen(kw_only=True)
class LinkFacts:
    """A link as the provider shows it. ``status`` is ours, ``said`` the provider's own word for it."""

    id: LinkId
    status: LinkStatus
    said: str | None = None
    institution: Institution | None = None
    refreshed_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Balance:
    """A balance. What ``available`` and ``current`` mean differs by account type: see the provider's page."""

    available: Money | None = None
    current: Money | None = None
    limit: Money | None = None


def money_of(minor: int, currency: str) -> Money:
    """Whole minor units as a provider sent them. Raises `PayloadError` for a currency without a known exponent."""
    try:
        return Money(minor, currency)
    except MoneyError:
        raise PayloadError("$.currency", "must be an ISO 4217 code") from None


def balance_of(amounts: Payload | None, currency: str) -> Balance:
    """A balance from an object of whole minor units under ``available``, ``current`` and ``limit``.

    Raises `PayloadError` for a currency without a known exponent.
    """

    def money(key: str) -> Money | None:
        minor = None if amounts is None else amounts.maybe_integer(key)
        return None if minor is None else money_of(minor, currency)

    return Balance(available=money("available"), current=money("current"), limit=money("limit"))


@attrs.frozen(kw_only=True)
class Account:
    """An account. ``number`` is a secret; ``type`` is the provider's own word, an open list.

    ``removed`` means that the bank no longer shows it.
    """

    id: AccountId
    link_id: LinkId
    name: str | None = None
    type: str | None = None
    currency: str
    number: str | None = attrs.field(default=None, repr=False)
    balance: Balance = Balance()
    refreshed_at: datetime | None = None
    removed: bool = False
    raw: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Movement:
    """A movement. Negative ``amount`` is money out.

    ``id`` is ``None`` where the provider sent none: two such rows can't be told apart, so none is ever dropped.
    ``post_date`` is the bank's accounting day, a date. ``status`` and ``type`` are the provider's own words, open
    lists; a row that is not ``confirmed`` may still change or vanish.
    """

    id: MovementId | None
    account_id: AccountId
    amount: Money
    post_date: date | None
    transaction_at: datetime | None = None
    description: str | None = None
    status: str | None = None
    type: str | None = None
    raw: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class MovementPage:
    """One page of a list. ``announced`` is the provider's count of all rows of the query, where it has one."""

    rows: tuple[Movement, ...]
    has_next: bool
    announced: int | None = None
