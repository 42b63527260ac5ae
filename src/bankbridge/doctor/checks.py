"""What a check says: values, which a screen, a program and a test read alike."""

import enum
from collections.abc import Generator
from typing import TypeAlias, TypeVar

import attrs

_T = TypeVar("_T")


class Verdict(enum.Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something will go wrong one day."""
    PROBLEM = "problem"
    """It does not work."""
    SKIPPED = "skipped"
    """Nobody looked: it was not wanted, or something else must be mended first."""


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was looked at: its verdict, what was seen, and what to do about it. Never holds a secret."""

    name: str
    verdict: Verdict
    says: str
    remedy: str | None = None


@attrs.frozen(kw_only=True)
class WaitingFor:
    """What is asked now, and may take some seconds to answer."""

    what: str


Examination: TypeAlias = Generator[Check | WaitingFor, None, _T]
"""Checks as they are made, what is waited for in between, and at the end what the next checks can build on."""


def ok(name: str, says: str) -> Check:
    """Nothing to do."""
    return Check(name=name, verdict=Verdict.OK, says=says)


def warning(name: str, says: str, remedy: str) -> Check:
    """It works, for now."""
    return Check(name=name, verdict=Verdict.WARNING, says=says, remedy=remedy)


def problem(name: str, says: str, remedy: str) -> Check:
    """It does not work."""
    return Check(name=name, verdict=Verdict.PROBLEM, says=says, remedy=remedy)


def skipped(name: str, why: str) -> Check:
    """Nobody looked."""
    return Check(name=name, verdict=Verdict.SKIPPED, says=why)


def plural(count: int, thing: str) -> str:
    """``1 thing``, ``2 things``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
