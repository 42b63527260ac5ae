"""A policy from TOML: what it changes, layer over layer, and everything that is wrong with it, by path."""

import tomllib
from datetime import timedelta

import attrs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bankbridge import NEVER, ConfigurationError, Policy, Reason, Rule, Scope, Timing, policy_for
from bankbridge.machine.bounds import BOUNDS, FREE
from bankbridge.machine.policy import RETRY_TABLE
from bankbridge.shells.config import config_of
from bankbridge.shells.policies import policies_of
from bankbridge.shells.policy_files import read_policies, read_policy
from bankbridge.shells.policy_text import toml_of
from bankbridge.words.durations import duration_of, words_of_duration
from bankbridge.words.reasons import ACTORS, Actor
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
DECLARED = {"rail": Rail.capabilities, "fintoc": Fintoc.capabilities}


def read(text, declared=DECLARED):
    """The policies that a text makes, and what is wrong with it."""
    problems: list[str] = []
    policies = policies_of(tomllib.loads(text), declared, problems)
    return policies, sorted(problems)


def policy_from(text):
    """What a text makes of the default policy, without what the provider adds."""
    policies, problems = read(text)
    assert problems == []
    return policies["rail"]


# --- what it changes -------------------------------------------------------------------------------------


def test_nothing_said_is_the_default():
    policies, problems = read("")
    assert problems == []
    assert policies == {name: policy_for(declared) for name, declared in DECLARED.items()}


def test_a_row_changes_what_it_names_and_keeps_the_rest():
    policy = policy_from(
        """
        [policy.retry]
        institution_unavailable = { times = 2 }
        provider_error = "never"
        unknown = { waits = ["90 s", "1.5 h"], times = "unlimited", jitter = 0.5 }
        rate_limited = { spends = true }
        cooldown = { waits = ["10 min"] }
        """
    )
    before = RETRY_TABLE[Reason.INSTITUTION_UNAVAILABLE]
    assert policy.retry == {
        **RETRY_TABLE,
        Reason.INSTITUTION_UNAVAILABLE: attrs.evolve(before, times=2),
        Reason.PROVIDER_ERROR: NEVER,
        Reason.UNKNOWN: Rule(waits=(1.5 * _MINUTE, 1.5 * _HOUR), times=None, jitter=0.5),
        Reason.RATE_LIMITED: attrs.evolve(RETRY_TABLE[Reason.RATE_LIMITED], spends=True),
        Reason.COOLDOWN: attrs.evolve(RETRY_TABLE[Reason.COOLDOWN], waits=(10 * _MINUTE,)),
    }


def test_each_layer_changes_what_is_below_it():
    policies, problems = read(
        """
        [policy]
        most_attempts = 7
        refused_logins = 1
        timing.attempt = "30 min"
        retry.institution_unavailable = { waits = ["10 min"], times = 6 }

        [connections.rail.policy]
        most_attempts = 4
        timing.intent = "12 h"
        retry.institution_unavailable = { times = 3 }

        [connections.rail.policy.institutions.santander]
        retry.institution_unavailable = { waits = ["20 min"] }
        retry.unknown = { waits = ["1 h"], times = 1 }

        [connections.rail.policy.institutions."banco.estado"]
        timing.attempt = "1 h"
        """
    )
    assert problems == []
    rail, fintoc = policies["rail"], policies["fintoc"]
    unavailable = Reason.INSTITUTION_UNAVAILABLE
    assert fintoc.retry[unavailable] == Rule(waits=(10 * _MINUTE,), times=6)
    assert (fintoc.most_attempts, fintoc.refused_logins, dict(fintoc.institutions)) == (7, 1, {})
    assert rail.retry[unavailable] == Rule(waits=(10 * _MINUTE,), times=3)
    assert (rail.most_attempts, rail.refused_logins) == (4, 1)
    assert (rail.timing.attempt, rail.timing.intent) == (30 * _MINUTE, 12 * _HOUR)
    santander, estado = rail.at("santander"), rail.at("banco.estado")
    assert santander.retry[unavailable] == Rule(waits=(20 * _MINUTE,), times=3)
    assert santander.retry[Reason.UNKNOWN] == Rule(waits=(_HOUR,), times=1)
    assert (santander.most_attempts, santander.timing.intent) == (4, 12 * _HOUR)
    assert estado.retry == rail.retry
    assert (estado.timing.attempt, estado.timing.intent) == (_HOUR, 12 * _HOUR)
    assert rail.at("bci") is rail
    for policy in (rail, santander, estado):
        assert policy.can_cancel
        assert policy.timing.poll_floor == Rail.capabilities.poll_floor


