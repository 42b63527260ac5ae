"""A story told again: what a changed translation or policy would have said, and what may be put right."""

from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from bankbridge import (
    NEVER,
    RETRY_TABLE,
    BankBridge,
    ConfigurationError,
    LinkStatus,
    Policy,
    Reason,
    Status,
    policy_for,
)
from bankbridge.emulation import WEBHOOK_MODES
from bankbridge.machine.events import CreateRefused, RefreshFailed, RefreshProgressed, RefreshSucceeded
from bankbridge.shells.news import LinkChanged, MovementsChanged, OutcomeChanged
from bankbridge.shells.replay import NowUnderstood, Replayed, Verdict
from bankbridge.shells.replaying import Replaying, Wish
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge.words.errors import UnknownConnectionError, UnknownIntentError, UnknownLinkError
from bankbridge.words.reasons import Failure
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.shells.scripted import ACCOUNTS, LINK, Desk, blaming, not_hearing
from tests.stages import COLOURS, bridged, staged
from tests.test_end_to_end import WORDS, people

FAILED = "refresh_intent.failed.bank_unavailable"
REJECTED = "refresh_intent.failed.rejected_credentials"
SUCCEEDED = "refresh_intent.succeeded"


def told(bridge: Any, **wish) -> list[Any]:
    return [one for one in bridge.replay(**wish) if isinstance(one, Replayed)]


def only(bridge: Any, **wish) -> Any:
    (one,) = told(bridge, **wish)
    return one


def understood(bridge: Any, **wish) -> list[NowUnderstood]:
    return [one for one in bridge.replay(**wish) if isinstance(one, NowUnderstood)]


# --- nothing changed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("provider", "colour"), [("rail", "blocking"), ("fintoc", "async")])
def test_with_the_same_translation_and_policy_every_story_is_the_same(provider, colour):
    with staged(provider, colour=colour) as stage:
        links = [
            stage.link(word, "succeeds", webhooks=mode).link_id
            for mode in WEBHOOK_MODES
            for word in WORDS[provider]
        ]
        acts = {}
        for what in ("right_code", "wrong_code", "walk_away"):
            acts[stage.link("mfa", webhooks="twice").link_id] = (provider, what)
        act = people(stage, acts)
        intents = {stage.bridge.refresh(link, attended=True).id for link in (*links, *acts)}
        for _ in range(3):
            found = list(stage.bridge.replay())
            assert {one.intent_id for one in found} == intents
            assert {(one.verdict, one.why, one.unfit, one.used) for one in found} == {
                (Verdict.SAME, None, 0, ())
            }
            stage.pass_time(15)
            act()


def test_a_database_tells_the_same_stories(tmp_path):
    """The events of the log go through their seal, and what is read page by page is everything."""
    store = sqlite_store(tmp_path / "store.db", keys=[new_key()])
    desk = Desk(Rail, store=store)
    ends = [FAILED, SUCCEEDED, REJECTED]
    for turn in range(27):
        desk.bridge.reconnected(LINK)
        intent = desk.bridge.refresh(LINK, attended=True)
        desk.hear(ends[turn % 3])
        desk.wake()
        desk.bridge.cancel(intent.id)
        desk.now += timedelta(hours=1)
    found = list(desk.bridge.replay())
    assert len(found) == 27, "more than a page"
    assert {one.verdict for one in found if isinstance(one, Replayed)} == {Verdict.SAME}
    store.close()


