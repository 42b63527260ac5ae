"""The script words: what the bank, and Rail, do with a refresh."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from bankbridge_rail.emulator.timings import Timings

BANK_UNAVAILABLE: Final = "bank_unavailable"
REJECTED: Final = "rejected_credentials"
TIMED_OUT: Final = "requires_mfa_user_timeout"
CANCELED: Final = "canceled"
LINK_DELETED: Final = "link_deleted"
UNSUPPORTED_TYPE: Final = "refresh_type_not_supported"
OUTSIDE_THE_CATALOGUE: Final = "unexpected_bank_response"
"""undocumented: the catalogue of codes is on a page that nobody has verified, so there are others."""

CreateAnswer: TypeAlias = Literal["given", "500", "lost", "429 first"]


@attrs.frozen
class Word:
    """What a script word means: in prose, for the request to create, and for the bank.

    The bank's part ends ``after`` that long with ``error_code`` (None: it succeeds); without ``after`` never.
    """

    says: str
    after: Callable[[Timings], timedelta] | None = lambda timings: timings.sync
    error_code: str | None = None
    asks_for_code: bool = False
    is_up_to_bank: bool = False
    create: CreateAnswer = "given"


WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "succeeds": Word("the sync ends well"),
        "fails": Word("the bank is not available", error_code=BANK_UNAVAILABLE),
        "fails_oddly": Word(
            "the sync fails with a code that no page of Rail's names", error_code=OUTSIDE_THE_CATALOGUE
        ),
        "rejects": Word("the bank refuses the credentials", error_code=REJECTED),
        "rejects_slowly": Word(
            "as `rejects`, after the time BancoEstado needs", lambda timings: timings.slow_rejection, REJECTED
        ),
        "mfa": Word("the bank asks for a code; the person decides how it ends", asks_for_code=True),
        "bank_decides": Word(
            "as `mfa` at Santander and BCI, and now and then at BancoEstado; else as `succeeds`",
            is_up_to_bank=True,
        ),
        "stuck": Word("nothing ever happens", after=None),
        "errors_500": Word("the create is answered 500, and makes no intent", create="500"),
        "response_lost": Word(
            "the intent is created, but the connection closes before the answer", create="lost"
        ),
        "rate_limited": Word("the first create is answered 429, the next as `succeeds`", create="429 first"),
    }
)
"""For refresh intents."""

AUTOMATIC_WORDS: Final = ("succeeds", "fails", "fails_oddly", "rejects", "mfa", "bank_decides")
"""Those of them that an automatic sync can follow."""
