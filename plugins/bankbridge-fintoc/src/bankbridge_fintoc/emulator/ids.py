"""Ids and tokens that look like Fintoc's, and follow from a seed and from what they belong to."""

import hashlib
import string
from typing import Final

ALPHABET: Final = string.digits + string.ascii_letters


class Ids:
    """The same seed and owner give the same id, whoever asked for what in between.

    Without prefixes (``prefixed=False``) they look like those of objects from before 2021-05-05:
    https://docs.fintoc.com/docs/api-changelog.
    """

    def __init__(self, seed: int, *, prefixed: bool = True) -> None:
        self._seed = seed
        self._prefixed = prefixed

    def make(self, prefix: str, *owner: str | int, size: int = 16) -> str:
        """The id of an object: ``owner`` says what it is, of whom, and the how manieth."""
        made = self._characters(prefix, owner, size)
        return prefix + made if self._prefixed else made

    def secret(self, prefix: str, *owner: str | int, size: int = 32) -> str:
        """A key or a webhook secret, whose prefix is always there."""
        return prefix + self._characters(prefix, owner, size)

    def _characters(self, prefix: str, owner: tuple[str | int, ...], size: int) -> str:
        text = ":".join(str(part) for part in (self._seed, prefix, *owner))
        number = int.from_bytes(hashlib.sha256(text.encode()).digest())
        characters: list[str] = []
        for _ in range(size):
            number, position = divmod(number, len(ALPHABET))
            characters.append(ALPHABET[position])
        return "".join(characters)
