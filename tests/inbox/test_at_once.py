"""Receiving and draining at once, by several: each delivery is applied once, and none is left."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bankbridge import LinkChanged
from bankbridge.engine.embedded import Embedded
from bankbridge.shells.working import Tasks
from bankbridge_rail import Rail
from tests.deliveries import payload, signed
from tests.stages import COLOURS, START, bridged
from tests.store import values as v

SECRET = "whsec_0123456789"
LINKS = 30
RAIL = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,))


def expired(number: int) -> bytes:
    event = payload("rail", "link.expired") | {"id": f"evt_{number}", "created_at": START.isoformat()}
    event["data"] |= {"id": f"link_{number}"}
    return json.dumps(event).encode()


@pytest.mark.parametrize("colour", COLOURS)
def test_what_works_elsewhere_is_left_alone(store, colour):
    v.with_link(store, v.link("link_1"))
    told: list[Any] = []
    options: dict[str, Any] = {"store": store, "clock": lambda: START, "on_news": told.append}
    with bridged(colour, {"rail": RAIL}, engine=Embedded(elsewhere=True), **options) as bridge:
        body = expired(1)
        answer = bridge.receive("rail", signed("Rail-Signature", SECRET, body, START), body)
        assert (answer.status, told) == (200, [])
        with bridged("blocking", {"rail": RAIL}, **options) as worker:
            assert Tasks(worker._core, worker._run).drain() == 1
        assert [type(news) for news in told] == [LinkChanged]


@pytest.mark.parametrize("colour", COLOURS)
def test_each_delivery_is_applied_once(store, colour):
    """Two bridges take every delivery, three times each, while a third one drains, too."""
    for number in range(LINKS):
        v.with_link(store, v.link(f"link_{number}"))
    told: list[Any] = []
    copies = [expired(number) for number in range(LINKS)] * 3
    random.Random(0).shuffle(copies)
    options: dict[str, Any] = {"store": store, "clock": lambda: START, "on_news": told.append}
    providers = {"rail": RAIL}
    with (
        bridged(colour, providers, **options) as one,
        bridged(colour, providers, **options) as other,
        bridged("blocking", providers, **options) as third,
        ThreadPoolExecutor(max_workers=8) as pool,
    ):

        def take(bridge, body):
            return bridge.receive("rail", signed("Rail-Signature", SECRET, body, START), body)

        taken = [pool.submit(take, (one, other)[index % 2], body) for index, body in enumerate(copies)]
        drained = [pool.submit(Tasks(third._core, third._run).drain) for _ in range(10)]
        answers = Counter((future.result().status, future.result().body) for future in taken)
        assert sum(future.result() for future in drained) <= LINKS
    assert answers == {(200, "ok"): LINKS, (200, "known"): 2 * LINKS}
    assert store.transact(lambda tx: tx.waiting_deliveries(limit=9)) == []
    assert {type(news) for news in told} == {LinkChanged}
    assert Counter(news.link.id for news in told) == {f"link_{number}": 1 for number in range(LINKS)}