def test_for_all_connections_a_provider_s_own_times_are_only_lengthened():
    policies, problems = read(
        """
        [policy]
        timing = { first_poll = "1 s", poll_floor = "1 s", longest_poll = "1 h" }
        cooldowns = { latest = "10 min", historical = "1 min" }
        """
    )
    assert problems == []
    for name, declared in DECLARED.items():
        timing = policies[name].timing
        assert timing.first_poll == max(declared.first_poll, declared.poll_floor)
        assert (timing.poll_floor, timing.longest_poll) == (declared.poll_floor, declared.longest_poll)
        assert policies[name].cooldowns == {
            Scope.LATEST: 10 * _MINUTE,
            Scope.HISTORICAL: max(_MINUTE, declared.cooldowns.get(Scope.HISTORICAL, _MINUTE)),
        }


def test_a_provider_that_nobody_knows_has_no_policy_but_its_table_is_read():
    policies, problems = read("[connections.bank.policy]\njitter = 3", {"bank": None})
    assert policies == {}
    assert problems == ["connections.bank.policy.jitter: must be from 0 to 1"]


# --- there and back --------------------------------------------------------------------------------------


def _between(name: str) -> st.SearchStrategy[timedelta]:
    bound, second = BOUNDS[name], timedelta(seconds=1)
    return st.integers(bound.least // second, bound.most // second).map(lambda count: count * second)


_DURATIONS = {
    field.name: _between(f"timing.{field.name}") for field in attrs.fields(Timing) if field.type is timedelta
}
# Within what both the bounds and every provider here allow.
_DURATIONS["first_poll"] = st.integers(30, 3600).map(lambda count: timedelta(seconds=count))
_DURATIONS["poll_floor"] = _DURATIONS["first_poll"]
_DURATIONS["longest_poll"] = st.integers(30, 120).map(lambda count: timedelta(seconds=count))
_DURATIONS["intent"] = st.integers(8, 30).map(lambda days: timedelta(days=days))
_TIMINGS = st.builds(
    Timing,
    **_DURATIONS,
    poll_factor=st.floats(1, 10) | st.integers(1, 10),
    answered_errors=st.integers(1, 10),
)


def _rules(reason: Reason) -> st.SearchStrategy[Rule]:
    before = RETRY_TABLE[reason]
    never = st.just(attrs.evolve(before, waits=(), times=0))
    if ACTORS[reason] in (Actor.PERSON, Actor.BANK):
        return never
    is_unconfirmed = reason is Reason.CREDENTIALS_UNCONFIRMED
    least = 60 if is_unconfirmed else 1
    return never | st.builds(
        Rule,
        waits=st.lists(
            st.integers(least, 9_000).map(lambda count: count * _MINUTE), min_size=1, max_size=4
        ).map(tuple),
        times=st.just(1) if is_unconfirmed else st.none() | st.integers(1, 1000),
        spends=st.booleans() if reason in FREE else st.just(True),
        after_cooldown=st.just(before.after_cooldown),
        jitter=st.none() | st.floats(0, 1),
    )


_RETRIES = st.fixed_dictionaries({}, optional={reason: _rules(reason) for reason in Reason})
_WAITS = _between("cooldowns").filter(lambda wait: wait >= _HOUR)
_POLICIES = st.builds(
    Policy,
    retry=_RETRIES,
    most_attempts=st.integers(1, 10),
    jitter=st.floats(0, 1) | st.integers(0, 1),
    timing=_TIMINGS,
    cooldowns=st.dictionaries(st.sampled_from(Scope), _WAITS),
    refused_logins=st.integers(1, 2),
    abandoned_prompts=st.integers(1, 4),
)


# Whole policies are much to draw, and much to shrink.
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    rail=_POLICIES, fintoc=_POLICIES, bank=st.text(st.characters(exclude_categories=["Cs"])), name=st.data()
)
def test_what_is_written_is_read_again(rail, fintoc, bank, name):
    banks = {bank: name.draw(_POLICIES.map(lambda own: _later(rail, own)))}
    policies = {
        "rail": policy_for(Rail.capabilities, attrs.evolve(rail, institutions=banks)),
        "fintoc": policy_for(Fintoc.capabilities, fintoc),
    }
    again, problems = read(toml_of(policies))
    assert problems == []
    assert again == policies


