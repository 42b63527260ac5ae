"""Ids that look random, and follow from the seed, the owner and a number: never from who came first."""

import hashlib
from collections import Counter


class Ids:
    """Makes the same ids in every run with the same ``seed``, also where links are worked on side by side."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._issued: Counter[tuple[str, ...]] = Counter()

    def hex(self, length: int, *key: str | int) -> str:
        """Hexadecimal digits that follow from the seed and the key."""
        text = ":".join(str(part) for part in (self._seed, *key))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]

    def of(self, prefix: str, *key: str | int) -> str:
        """``prefix``, an underscore and 16 digits, as in the examples of https://docs.rail.cl/concepts/events."""
        return f"{prefix}_{self.hex(16, prefix, *key)}"

    def number(self, *owner: str) -> int:
        """How many times a number was asked for this owner, this one included."""
        self._issued[owner] += 1
        return self._issued[owner]
