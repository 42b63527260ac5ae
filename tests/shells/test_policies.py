"""Which policy is in force: the connection's, or that of the link's bank, and what the provider decides in both."""

from datetime import timedelta

import attrs
import pytest

from bankbridge import NEVER, Policy, Reason, Rule, Scope, Status, Timing, policy_for
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.stages import staged

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
