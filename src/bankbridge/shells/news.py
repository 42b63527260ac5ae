"""What the library tells the application unasked, after the commit that made it true."""

from typing import TypeAlias

import attrs

from bankbridge.machine.link import Link
from bankbridge.machine.outcome import Outcome
from bankbridge.words.ids import AccountId, LinkId, MovementId


@attrs.frozen(kw_only=True)
class OutcomeChanged:
    """An intent moved: its status or its next step is another one."""

    outcome: Outcome


@attrs.frozen(kw_only=True)
class LinkChanged:
    """A link's status, accounts or credentials changed."""

    link: Link


@attrs.frozen(kw_only=True)
class DataArrived:
    """The provider refreshed something by itself: these accounts are worth reading."""

    link_id: LinkId
    accounts: tuple[AccountId, ...]
    new_movements: int | None = None


@attrs.frozen(kw_only=True)
class MovementsChanged:
    """Rows were changed or taken away behind the reader's back."""

    link_id: LinkId
    account_id: AccountId | None
    movement_ids: tuple[MovementId, ...]
    removed: bool


News: TypeAlias = OutcomeChanged | LinkChanged | DataArrived | MovementsChanged
