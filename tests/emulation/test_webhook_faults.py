"""Every fault of a webhook, as a receiver on a real socket sees it."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from bankbridge.emulation import (
    FAULTS,
    NEVER,
    WEBHOOK_MODES,
    Clock,
    Endpoint,
    FaultPlan,
    Faults,
    Sending,
    link_rates,
    sign_hmac_v1,
    webhook_faults,
)
from bankbridge.emulation.delivery_faults import BEYOND_TOLERANCE, NORMAL
from tests.emulation.receiver import Received, Receiver
from tests.emulation.served import HEADER, SECRET, START, Served, thing

MINUTE = timedelta(minutes=1)
DRAWN = tuple(name for name, fault in FAULTS.items() if fault.side == "webhook" and name != "event_first")
SAMPLES: dict[str, Faults] = {
    "duplicate": Faults(copies=2),
    "reorder": Faults(reordered=True),
    "delay": Faults(delay=MINUTE),
    "drop": Faults(lost=True),
    "stale_timestamp": Faults(skew=-BEYOND_TOLERANCE),
    "future_timestamp": Faults(skew=BEYOND_TOLERANCE),
    "corrupt": Faults(corrupt=True),
    "two_v1": Faults(two_v1=True),
    "unknown_type": Faults(unknown_type=True),
    "unknown_field": Faults(unknown_field=True),
    "camel_case": Faults(camel_case=True),
}


class Verifying(Receiver):
    """An application that checks signatures by its own clock, as the documents advise: 401 for a bad one."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def answer(self, delivery: Received) -> int:
        now = int(self._clock.now().timestamp())
        t = timestamp(delivery)
        return 200 if abs(now - t) <= 300 and is_signed(delivery, t) else 401


def timestamp(delivery: Received) -> int:
    return int(delivery.headers[HEADER.lower()].split(",")[0].removeprefix("t="))


def signatures(delivery: Received) -> list[str]:
    return [part for part in delivery.headers[HEADER.lower()].split(",") if part.startswith("v1=")]


def is_signed(delivery: Received, t: int) -> bool:
    ours = sign_hmac_v1(HEADER)(SECRET, delivery.body, t)[HEADER]
    return ours.split(",")[1] in signatures(delivery)


def sendings(served: Served) -> list[tuple[str, list[int | None]]]:
    return [(row["id"], row["statuses"]) for row in served.sender.report()]


def ids(receiver: Receiver) -> list[str]:
    return [one.event["id"] for one in receiver.received]


@pytest.fixture
def served() -> Iterator[Served]:
    with Served().running() as served:
        yield served


@pytest.fixture
def receiver(served: Served) -> Iterator[Verifying]:
    with Verifying(served.clock) as receiver:
        yield receiver


def test_a_duplicate_is_the_same_twice(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(copies=2))
    first, second = receiver.received
    assert first.body == second.body
    assert sendings(served) == [("evt_1", [200, 200])]


def test_a_dropped_event_never_comes(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(lost=True))
    served.advance(days=30)
    assert receiver.received == []
    (row,) = served.sender.report()
    assert (row["lost"], row["tries"], row["faults"]) == (True, 0, ["drop"])


def test_a_delayed_event_is_signed_when_it_leaves(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(delay=7 * MINUTE))
    served.advance(minutes=6)
    assert receiver.received == []
    served.advance(minutes=1)
    (received,) = receiver.received
    assert timestamp(received) == int((START + 7 * MINUTE).timestamp())
    assert sendings(served) == [("evt_1", [200])]


class TestReorder:
    def test_it_leaves_after_the_event_that_follows(self, served, receiver):
        served.send(receiver.url, thing(1), faults=Faults(reordered=True))
        assert receiver.received == []
        served.send(receiver.url, thing(2), faults=NORMAL)
        assert ids(receiver) == ["evt_2", "evt_1"]
        assert served.clock.now() == START

    def test_also_when_both_were_sent_in_one_breath(self, served, receiver):
        served.send(receiver.url, thing(1), thing(2), faults=Faults(reordered=True))
        assert receiver.received == []
        served.send(receiver.url, thing(3), faults=NORMAL)
        assert ids(receiver)[0] == "evt_3"
        assert sorted(ids(receiver)) == ["evt_1", "evt_2", "evt_3"]

    def test_when_nothing_follows_it_leaves_after_a_minute(self, served, receiver):
        served.send(receiver.url, thing(1), faults=Faults(reordered=True))
        served.advance(seconds=59)
        assert receiver.received == []
        served.advance(seconds=1)
        assert ids(receiver) == ["evt_1"]
        assert not any(served.sender._held.values())
        served.send(receiver.url, thing(2), faults=NORMAL)
        assert ids(receiver) == ["evt_1", "evt_2"]

    def test_a_refused_event_counts_as_come(self, served):
        with Receiver(500) as receiver:
            served.send(receiver.url, thing(1), faults=Faults(reordered=True))
            served.send(receiver.url, thing(2), faults=NORMAL)
            assert ids(receiver) == ["evt_2", "evt_1"]

    def test_every_copy_waits(self, served, receiver):
        served.send(receiver.url, thing(1), faults=Faults(reordered=True, copies=2))
        served.send(receiver.url, thing(2), faults=NORMAL)
        assert ids(receiver) == ["evt_2", "evt_1", "evt_1"]

    def test_a_dropped_event_is_nothing_to_wait_for(self, served, receiver):
        served.send(receiver.url, thing(1), faults=Faults(reordered=True))
        served.send(receiver.url, thing(2), faults=Faults(lost=True))
        assert receiver.received == []


