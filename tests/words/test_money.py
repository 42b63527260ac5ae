"""Money is exact, or an error."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bankbridge.words.errors import MoneyError
from bankbridge.words.money import Money, exponent_of


@pytest.mark.parametrize(
    ("minor", "currency", "major", "text"),
    [
        (59400, "CLP", "59400", "59,400 CLP"),
        (-1050, "USD", "-10.50", "-10.50 USD"),
        (1, "USD", "0.01", "0.01 USD"),
        (389012345, "CLF", "38901.2345", "38,901.2345 CLF"),
        (1, "KWD", "0.001", "0.001 KWD"),
        (0, "MXN", "0.00", "0.00 MXN"),
    ],
)
def test_major_units(minor: int, currency: str, major: str, text: str):
    money = Money(minor, currency)
    assert str(money.decimal) == major
    assert str(money) == text
    assert Money.from_decimal(Decimal(major), currency) == money


@given(minor=st.integers(-(10**60), 10**60), currency=st.sampled_from(["CLP", "USD", "CLF", "TND"]))
def test_there_and_back_is_exact_whatever_the_context(minor: int, currency: str):
    with localcontext() as context:
        context.prec = 3
        assert Money.from_decimal(Money(minor, currency).decimal, currency) == Money(minor, currency)


def test_integers_beyond_any_context_stay_exact():
    assert Money(10**100 + 1, "USD").decimal.as_tuple().digits == Decimal(10**100 + 1).as_tuple().digits


@pytest.mark.parametrize("minor", [1.0, True, "1", None, Decimal(1)])
def test_only_whole_numbers_are_money(minor):
    with pytest.raises(MoneyError, match=r"minor .*: must be a whole number"):
        Money(minor, "CLP")


@pytest.mark.parametrize("exponent", [1.0, True, None])
def test_only_whole_numbers_are_exponents(exponent):
    with pytest.raises(MoneyError, match=r"exponent .*: must be a whole number"):
        Money(1, "CLP", exponent)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (Decimal("0.5"), "CLP"),
        (Decimal("0.001"), "USD"),
        (Decimal("0.00001"), "CLF"),
        (Decimal("NaN"), "USD"),
        (Decimal("sNaN"), "USD"),
        (Decimal("Infinity"), "USD"),
        (Decimal(f"{10**70}.001"), "USD"),
        (1.5, "USD"),
    ],
)
def test_nothing_is_rounded(amount, currency: str):
    with pytest.raises(MoneyError, match=r"amount .*: must be a Decimal with at most \d digits"):
        Money.from_decimal(amount, currency)


def test_trailing_zeros_are_no_digits():
    assert Money.from_decimal(Decimal("59400.00"), "CLP") == Money(59400, "CLP")


@pytest.mark.parametrize("currency", ["clp", "PESOS", "", "C1P", "ÄÖÜ", "https://points.example"])
def test_an_unknown_kind_of_currency_needs_its_exponent(currency: str):
    with pytest.raises(MoneyError, match="not an ISO 4217 code"):
        Money(1, currency)
    assert Money(15, currency, 1).decimal == Decimal("1.5")


def test_exponents():
    assert [exponent_of(code) for code in ("CLP", "USD", "EUR", "MXN", "CLF", "JPY")] == [0, 2, 2, 2, 4, 0]


def test_money_has_no_order():
    with pytest.raises(TypeError):
        assert Money(1, "CLP") < Money(1, "USD")  # type: ignore[operator]
