"""What follows from a seed alone: the links of a run, what their bank and their people do, and what strikes.

A life is drawn from the seed and its own number, so that one link can be played without the others.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Final

import attrs

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge import Scope
from bankbridge.emulation import FAULTS

WORDS: Final[Mapping[str, Sequence[str]]] = {
    "rail": sorted(bankbridge_rail.emulator.WORDS),
    "fintoc": sorted(bankbridge_fintoc.emulator.WORDS),
}
"""Every script word of each provider."""

BANKS: Final[Mapping[str, Sequence[str]]] = {
    "rail": ("banco_chile", "banco_estado", "santander"),
    "fintoc": ("cl_banco_de_chile",),
}
"""At Rail the bank decides whether a code is asked for: never, at times, always."""

HAPPENINGS: Final[Mapping[str, Sequence[str]]] = {
    "rail": (
        "add_account",
        "remove_account",
        "auto_sync rejects",
        "auto_sync fails",
        "expire_link",
        "delete_link",
    ),
    "fintoc": (
        *("background", "change_credentials", "add_account", "remove_account"),
        *("modify_movements", "remove_movements"),
    ),
}
"""What can happen at a provider besides refreshes; the first two are common."""

BACKGROUND: Final = ("succeeds", "succeeds", "succeeds", "fails", "rejects")
"""How a refresh that the provider makes by itself can end."""

RATES: Final[Mapping[str, float]] = {
    **dict.fromkeys((name for name, fault in FAULTS.items() if fault.side == "webhook"), 0.05),
    **dict.fromkeys((name for name, fault in FAULTS.items() if fault.side == "http"), 0.02),
    **dict.fromkeys((name for name, fault in FAULTS.items() if fault.side == "data"), 0.1),
    "drop": 0.1,
}
"""All faults on: how often each strikes, unless a command says otherwise."""

DEATHS: Final = 0.004
"""How often the process dies at a request: before it is sent, or once its answer has come."""

COLOURS: Final = ("blocking", "async")
STORES: Final = ("memory", "sqlite")

# Which prompt is answered how. An unattended prompt has nobody there.
_ACTS: Final = ("right_code",) * 5 + ("wrong_code",) * 3 + ("walk_away", "nothing")

_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Act:
    """What a person does at a prompt, and how long after it was shown; ``tells``: the widget's page tells us."""

    what: str
    after: timedelta
    tells: bool


@attrs.frozen(kw_only=True)
class Wish:
    """One refresh that is wanted, ``after`` the one before was over (the first: after the start).

    ``again`` are more asks for the same link meanwhile, which must join. ``happens`` is what happens at the provider
    meanwhile. Times count from the ask. ``mends``: if the person has to connect again, they do before the ask.
    """

    after: timedelta
    attended: bool
    scope: Scope
    is_retry: bool
    mends: bool
    again: tuple[timedelta, ...]
    cancel_after: timedelta | None
    happens: tuple[tuple[timedelta, str], ...]
    acts: tuple[Act, ...]
    """At its prompts in turn; the last repeats."""


@attrs.frozen(kw_only=True)
class Life:
    """One link: what its bank does at each refresh, how its webhooks come, and what is wanted of it."""

    number: int
    provider: str
    attempts: tuple[str, ...]
    webhooks: str
    institution: str
    accounts: int
    wishes: tuple[Wish, ...]

    @property
    def name(self) -> str:
        """How a person picks it: ``rail/3``."""
        return f"{self.provider}/{self.number}"


@attrs.frozen(kw_only=True)
class Plan:
    """One run.

    ``restarts``: when the process ends, in good order, and another takes over; ``deaths``: how often it dies.
    """

    seed: int
    colour: str
    store: str
    rates: Mapping[str, float]
    lives: tuple[Life, ...]
    restarts: tuple[timedelta, ...]
    deaths: float = DEATHS


def plan_of(
    seed: int,
    *,
    intents: int,
    providers: Sequence[str],
    colour: str | None = None,
    store: str | None = None,
    rates: Mapping[str, float] = RATES,
    only: str | None = None,
) -> Plan:
    """Draw a run with this many wishes over the providers in turn. Where they are left open, colour and store
    follow from the seed. ``only`` keeps one life."""
    random = Random(f"plan {seed}")
    lives: list[Life] = []
    left = intents
    while left:
        provider = providers[len(lives) % len(providers)]
        lives.append(_life(seed, len(lives), provider, most=left))
        left -= len(lives[-1].wishes)
    if only is not None:
        lives = [life for life in lives if life.name == only]
    return Plan(
        seed=seed,
        colour=colour or COLOURS[seed % 2],
        store=store or STORES[seed // 2 % 2],
        rates=rates,
        lives=tuple(lives),
        restarts=tuple(sorted(random.random() * timedelta(hours=6) for _ in range(random.randrange(4)))),
    )


def _life(seed: int, number: int, provider: str, *, most: int) -> Life:
    random = Random(f"life {seed} {number}")
    wishes = min(random.choice((1, 1, 2, 2, 3, 4)), most)
    attempts = tuple(_word(random, provider) for _ in range(random.randrange(1, 6)))
    return Life(
        number=number,
        provider=provider,
        attempts=attempts,
        webhooks=random.choice(("normal",) * 5 + ("lost", "twice", "early")),
        institution=random.choice(BANKS[provider]),
        accounts=random.randrange(2, 5),
        wishes=tuple(_wish(random, provider, attempts) for _ in range(wishes)),
    )


def _word(random: Random, provider: str) -> str:
    return "succeeds" if random.random() < 0.25 else random.choice(WORDS[provider])


def _wish(random: Random, provider: str, attempts: Sequence[str]) -> Wish:
    return Wish(
        after=random.choice((_MINUTE / 60, 2 * _MINUTE, 10 * _MINUTE, 90 * _MINUTE))
        * (0.5 + random.random()),
        attended=random.random() < 0.6,
        scope=Scope.HISTORICAL if random.random() < 0.1 else Scope.LATEST,
        is_retry=random.random() < 0.4,
        mends=random.random() < 0.7,
        again=tuple(
            random.choice((timedelta(0), timedelta(seconds=20), 3 * _MINUTE))
            for _ in range(random.randrange(3))
        ),
        cancel_after=_cancel_after(random) if random.random() < 0.12 else None,
        happens=tuple(_happening(random, provider, attempts) for _ in range(random.random() < 0.2)),
        acts=tuple(_act(random) for _ in range(3)),
    )


def _cancel_after(random: Random) -> timedelta:
    return random.choice(
        (timedelta(0), timedelta(seconds=5), timedelta(seconds=20), 2 * _MINUTE, 12 * _MINUTE)
    )


def _happening(random: Random, provider: str, attempts: Sequence[str]) -> tuple[timedelta, str]:
    # A bank that wants its customer cannot be refreshed behind their back.
    known = [what for what in HAPPENINGS[provider] if what != "background" or "mfa" not in attempts]
    what = random.choice([*known[:2] * 3, *known[2:]])
    if what == "background":
        what = f"background {random.choice(BACKGROUND)}"
    return random.random() * 3 * _MINUTE, what


def _act(random: Random) -> Act:
    return Act(
        what=random.choice(_ACTS),
        after=random.choice((timedelta(seconds=10), _MINUTE, 5 * _MINUTE, 9.9 * _MINUTE))
        * (0.5 + random.random()),
        tells=random.random() < 0.7,
    )
