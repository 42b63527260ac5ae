import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bankbridge.emulation import FAULTS, Clock, FaultPlan, UnknownWordError, read_rates

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
CHANCES = [(fault, f"ri_{number}") for fault in FAULTS for number in range(40)]


def plan(seed: int = 0, rate: float = 0.3, **rates: float) -> FaultPlan:
    return FaultPlan(Clock(start=START, speed=0), seed=seed, rates=rates or dict.fromkeys(FAULTS, rate))


def struck(plan: FaultPlan, chances: list[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    return {(fault, key): plan.strikes(fault, key) for fault, key in chances}


def report(plan: FaultPlan) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in plan.report())


def test_the_same_seed_decides_the_same_whatever_the_order_of_the_chances():
    first = plan()
    decided = struck(first, CHANCES)
    for order in range(5):
        other, shuffled = plan(), random.Random(order).sample(CHANCES, len(CHANCES))
        assert struck(other, shuffled) == decided
        assert report(other) == report(first)


def test_a_chance_between_others_changes_none_of_them():
    decided = struck(plan(), CHANCES)
    other = plan()
    for fault, key in CHANCES:
        other.strikes(fault, "somebody else", key)
        assert other.strikes(fault, key) == decided[fault, key]


def test_another_seed_decides_otherwise():
    assert len({tuple(struck(plan(seed), CHANCES).values()) for seed in range(10)}) == 10


def test_threads_agree_on_who_was_struck():
    one = plan()
    parts = [CHANCES[start::4] for start in range(4)]
    threads = [threading.Thread(target=struck, args=(one, part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = plan()
    struck(alone, CHANCES)
    assert report(one) == report(alone)


def test_the_rate_is_how_often():
    one = plan(drop=0.2)
    assert 150 < sum(one.strikes("drop", number) for number in range(1000)) < 250
    assert not any(one.strikes("delay", number) for number in range(1000))


def test_the_rates_of_a_link_go_first():
    one = plan(drop=1.0)
    assert not one.strikes("drop", "a", rates={"drop": 0.0})
    assert one.strikes("drop", "a", rates={"delay": 0.0})
    assert one.strikes("delay", "a", rates={"delay": 1.0})


def test_the_next_chances_are_struck_whatever_the_rate():
    one = plan(reset=0.0)
    one.next("reset", times=2)
    one.next("html_502")
    assert [one.strikes("reset", number) for number in range(3)] == [True, True, False]
    assert [one.strikes("html_502", number, rates={"html_502": 0.0}) for number in range(2)] == [True, False]


def test_what_struck_is_told_with_the_time():
    clock = Clock(start=START, speed=0)
    one = FaultPlan(clock, rates={"drop": 1.0})
    clock.advance(timedelta(seconds=5))
    one.strikes("drop", "ri_1", "we_1", 3)
    one.strikes("delay", "ri_1")
    assert one.report() == [{"fault": "drop", "on": "ri_1 we_1 3", "at": "2026-06-03T15:00:05+00:00"}]


def test_rates_may_be_changed_and_are_checked():
    one = plan(drop=1.0)
    one.rates = {"delay": 1}
    assert dict(one.rates) == {"delay": 1}
    assert not one.strikes("drop", "a")
    with pytest.raises(ValueError, match="rate of drop is 2"):
        one.rates = {"drop": 2}


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_rate_is_a_probability(rate):
    with pytest.raises(ValueError, match=r"the rate of slow is .*: give a probability from 0 to 1"):
        read_rates({"slow": rate})


def test_an_unknown_fault_names_the_nearest():
    with pytest.raises(UnknownWordError, match="unknown fault 'slo': did you mean 'slow'"):
        read_rates({"slo": 0.1})
    with pytest.raises(UnknownWordError, match="did you mean 'slow'"):
        plan().next("slo")
    with pytest.raises(ValueError, match="times is 0"):
        plan().next("slow", 0)


def test_every_fault_says_what_it_does():
    assert all(fault.name == name and fault.says and fault.chance for name, fault in FAULTS.items())
    assert {fault.side for fault in FAULTS.values()} == {"webhook", "http", "data"}
