"""Fintoc's links, accounts and movements as our values."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bankbridge.banking import Account, LinkFacts, Movement, balance_of, money_of
from bankbridge.machine.link import Institution, LinkStatus
from bankbridge.payload import Payload
from bankbridge.words.ids import AccountId, LinkId, MovementId

_LINK_STATUSES: Final[Mapping[str, LinkStatus]] = MappingProxyType(
    # https://docs.fintoc.com/api/movements-api/links/link-object; "inactive" is what the command line filters by
    {
        "active": LinkStatus.ACTIVE,
        "login_required": LinkStatus.NEEDS_RECONNECT,
        "inactive": LinkStatus.PAUSED,
    }
)


def link_facts_of(row: Payload) -> LinkFacts:
    """A link. https://docs.fintoc.com/api/movements-api/links/link-object"""
    institution = row.maybe_section("institution")
    said = row.maybe_text("status")
    inactive = row.maybe_flag("active") is False
    return LinkFacts(
        id=LinkId(row.text("id")),
        status=LinkStatus.PAUSED if inactive else _LINK_STATUSES.get(said or "", LinkStatus.ACTIVE),
        said=said,
        institution=None
        if institution is None
        else Institution(id=institution.text("id"), name=institution.maybe_text("name")),
        refreshed_at=row.maybe_moment("last_time_refreshed"),
        raw=row.raw,
    )


def account_of(row: Payload, link_id: LinkId) -> Account:
    """An account: nothing in it names its link. https://docs.fintoc.com/api/movements-api/accounts/accounts-object"""
    currency = row.text("currency")
    return Account(
        id=AccountId(row.text("id")),
        link_id=link_id,
        name=row.maybe_text("name", "official_name"),
        type=row.maybe_text("type"),
        currency=currency,
        number=row.maybe_text("number"),
        balance=balance_of(row.maybe_section("balance"), currency),
        refreshed_at=row.maybe_moment("refreshed_at"),
        removed=row.maybe_flag("removed_from_link") is True,
        raw=row.raw,
    )


def movement_of(row: Payload, account_id: AccountId) -> Movement:
    """A movement; the sign is already ours. https://docs.fintoc.com/api/movements-api/movements/movements-object"""
    return Movement(
        id=MovementId(row.text("id")),
        account_id=account_id,
        amount=money_of(row.integer("amount"), row.text("currency")),
        post_date=row.maybe_day("post_date"),
        transaction_at=row.maybe_moment("transaction_date"),
        description=row.maybe_text("description"),
        status=row.maybe_text("status"),
        type=row.maybe_text("type"),
        raw=row.raw,
    )
