"""The short form of chaos, and proof that its checker can fail: a guard that is broken on purpose makes it complain."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs
import pytest
from typer.testing import CliRunner

from bankbridge import Scope, Status
from bankbridge.machine.attempt import Attempt
from bankbridge.machine.joint import OneWord, Over
from bankbridge.machine.policy import Timing
from bankbridge.shells import reading
from bankbridge.shells.connections import policy_for
from bankbridge.shells.pace import Limiter
from bankbridge.store.memory import _MemoryTransaction
from bankbridge_rail import Rail
from tests.chaos.__main__ import app
from tests.chaos.plan import BANKS, Act, Life, Plan, Wish, plan_of
from tests.chaos.report import command_for
from tests.chaos.run import Ran, run
from tests.stages import PROVIDERS

NAMES = ("rail", "fintoc")
EVERYTHING = [
    (0, "blocking", "memory"),
    (1, "async", "sqlite"),
    (2, "blocking", "sqlite"),
    (3, "async", "memory"),
]


def told(ran: Ran, intents: int) -> list[str]:
    """What was broken, in the words of the report."""
    again = command_for(ran.plan, intents=intents, providers=NAMES)
    return [f"{one.promise} ({one.link}): {one.says} [{again}]" for one in ran.broken]


@pytest.mark.parametrize(("seed", "colour", "store"), EVERYTHING)
def test_whatever_goes_wrong_every_promise_is_kept(seed, colour, store):
    ran = run(plan_of(seed, intents=20, providers=NAMES, colour=colour, store=store))
    assert told(ran, 20) == []
    assert ran.counts["intents"] == 20


def test_the_same_seed_gives_the_same_truth_in_every_colour_and_store():
    plans = [
        plan_of(6, intents=10, providers=NAMES, colour=colour, store=store)
        for _, colour, store in EVERYTHING[:2]
    ]
    truths = [run(plan).truth for plan in (plans[0], *plans)]
    assert truths[0] == truths[1]
    assert truths[1] == truths[2]
    assert run(plan_of(7, intents=10, providers=NAMES, colour="blocking", store="memory")).truth != truths[0]


def test_the_command_plays_one_link_of_a_seed():
    done = CliRunner().invoke(app, ["--seed", "3", "--intents", "8", "--only", "rail/0"])
    assert (done.exit_code, "Every promise was kept." in done.output) == (0, True), done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--faults", "dorp=0.1"], "'drop'"),
        (["--faults", "drop=2"], "a probability"),
        (["--faults", "drop"], "a probability"),
        (["--providers", "rial"], "rail"),
        (["--colour", "red"], "blocking"),
        (["--only", "rail/999", "--seed", "1", "--intents", "2"], "rail/0"),
    ],
)
def test_a_senseless_command_is_told_the_way_out(arguments, says):
    done = CliRunner().invoke(app, arguments)
    words = " ".join(done.output.replace("│", " ").split())  # a panel of Rich's is as narrow as its terminal
    assert (done.exit_code, says in words) == (2, True), done.output


# --- a checker that cannot fail is worth nothing ----------------------------------------------------------------------


def quiet(*lives: Life, rates: Mapping[str, float] | None = None) -> Plan:
    """A run of these lives in which nothing goes wrong by itself."""
    numbered = tuple(attrs.evolve(one, number=number) for number, one in enumerate(lives))
    return Plan(
        seed=0, colour="blocking", store="memory", rates=rates or {}, lives=numbered, restarts=(), deaths=0
    )


def life(provider: str, *attempts: str, wishes: int = 1, act: str = "nothing") -> Life:
    wish = Wish(
        after=timedelta(seconds=1),
        attended=True,
        scope=Scope.LATEST,
        is_retry=False,
        mends=False,
        again=(),
        cancel_after=None,
        happens=(),
        acts=(Act(what=act, after=timedelta(seconds=10), tells=True),),
    )
    return Life(
        number=0,
        provider=provider,
        attempts=attempts,
        webhooks="normal",
        institution=BANKS[provider][0],
        accounts=2,
        wishes=(wish,) * wishes,
    )


def broken_by(plan: Plan, **policy: Any) -> set[str]:
    """The promises that a bridge with another policy breaks."""
    policies = {
        name: attrs.evolve(policy_for(PROVIDERS[name].capabilities), **policy)
        for name in {life.provider for life in plan.lives}
    }
    return {one.promise for one in run(plan, options={"policies": policies} if policy else {}).broken}


WRONG_CODES = quiet(
    life("rail", "mfa", wishes=4, act="wrong_code"), life("fintoc", "mfa", wishes=4, act="wrong_code")
)
LOST = quiet(life("rail", "response_lost"))
STUCK = quiet(life("rail", "stuck"))


def test_nothing_is_broken_where_nothing_goes_wrong():
    for plan in (WRONG_CODES, LOST, STUCK):
        assert broken_by(plan) == set()


def test_a_budget_without_end_is_found():
    assert broken_by(WRONG_CODES, refused_logins=99) == {"the lockout budgets hold"}


def test_a_create_that_is_asked_again_under_another_key_is_found(monkeypatch):
    real = Rail.create_refresh

    def forgetful(self, link, attempt, **more):
        return real(self, link, attrs.evolve(attempt, key=str(uuid.uuid4())), **more)

    monkeypatch.setattr(Rail, "create_refresh", forgetful)
    assert broken_by(LOST) == {"one refresh per attempt"}


def test_polls_that_come_too_fast_are_found():
    second = timedelta(seconds=1)
    hasty = Timing(first_poll=second, longest_poll=second, poll_floor=second, attempt=timedelta(minutes=2))
    assert broken_by(STUCK, timing=hasty) == {"no poll too fast", "the outcome is the truth"}


def test_more_requests_than_rail_takes_are_found(monkeypatch):
    monkeypatch.setattr(Limiter, "instead", lambda self, *, is_look: None)
    often = Timing(first_poll=timedelta(seconds=5), longest_poll=timedelta(seconds=5))
    crowd = quiet(*[life("rail", "stuck")] * 12)
    assert broken_by(crowd, timing=often) == {"Rail's limit"}


def test_an_outcome_that_is_not_the_truth_is_found():
    class Rosy(OneWord):
        def by_evidence(self, attempt: Attempt) -> Over:
            return Over(status=Status.SUCCEEDED)

    assert broken_by(quiet(life("rail", "rejects")), joint=Rosy()) == {"the outcome is the truth"}


def test_an_intent_that_waits_for_ever_is_found():
    patient = Timing(attempt=timedelta(days=400), longest_poll=timedelta(days=1), poll_factor=8)
    assert broken_by(STUCK, timing=patient) == {"every intent ends"}


def test_an_acknowledged_delivery_that_is_not_kept_is_found(monkeypatch):
    monkeypatch.setattr(_MemoryTransaction, "add_delivery", lambda self, stored: True)
    assert broken_by(quiet(life("rail", "succeeds"))) == {"no delivery lost"}


def test_a_token_in_a_log_is_found(monkeypatch):
    monkeypatch.setattr("bankbridge.shells.http.redact", lambda text, secrets: text)
    assert broken_by(quiet(life("fintoc", "succeeds"))) == {"no secret is seen"}


def test_rows_that_are_silently_missing_are_found(monkeypatch):
    shifting = quiet(life("rail", "succeeds"), rates={"unstable_paging": 1.0})
    assert broken_by(shifting) == set()
    monkeypatch.setattr(reading, "_again", lambda stretch, *, windows: None)
    assert broken_by(shifting) == {"all rows are read"}
