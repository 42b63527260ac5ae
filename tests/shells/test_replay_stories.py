"""Random stories, told again with the same translation and the same policy, end exactly where they are."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeGuard

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from bankbridge.machine.attempt import AccountResult, AccountStatus, Prompt, prompt_id
from bankbridge.machine.events import (
    AccountReported,
    CreateRefused,
    CreateUnclear,
    Event,
    PromptOffered,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshSucceeded,
    RefreshVanished,
)
from bankbridge.shells.inbox import drain
from bankbridge.shells.replay import Replayed, Verdict
from bankbridge.shells.replaying import Found
from bankbridge.shells.righting import DONE
from bankbridge.words.reasons import Failure, Reason
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.deliveries import webhooks_in
from tests.shells.scripted import ACCOUNTS, LINK, START, Desk, blaming, not_hearing

FAILURES = [
    Failure(reason=Reason.PROVIDER_ERROR, code="hiccup"),
    Failure(reason=Reason.NEEDS_SUPPORT, code="ask us"),
    Failure(reason=Reason.CREDENTIALS_UNCONFIRMED, code="unsure", or_wrong_code=True),
    Failure(reason=Reason.COOLDOWN, code="too soon"),
    Failure(reason=Reason.RATE_LIMITED),
]


@attrs.define
class Chance:
    """What was drawn, over and over."""

    numbers: Iterator[int]

    def choose(self, some: Sequence[Any]) -> Any:
        return some[next(self.numbers) % len(some)]

    def created(self, desk: Desk) -> tuple[Event, ...]:
        started = desk.started()
        refused = CreateRefused(failure=self.choose(FAILURES))
        unclear = [CreateUnclear(detail="no answer"), CreateUnclear(detail="500", answered=True)]
        return (self.choose([started, started, started, refused, *unclear]),)

    def seen(self, desk: Desk) -> tuple[Event, ...]:
        token, failure = self.choose(["ri_1_sec_a", "ri_1_sec_b"]), self.choose(FAILURES)
        status = self.choose(list(AccountStatus))
        result = AccountResult(
            account_id=self.choose(ACCOUNTS),
            status=status,
            failure=failure if status in (AccountStatus.FAILED, AccountStatus.REJECTED) else None,
            reported_at=desk.now - timedelta(seconds=self.choose(range(90))),
            read=self.choose([True, False]),
        )
        whole: list[tuple[Event, ...]] = [
            (RefreshProgressed(),),
            (PromptOffered(prompt=Prompt(id=prompt_id(token), token=token, offered_at=desk.now)),),
            (RefreshSucceeded(new_movements=3),),
            (RefreshFailed(failure=failure),),
            (RefreshRejected(failure=FAILURES[2]),),
            (RefreshVanished(),),
            (RefreshCanceled(),),
        ]
        parts = [
            (AccountReported(result=result), RefreshProgressed()),
            (AccountReported(result=result), *self.choose(whole)),
        ]
        return self.choose(whole if desk.kind is Rail else [*whole, *parts])


def play(kind: type, choices: Sequence[int]) -> Desk:
    """A story of a link, as long as there are choices."""
    chance = Chance(itertools.cycle(choices))
    desk = Desk(kind, created=chance.created, seen=chance.seen)
    bridge, names = desk.bridge, webhooks_in(desk.name)
    last = bridge.refresh(LINK, attended=bool(choices[0] % 2)).id
    for choice in choices:
        match choice % 9:
            case 0 | 1 | 2:
                desk.now += timedelta(seconds=chance.choose([0, 1, 15, 70, 400]))
                refresh = chance.choose(desk.refreshes)
                ago = chance.choose([0, 0, 1, 30, 600])
                desk.hear(chance.choose(names), account=chance.choose(ACCOUNTS), ago=ago, refresh=refresh)
            case 3 | 4 | 5:
                desk.wake()
            case 6:
                bridge.wake_due()
            case 7:
                last = bridge.refresh(LINK, attended=True).id
            case _:
                chance.choose([bridge.cancel, bridge.prompt_answered, bridge.prompt_answered])(last)
    return desk


def older(kind: type, deaf: Sequence[str], blamed: Reason | None) -> type:
    """A plugin that knew less, or knew it differently."""
    heard = not_hearing(kind, *deaf)
    return heard if blamed is None else blaming(heard, blamed)


stories = st.lists(st.integers(0, 10_000), min_size=8, max_size=40)


@given(choices=stories, kind=st.sampled_from([Rail, Fintoc]))
@settings(max_examples=25, deadline=None)
def test_a_story_that_is_told_again_is_the_same(choices, kind):
    desk = play(kind, choices)
    found = list(desk.bridge.replay())
    intents = desk.store.transact(lambda tx: tx.every_intent(after=0, limit=99, since=START))
    assert [one.intent_id for one in found if isinstance(one, Replayed)] == [one.id for _, one in intents]
    for one in found:
        assert isinstance(one, Replayed)
        assert (one.verdict, one.why, one.unfit) == (Verdict.SAME, None, 0), (one.was, one.now, one.turn)


@given(
    choices=stories,
    kind=st.sampled_from([Rail, Fintoc]),
    deaf=st.sets(st.sampled_from(sorted({*Rail.capabilities.event_types, *Fintoc.capabilities.event_types}))),
    blamed=st.none() | st.sampled_from(Reason),
)
@settings(max_examples=12, deadline=None)
def test_what_was_put_right_stays_right_and_nothing_is_asked_for(choices, kind, deaf, blamed):
    desk = play(older(kind, sorted(deaf), blamed), choices)
    newer, made = desk.another(kind), len(desk.refreshes)
    right = {one.intent_id for one in newer.replay(apply=True) if told(one) and one.applied == DONE}
    desk.bridge = newer
    for _ in range(2):
        again = {one.intent_id: one.verdict for one in newer.replay() if told(one)}
        assert {again[name] for name in right} <= {Verdict.SAME}
        assert len(desk.refreshes) == made
        newer._run(drain(newer._core, limit=999))


def told(found: Found) -> TypeGuard[Replayed]:
    return isinstance(found, Replayed)
