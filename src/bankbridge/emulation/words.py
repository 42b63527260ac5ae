"""The words in which an emulator is told what to do, and what it says about a word it does not know."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

WEBHOOK_MODES: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {"normal": {}, "lost": {"drop": 1.0}, "twice": {"duplicate": 1.0}, "early": {"event_first": 1.0}}
)
"""How a link's webhooks come, and the faults that make it so: as they should; without the intents' outcomes; two
times each; before the answer to the request that caused them."""

_FEW: Final = 30
_NEAREST: Final = 5

PERSON_ACTS: Final = ("right_code", "wrong_code", "walk_away")
"""What a person can do at the widget."""


class UnknownWordError(ValueError):
    """A word that the emulator does not know; the message names the nearest that it does."""


class Script:
    """One word per refresh intent, in order; the last one repeats.

    Raises `UnknownWordError`, or ValueError when there is no word at all.
    """

    def __init__(self, words: Sequence[str], known: Iterable[str]) -> None:
        if not words:
            raise ValueError("attempts is empty: give at least one script word")
        known = tuple(known)
        for word in words:
            check_word("script word", word, known)
        self._words = tuple(words)
        self._next = 0

    @property
    def word(self) -> str:
        """What the next refresh intent does."""
        return self._words[min(self._next, len(self._words) - 1)]

    def take(self) -> str:
        """`word`, used up."""
        word = self.word
        self._next += 1
        return word


def check_word(kind: str, word: str, known: Iterable[str]) -> None:
    """Raise `UnknownWordError` unless ``word`` is one of the ``known``; ``kind`` says what it would be."""
    known = tuple(known)
    if word in known:
        return
    near = difflib.get_close_matches(word, known, n=_NEAREST, cutoff=0.0)
    hint = f"did you mean {near[0]!r}? " if near else ""
    # Seventy names would hide the one that was meant.
    told = f"known are {', '.join(known)}" if len(known) <= _FEW else f"the nearest are {', '.join(near)}"
    raise UnknownWordError(f"unknown {kind} {word!r}: {hint}{told}")


def attempts_of(username: str, known: Iterable[str]) -> tuple[str, ...]:
    """The script words that a user name is made of, separated by commas; for any other name all goes well.

    Raises `UnknownWordError` when only some of them are words: then one is misspelt.
    """
    known = tuple(known)
    words = tuple(word.strip() for word in username.split(","))
    if not set(words) & set(known):
        return ("succeeds",)
    for word in words:
        check_word("script word", word, known)
    return words