# --- another translation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
def test_another_reason_is_shown_with_the_delivery_at_which_the_story_turns(colour):
    desk = Desk(Rail)
    intent = desk.bridge.refresh(LINK)
    delivery = desk.hear(REJECTED)
    desk.bridge.wake_due()
    ended: Any = desk.bridge.outcome(intent.id)
    newer = blaming(Rail, Reason.INSTITUTION_UNAVAILABLE)(
        secret_key="sk_1", webhook_secrets=("whsec_0",), base_url="http://127.0.0.1:1"
    )
    with bridged(colour, {"rail": newer}, store=desk.store, clock=desk.clock) as bridge:
        one = only(bridge)
    assert one.verdict is Verdict.DIFFERS
    assert (one.was.outcome, one.was.wake) == (ended, None)
    assert (ended.status, ended.failure.reason) == (Status.REJECTED, Reason.CREDENTIALS_REJECTED)
    # Again by itself, after a minute.
    assert one.now.outcome.status is Status.BACKING_OFF
    assert one.now.outcome.failure.reason is Reason.INSTITUTION_UNAVAILABLE
    assert one.now.wake is not None
    assert (one.turn.delivery_id, one.turn.told) == (delivery, "refresh_intent.failed")
    assert desk.bridge.outcome(intent.id) == ended, "a replay only reads"


def test_what_does_not_fit_any_more_is_counted():
    """It was tried again; now its first attempt is the last, and what came after belongs to nothing."""
    desk = Desk(Rail)
    intent = desk.bridge.refresh(LINK)
    desk.hear(FAILED)
    desk.wake(most=2)
    desk.hear(SUCCEEDED)
    desk.wake()
    assert desk.bridge.outcome(intent.id).status is Status.SUCCEEDED
    one = only(desk.another(blaming(Rail, Reason.NEEDS_SUPPORT)))
    assert (one.now.outcome.status, one.now.outcome.failure.reason) == (Status.FAILED, Reason.NEEDS_SUPPORT)
    assert one.unfit == 2, "the wake-up after the wait, and the start of the second attempt"


def test_what_was_not_understood_is_told_when_it_came():
    """Nothing was understood and nothing could be read, so it was lost; told today, it was a success in time."""
    desk = Desk(not_hearing(Rail, SUCCEEDED))
    intent = desk.bridge.refresh(LINK)
    delivery = desk.hear(SUCCEEDED)
    desk.wake(most=99)
    assert desk.bridge.outcome(intent.id).status is Status.LOST
    one = only(desk.another(Rail))
    assert one.now.outcome.status is Status.SUCCEEDED
    assert (one.turn.delivery_id, one.turn.told) == (delivery, SUCCEEDED)
    assert one.unfit > 0, "nothing would have been asked after the success"
    assert understood(desk.another(Rail)) == [], "it is part of the story"


def test_a_link_s_event_that_was_not_understood_means_something_to_its_refresh():
    desk = Desk(not_hearing(Rail, "link.deleted"))
    intent = desk.bridge.refresh(LINK)
    desk.hear("link.deleted")
    desk.wake()
    assert desk.bridge.outcome(intent.id).status is Status.IN_PROGRESS
    one = only(desk.another(Rail))
    assert (one.now.outcome.status, one.now.outcome.failure.reason) == (Status.FAILED, Reason.LINK_GONE)


def test_a_delivery_is_about_the_intent_of_its_time():
    """Fintoc's events name no refresh: one that was not understood belongs to the intent that was there."""
    success = "account.refresh_intent.succeeded.public_error_null"
    desk = Desk(not_hearing(Fintoc, "account.refresh_intent.succeeded"))
    first = desk.bridge.refresh(LINK)
    desk.hear(success)
    desk.wake(most=99)
    desk.now += timedelta(hours=1)
    second = desk.bridge.refresh(LINK)
    third_account = desk.hear(success, account=ACCOUNTS[1])
    desk.wake()
    by_id = {one.intent_id: one for one in told(desk.another(Fintoc))}
    assert by_id[first.id].now.outcome.fresh == (ACCOUNTS[0],)
    assert [one.delivery_id for one in by_id[second.id].used] == [third_account]


# --- another policy --------------------------------------------------------------------------------------


