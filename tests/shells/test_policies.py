"""Which policy is in force: the connection's, or that of the link's bank, and what the provider decides in both."""

import tomllib
from datetime import timedelta

import attrs
import pytest

from bankbridge import (
    NEVER,
    AsyncBankBridge,
    BankBridge,
    Policy,
    Reason,
    Rule,
    Scope,
    Status,
    Timing,
    policy_for,
)
from bankbridge.shells.policies import policies_of
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.stages import COLOURS, PROVIDERS, staged

_MINUTE = timedelta(minutes=1)
_ONCE = Rule(waits=(10 * _MINUTE,), times=1)


def test_a_bank_s_own_policy_holds_for_its_links_only():
    """The same story at three banks: one never tries again, one does once, after ten minutes, one as ever."""
    unavailable = Reason.INSTITUTION_UNAVAILABLE
    mine = Policy(
        jitter=0,
        institutions={
            "bci": Policy(retry={unavailable: NEVER}),
            "bice": Policy(jitter=0, retry={unavailable: _ONCE}),
        },
    )
    with staged("rail", policies={"rail": policy_for(Rail.capabilities, mine)}) as stage:
        links = {bank: stage.link("fails", institution=bank) for bank in ("bci", "bice", "itau")}
        intents = {bank: stage.bridge.refresh(link.link_id).id for bank, link in links.items()}
        outcomes = stage.play(list(intents.values()))
        assert {bank: outcomes[intent].attempts for bank, intent in intents.items()} == {
            "bci": 1,
            "bice": 2,
            "itau": 5,
        }
        assert {outcome.status for outcome in outcomes.values()} == {Status.FAILED}
        assert {bank: len(stage.truth(link)["creates"]) for bank, link in links.items()} == {
            "bci": 1,
            "bice": 2,
            "itau": 5,
        }


def test_a_bank_s_own_budget_blocks_its_links_only():
    strict = policy_for(Rail.capabilities, Policy(institutions={"bci": Policy(abandoned_prompts=1)}))
    with staged("rail", policies={"rail": strict}) as stage:
        links = {bank: stage.link("mfa", institution=bank) for bank in ("bci", "santander")}
        for link in links.values():
            stage.play([stage.bridge.refresh(link.link_id).id])
        blocked = {bank: stage.bridge.why_not_now(link.link_id) for bank, link in links.items()}
        assert [one.failure.reason for one in blocked["bci"]] == [Reason.MFA_EXPIRED]
        assert blocked["santander"] == ()


@pytest.mark.parametrize("provider", [Rail, Fintoc])
def test_what_the_provider_decides_is_lengthened_and_never_shortened(provider):
    declared = provider.capabilities
    hasty = Policy(
        timing=Timing(first_poll=timedelta(seconds=1), poll_floor=timedelta(seconds=1)),
        cooldowns=dict.fromkeys(Scope, timedelta(seconds=1)),
    )
    slow = attrs.evolve(hasty, cooldowns=dict.fromkeys(Scope, timedelta(days=1)))
    both = policy_for(declared, attrs.evolve(hasty, institutions={"bank": hasty, "slow": slow}))
    for policy in (both, both.at("bank")):
        assert policy.timing.first_poll == declared.first_poll
        assert policy.timing.poll_floor == declared.poll_floor
        assert policy.cooldowns == {
            scope: declared.cooldowns.get(scope, timedelta(seconds=1)) for scope in Scope
        }
    assert set(both.at("slow").cooldowns.values()) == {timedelta(days=1)}
    assert policy_for(declared).cooldowns == declared.cooldowns


# --- written in a file -----------------------------------------------------------------------------------

CHANGED = """
[policy]
jitter = 0
retry.institution_unavailable = { waits = ["10 min", "40 min"], times = 2 }

[connections.fintoc.policy]
refused_logins = 1
retry.credentials_unconfirmed = "never"
cooldowns.latest = "20 min"

[connections.rail.policy.institutions.bci]
retry.institution_unavailable = { times = 1 }
"""


def _written(name):
    """The policy of one connection, as the file says it."""
    problems: list[str] = []
    policies = policies_of(tomllib.loads(CHANGED), {name: PROVIDERS[name].capabilities}, problems)
    assert problems == []
    return policies


@pytest.mark.parametrize(("bank", "waits"), [("itau", [10, 40]), ("bci", [10])])
def test_a_story_goes_as_the_file_says(bank, waits):
    with staged("rail", policies=_written("rail")) as stage:
        link = stage.link("fails", institution=bank)
        intent_id = stage.bridge.refresh(link.link_id).id
        outcome = stage.play([intent_id])[intent_id]
        assert (outcome.status, outcome.attempts) == (Status.FAILED, len(waits) + 1)
        entries = stage.bridge.explain(intent_id).entries
    failed = [entry.at for entry in entries if entry.after is Status.BACKING_OFF]
    began = [entry.at for entry in entries if entry.before is Status.BACKING_OFF]
    assert [(then - since) / _MINUTE for since, then in zip(failed, began, strict=True)] == waits


@pytest.mark.parametrize("colour", COLOURS)
def test_a_budget_of_one_login_is_one_login(colour):
    with staged("fintoc", colour=colour, policies=_written("fintoc")) as stage:
        link = stage.link("rejects_unconfirmed", "succeeds")
        intent = stage.bridge.refresh(link.link_id)
        outcome = stage.play([intent.id])[intent.id]
        assert (outcome.status, outcome.attempts) == (Status.REJECTED, 1)
        assert [one.failure.reason for one in stage.bridge.why_not_now(link.link_id, attended=True)] == [
            Reason.CREDENTIALS_REJECTED
        ]
        stage.bridge.retry(intent.id)
        assert len(stage.truth(link)["creates"]) == stage.truth(link)["refused_logins"] == 1


def test_a_cooldown_is_as_long_as_the_file_says():
    with staged("fintoc", policies=_written("fintoc")) as stage:
        link = stage.link("succeeds")
        stage.play([stage.bridge.refresh(link.link_id).id])
        (blocker,) = stage.bridge.why_not_now(link.link_id)
        assert blocker.failure.reason is Reason.COOLDOWN
        assert blocker.until - stage.bridge.links()[0].refreshed_at == 20 * _MINUTE


@pytest.mark.parametrize("face", [BankBridge, AsyncBankBridge])
async def test_a_configuration_s_policies_are_in_force(face, tmp_path):
    path = tmp_path / "bankbridge.toml"
    settings = "secret_key = 'sk_test_1'\nwebhook_secrets = ['whsec_1']\n"
    path.write_text(CHANGED + f"[connections.fintoc]\n{settings}[connections.rail]\n{settings}")
    bridge = face.from_config(path)
    policies = {name: one.policy for name, one in bridge._core.connections.items()}
    assert policies == {name: _written(name)[name] for name in ("fintoc", "rail")}
    closed = bridge.close()
    if closed is not None:
        await closed
