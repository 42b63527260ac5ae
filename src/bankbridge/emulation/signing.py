"""How a provider proves that a webhook is its own."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Sign: TypeAlias = Callable[[str, bytes, int], Mapping[str, str]]
"""``sign(secret, body, unix_timestamp)`` gives the headers that prove a delivery."""

_NOT_OURS: Final = "a secret that nobody was given"


def sign_hmac_v1(header_name: str) -> Sign:
    """The signature of both first providers: ``HEADER: t=<unix>,v1=<hex>``.

    The digest is HMAC-SHA256 over ``<t>.<raw body>`` with the whole secret, prefix and all, as the key:
    https://docs.rail.cl/guides/webhooks and
    https://docs.fintoc.com/guides/resources/webhooks-walkthrough/webhooks-validating.
    """

    def sign(secret: str, body: bytes, timestamp: int) -> Mapping[str, str]:
        message = str(timestamp).encode() + b"." + body
        digest = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        return {header_name: f"t={timestamp},v1={digest}"}

    return sign


def sign_twice(sign: Sign) -> Sign:
    """The same with one more signature at the end, by a secret that is not the endpoint's.

    For schemes that write their signatures in a row, separated by commas.
    """

    def signed_twice(secret: str, body: bytes, timestamp: int) -> Mapping[str, str]:
        other = sign(_NOT_OURS, body, timestamp)
        return {
            name: f"{value},{other[name].rpartition(',')[2]}"
            for name, value in sign(secret, body, timestamp).items()
        }

    return signed_twice
