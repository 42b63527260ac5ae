"""What every engine promises, whatever it is made of: `docs/explanation/engines.md` lists it."""

import json
import logging
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from bankbridge import Policy, Reason, Status
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.policy import RETRY_TABLE, Rule
from bankbridge.store import StoredDelivery
from bankbridge.store.sql import sqlite
from bankbridge.webhooks import Delivery
from bankbridge.words.errors import BankBridgeError
from bankbridge.words.ids import ConnectionName, DeliveryId
from tests.engine.bank import PATIENCE, SOON
from tests.engine.conftest import HOUR, LATER, working

NOW = timedelta(0)


def body(intent, name="evt_1"):
    """A delivery that says that the intent's refresh succeeded."""
    return json.dumps({"id": name, "about": intent.attempt.refresh_id, "link": intent.link_id}).encode()


def woken(bridge, intent):
    """When the intent was woken, after `refresh` itself did."""
    return [entry.at for entry in bridge.explain(intent.id).entries if entry.event == "WokeUp"][1:]


def until(holds):
    """Look again and again, with a generous limit."""
    give_up_at = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def policy(wait=None, **timing):
    retry = RETRY_TABLE
    if wait is not None:
        rule = Rule(waits=(wait,), times=1)
        retry = {**RETRY_TABLE, Reason.PROVIDER_ERROR: rule, Reason.COOLDOWN: rule}
    return Policy(timing=attrs.evolve(LATER, **timing), jitter=0, retry=retry)


# What the provider answers to the create, the policy, and what follows: what we are woken for, and what is asked then.
PURPOSES = {
    "create": ("error", policy(), WakePurpose.CREATE, "POST"),
    "poll": ("started", policy(), WakePurpose.POLL, "GET"),
    "prompt": ("asks", policy(), WakePurpose.PROMPT_EXPIRY, "GET"),
    "backoff": ("fails", policy(SOON), WakePurpose.BACKOFF, "POST"),
    "cooldown": ("cools", policy(timedelta(milliseconds=1)), WakePurpose.BACKOFF, "POST"),
    "deadline": ("started", policy(attempt=SOON), WakePurpose.DEADLINE, "GET"),
}


def test_a_wake_up_of_every_purpose_fires_once_when_it_is_due(place):
    bridge = place.bridge({name: policy for name, (_, policy, _, _) in PURPOSES.items()})
    place.bank.creates = {name: said for name, (said, _, _, _) in PURPOSES.items()}
    intents = {name: place.refresh(bridge, connection=name) for name in PURPOSES}
    for name in ("create", "poll"):
        intents[name] = place.wakes(intents[name], SOON, bridge_store(bridge))
    assert {name: intent.wake.purpose for name, intent in intents.items()} == {
        name: purpose for name, (_, _, purpose, _) in PURPOSES.items()
    }
    with working(bridge):
        place.bank.until(lambda: len(place.bank.asked) == 2 * len(PURPOSES))
        until(lambda: bridge.outcome(intents["deadline"].id).status is Status.LOST)
        until(lambda: bridge.outcome(intents["prompt"].id).failure is not None)
    for name, intent in intents.items():
        (at,) = woken(bridge, intent)
        assert at >= intent.wake.at, name
        asked = [(method, what) for connection, method, what in place.bank.asked if connection == name]
        assert [method for method, _ in asked] == ["POST", PURPOSES[name][3]], name
    keys = [what for connection, _, what in place.bank.asked if connection == "create"]
    assert keys[0] == keys[1]
    assert bridge.outcome(intents["prompt"].id).failure.reason is Reason.MFA_EXPIRED


def bridge_store(bridge):
    """The store that the engine is told by."""
    return getattr(bridge, "bridge", bridge)._store


def test_a_wake_up_that_was_replaced_does_nothing(place):
    bridge, another = place.bridge(), place.bridge(engine=None)
    over, moved, last = (place.refresh(bridge, number) for number in range(3))
    for intent in (over, moved, last):
        place.wakes(intent, NOW, bridge_store(bridge))
    # Somebody whom the engine does not hear replaces them.
    place.wakes(moved, HOUR)
    assert another.receive("small", {}, body(over)).status == 200
    assert another.outcome(over.id).status is Status.SUCCEEDED
    with working(bridge):
        until(lambda: woken(bridge, last))
        place.bank.until(place.bank.polls)
    assert place.bank.polls() == [last.attempt.refresh_id]
    assert woken(bridge, moved) == []


def test_a_wake_up_survives_the_process_that_set_it(place):
    before = place.bridge()
    with working(before):
        intent = place.refresh(before)
    place.wakes(intent, NOW, bridge_store(before))
    assert place.bank.polls() == []
    after = place.bridge()
    with working(after):
        place.bank.until(place.bank.polls)
        until(lambda: woken(after, intent))
    assert place.bank.polls() == [intent.attempt.refresh_id]


