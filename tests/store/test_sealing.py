"""What is secret is sealed, keys can be rotated, and a missing key is said."""

import re

import attrs
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bankbridge.machine.attempt import Prompt, PromptKind, prompt_id
from bankbridge.store.sql import SqlStore, new_key, sqlite_store
from bankbridge.store.sql.upkeep import STEP
from bankbridge.words.errors import StoreKeyError
from tests.store import values as v

SECRETS = ("link_token_SECRET", "widget_token_SECRET", "whsec_SECRET", "payload_SECRET", "event_SECRET")


def write_secrets(store: SqlStore) -> None:
    token, widget, header, payload, told = SECRETS
    home = v.link("link_1", token=token)
    prompt = Prompt(id=prompt_id(widget), kind=PromptKind.WIDGET, token=widget, offered_at=v.NOON)
    new = v.intent("intent_1", home)
    prompted = attrs.evolve(new, attempt=attrs.evolve(new.attempt, prompts=(prompt,)), version=1)
    arrived = v.delivery("d_1", body=payload.encode())
    arrived = attrs.evolve(arrived, delivery=attrs.evolve(arrived.delivery, headers={"x-shared": header}))

    def write(tx):
        tx.save_link(home)
        tx.add_intent(new)
        tx.save_intent(prompted, replaces=0)
        tx.add_delivery(arrived)
        tx.log(v.entry("PromptOffered", told=told))

    store.transact(write)


def test_no_secret_lies_readable_in_the_database(place):
    write_secrets(place.open())
    rows = [row for name in place.tables() for row in place.raw(f"SELECT * FROM {name}")]  # noqa: S608 (our own names)
    everything = b"".join(
        cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row
    )
    assert b"link_1" in everything, "ids may be read, so the search would find something"
    found = [word for word in (*SECRETS, "SECRET", place.key) if word.encode() in everything]
    assert found == []


def test_no_secret_lies_readable_in_any_file(sqlite, tmp_path, key):
    write_secrets(sqlite)
    while_open = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(while_open) == {"store.db", "store.db-wal", "store.db-shm"}
    sqlite.close()
    everything = b"".join([*while_open.values(), (tmp_path / "store.db").read_bytes()])
    assert b"link_1" in everything
    assert [word for word in (*SECRETS, "SECRET", key) if word.encode() in everything] == []


def test_no_error_of_the_database_shows_what_was_to_be_stored(place):
    store = place.open()
    place.raw("ALTER TABLE bankbridge_parked RENAME COLUMN account_id TO elsewhere")
    with pytest.raises(sa.exc.DBAPIError) as raised:
        store.transact(lambda tx: tx.park(v.parked("d_1", account_id="acc_SECRET")))
    assert "SECRET" not in str(raised.value)


def test_a_new_key_seals_and_the_old_one_still_opens(place):
    newer = new_key()
    v.with_link(place.open(), v.link("link_1", token="old"))
    both = place.open(newer, place.key)
    v.with_link(both, v.link("link_2", token="new"))
    assert [link.token for link in both.transact(lambda tx: tx.links())] == ["old", "new"]

    only_new = place.open(newer)
    assert only_new.transact(lambda tx: tx.link("link_2")).token == "new"
    with pytest.raises(StoreKeyError, match=r"^link link_1: none of the keys opens it"):
        only_new.transact(lambda tx: tx.link("link_1"))


def test_after_renewing_the_old_key_can_be_thrown_away(place):
    newer = new_key()
    write_secrets(place.open())
    assert place.open(newer, place.key).renew() == 4
    only_new = place.open(newer)

    def look(tx):
        assert tx.link("link_1").token == SECRETS[0]
        assert tx.intent("intent_1").attempt.prompts[0].token == SECRETS[1]
        assert tx.delivery("d_1").delivery.body == SECRETS[3].encode()
        assert [line.told for line in tx.log_of("intent_1")] == [SECRETS[4]]

    only_new.transact(look)


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ("link link_1", lambda tx: tx.link("link_1")),
        ("intent intent_1", lambda tx: tx.intent("intent_1")),
        ("delivery d_1", lambda tx: tx.delivery("d_1")),
        (r"log \d+", lambda tx: tx.log_of("intent_1")),
    ],
)
def test_a_wrong_key_names_the_row_it_does_not_open(place, row, read):
    write_secrets(place.open())
    with pytest.raises(StoreKeyError, match=f"^{row}: none of the keys opens it"):
        place.open(new_key()).transact(read)


def test_renewing_with_a_wrong_key_changes_nothing(place):
    write_secrets(place.open())
    with pytest.raises(StoreKeyError, match="none of the keys opens it"):
        place.open(new_key()).renew()
    assert place.open().transact(lambda tx: tx.link("link_1")).token == SECRETS[0]


@pytest.mark.parametrize("keys", [[], (), new_key()], ids=["none", "no tuple", "a lone string"])
def test_without_a_list_of_keys_nothing_is_opened(tmp_path, keys):
    path = tmp_path / "store.db"
    with pytest.raises(StoreKeyError, match=re.escape("new_key() makes one")):
        sqlite_store(path, keys=keys)
    assert not path.exists()


def test_a_malformed_key_is_refused_and_not_quoted(tmp_path):
    with pytest.raises(StoreKeyError, match="32 bytes as URL-safe base64") as raised:
        sqlite_store(tmp_path / "store.db", keys=[new_key(), "hunter2"])
    assert "hunter2" not in str(raised.value)


def test_a_new_key_is_a_key():
    Fernet(new_key())
    assert new_key() != new_key()


def test_renewing_goes_through_every_step_and_passes_over_what_is_done(place):
    newer, more = new_key(), STEP + 7
    old = place.open()
    old.transact(lambda tx: [tx.save_link(v.link(f"link_{number:04}")) for number in range(more)])
    old.add_deliveries([v.delivery(f"d_{number}") for number in range(more)])
    both = place.open(newer, place.key)
    v.with_link(both, v.link("link_0003", token="of the newer key"))
    assert both.renew() == 2 * more - 1
    assert both.renew() == 0
    only_new = place.open(newer)
    assert len(only_new.transact(lambda tx: tx.links())) == more
    assert len(only_new.transact(lambda tx: tx.waiting_deliveries(limit=9999))) == more
