"""The script of the emulated bank: what each word makes of a refresh intent."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

Result: TypeAlias = tuple[str, str | None]
"""An account's status and public_error."""

SUCCEEDED: Final[Result] = ("succeeded", None)
RETRYABLE: Final[Result] = ("failed", "retryable_error")


@attrs.frozen(kw_only=True)
class Ending:
    """How an intent ends: the `last` account in one way, the `others` in another or the same."""

    others: Result
    last: Result
    afterwards: Literal["nothing", "invalid", "unconfirmed"] = "nothing"
    """What the link is left with: nothing, or credentials that are invalid or unconfirmed."""
    accounts: Literal["stay", "appears", "vanishes"] = "stay"
    """Whether the bank shows an account more, or the last one no more."""


def _all(result: Result, afterwards: Literal["nothing", "invalid", "unconfirmed"] = "nothing") -> Ending:
    return Ending(others=result, last=result, afterwards=afterwards)


# undocumented: which public_error goes with which status; the two credentials values can only be a refusal.
ENDINGS: Final[Mapping[str, Ending]] = MappingProxyType(
    {
        "succeeds": _all(SUCCEEDED),
        "mixed": Ending(others=SUCCEEDED, last=RETRYABLE),
        "fails": _all(RETRYABLE),
        "fails_plain": _all(("failed", None)),
        "needs_support": _all(("failed", "support_required_error")),
        "rejects": _all(("rejected", "invalid_credentials_error"), "invalid"),
        "locks": _all(("rejected", "credentials_locked_error")),
        "rejects_unconfirmed": _all(("rejected", None), "unconfirmed"),
        "account_appears": Ending(others=SUCCEEDED, last=SUCCEEDED, accounts="appears"),
        "account_vanishes": Ending(others=SUCCEEDED, last=SUCCEEDED, accounts="vanishes"),
    }
)

# undocumented: what a wrong code brings; neither of the two credentials values says it.
WRONG_CODE: Final = _all(("rejected", None))

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "succeeds": "every account succeeds",
        "mixed": "the last account fails, the others succeed",
        "fails": "every account fails with retryable_error",
        "fails_plain": "every account fails, and public_error is null",
        "needs_support": "every account fails with support_required_error",
        "rejects": "the credentials are invalid, and the link needs a reconnection",
        "locks": "the credentials are locked at the bank",
        "rejects_unconfirmed": "the bank refused, Fintoc is not sure why, and refuses creates for an hour",
        "account_appears": "the bank shows an account more, and every account succeeds",
        "account_vanishes": "the bank does not show the last account any more; the others succeed",
        "refused_confirmed": "the create is refused: reconnect",
        "refused_unconfirmed": "the create is refused for an hour from the first one on",
        "refused_invalid": "the create is refused with institution_credentials_invalid; only its code is known",
        "refused_locked": "the create is refused with locked_credentials; only its code is known",
        "mfa": "nothing starts until the person opens the widget",
        "stuck": "never ends",
        "errors_500": "the create answers 500 and creates nothing",
        "bank_unavailable": "the create answers that the bank is unavailable, and creates nothing",
        "response_lost": "created, but the connection closes before the answer; then every account succeeds",
        "already_running": "somebody else started a refresh a moment before; that one succeeds",
        "cooldown": "refreshed a little before: refused until the five minutes are over, then succeeds",
    }
)
"""The script words of a link, and what a refresh intent does for each."""

FEWEST_ACCOUNTS: Final[Mapping[str, int]] = MappingProxyType({"mixed": 2, "account_vanishes": 2})


def fewest_accounts(attempts: Iterable[str]) -> int:
    """How many accounts a link with this script needs."""
    return max(FEWEST_ACCOUNTS.get(word, 1) for word in attempts)