def test_another_policy_is_tried_on_what_happened():
    desk = Desk(Rail)
    intent = desk.bridge.refresh(LINK)
    desk.hear(FAILED)
    desk.wake()
    never = policy_for(
        Rail.capabilities, Policy(retry={**RETRY_TABLE, Reason.INSTITUTION_UNAVAILABLE: NEVER})
    )
    assert only(desk.bridge).verdict is Verdict.SAME
    one = only(desk.bridge, policies={"rail": never})
    assert (one.was.outcome.status, one.now.outcome.status) == (Status.BACKING_OFF, Status.FAILED)
    assert desk.bridge.outcome(intent.id).status is Status.BACKING_OFF
    with pytest.raises(ConfigurationError, match="a changed policy is for what comes"):
        list(desk.bridge.replay(policies={"rail": never}, apply=True))
    with pytest.raises(UnknownConnectionError, match="policy for fintoc: no such connection"):
        list(desk.bridge.replay(policies={"fintoc": never}))


def test_an_attempt_that_would_have_come_later_is_taken_to_have_gone_as_it_did():
    desk = Desk(Rail)
    desk.bridge.refresh(LINK)
    desk.hear(FAILED)
    desk.wake(most=2)
    desk.hear(SUCCEEDED)
    desk.wake()
    later = {
        **RETRY_TABLE,
        Reason.INSTITUTION_UNAVAILABLE: attrs.evolve(NEVER, waits=(timedelta(hours=2),), times=1),
    }
    one = only(desk.bridge, policies={"rail": policy_for(Rail.capabilities, Policy(retry=later))})
    assert (one.verdict, one.unfit) == (Verdict.SAME, 0)


# --- what was left unsaid --------------------------------------------------------------------------------


def spoilt(desk: Desk, **fields) -> None:
    """As an older version, or a prune, left the log."""
    entries = desk.store._tables.log
    entries[:] = [attrs.evolve(entry, **fields) for entry in entries]


def test_a_log_of_an_older_version_says_too_little():
    desk = Desk(Rail)
    desk.bridge.refresh(LINK)
    spoilt(desk, told=None)
    one = only(desk.bridge)
    assert (one.verdict, one.now) == (Verdict.NOT_ENOUGH_STORED, None)
    assert one.why == "WokeUp was logged without what it said, by an older version"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"told": '{"purpose": "tea"}'},
            "an event cannot be read any more: WokeUp: $.purpose: must be one of",
        ),
        ({"event": "Dreamt"}, "Dreamt is not known any more"),
        ({"before": Status.LOST}, "its log has gaps"),
        ({"delivery_id": "rail/evt_pruned"}, "delivery rail/evt_pruned is no longer stored"),
    ],
)
def test_what_is_missing_is_named(fields, why):
    desk = Desk(Rail)
    desk.bridge.refresh(LINK)
    spoilt(desk, **fields)
    one = only(desk.bridge)
    assert one.verdict is Verdict.NOT_ENOUGH_STORED
    assert one.why.startswith(why)


def test_a_pruned_log_and_a_connection_that_is_gone_are_said():
    desk = Desk(Rail)
    desk.bridge.refresh(LINK)
    other = BankBridge({"other": desk._scripted(Rail)}, store=desk.store, clock=desk.clock)
    assert only(other).why == "its connection is no longer configured"
    desk.store._tables.log.clear()
    assert only(desk.bridge).why == "its log was pruned, or never written"


# --- which intents ---------------------------------------------------------------------------------------


