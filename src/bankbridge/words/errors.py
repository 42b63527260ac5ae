"""Errors, and whose fault each is.

::

    BankBridgeError
    ├── YoursError                  the application's: fix the call or the settings
    │   ├── ConfigurationError      every problem at once, each with its path
    │   ├── UnknownConnectionError
    │   ├── UnknownLinkError
    │   ├── UnknownIntentError
    │   ├── NotSupportedError       the provider cannot do this
    │   ├── EngineBusyError         the engine runs already
    │   ├── MoneyError
    │   └── StoreKeyError           a secret would be stored without a key, or none of the keys fits
    ├── ProviderError               the provider's
    │   ├── RefusedError            an answered refusal: status, code, message, request id
    │   ├── PayloadError            a payload without the shape it should have, with the path
    │   └── MovementsMissingError   a list that stayed shorter than the provider's own count
    ├── TransportError              the network's: no answer, so nobody knows what happened
    ├── StoreUnavailableError       the database's: it does not answer, or not in time; try again later
    ├── ImpossibleEventError        ours: an event that the transition table does not have
    └── StaleVersionError           nobody's: somebody else was first; read again

No message holds a key, a token or an account number.
"""

import difflib
from collections.abc import Iterable, Sequence


class BankBridgeError(Exception):
    """Everything this library raises on purpose."""


class YoursError(BankBridgeError):
    """The application's fault: fix the call or the settings."""


class ProviderError(BankBridgeError):
    """The provider's fault, or its answer."""


class TransportError(BankBridgeError):
    """No answer came, so nobody knows whether the request was carried out. Retry only what is safe."""


class StoreUnavailableError(BankBridgeError):
    """The database does not answer, or not in time. Nothing was changed, unless the text says that nobody knows."""


class StaleVersionError(BankBridgeError):
    """Somebody else changed the row first. Read it again and decide again."""


class ImpossibleEventError(BankBridgeError):
    """Our own code told an intent something that cannot happen in its status."""


class ConfigurationError(YoursError):
    """Settings that cannot work. ``problems`` has all of them, each as ``path: what is wrong``."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UnknownConnectionError(YoursError):
    """No connection has this name."""


class UnknownLinkError(YoursError):
    """No such link is stored: add it first."""


class UnknownIntentError(YoursError):
    """No such refresh intent is stored."""


class NotSupportedError(YoursError):
    """The provider does not declare this capability."""


class EngineBusyError(YoursError):
    """The engine runs already; it runs once at a time."""


class MoneyError(YoursError):
    """An amount that is not a whole number of minor units, or a currency without a known exponent."""


class StoreKeyError(YoursError):
    """A secret would be stored without a key, or no key opens what is stored."""


class RefusedError(ProviderError):
    """The provider answered and refused. Decide on ``code``, never on ``message``.

    ``status`` is the HTTP status; ``code`` and ``message`` are the provider's own, ``None`` where the answer
    had none; ``retry_after`` is the header as sent; ``request_id`` helps its support.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str | None,
        message: str | None,
        retry_after: str | None = None,
        request_id: str | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.request_id = request_id
        super().__init__(f"provider answered {status}: {code or 'no code'}: {message or 'no message'}")


class PayloadError(ProviderError):
    """A payload without the shape it should have. ``path`` names the offender, never its value."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class MovementsMissingError(ProviderError):
    """All rows were handed out, and they are fewer than the provider says there are. ``gaps`` says where."""

    def __init__(self, gaps: Sequence[object]) -> None:
        self.gaps = tuple(gaps)
        super().__init__(
            f"{len(self.gaps)} stretch(es) of movements stayed incomplete: {'; '.join(map(str, self.gaps))}"
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a text about a name that is not known: the nearest of those that are, or all of them."""
    match difflib.get_close_matches(name, known := tuple(known), n=1):
        case [best]:
            return f", did you mean {best!r}?"
        case _:
            return f" (known: {', '.join(known) or 'none'})"