@pytest.mark.parametrize("skew", [-BEYOND_TOLERANCE, BEYOND_TOLERANCE])
def test_a_wrong_time_is_refused_and_the_retry_brings_it(served, receiver, skew):
    served.send(receiver.url, thing(), faults=Faults(skew=skew))
    served.advance(seconds=3)
    first, second = receiver.received
    assert timestamp(first) == int((START + skew).timestamp())
    assert is_signed(first, timestamp(first))
    assert timestamp(second) == int((START + timedelta(seconds=3)).timestamp())
    assert sendings(served) == [("evt_1", [401, 200])]
    assert [one.signed_at for one in served.sender.deliveries] == [START + skew, START + timedelta(seconds=3)]


def test_where_retries_are_not_signed_anew_they_carry_the_time_of_the_first():
    with Served(resigns=False).running() as served, Receiver(500, 500) as receiver:
        served.send(receiver.url, thing(), faults=Faults(skew=-BEYOND_TOLERANCE))
        served.advance(seconds=3)
        served.advance(seconds=6)
        stale, second, third = map(timestamp, receiver.received)
        assert stale == int((START - BEYOND_TOLERANCE).timestamp())
        assert second == third == int(START.timestamp())


def test_a_corrupt_copy_comes_first_and_its_refusal_is_not_retried(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(corrupt=True, copies=2))
    served.advance(days=1)
    corrupt, *good = receiver.received
    assert not is_signed(corrupt, timestamp(corrupt))
    assert (corrupt.event["id"], corrupt.event["type"]) == ("evt_1", "thing.happened")
    assert corrupt.event["data"] != thing()["data"]
    assert [one.event for one in good] == [thing(), thing()]
    (row,) = served.sender.report()
    assert (row["tries"], row["statuses"], row["corrupt_statuses"]) == (2, [200, 200], [401])


def test_an_event_that_says_nothing_can_be_corrupted_too(served, receiver):
    served.send(receiver.url, {"id": "evt_1", "type": "t", "data": {"n": 1}}, faults=Faults(corrupt=True))
    corrupt, good = receiver.received
    assert corrupt.event["data"] != good.event["data"]


def test_the_last_of_two_signatures_is_not_ours(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(two_v1=True))
    (received,) = receiver.received
    first, last = signatures(received)
    ours = sign_hmac_v1(HEADER)(SECRET, received.body, timestamp(received))[HEADER].split(",")[1]
    assert first == ours != last
    assert len(first) == len(last)


def test_an_event_of_a_type_that_nobody_knows_comes_besides(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(unknown_type=True))
    known, unknown = sorted((one.event for one in receiver.received), key=lambda event: len(event["id"]))
    assert known == thing()
    assert (unknown["id"], unknown["type"]) == ("evt_1_undocumented", "thing.undocumented")
    assert sorted(sendings(served)) == [("evt_1", [200]), ("evt_1_undocumented", [200])]


def test_fields_that_nobody_documents_are_signed_with_the_rest(served, receiver):
    served.send(receiver.url, thing(), faults=Faults(unknown_field=True))
    (received,) = receiver.received
    assert received.event.keys() - thing().keys() == {"undocumented"}
    assert received.event["data"].keys() - thing()["data"].keys() == {"undocumented"}
    assert is_signed(received, timestamp(received))


def test_camel_case_rewrites_the_keys_of_the_event_and_its_data(served, receiver):
    event = thing(some_rows=[{"row_id": 1}])
    served.send(receiver.url, event, faults=Faults(camel_case=True))
    (received,) = receiver.received
    assert received.event == {
        "id": "evt_1",
        "type": "thing.happened",
        "createdAt": "2026-06-03T15:00:00Z",
        "data": {"thingId": "thing_1", "status": "succeeded", "someRows": [{"rowId": 1}]},
    }
    assert is_signed(received, timestamp(received))


def test_all_at_once(served, receiver):
    faults = attrs.evolve(SAMPLES["camel_case"], delay=MINUTE, copies=2, skew=BEYOND_TOLERANCE, corrupt=True)
    served.send(receiver.url, thing(), faults=faults)
    served.advance(minutes=1)
    served.advance(seconds=3)
    (row,) = served.sender.report()
    assert (row["statuses"], row["corrupt_statuses"]) == ([401, 401, 200, 200], [401])


