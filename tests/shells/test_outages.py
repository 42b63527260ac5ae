"""What `docs/how-to/what-happens-when.md` says of outages, where no other test holds it."""

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import timedelta

import attrs
import pytest

from bankbridge import Status
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge.words.errors import StoreKeyError
from bankbridge_rail import Rail
from tests.deliveries import payload, signed
from tests.stages import START, bridged, staged
from tests.store import values as v

PROVIDERS = ["rail", "fintoc"]
SECRET = "whsec_0123456789"


@pytest.fixture
def opened(tmp_path):
    """Opens the store in a file, with a key of the test's own unless another is given."""
    key, stores = new_key(), []

    def store(name="bank.db", *keys):
        stores.append(sqlite_store(tmp_path / name, keys=keys or [key]))
        return stores[-1]

    yield store
    for one in stores:
        one.close()


def knock(bridge, number):
    event = payload("rail", "link.refreshed") | {"id": f"evt_{number}", "padding": "x" * 3000}
    body = json.dumps(event).encode()
    return bridge.receive("rail", signed("Rail-Signature", SECRET, body, START), body).status


@contextmanager
def full_disk(store):
    """SQLite is given no page more than it has, which it cannot tell from a disk without room."""
    with store.database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        driver.execute("PRAGMA max_page_count = 1")
    yield
    with store.database.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA max_page_count = 1000000")


def test_on_a_full_disk_a_delivery_is_answered_503_and_taken_when_there_is_room_again(opened):
    store = opened()
    rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,), base_url="http://127.0.0.1:1")
    with bridged("blocking", {"rail": rail}, store=store, clock=lambda: START) as bridge:
        with full_disk(store):
            answers = {number: knock(bridge, number) for number in range(100)}
        refused = [number for number, status in answers.items() if status == 503]
        assert set(answers.values()) <= {200, 503}
        assert len(refused) > 50
        contents = store.contents()
        assert contents.waiting_deliveries + contents.settled_deliveries == 100 - len(refused)
        assert {knock(bridge, number) for number in refused} == {200}
        bridge.wake_due()
        assert store.contents().settled_deliveries == 100


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_while_the_clock_is_wrong_deliveries_are_refused_and_reading_finds_the_truth(
    provider, minutes, caplog
):
    with staged(provider) as stage:
        link = stage.link("succeeds")
        core, wrong = stage.bridge._core, timedelta(minutes=minutes)
        stage.bridge._core = attrs.evolve(core, clock=lambda: stage.clock.now() + wrong)
        intent = stage.bridge.refresh(link.link_id)
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
    assert ("too_old" if minutes > 0 else "too_new") in caplog.text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_secret_that_was_taken_away_too_early_loses_no_outcome(provider, caplog):
    with staged(provider) as stage:
        link = stage.link("succeeds")
        core, secrets = stage.bridge._core, stage.providers[provider].webhook_secrets
        stage.bridge._core = with_secrets(core, "whsec_new")
        intent = stage.bridge.refresh(link.link_id)
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
        assert "a delivery was refused: mismatch" in caplog.text
        caplog.clear()
        stage.bridge._core = with_secrets(core, "whsec_new", *secrets)
        stage.pass_time(6 * 3600)
        assert "refused" not in caplog.text, "what the provider repeats is taken"
        assert stage.store._tables.deliveries


def with_secrets(core, *secrets):
    return attrs.evolve(
        core,
        connections={
            name: attrs.evolve(one, provider=attrs.evolve(one.provider, webhook_secrets=secrets))
            for name, one in core.connections.items()
        },
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_its_key_a_store_gives_nothing_away_and_with_it_goes_on(provider, opened):
    with staged(provider, store=opened()) as stage:
        link = stage.link("succeeds")
        intent = stage.bridge.refresh(link.link_id)
        stage.settle()
        other = opened("bank.db", new_key())
        with bridged("blocking", stage.providers, clock=stage.clock.now, store=other) as locked:
            with pytest.raises(StoreKeyError, match="none of the keys opens it"):
                locked.outcome(intent.id)
            with pytest.raises(StoreKeyError, match="none of the keys opens it"):
                locked.links()
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED


def test_what_was_sealed_with_a_strange_key_keeps_deliveries_waiting_until_that_key_is_there(opened):
    rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,), base_url="http://127.0.0.1:1")

    def bridge(*keys):
        return bridged("blocking", {"rail": rail}, store=opened("bank.db", *keys), clock=lambda: START)

    right, strange = new_key(), new_key()
    with bridge(right) as one, bridge(strange) as other, bridge(right, strange) as both:
        other._store.add_deliveries([v.delivery("d_1", START)])
        assert knock(one, 2) == 200, "whoever can store, answers"
        with pytest.raises(StoreKeyError):
            one.wake_due()
        store = both._store
        assert store.contents().waiting_deliveries == 2
        both.wake_due()
        assert store.contents().settled_deliveries == 2
        assert store.renew() == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_backup_is_brought_up_to_the_truth_by_reading(provider, opened, tmp_path):
    with staged(provider, store=opened()) as stage:
        link = stage.link("succeeds")
        intent = stage.bridge.refresh(link.link_id)
        with closing(sqlite3.connect(tmp_path / "bank.db")) as file:
            file.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
        restored = opened("backup.db")
        with bridged("blocking", stage.providers, clock=stage.clock.now, store=restored) as bridge:
            assert bridge.outcome(intent.id).status is not Status.SUCCEEDED
            stage.bridge, stage.store = bridge, restored
            assert stage.play([intent.id])[intent.id].status is Status.SUCCEEDED
        assert len(stage.truth(link)["creates"]) == 1