def test_one_intent_one_link_or_what_is_newer():
    desk = Desk(Rail, created=lambda _: (CreateRefused(failure=Failure(reason=Reason.NOT_PERMITTED)),))
    made = []
    for _ in range(60):
        made.append(desk.bridge.refresh(LINK).id)
        desk.now += timedelta(days=1)
    assert [one.intent_id for one in told(desk.bridge)] == made
    assert [one.intent_id for one in told(desk.bridge, link_id=LINK)] == made
    assert [one.intent_id for one in told(desk.bridge, link_id=LINK, connection="rail")] == made
    assert [one.intent_id for one in told(desk.bridge, intent_id=made[7])] == [made[7]]
    since = desk.now - timedelta(days=2, hours=1)
    assert [one.intent_id for one in told(desk.bridge, since=since)] == made[-2:]
    assert [one.intent_id for one in told(desk.bridge, link_id=LINK, since=since)] == made[-2:]
    with pytest.raises(UnknownLinkError, match="'link_9': not stored"):
        told(desk.bridge, link_id="link_9")
    with pytest.raises(UnknownIntentError, match="'rfi_none': not stored"):
        told(desk.bridge, intent_id="rfi_none")


# --- put right -------------------------------------------------------------------------------------------


def test_what_is_over_is_put_right_and_then_nothing_differs():
    desk = Desk(not_hearing(Rail, SUCCEEDED))
    intent = desk.bridge.refresh(LINK)
    delivery = desk.hear(SUCCEEDED)
    desk.wake(most=99)
    creates = len(desk.refreshes)
    newer = desk.another(Rail)
    desk.told.clear()
    assert only(newer, apply=True).applied == "put right"
    outcome = desk.bridge.outcome(intent.id)
    assert outcome.status is Status.SUCCEEDED
    assert desk.told == [OutcomeChanged(outcome=outcome)], "the application hears of the data it can fetch"
    last = desk.bridge.explain(intent.id).entries[-1]
    assert (last.event, last.before, last.after) == ("Replayed", Status.LOST, Status.SUCCEEDED)
    assert desk.store._tables.results[delivery] == f"replayed: {intent.id}"
    again: list[Any] = list(newer.replay())
    assert [(one.verdict, one.why) for one in again] == [(Verdict.SAME, None)]
    assert list(newer.replay(apply=True)) == again
    desk.wake(most=9)
    assert len(desk.refreshes) == creates, "no refresh came of it"
    # The version of before says so, too: it would call it lost.
    assert only(desk.bridge).verdict is Verdict.DIFFERS


def test_a_login_that_turns_out_to_have_been_refused_counts_against_the_link():
    desk = Desk(blaming(Rail, Reason.NEEDS_SUPPORT))
    desk.bridge.refresh(LINK)
    desk.hear(REJECTED)
    desk.wake()
    assert desk.bridge.why_not_now(LINK) == ()
    desk.told.clear()

    class Newer(Rail):
        """Whose word for it is an end that the machine takes for a failure, as before, with the right reason."""

        def translate(self, delivery: Any) -> list[Any]:
            heard: list[Any] = list(super().translate(delivery))
            return [attrs.evolve(one, says=RefreshFailed(failure=one.says.failure)) for one in heard]

    assert only(desk.another(Newer), apply=True).applied == "put right"
    (link,) = desk.bridge.links()
    assert (link.status, link.refused_logins) == (LinkStatus.NEEDS_RECONNECT, 1)
    assert link.counted_at is not None, "an older connection must not renew what was counted now"
    assert [type(one) for one in desk.told] == [OutcomeChanged, LinkChanged]
    assert [one.failure.reason for one in desk.bridge.why_not_now(LINK)] == [Reason.CREDENTIALS_REJECTED]


def test_nothing_that_a_replay_says_frees_a_link():
    desk = Desk(Rail)
    desk.bridge.refresh(LINK)
    desk.hear(REJECTED)
    desk.wake()
    before = desk.bridge.links()
    assert before[0].status is LinkStatus.NEEDS_RECONNECT
    assert only(desk.another(blaming(Rail, Reason.NEEDS_SUPPORT)), apply=True).applied == "put right"
    assert desk.bridge.links() == before


