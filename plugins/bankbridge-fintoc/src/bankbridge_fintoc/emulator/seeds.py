"""What an emulated bank holds: institutions, accounts and their movements, the same for the same seed."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Final

from bankbridge.emulation import check_word
from bankbridge_fintoc.emulator.world import ALPHABET, Account, Movement, World

# https://docs.fintoc.com/docs/products-and-institutions
INSTITUTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cl_banco_de_chile": "Banco de Chile",
        "cl_banco_santander": "Banco Santander",
        "cl_banco_itau": "Banco Itaú",
        "cl_banco_bice": "Banco BICE",
        "cl_banco_scotiabank": "Scotiabank",
        "cl_banco_bci": "Banco BCI",
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

HISTORY_ROWS: Final = 75
HISTORY_DAYS: Final = 40
MOST_NEW_ROWS: Final = 4

# How movements are spread over Fintoc's statuses: one draw in twenty is in each of the last three.
STATUSES: Final = ("confirmed",) * 17 + ("processing", "reversed", "duplicated")
TYPES: Final = ("transfer", "transfer", "check", "other")


def institution(institution_id: str | None) -> Mapping[str, str]:
    """The institution of this id, the first one for None; raises `UnknownWordError` naming the nearest."""
    chosen = institution_id or next(iter(INSTITUTIONS))
    check_word("institution", chosen, INSTITUTIONS)
    return MappingProxyType({"id": chosen, "country": "cl", "name": INSTITUTIONS[chosen]})


def new_account(world: World, position: int, now: datetime) -> Account:
    """The account at this place of a link, with its history."""
    kind, name, official_name, currency = ACCOUNT_KINDS[position % len(ACCOUNT_KINDS)]
    account_id = world.ids.new("acc_")
    source = Random(f"{world.seed} {account_id}")  # noqa: S311  invented data, not a secret
    account = Account(
        id=account_id,
        type=kind,
        name=name,
        official_name=official_name,
        number=str(source.randrange(10**9, 10**10)),
        currency=currency,
        balance=source.randrange(100_000, 9_000_000),
        refreshed_at=now,
        source=source,
    )
    for _ in range(HISTORY_ROWS):
        _add_row(account, now.date() - timedelta(days=source.randrange(1, HISTORY_DAYS)))
    return account


def bring_new_movements(account: Account, today: date) -> int:
    """Let the bank show some new rows and say how many; the second of them is back-dated by three days."""
    count = account.source.randrange(1, MOST_NEW_ROWS + 1)
    for position in range(count):
        _add_row(account, today - timedelta(days=3 if position == 1 else 0))
    return count


def _add_row(account: Account, day: date) -> None:
    source = account.source
    account.movements.append(
        Movement(
            id="mov_" + "".join(source.choices(ALPHABET, k=16)),
            post_date=day,
            amount=source.choice((-1, 1)) * source.randrange(1_000, 500_000),
            currency=account.currency,
            description=f"Movimiento de prueba {source.randrange(10**6)}",
            type=source.choice(TYPES),
            status=source.choice(STATUSES),
            reference_id=str(source.randrange(10**8, 10**9)),
        )
    )
