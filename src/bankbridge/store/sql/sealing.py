"""Encryption at rest: what can hold secrets is sealed.

Links, with the tokens that last, are JSON in Fernet tokens. Deliveries, intents and the log's events, which are written
again and again, are sealed by AES-GCM, a tenth of Fernet's work, with keys derived from the same ones. It is good for
2**32 of them under one key; rotate it before that. A delivery makes two or three: five months at a hundred each second.
https://github.com/fernet/spec/blob/master/Spec.md,
https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf
"""

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bankbridge.codec import decode, encode
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Link
from bankbridge.webhooks import Delivery
from bankbridge.words.errors import StoreKeyError

Renew: TypeAlias = Callable[[bytes, str], bytes | None]
"""From a sealed document, and its row for error texts, to the same sealed with the first key; ``None`` if it is."""

# JSON can say half a surrogate pair, so a provider can send one.
_LONE: Final = "surrogatepass"

_NONCE: Final = 12
_ABOUT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            msg = "store: a key must be 32 bytes as URL-safe base64; new_key() makes one"
            raise StoreKeyError(msg) from None
        self._first = fernets[0]
        self._fernet = MultiFernet(fernets)
        self._aes = [_derived(key) for key in keys]

    # --- links

    def seal_link(self, link: Link) -> bytes:
        """The link, unreadable without a key."""
        return self._fernet.encrypt(encode(link).encode(errors=_LONE))

    def open_link(self, sealed: bytes, row: str) -> Link:
        """The link that was sealed. Raises `StoreKeyError`, naming the ``row``, when no key opens it."""
        try:
            text = self._fernet.decrypt(sealed)
        except InvalidToken:
            raise _locked(row) from None
        return decode(Link, text.decode(errors=_LONE))

    def renew_link(self, sealed: bytes, row: str) -> bytes | None:
        """A `Renew`. Raises like `open_link`."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            pass
        else:
            return None
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken:
            raise _locked(row) from None

    # --- what is written often: intents, deliveries, and the events of the log

    def seal_intent(self, intent: RefreshIntent) -> bytes:
        """The intent, unreadable without a key."""
        return self._seal(encode(intent).encode(errors=_LONE))

    def open_intent(self, sealed: bytes, row: str) -> RefreshIntent:
        """The intent that was sealed. Raises like `open_link`."""
        return decode(RefreshIntent, self._open(sealed, row)[1].decode(errors=_LONE))

    def seal_delivery(self, delivery: Delivery) -> bytes:
        """The delivery, unreadable without a key; its body is taken as it is."""
        about = {
            "connection": delivery.connection,
            "headers": delivery.headers,
            "received_at": delivery.received_at.isoformat(),
        }
        return self._seal(_ABOUT.encode(about).encode(errors=_LONE) + b"\n" + delivery.body)

    def open_delivery(self, sealed: bytes, row: str) -> Delivery:
        """The delivery that was sealed. Raises like `open_link`."""
        _, plain = self._open(sealed, row)
        about, _, body = plain.partition(b"\n")
        fields = json.loads(about.decode(errors=_LONE))
        return Delivery(
            connection=fields["connection"],
            headers=fields["headers"],
            body=body,
            received_at=datetime.fromisoformat(fields["received_at"]).astimezone(UTC),
        )

    def seal_event(self, told: str) -> bytes:
        """An event's JSON, unreadable without a key."""
        return self._seal(told.encode(errors=_LONE))

    def open_event(self, sealed: bytes, row: str) -> str:
        """The JSON that was sealed. Raises like `open_link`."""
        return self._open(sealed, row)[1].decode(errors=_LONE)

    def renew_often(self, sealed: bytes, row: str) -> bytes | None:
        """A `Renew`. Raises like `open_link`."""
        number, plain = self._open(sealed, row)
        return self._seal(plain) if number else None

    def _seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._aes[0].encrypt(nonce, plain, None)

    def _open(self, sealed: bytes, row: str) -> tuple[int, bytes]:
        """The number of the key that opens it, and what was sealed."""
        nonce, rest = sealed[:_NONCE], sealed[_NONCE:]
        for number, aes in enumerate(self._aes):
            try:
                return number, aes.decrypt(nonce, rest, None)
            except InvalidTag:
                continue
        raise _locked(row)


def _derived(key: str) -> AESGCM:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"bankbridge: deliveries")
    return AESGCM(hkdf.derive(urlsafe_b64decode(key)))


def _locked(row: str) -> StoreKeyError:
    return StoreKeyError(f"{row}: none of the keys opens it; add the key that it was written with")