@pytest.mark.parametrize("over", [True, False], ids=["would not be over", "is not over"])
def test_what_is_under_way_and_what_would_be_is_left_alone(over):
    desk = Desk(Rail)
    intent = desk.bridge.refresh(LINK)
    desk.hear(REJECTED if over else FAILED)
    desk.wake()
    before = desk.store.transact(lambda tx: tx.intent(intent.id))
    newer = desk.another(blaming(Rail, Reason.INSTITUTION_UNAVAILABLE if over else Reason.NEEDS_SUPPORT))
    one = only(newer, apply=True)
    assert one.applied == ("left alone: what is over stays over" if over else "left alone: it is under way")
    assert desk.store.transact(lambda tx: tx.intent(intent.id)) == before


def test_other_attempts_than_were_made_are_not_made_up():
    desk = Desk(Rail)
    intent = desk.bridge.refresh(LINK)
    desk.hear(FAILED)
    desk.wake(most=2)
    desk.hear(SUCCEEDED)
    desk.wake()
    one = only(desk.another(blaming(Rail, Reason.NEEDS_SUPPORT)), apply=True)
    assert one.applied == "left alone: other attempts were made than it would have made"
    assert desk.bridge.outcome(intent.id).status is Status.SUCCEEDED


def moved(tx, stored) -> None:
    tx.save_intent(attrs.evolve(stored, version=stored.version + 1), replaces=stored.version)


def test_an_intent_that_moved_meanwhile_is_passed_over():
    desk = Desk(not_hearing(Rail, SUCCEEDED))
    intent = desk.bridge.refresh(LINK)
    desk.hear(SUCCEEDED)
    desk.wake(most=99)
    newer = desk.another(Rail)
    walk = Replaying(newer._core, Wish(apply=True), {})
    job = walk.go_on()
    steps = 0
    answer: Any = None
    while True:
        try:
            step: Any = job.send(answer)
        except StopIteration as end:
            (one,) = end.value
            break
        steps += 1
        if steps == 4:  # what there is has been read; the next is the writing
            stored = desk.store.transact(lambda tx: tx.intent(intent.id))
            desk.store.transact(partial(moved, stored=stored))
        answer = desk.store.transact(step.work)
    assert one.applied == "moved meanwhile: replay it again"
    assert desk.bridge.outcome(intent.id).status is Status.LOST


def test_what_is_understood_now_goes_back_into_the_inbox_once():
    kept = "account.refresh_intent.movements_modified"
    desk = Desk(not_hearing(Fintoc, kept))
    delivery = desk.hear(kept)
    desk.wake()
    newer = desk.another(Fintoc)
    (shown,) = understood(newer)
    assert (shown.delivery_id, shown.says, shown.applied) == (delivery, (f"{kept}: MovementsAmended",), None)
    assert understood(newer, link_id=LINK)[0].delivery_id == delivery
    assert [one.applied for one in understood(newer, apply=True)] == ["put back into the inbox"]
    assert understood(newer) == [], "it waits"
    desk.told.clear()
    newer.wake_due()
    assert [type(one) for one in desk.told] == [MovementsChanged]
    assert understood(newer) == []


@pytest.mark.parametrize("name", ["link.created", "link.refreshed", SUCCEEDED])
def test_an_old_success_does_not_lift_what_stands_against_the_link(name):
    desk = Desk(not_hearing(Rail, name))
    desk.hear(name)
    desk.wake()
    assert [one.applied for one in understood(desk.another(Rail), apply=True)] == [
        "left alone: it could free its link, which is better looked at"
    ]


def test_nothing_is_put_back_while_a_refresh_of_its_link_is_under_way():
    desk = Desk(not_hearing(Rail, "link.expired"), seen=lambda _: (RefreshProgressed(),))
    desk.bridge.refresh(LINK)
    desk.hear("link.expired")
    desk.bridge.wake_due()
    newer = desk.another(Rail)
    assert [one.applied for one in understood(newer, apply=True)] == [
        "left alone: a refresh of its link is under way"
    ]
    desk.seen = lambda _: (RefreshSucceeded(),)
    desk.wake(most=9)
    assert [one.applied for one in understood(newer, apply=True)] == ["put back into the inbox"]