def test_what_nobody_told_the_engine_of_is_found(place):
    asks_only = place.bridge(engine=None)
    intents = [place.refresh(asks_only, number) for number in range(3)]
    for intent in intents:
        place.wakes(intent, NOW)
    left = delivered(place, intents[0])
    bridge = place.bridge()
    with working(bridge):
        until(lambda: all(woken(bridge, intent) for intent in intents[1:]))
        until(lambda: settled(place, left))
        place.bank.until(lambda: {one.attempt.refresh_id for one in intents[1:]} <= set(place.bank.polls()))
    assert bridge.outcome(intents[0].id).status is Status.SUCCEEDED


def delivered(place, intent, name="evt_1"):
    """A delivery that another process has stored."""
    delivery = Delivery(
        connection=ConnectionName("small"), headers={}, body=body(intent, name), received_at=datetime.now(UTC)
    )
    stored = StoredDelivery(id=DeliveryId(f"small/{name}"), delivery=delivery)
    assert place.store.add_deliveries([stored]) == [True]
    return stored.id


def settled(place, _name):
    return place.store.transact(lambda tx: tx.waiting_deliveries(limit=1)) == []


def test_what_another_process_stored_is_drained(place):
    bridge = place.bridge()
    first, second = (place.refresh(bridge, number) for number in range(2))
    with working(bridge):
        for number, intent in enumerate((first, second)):
            delivered(place, intent, f"evt_{number}")
            until(lambda intent=intent: bridge.outcome(intent.id).status is Status.SUCCEEDED)


def test_what_is_received_is_drained_and_told(place):
    told: list[Any] = []
    bridge = place.bridge(on_news=told.append)
    intent = place.refresh(bridge)
    with working(bridge):
        until(lambda: bridge_engine(bridge).is_at_work)
        told.clear()
        assert bridge.receive("small", {}, body(intent)).body == "ok"
        until(lambda: told)
    assert [news.outcome.status for news in told] == [Status.SUCCEEDED]


def bridge_engine(bridge):
    return getattr(bridge, "bridge", bridge)._engine


def test_two_on_one_store_do_each_thing_once(place):
    bridges = [place.bridge(), place.bridge()]
    intents = [place.refresh(bridges[number % 2], number) for number in range(6)]
    with working(bridges[0]), working(bridges[1]):
        for intent in intents:
            place.wakes(intent, SOON, bridge_store(bridges[0]))
        place.bank.until(lambda: len(place.bank.polls()) >= len(intents))
        until(lambda: all(woken(bridges[0], intent) for intent in intents))
    assert Counter(place.bank.polls()) == Counter(intent.attempt.refresh_id for intent in intents)


def test_stopping_finishes_what_is_under_way(place):
    bridge = place.bridge()
    intent = place.refresh(bridge)
    bank = place.bank
    bank.closed.add("small")
    bank.status = "succeeded"
    with working(bridge) as run:
        place.wakes(intent, NOW, bridge_store(bridge))
        bank.until(lambda: bank.waiting == 1)
        bridge.stop()
        assert not run.done()
        bank.open()
        run.result(PATIENCE)
    assert bridge.outcome(intent.id).status is Status.SUCCEEDED
    with working(bridge):
        again = place.refresh(bridge, 2)
        place.wakes(again, NOW, bridge_store(bridge))
        until(lambda: bridge.outcome(again.id).status is Status.SUCCEEDED)


def test_a_store_that_is_away_is_said_once_and_waited_for(place, monkeypatch, caplog):
    if place.kind.outage is None:
        return  # memory is never away
    monkeypatch.setattr(sqlite, "PATIENCE", timedelta(milliseconds=50))
    bridge = place.bridge()
    intent = place.refresh(bridge)
    place.wakes(intent, 2 * SOON, bridge_store(bridge))
    with working(bridge) as run:
        with place.kind.outage():
            until(lambda: said(caplog, place.kind.says))
            with pytest.raises(BankBridgeError):
                bridge.outcome(intent.id)
            assert not run.done()
        until(place.bank.polls)
    lines = said(caplog, "engine: can")
    assert len(lines) == len({line[:20] for line in lines}), lines


def said(caplog, start):
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith(start)]


def test_a_bug_ends_the_run_and_is_seen(place):
    bridge = place.bridge()
    intent = place.refresh(bridge)
    place.bank.status = "bug"
    place.wakes(intent, NOW, bridge_store(bridge))
    with pytest.raises(LookupError, match="a bug in a plugin"):
        bridge.run()
    assert place.bank.polls() == [intent.attempt.refresh_id]


def test_a_listener_that_raises_is_heard_and_stops_nobody(place, caplog):
    def listen(_news):
        raise ValueError("a bug in the application")

    bridge = place.bridge(on_news=listen)
    first, second = (place.refresh(bridge, number) for number in range(2))
    place.bank.status = "succeeded"
    with working(bridge):
        for intent in (first, second):
            place.wakes(intent, NOW, bridge_store(bridge))
            until(lambda intent=intent: bridge.outcome(intent.id).status is Status.SUCCEEDED)
    (*_, record) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage() == "on_news raised when it was told of OutcomeChanged"
    assert "a bug in the application" in caplog.text
