"""The banks that the emulated Rail knows."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

AsksForCode: TypeAlias = Literal["always", "sometimes", "never"]


@attrs.frozen(kw_only=True)
class Bank:
    """A bank, and what https://docs.rail.cl/banks says of it; the rows from Itaú on are not verified."""

    name: str
    asks_for_code: AsksForCode = "never"
    history: timedelta = timedelta(days=90)
    has_historical: bool = False


_SHORT: Final = timedelta(days=60)

BANKS: Final[Mapping[str, Bank]] = MappingProxyType(
    {
        "banco_estado": Bank(name="BancoEstado", asks_for_code="sometimes", has_historical=True),
        "banco_chile": Bank(name="Banco de Chile"),
        "banco_falabella": Bank(name="Banco Falabella"),
        "santander": Bank(name="Santander", asks_for_code="always", history=_SHORT),
        "bci": Bank(name="BCI", asks_for_code="always", history=_SHORT),
        "bice": Bank(name="BICE", history=_SHORT),
        "itau": Bank(name="Itaú"),
        "scotia": Bank(name="Scotiabank"),
        "cencosud": Bank(name="Cencosud"),
        "mercado_pago": Bank(name="Mercado Pago"),
    }
)
"""By the ids of https://docs.rail.cl/api-reference/links/crear-link-bancario."""