def _later(policy: Policy, own: Policy) -> Policy:
    """A bank's policy as a text can make it: what a row says of jitter, and a cooldown, can be changed, not undone."""
    retry = {
        reason: attrs.evolve(rule, jitter=policy.retry[reason].jitter)
        if rule.jitter is None and rule.times != 0
        else rule
        for reason, rule in own.retry.items()
    }
    return attrs.evolve(own, retry=retry, cooldowns={**policy.cooldowns, **own.cooldowns})


@settings(deadline=None, derandomize=True)
@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_every_duration_is_written_and_read_again(wait):
    assert duration_of(words_of_duration(wait)) == wait


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0 s", 0), ("90 s", 90), ("0.5 s", 0.5), ("15 min", 900), ("1.5 h", 5400), ("2 d", 172_800)],
)
def test_durations(text, seconds):
    assert duration_of(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("15min", "did you mean '15 min'"),
        ("15 minutes", "did you mean '15 min'"),
        ("15 m", "did you mean '15 min'"),
        ("2 Hours", "did you mean '2 h'"),
        ("3 weeks", "such as '15 min'"),
        ("500 ms", "such as '15 min'"),
        ("", "such as '15 min'"),
        ("-1 s", "such as '15 min'"),
        ("1  s", "such as '15 min'"),
        ("1 h 30 min", "such as '15 min'"),
        ("1e3 s", "such as '15 min'"),
        ("٣ s", "such as '15 min'"),
        ("9999999999 d", "such as '15 min'"),
    ],
)
def test_there_is_one_way_to_write_a_duration(text, says):
    with pytest.raises(ValueError, match=f"must be a number, a blank and one of s, min, h, d, {says}"):
        duration_of(text)


# --- what is wrong ---------------------------------------------------------------------------------------

