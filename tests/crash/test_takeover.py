"""A worker that holds work and never comes back: the others finish it, and the provider makes no second refresh."""

import pytest

from tests.crash.scene import ENGINES
from tests.crash.takeover import take_over

QUICKLY = 10.0
"""Virtual seconds in a real one."""


@pytest.mark.parametrize(
    ("engine", "how"), [(engine, how) for engine in ENGINES for how in ("killed", "frozen")]
)
def test_the_others_finish_what_a_worker_held(engine, how):
    took = take_over(engine, how=how, speed=QUICKLY)
    assert took.held_by.startswith("worker")
    assert took.done_by.startswith("worker")
    assert took.done_by != took.held_by
    assert (took.status, took.refreshes) == ("succeeded", 1)
