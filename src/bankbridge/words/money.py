"""Money: whole minor units and a currency that knows how many of them make one."""

import decimal
from decimal import Decimal
from typing import Final

import attrs

from bankbridge.words.errors import MoneyError

_USUAL_EXPONENT: Final = 2

# ISO 4217 minor units, where they are not two.
_EXPONENTS: Final = {
    currency: exponent
    for exponent, currencies in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for currency in currencies.split()
}

# The default context rounds after 28 digits; an amount must not depend on it.
_EXACT: Final = decimal.Context(prec=64, traps=[decimal.Inexact, decimal.InvalidOperation])


def exponent_of(currency: str) -> int:
    """How many digits ``currency`` has after the point: 0 for CLP, 2 for USD, 4 for CLF.

    Raises `MoneyError` for a code that is not three capital letters: such a currency (points, miles, a
    URL) has no known exponent, so say it in ``Money(exponent=...)``.
    """
    if len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper():
        return _EXPONENTS.get(currency, _USUAL_EXPONENT)
    msg = f"currency {currency!r}: not an ISO 4217 code, so its exponent must be given"
    raise MoneyError(msg)


def _whole(instance: "Money", attribute: "attrs.Attribute[int]", value: object) -> None:
    del instance
    if type(value) is not int:
        msg = f"{attribute.name} {value!r}: must be a whole number (int), never a float or a bool"
        raise MoneyError(msg)


@attrs.frozen(order=False)
class Money:
    """An amount in whole minor units: ``Money(59400, "CLP")`` is 59,400 pesos, ``Money(1, "USD")`` one cent.

    Negative is money out of the account. ``exponent`` is the number of minor digits, by default that of
    ISO 4217. Raises `MoneyError` when ``minor`` is not an int.
    """

    minor: int = attrs.field(validator=_whole)
    currency: str
    exponent: int = attrs.field(
        default=attrs.Factory(lambda self: exponent_of(self.currency), takes_self=True),
        validator=_whole,
    )

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exactly: ``Money(-1050, "USD").decimal == Decimal("-10.50")``."""
        sign, digits, _ = Decimal(self.minor).as_tuple()
        return Decimal((sign, digits, -self.exponent))

    @classmethod
    def from_decimal(cls, amount: Decimal, currency: str) -> "Money":
        """Make money from major units.

        Raises `MoneyError` when the currency has fewer digits than ``amount``, or when that is no finite Decimal.
        """
        exponent = exponent_of(currency)
        try:
            minor = int(_EXACT.to_integral_exact(_EXACT.scaleb(amount, exponent)))
        except (decimal.DecimalException, TypeError, ValueError, OverflowError):
            msg = f"amount {amount!r}: must be a Decimal with at most {exponent} digits after the point"
            raise MoneyError(msg) from None
        return cls(minor, currency, exponent)

    def __str__(self) -> str:
        return f"{self.decimal:,f} {self.currency}"
