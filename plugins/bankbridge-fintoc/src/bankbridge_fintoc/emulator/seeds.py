"""What an emulated bank holds: institutions, and accounts that are the same for the same seed."""

from collections.abc import Mapping
from datetime import datetime
from random import Random
from types import MappingProxyType
from typing import Final

from bankbridge.emulation import check_word
from bankbridge_fintoc.emulator.objects import Account, Link
from bankbridge_fintoc.emulator.world import World

# https://docs.fintoc.com/docs/products-and-institutions
INSTITUTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cl_banco_de_chile": "Banco de Chile",
        "cl_banco_santander": "Banco Santander",
        "cl_banco_itau": "Banco Itaú",
        "cl_banco_bice": "Banco BICE",
        "cl_banco_scotiabank": "Scotiabank",
        "cl_banco_bci": "Banco BCI",
        "cl_banco_bci_360": "Banco BCI 360",
        "cl_banco_estado": "BancoEstado",
        "cl_banco_security": "Banco Security",
    }
)

# (type, name, official name, currency), given to the accounts of a link in turn.
ACCOUNT_KINDS: Final = (
    ("checking_account", "Cuenta Corriente", "Cuenta Corriente Moneda Local", "CLP"),
    ("line_of_credit", "Línea de Crédito", "Linea De Credito Personas", "CLP"),
    ("checking_account", "Cuenta Corriente Dólar", "Cuenta Corriente Moneda Extranjera", "USD"),
)

CREDIT_LINE: Final = 500_000
"""What the limit of a checking account has above its balance, as in the published example of a link."""

HISTORY_ROWS: Final = 75
HISTORY_DAYS: Final = 40


def institution(institution_id: str | None) -> Mapping[str, str]:
    """The institution of this id, the first one for None; raises `UnknownWordError` naming the nearest."""
    chosen = institution_id or next(iter(INSTITUTIONS))
    check_word("institution", chosen, INSTITUTIONS)
    return MappingProxyType({"id": chosen, "country": "cl", "name": INSTITUTIONS[chosen]})


def new_account(
    world: World, link: Link, at: datetime, *, rows: int = HISTORY_ROWS, days: int = HISTORY_DAYS
) -> Account:
    """The next account of a link, whose ``rows`` of the last ``days`` nobody has read yet; not added to the link."""
    position = link.number("account") - 1
    kind, name, official_name, currency = ACCOUNT_KINDS[position % len(ACCOUNT_KINDS)]
    account_id = world.ids.make("acc_", link.id, position)
    source = Random(f"{world.seed} {account_id}")  # noqa: S311  invented data, not a secret
    balance = source.randrange(100_000, 9_000_000)
    return Account(
        id=account_id,
        type=kind,
        name=name,
        official_name=official_name,
        number=str(source.randrange(10**9, 10**10)),
        currency=currency,
        balance=balance,
        limit=balance + (CREDIT_LINE if kind == "checking_account" else 0),
        refreshed_at=None,
        unread_history=rows,
        history_days=days,
        connected_on=at.date(),
    )
