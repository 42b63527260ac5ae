"""No look at a refresh into a minute that is full; what the application asks for is never held back."""

from datetime import timedelta

import pytest

from bankbridge import Status
from bankbridge.provider import Pace
from bankbridge.shells.pace import HELD_BACK, Limiter
from tests.stages import COLOURS, START, staged

MINUTE = timedelta(minutes=1)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self):
        return self.now


def looks(limiter: Limiter, count: int) -> list[bool]:
    """Which of so many looks went out."""
    return [limiter.instead(is_look=True) is None for _ in range(count)]


def test_a_full_minute_lets_no_look_out_before_there_is_room():
    time = Time()
    limiter = Limiter(Pace(most=4, per=MINUTE), time)
    time.now += MINUTE
    assert looks(limiter, 3) == [True] * 3
    time.now += timedelta(seconds=20)
    assert looks(limiter, 2) == [True, False]
    answer = limiter.instead(is_look=True)
    assert answer is not None
    assert (answer.status, answer.headers) == (429, {"retry-after": "40"})
    assert answer.json()["error"] == {"code": HELD_BACK, "message": "held back here: 4 requests in 60 s"}
    time.now += timedelta(seconds=40)
    assert looks(limiter, 4) == [True, True, True, False]


def test_what_the_application_asks_for_goes_out_and_counts():
    time = Time()
    limiter = Limiter(Pace(most=4, per=MINUTE), time)
    time.now += MINUTE
    assert [limiter.instead(is_look=False) for _ in range(9)] == [None] * 9
    assert looks(limiter, 1) == [False]
    time.now += MINUTE
    assert looks(limiter, 1) == [True]


def test_a_new_process_leaves_room_for_what_the_one_before_may_have_asked():
    time = Time()
    limiter = Limiter(Pace(most=4, per=MINUTE), time)
    assert looks(limiter, 3) == [True, True, False]
    time.now += MINUTE
    assert looks(limiter, 5) == [True] * 4 + [False]


@pytest.mark.parametrize("colour", COLOURS)
def test_more_refreshes_than_a_minute_has_room_for_are_looked_at_one_after_the_other(colour):
    with staged("rail", colour=colour, webhooks=False) as stage:
        links = [stage.link() for _ in range(60)]
        stage.clock.advance(timedelta(minutes=2))
        intents = [stage.bridge.refresh(link.link_id).id for link in links]
        asked = sum(stage.emulator.truth()["requests"].values())
        stage.pass_time(30)
        assert sum(stage.emulator.truth()["requests"].values()) - asked == 30, (
            "60 creates leave room for 30 looks"
        )
        outcomes = stage.play(intents)
        assert {outcome.status for outcome in outcomes.values()} == {Status.SUCCEEDED}
