"""One delivery that a plugin or a rule of the application's fails over holds up no other, and is not lost."""

import json
import logging
from typing import Any

import attrs
import pytest

from bankbridge import NowUnderstood, Status
from bankbridge.machine.attempt import Attempt
from bankbridge.machine.joint import NotYet, Over, Verdict
from bankbridge.machine.notices import Subject
from bankbridge.shells.connections import policy_for
from bankbridge.shells.parking import retry_parked
from bankbridge_rail import Rail
from tests.shells.scripted import LINK, Desk
from tests.store import values as v

SUCCEEDED = "refresh_intent.succeeded"
SECRET = "what a payload holds"


class Failing(Rail):
    """A plugin of a version that failed over one type of event, and quoted what it saw."""

    def translate(self, delivery):
        notices = super().translate(delivery)
        if notices[0].type == "link.expired":
            raise ValueError(SECRET)
        return notices


class Terse(Rail):
    """A plugin of a later version, to which a delivery says nothing any more."""

    def translate(self, delivery):
        return []


@attrs.frozen(kw_only=True)
class Hasty:
    """A joint rule that says what cannot be: a success of one word ends nothing, it is lost."""

    def judge(self, attempt: Attempt) -> Verdict:
        return Over(status=Status.LOST) if attempt.end is not None else NotYet()

    def by_evidence(self, attempt: Attempt) -> Over:
        return Over(status=Status.LOST)


def result_of(store: Any, delivery_id: str) -> str:
    with store._database.engine.connect() as connection:
        statement = "SELECT result FROM bankbridge_deliveries WHERE id = '{}'"
        result: str = connection.exec_driver_sql(statement.format(delivery_id)).scalar()
        return result


def test_a_plugin_that_fails_over_one_delivery(sqlite, caplog):
    desk = Desk(Failing, store=sqlite)
    intent = desk.bridge.refresh(LINK)
    bad, _good = desk.hear("link.expired"), desk.hear(SUCCEEDED)
    desk.bridge.wake_due()
    assert desk.bridge.outcome(intent.id).status is Status.SUCCEEDED
    assert result_of(sqlite, bad) == "kept: the plugin failed (ValueError)"
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert said.getMessage().startswith(f"delivery {bad}: its plugin failed: ValueError, ")
    assert "test_offenders.py" in said.getMessage()
    assert SECRET not in caplog.text
    # Mended, the plugin understands it, and a replay finds that.
    found = [one for one in desk.another(Rail).replay() if isinstance(one, NowUnderstood)]
    assert [one.delivery_id for one in found] == [bad]


def test_what_cannot_be_told_to_an_intent(sqlite, caplog):
    desk = Desk(Rail, store=sqlite)
    intent = desk.bridge.refresh(LINK)
    bad, good = desk.hear(SUCCEEDED), desk.hear("link.expired")
    hasty = attrs.evolve(policy_for(Rail.capabilities), joint=Hasty())
    bridge = desk.another(Rail, policies={"rail": hasty})
    bridge.wake_due()
    led = f"intent {intent.id}: RefreshSucceeded led from in_progress to lost"
    assert result_of(sqlite, bad) == f"kept: {led}"
    assert result_of(sqlite, good) == "link link_1"
    assert f"delivery {bad}: is kept, since it cannot be applied: {led}" in caplog.text


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (Terse, "kept: its plugin says less of it than when it was parked"),
        (Failing, "kept: the plugin failed (ValueError)"),
    ],
)
def test_a_parked_notice_that_another_version_of_the_plugin_does_not_say(sqlite, kind, result):
    desk = Desk(Rail, store=sqlite)
    event = {
        "id": "evt_1",
        "type": "link.expired",
        "created_at": desk.now.isoformat(),
        "data": {"id": "link_2"},
    }
    about_another = v.delivery("rail/evt_1", desk.now, body=json.dumps(event).encode())
    sqlite.add_deliveries([about_another])
    desk.bridge.wake_due()
    assert result_of(sqlite, about_another.id) == "parked"
    appeared, connection = v.link("link_2"), desk.another(kind)._core.connection("rail")
    v.with_link(sqlite, appeared)
    sqlite.transact(lambda tx: retry_parked(tx, connection, appeared, now=desk.now))
    assert result_of(sqlite, about_another.id) == result
    assert sqlite.transact(lambda tx: tx.parked_for(Subject(link_id=appeared.id), appeared.connection)) == []