class TestDrawing:
    def plan(self, rates: Mapping[str, float] = NEVER, *, seed: int = 0) -> FaultPlan:
        return FaultPlan(Clock(start=START, speed=0), seed=seed, rates=rates)

    @pytest.mark.parametrize("fault", DRAWN)
    def test_each_fault_is_drawn_and_recorded(self, fault):
        plan = self.plan({fault: 1.0})
        drawn = webhook_faults(plan, ("ri_1", "ended", "we_1"))
        assert drawn.names == SAMPLES[fault].names == (fault,)
        assert drawn == attrs.evolve(SAMPLES[fault], delay=drawn.delay)
        assert plan.report() == [{"fault": fault, "on": "ri_1 ended we_1", "at": START.isoformat()}]

    def test_without_a_rate_nothing_goes_wrong(self):
        plan = self.plan()
        assert webhook_faults(plan, ("evt_1",)) == NORMAL
        assert plan.report() == []

    def test_a_link_has_rates_of_its_own(self):
        plan = self.plan({"duplicate": 1.0})
        assert webhook_faults(plan, ("evt_1",), {"duplicate": 0.0, "two_v1": 1.0}).names == ("two_v1",)

    def test_a_delay_is_some_minutes_and_the_same_again(self):
        delays = [webhook_faults(self.plan({"delay": 1.0}), (number,)).delay for number in range(100)]
        assert len(set(delays)) == 100
        assert MINUTE <= min(delays) < 2 * MINUTE
        assert 9 * MINUTE < max(delays) <= 10 * MINUTE
        assert delays == [webhook_faults(self.plan({"delay": 1.0}), (number,)).delay for number in range(100)]

    def test_what_is_impossible_is_not_recorded(self):
        everything = dict.fromkeys(DRAWN, 1.0)
        plan = self.plan(everything)
        assert webhook_faults(plan, ("evt_1",)).names == ("drop",)
        assert [one["fault"] for one in plan.report()] == ["drop"]
        plan = self.plan(everything | {"drop": 0.0})
        drawn = webhook_faults(plan, ("evt_1",)).names
        assert set(DRAWN) - set(drawn) == {"drop", "reorder", "future_timestamp"}
        assert sorted(one["fault"] for one in plan.report()) == sorted(drawn)

    def test_the_next_can_be_ordered(self):
        plan = self.plan()
        plan.next("corrupt", times=2)
        drawn = [webhook_faults(plan, (number,)).corrupt for number in range(3)]
        assert drawn == [True, True, False]

    def test_the_order_of_the_events_does_not_matter(self):
        keys = [(f"evt_{number}", endpoint) for number in range(50) for endpoint in ("we_1", "we_2")]
        rates = dict.fromkeys(DRAWN, 0.3)
        first, shuffled = self.plan(rates, seed=7), self.plan(rates, seed=7)
        drawn = {key: webhook_faults(first, key) for key in keys}
        random.Random(1).shuffle(keys)
        assert {key: webhook_faults(shuffled, key) for key in keys} == drawn
        assert _sorted(first) == _sorted(shuffled)
        other = self.plan(rates, seed=8)
        assert {key: webhook_faults(other, key) for key in keys} != drawn


@pytest.mark.parametrize(
    ("mode", "is_outcome", "names"),
    [
        ("normal", True, ()),
        ("lost", True, ("drop",)),
        ("lost", False, ()),
        ("twice", True, ("duplicate",)),
        ("twice", False, ("duplicate",)),
        ("early", True, ()),
    ],
)
def test_the_modes_of_a_link_are_faults_that_always_strike(mode, is_outcome, names):
    plan = FaultPlan(Clock(start=START, speed=0))
    rates = link_rates(mode, is_outcome=is_outcome)
    assert webhook_faults(plan, ("evt_1",), rates).names == names
    assert plan.strikes("event_first", "create", rates=rates) == (mode == "early")


def test_a_mode_goes_with_the_links_own_rates():
    assert link_rates("twice", {"corrupt": 0.5}, is_outcome=True) == {"corrupt": 0.5, "duplicate": 1.0}
    assert set(WEBHOOK_MODES) == {"normal", "lost", "twice", "early"}


def test_no_secret_is_in_a_repr():
    sending = Sending(
        event_id="evt_1",
        event_type="t",
        endpoint=Endpoint(id="we_1", url="http://127.0.0.1/", secret=SECRET),
        faults=NORMAL,
        at=datetime(2026, 6, 3, tzinfo=UTC),
        body=b"link_token",
    )
    assert SECRET not in repr(sending)
    assert "link_token" not in repr(sending)


def _sorted(plan: FaultPlan) -> list[tuple[Any, ...]]:
    return sorted(tuple(one.values()) for one in plan.report())
