"""A worker that holds work and never comes back: the others finish it, and the provider makes no second refresh."""

import pytest

from tests.crash.takeover import take_over

QUICKLY = 10.0
"""Virtual seconds in a real one."""


@pytest.mark.parametrize(("engine", "how"), [("embedded", "frozen"), ("procrastinate", "killed")])
def test_the_others_finish_what_a_worker_held(testrun_uid, engine, how):
    took = take_over(engine, how=how, speed=QUICKLY, cluster=testrun_uid)
    assert took.held_by.startswith("worker")
    assert took.done_by.startswith("worker")
    assert took.done_by != took.held_by
    assert (took.status, took.refreshes) == ("succeeded", 1)
