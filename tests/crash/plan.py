"""What follows from a seed alone: the links and wishes of each round, what people do, and what is killed when.

A seed prints the same plan. The timing is the machine's own: the processes are real, and so is what they wait for.
"""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Final

import attrs

from bankbridge import Scope
from bankbridge.emulation import FAULTS
from tests.chaos.plan import BANKS

RATES: Final[Mapping[str, float]] = {
    **dict.fromkeys((name for name, fault in FAULTS.items() if fault.side == "webhook"), 0.05),
    **dict.fromkeys((name for name, fault in FAULTS.items() if fault.side == "http"), 0.02),
    "drop": 0.1,
}
"""The webhook and HTTP faults that are on, and how often each strikes."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "rail": (
        *("succeeds", "succeeds", "mfa", "mfa", "bank_decides", "fails", "rejects", "rejects_slowly"),
        *("errors_500", "response_lost", "response_lost", "rate_limited", "stuck"),
    ),
    "fintoc": (
        *("succeeds", "succeeds", "mfa", "mfa", "fails", "rejects", "mixed", "errors_500"),
        *("response_lost", "response_lost", "already_running", "cooldown", "stuck"),
    ),
}
"""The script words that are drawn, for each provider; what a crash can make worse comes more often."""

ACTS: Final = ("right_code", "right_code", "right_code", "wrong_code", "walk_away", "nothing")

# Both kinds of process, and where in their work they can be caught.
_AT_CREATE: Final = ("create came", "create acted on", "create answered")
_AT_DELIVERY: Final = ("delivery came", "delivery stored")
_AT_COMMIT: Final = ("intent written", "intent committed")
MOMENTS: Final = ("any time", *_AT_CREATE, *_AT_DELIVERY, *_AT_COMMIT, "all at once")
"""When a kill comes. The emulators' doors, the receiver and the store tell of the moments that are not any time."""

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Wish:
    """One refresh that is wanted ``after`` the one before was over; virtual time.

    ``again``: somebody else asks for the same ``again`` later. ``acts``: what the person does at each prompt in turn,
    ``thinks`` after asking; ``tells``: the widget's page then tells us.
    """

    after: timedelta
    attended: bool
    scope: Scope
    is_retry: bool
    again: timedelta | None
    cancel_after: timedelta | None
    acts: tuple[str, ...]
    thinks: timedelta
    tells: bool


@attrs.frozen(kw_only=True)
class Life:
    """One link: what its bank does at each refresh, and what is wanted of it."""

    number: int
    provider: str
    attempts: tuple[str, ...]
    webhooks: str
    institution: str
    accounts: int
    wishes: tuple[Wish, ...]

    @property
    def name(self) -> str:
        """How a report names it: ``rail/3``."""
        return f"{self.provider}/{self.number}"


@attrs.frozen(kw_only=True)
class Kill:
    """Who is killed: the ``victim``-th of those that can be caught at this ``moment``, ``delay`` (real seconds) after
    the round has begun, and started again ``down`` later."""

    moment: str
    victim: int
    delay: float
    down: float


@attrs.frozen(kw_only=True)
class Round:
    """What begins in a round, and what ends in it. ``cuts``: the database's connections are cut as well."""

    number: int
    lives: tuple[Life, ...]
    kill: Kill
    cuts: bool


@attrs.frozen(kw_only=True)
class Plan:
    """One run."""

    seed: int
    database: str
    engine: str
    rounds: tuple[Round, ...]
    brief: bool = False
    rates: Mapping[str, float] = RATES

    @property
    def lives(self) -> tuple[Life, ...]:
        """Every link of the run."""
        return tuple(life for one in self.rounds for life in one.lives)


def plan_of(seed: int, *, rounds: int, database: str, engine: str, brief: bool = False) -> Plan:
    """Draw a run. In a ``brief`` one nothing is waited for that takes long by itself: a prompt that nobody answers,
    a refresh that never ends."""
    return Plan(
        seed=seed,
        database=database,
        engine=engine,
        brief=brief,
        rounds=tuple(_round(seed, number, brief=brief) for number in range(rounds)),
    )


def _round(seed: int, number: int, *, brief: bool) -> Round:
    random = Random(f"round {seed} {number}")
    # Each moment in its turn, so that also a short run has them all.
    moment = MOMENTS[(seed + number) % len(MOMENTS)]
    return Round(
        number=number,
        lives=tuple(_life(random, 3 * number + one, brief=brief) for one in range(3)),
        kill=Kill(
            moment=moment,
            victim=random.randrange(12),
            delay=random.random() * 1.5,
            down=random.choice((0.0, 0.0, 0.3, 1.5)),
        ),
        cuts=random.random() < 0.2,
    )


def _life(random: Random, number: int, *, brief: bool) -> Life:
    provider = ("rail", "fintoc")[number % 2]
    words = [word for word in WORDS[provider] if not brief or word != "stuck"]
    return Life(
        number=number,
        provider=provider,
        attempts=tuple(random.choice(words) for _ in range(random.randrange(1, 4))),
        webhooks=random.choice(("normal",) * 5 + ("lost", "twice", "early")),
        institution=random.choice(BANKS[provider]),
        accounts=random.randrange(2, 4),
        wishes=tuple(_wish(random, brief=brief) for _ in range(1 if brief else random.choice((1, 1, 2)))),
    )


def _wish(random: Random, *, brief: bool) -> Wish:
    attended = random.random() < 0.7
    acts = ("right_code", "wrong_code") if brief else ACTS
    return Wish(
        after=random.choice((_SECOND, _MINUTE) if brief else (_SECOND, _MINUTE, 5 * _MINUTE)),
        # In a brief run somebody is at each prompt, since one that nobody sees lasts ten minutes.
        attended=attended or brief,
        # The cooldown after a historical one is an hour.
        scope=Scope.HISTORICAL if random.random() < 0.1 and not brief else Scope.LATEST,
        is_retry=random.random() < 0.4,
        again=random.choice((None, None, timedelta(0), 20 * _SECOND)),
        cancel_after=random.choice((timedelta(0), 10 * _SECOND, _MINUTE)) if random.random() < 0.12 else None,
        acts=tuple(random.choice(acts) for _ in range(3)),
        thinks=random.choice((10 * _SECOND, _MINUTE) if brief else (10 * _SECOND, _MINUTE, 3 * _MINUTE)),
        tells=random.random() < 0.7,
    )
