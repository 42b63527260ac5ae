"""Reasons are closed, and each knows who can lift it."""

import pytest

from bankbridge.machine.outcome import STEP_AFTER
from bankbridge.machine.policy import RETRY_TABLE
from bankbridge.words.reasons import ACTORS, REJECTIONS, Actor, Failure, Reason


@pytest.mark.parametrize("table", [ACTORS, RETRY_TABLE, STEP_AFTER], ids=["actor", "retry rule", "next step"])
def test_every_reason_has_its(table):
    assert set(table) == set(Reason)


def test_every_actor_has_something_to_lift():
    assert set(ACTORS.values()) == set(Actor)


def test_what_mends_itself_and_only_that_is_tried_again():
    for reason, rule in RETRY_TABLE.items():
        if rule.times != 0:
            assert ACTORS[reason] is Actor.NOBODY


def test_a_failure_keeps_the_providers_words_and_knows_the_actor():
    failure = Failure(reason=Reason.CREDENTIALS_LOCKED, code="locked_credentials", message="Locked.")
    assert (failure.code, failure.message, failure.actor) == ("locked_credentials", "Locked.", Actor.BANK)


def test_a_rejection_is_about_the_login():
    assert {reason.value.split("_")[0] for reason in REJECTIONS} == {"credentials", "mfa"}
    assert Reason.MFA_EXPIRED not in REJECTIONS
