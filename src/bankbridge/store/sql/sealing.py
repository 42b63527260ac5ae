"""Encryption at rest: values become JSON and then Fernet tokens, since they can hold secrets."""

from collections.abc import Sequence
from typing import TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bankbridge.codec import decode, encode
from bankbridge.words.errors import StoreKeyError

_T = TypeVar("_T")


def new_key() -> str:
    """A fresh key for a store: 32 random bytes as URL-safe base64. Keep it apart from the database."""
    return Fernet.generate_key().decode()


class Sealer:
    """Seals with the first of ``keys`` and opens with any of them, so that a key can be rotated.

    Raises `StoreKeyError` when there is none, or one is not of the right form.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if isinstance(keys, str) or not keys:
            msg = "store: needs a list of at least one key, since it holds secrets; new_key() makes one"
            raise StoreKeyError(msg)
        try:
            self._keys = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            msg = "store: a key must be 32 bytes as URL-safe base64; new_key() makes one"
            raise StoreKeyError(msg) from None

    def seal(self, value: object) -> bytes:
        """The value, unreadable without a key."""
        return self._keys.encrypt(encode(value).encode())

    def open(self, kind: type[_T], sealed: bytes, row: str) -> _T:
        """The value that was sealed. Raises `StoreKeyError`, naming the ``row``, when no key opens it."""
        try:
            text = self._keys.decrypt(sealed)
        except InvalidToken:
            raise _locked(row) from None
        return decode(kind, text.decode())

    def renew(self, sealed: bytes, row: str) -> bytes:
        """The same value, sealed with the first key. Raises `StoreKeyError` like `open`."""
        try:
            return self._keys.rotate(sealed)
        except InvalidToken:
            raise _locked(row) from None


def _locked(row: str) -> StoreKeyError:
    return StoreKeyError(f"{row}: none of the keys opens it; add the key that it was written with")