TOO_SOON = "a try may be a login, and what is down is seldom up again at once"
LOCKS = "a third refused login expires links and locks people out of their bank"
HOW = "must be a number, a blank and one of s, min, h, d"
WRONG = [
    ("policy = 1", "policy: must be a table"),
    ("policy.jiter = 1", "policy.jiter: unknown field, did you mean 'jitter'?"),
    ("policy.jitter = '0.1'", "policy.jitter: must be a number"),
    ("policy.jitter = true", "policy.jitter: must be a number"),
    ("policy.jitter = nan", "policy.jitter: must be a number"),
    ("policy.jitter = -0.1", "policy.jitter: must be from 0 to 1"),
    ("policy.most_attempts = 2.0", "policy.most_attempts: must be a whole number"),
    (
        "policy.most_attempts = 11",
        "policy.most_attempts: must be from 1 to 10: each attempt may be a login at the bank",
    ),
    ("policy.refused_logins = 3", f"policy.refused_logins: must be from 1 to 2: {LOCKS}"),
    ("policy.refused_logins = 0", f"policy.refused_logins: must be from 1 to 2: {LOCKS}"),
    (
        "policy.abandoned_prompts = 5",
        (
            "policy.abandoned_prompts: must be from 1 to 4: people have been locked out by five prompts that nobody"
            " answered"
        ),
    ),
    (
        "policy.institutions = {}",
        (
            "policy.institutions: unknown field (known: most_attempts, jitter, refused_logins, abandoned_prompts,"
            " timing, cooldowns, retry)"
        ),
    ),
    ("policy.timing = []", "policy.timing: must be a table"),
    ("policy.timing.atempt = '1 h'", "policy.timing.atempt: unknown field, did you mean 'attempt'?"),
    ("policy.timing.attempt = 60", "policy.timing.attempt: must be a duration in quotes, such as '15 min'"),
    ("policy.timing.attempt = '1 hour'", f"policy.timing.attempt: {HOW}, did you mean '1 h'?"),
    ("policy.timing.attempt = '1 s'", "policy.timing.attempt: must be from 1 min to 24 h"),
    ("policy.timing.poll_factor = 0.5", "policy.timing.poll_factor: must be from 1 to 10"),
    ("policy.timing.answered_errors = 0", "policy.timing.answered_errors: must be from 1 to 10"),
    ("policy.timing.intent = '60 d'", "policy.timing.intent: must be from 10 min to 30 d"),
    ("policy.cooldowns = 1", "policy.cooldowns: must be a table"),
    ("policy.cooldowns.newest = '1 h'", "policy.cooldowns.newest: unknown field (known: latest, historical)"),
    ("policy.cooldowns.latest = '8 d'", "policy.cooldowns.latest: must be from 0 s to 7 d"),
    ("policy.retry = 'never'", "policy.retry: must be a table"),
    (
        "policy.retry.institution_unavailible = 'never'",
        "policy.retry.institution_unavailible: unknown reason, did you mean 'institution_unavailable'?",
    ),
    (
        "policy.retry.unknown = 'nevr'",
        "policy.retry.unknown: must be 'never' or a table, such as { waits = ['10 min', '1 h'], times = 2 }",
    ),
    (
        "policy.retry.unknown.wait = ['1 min']",
        "policy.retry.unknown.wait: unknown field, did you mean 'waits'?",
    ),
    (
        "policy.retry.unknown = { waits = '1 min', times = 1 }",
        "policy.retry.unknown.waits: must be a list of durations, such as ['1 min', '5 min']",
    ),
    (
        "policy.retry.unknown = { waits = ['5 min', '1min'], times = 1 }",
        f"policy.retry.unknown.waits[1]: {HOW}, did you mean '1 min'?",
    ),
    (
        "policy.retry.unknown = { waits = ['30 s'], times = 1 }",
        f"policy.retry.unknown.waits[0]: must be from 1 min to 7 d: {TOO_SOON}",
    ),
    (
        "policy.retry.unknown = { waits = ['24 h'], times = 1 }",
        "policy.retry.unknown.waits: must be shorter than timing.intent, 24 h: nothing is tried later",
    ),
    (
        "policy.retry.unknown = { times = 1 }",
        "policy.retry.unknown.waits: at least one is needed where something is tried again",
    ),
    (
        "policy.retry.provider_error = { waits = [] }",
        "policy.retry.provider_error.waits: at least one is needed where something is tried again",
    ),
    (
        "policy.retry.unknown = { waits = ['1 h'] }",
        "policy.retry.unknown.times: is 0, so nothing waits: give times too, or 'never' for the row",
    ),
    (
        "policy.retry.unknown = { waits = ['1 h'], times = 'ever' }",
        "policy.retry.unknown.times: must be a whole number or 'unlimited'",
    ),
    (
        "policy.retry.provider_error = { times = -1 }",
        "policy.retry.provider_error.times: must be from 0 to 1000",
    ),
    (
        "policy.retry.provider_error = { spends = 0 }",
        "policy.retry.provider_error.spends: must be true or false",
    ),
    (
        "policy.retry.provider_error = { jitter = 2 }",
        "policy.retry.provider_error.jitter: must be from 0 to 1",
    ),
    (
        "policy.retry.provider_error = { spends = false }",
        "policy.retry.provider_error.spends: must be true: the attempt may have been a login at the bank",
    ),
    (
        "policy.retry.credentials_unconfirmed = { times = 2 }",
        (
            "policy.retry.credentials_unconfirmed.times: must be 0 or 1: the bank refused the person, and repeats can"
            " lock the login"
        ),
    ),
    (
        "policy.retry.credentials_unconfirmed = { waits = ['59 min'] }",
        (
            "policy.retry.credentials_unconfirmed.waits: must be at least 1 h each: sooner, another refused login can"
            " lock the person out"
        ),
    ),
    (
        "connections.rail.policy = 'careful'",
        "connections.rail.policy: must be a table",
    ),
    (
        "connections.rail.policy.timing.poll_floor = '4 s'",
        "connections.rail.policy.timing.poll_floor: must be at least 5 s: the provider wants no look sooner",
    ),
    (
        "connections.fintoc.policy.timing.longest_poll = '29 s'",
        "connections.fintoc.policy.timing.longest_poll: must be at least 30 s: the provider wants no look sooner",
    ),
    (
        "connections.rail.policy.timing.first_poll = '20 s'",
        (
            "connections.rail.policy.timing.first_poll: must be at least 30 s: sooner, a look tells nothing at this"
            " provider"
        ),
    ),
    (
        "connections.rail.policy.timing.longest_poll = '5 min'",
        (
            "connections.rail.policy.timing.longest_poll: must be at most 2 min: at this provider, an end that no"
            " webhook tells must be looked for"
        ),
    ),
    (
        "connections.fintoc.policy.cooldowns.historical = '5 min'",
        "connections.fintoc.policy.cooldowns.historical: must be at least 1 h: the provider's own",
    ),
    (
        "connections.rail.policy.institutions = 1",
        "connections.rail.policy.institutions: must be a table",
    ),
    (
        "connections.rail.policy.institutions.bci = 1",
        "connections.rail.policy.institutions.bci: must be a table",
    ),
    (
        "connections.rail.policy.institutions.bci.refused_logins = 9",
        f"connections.rail.policy.institutions.bci.refused_logins: must be from 1 to 2: {LOCKS}",
    ),
    (
        "connections.rail.policy.institutions.bci.timing.poll_floor = '1 s'",
        (
            "connections.rail.policy.institutions.bci.timing.poll_floor: must be at least 5 s: the provider wants no"
            " look sooner"
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), WRONG)
def test_what_is_wrong_is_said_with_its_path(text, problem):
    policies, problems = read(text)
    assert problems == [problem]
    assert policies == {name: policy_for(declared) for name, declared in DECLARED.items()} or "bci" in text


@pytest.mark.parametrize("reason", [one for one in Reason if ACTORS[one] in (Actor.PERSON, Actor.BANK)])
def test_what_only_the_person_or_the_bank_can_lift_is_never_tried_by_itself(reason):
    _, problems = read(f"policy.retry.{reason.value} = {{ waits = ['6 h'], times = 1 }}")
    who = "the bank" if ACTORS[reason] is Actor.BANK else "the person"
    assert problems == [
        (
            f"policy.retry.{reason.value}.times: must be 0: {who} must act first, and another login before that can"
            " only do harm"
        )
    ]


def test_the_defaults_keep_their_own_bounds():
    written = toml_of({"rail": policy_for(Rail.capabilities)})
    _, problems = read(written.replace("connections.rail.policy", "policy"))
    assert problems == []


def test_every_problem_is_said_at_once(tmp_path):
    """In a configuration file, next to what is wrong with the rest of it."""
    with pytest.raises(ConfigurationError) as error:
        config_of(
            tomllib.loads(
                """
                [store]
                pth = "x"
                [policy]
                jitter = 3
                retry.unknown = { waits = ["1min"], times = "x", spends = 1 }
                [connections.rail]
                policy.refused_logins = 3
                [connections.fintok.policy]
                jitter = 4
                """
            ),
            {},
        )
    assert error.value.problems == (
        "connections.fintok.policy.jitter: must be from 0 to 1",
        "connections.fintok.provider 'fintok': no such plugin is installed; did you mean 'fintoc'?",
        f"connections.rail.policy.refused_logins: must be from 1 to 2: {LOCKS}",
        "connections.rail.secret_key: required field missing",
        "connections.rail.webhook_secrets: required field missing",
        "policy.jitter: must be from 0 to 1",
        "policy.retry.unknown.spends: must be true or false",
        "policy.retry.unknown.times: must be a whole number or 'unlimited'",
        f"policy.retry.unknown.waits[0]: {HOW}, did you mean '1 min'?",
        "store.pth: unknown field, did you mean 'path'?",
    )


# --- files -----------------------------------------------------------------------------------------------


def test_the_policies_of_a_configuration_need_no_secret(tmp_path):
    path = tmp_path / "bankbridge.toml"
    path.write_text(
        """
        [store]
        url = { env = "NOT_SET" }
        [connections.chile]
        provider = "fintoc"
        secret_key = { env = "NOT_SET" }
        policy.jitter = 0.5
        """
    )
    assert read_policies(path) == {"chile": policy_for(Fintoc.capabilities, Policy(jitter=0.5))}
    path.write_text("[connections.fintok]\npolicy.jitter = 0.5\n")
    with pytest.raises(ConfigurationError, match="did you mean 'fintoc'"):
        read_policies(path)


def test_a_policy_file_stands_alone(tmp_path):
    """Only its policies are looked at, and it says nothing of connections that there are not."""
    providers = {"live": Rail(secret_key="rail_sk_1", webhook_secrets=("whsec_1",))}
    path = tmp_path / "changed.toml"
    path.write_text("[store]\npath = 3\n[policy]\njitter = 0.5\n[connections.live]\nprovider = 'whatever'\n")
    assert read_policy(path, providers) == {"live": policy_for(Rail.capabilities, Policy(jitter=0.5))}
    path.write_text("[polcy]\n[connections.liv.policy]\n")
    with pytest.raises(ConfigurationError) as error:
        read_policy(path, providers)
    assert error.value.problems == (
        "connections.liv: no such connection, did you mean 'live'?",
        "polcy: unknown table (known: connections, engine, policy, store)",
    )
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_policy(tmp_path / "none.toml", providers)
