"""Order makes no difference, and neither does hearing it twice."""

import itertools
from collections.abc import Callable, Iterator

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import AccountStatus, WakePurpose
from bankbridge.machine.events import (
    AccountReported,
    CreateRefused,
    CreateUnclear,
    Event,
    PromptOffered,
    ProviderEvent,
    ReadFinished,
    RefreshCanceled,
    RefreshFailed,
    RefreshProgressed,
    RefreshRejected,
    RefreshStarted,
    RefreshSucceeded,
    RefreshVanished,
    WokeUp,
)
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.notices import Ignored, Notice, Subject, Why, receive
from bankbridge.machine.outcome import Outcome, WaitUntil, outcome_of
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import TABLE, Status
from bankbridge.words.ids import AccountId, RefreshId
from bankbridge.words.reasons import Failure
from tests.machine.stories import (
    AGAIN,
    EVERY,
    FOR_GOOD,
    HINTS,
    ONE_WORD,
    UNSURE,
    WRONG,
    A,
    B,
    C,
    answered,
    at,
    failed,
    offered,
    rejected,
    reported,
    started,
    vanished,
    wish,
    without_bookkeeping,
    woken,
)

Story = tuple[Event, ...]
State = tuple[RefreshIntent, Outcome]

LONGEST = 6
COUNTED_EACH_TIME = (CreateUnclear, ReadFinished, WokeUp)
"""What our own code did once more is once more; a fact is a fact."""


def final(intent: RefreshIntent) -> State:
    """All that counts in the end: the intent but for when to look next, and what the application is told."""
    outcome = outcome_of(intent, known_accounts=(A, B))
    if isinstance(outcome.next_step, WaitUntil):
        outcome = attrs.evolve(outcome, next_step=WaitUntil(at=at()))
    return without_bookkeeping(intent), outcome


def possible(intent: RefreshIntent, event: Event) -> bool:
    """Whether our code could tell this now. A wake-up between attempts would be for the next one."""
    next_attempt = isinstance(event, WokeUp) and intent.status is Status.BACKING_OFF
    return type(event) in TABLE[intent.status] and not next_attempt


class Teller:
    """Tells events to intents, and remembers: stories that share a beginning are told once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.intents: list[RefreshIntent] = []
        self._numbers: dict[RefreshIntent, int] = {}
        self._events: dict[Event, int] = {}
        self._after: dict[tuple[int, int, int], tuple[int, bool] | None] = {}

    def number_of(self, intent: RefreshIntent) -> int:
        # How often it changed counts for nothing but whether a create looks first.
        known = attrs.evolve(intent, version=0)
        number = self._numbers.setdefault(known, len(self.intents))
        if number == len(self.intents):
            self.intents.append(known)
        return number

    def number_of_event(self, event: Event) -> int:
        return self._events.setdefault(event, len(self._events))

    def after(self, number: int, event: Event, name: int, minute: int) -> tuple[int, bool] | None:
        """The intent after the event, and whether there is something to do; nothing where it cannot be told."""
        key = number, name, minute
        if key not in self._after:
            intent = self.intents[number]
            if possible(intent, event):
                told = advance(intent, event, now=at(minute), policy=self.policy)
                same = told.intent is intent
                self._after[key] = number if same else self.number_of(told.intent), bool(told.effects)
            else:
                self._after[key] = None
        return self._after[key]

    def tell_in_every_order(self, story: Story, *, attended: bool) -> dict[State, Story]:
        """Every end of the story, each with an order that leads there. Every fact is told again at every later place.

        All orders of the same events meet again in the states they lead to, so that few intents stand for all of them.
        """
        orders: dict[int, dict[int, Story]] = {0: {self.number_of(wish(attended=attended)): ()}}
        names = [(1 << index, event, self.number_of_event(event)) for index, event in enumerate(story)]
        everything = (1 << len(story)) - 1
        for told in range(everything):
            for number, order in orders.pop(told, {}).items():
                for bit, event, name in names:
                    after = self.after(number, event, name, 1 + told.bit_count())
                    if after is None:
                        continue
                    if not told & bit:
                        orders.setdefault(told | bit, {}).setdefault(after[0], (*order, event))
                    elif not isinstance(event, COUNTED_EACH_TIME):
                        assert after == (number, False), self._twice(order, event, number, after[0])
        return {final(self.intents[number]): order for number, order in orders[everything].items()}

    def _twice(self, order: Story, event: Event, before: int, after: int) -> str:
        states = f"before: {self.intents[before]}\nafter:  {self.intents[after]}"
        return f"told twice: {event}\nin {self.policy.joint}: {_lines(order)}\n{states}"


def _lines(events: Story) -> str:
    return "".join(f"\n    {event}" for event in events)


def assert_all_end_alike(stories: Iterator[Story], policy: Policy) -> int:
    """Tell them all; gives their number."""
    teller, count = Teller(policy), 0
    for story in stories:
        kinds = {type(event) for event in story}
        # Where nobody is there, a prompt makes every refusal final, so a start could not come after it.
        alone = (False,) if CreateRefused not in kinds else ()
        for attended in (*alone, True) if PromptOffered in kinds else (False,):
            ends = teller.tell_in_every_order(story, attended=attended)
            assert len(ends) == 1, f"{policy.joint}, attended: {attended}" + "".join(
                f"\n{state[0].status.value}, {state[0].failure} after{_lines(order)}\n  {state[0].attempt}"
                for state, order in ends.items()
            )
            count += 1
    return count


# --- what a provider can tell ----------------------------------------------------------------------------

RESULTS: tuple[Callable[[AccountId], AccountReported], ...] = (
    reported,
    lambda account: failed(account, AGAIN),
    rejected,
    vanished,
)
"""One of each status."""

MORE_RESULTS = (*RESULTS, failed, lambda account: rejected(account, UNSURE))
"""And failures of the other kind: for good, or to be tried again."""

PROMPTS: tuple[Story, ...] = ((), (offered(),), (offered(), answered()))

OWN: tuple[Story, ...] = (
    (),
    (ReadFinished(),),
    (CreateUnclear(detail="no answer"),),
    (CreateRefused(failure=AGAIN),),
    (RefreshProgressed(),),
    (woken(WakePurpose.POLL),),
)


def words_after(results: tuple[AccountReported, ...]) -> Iterator[Story]:
    """What the provider can say of the whole once these are all the results, and nothing."""
    said = [event.result for event in results if event.result.status is not AccountStatus.VANISHED]
    bad = [result for result in said if result.failure is not None]
    refused = [result for result in bad if result.status is AccountStatus.REJECTED]
    yield ()
    yield (RefreshVanished(),)
    if not bad:
        yield (RefreshSucceeded(new_movements=3),)
    if refused:
        yield (RefreshRejected(failure=_failure(refused[0].failure)),)
    elif bad:
        yield (RefreshFailed(failure=_failure(bad[0].failure)),)
    elif not said:
        yield (RefreshFailed(failure=AGAIN),)
        yield (RefreshRejected(failure=WRONG),)


def _failure(failure: Failure | None) -> Failure:
    assert failure is not None
    return failure


def stories_by_account() -> Iterator[Story]:
    """Started, an optional prompt, results, and the end by one word consistent with them."""
    for size in range(4):
        for kinds in itertools.combinations_with_replacement(MORE_RESULTS if size < 3 else RESULTS, size):
            results = tuple(kind(account) for kind, account in zip(kinds, (A, B, C), strict=False))
            accounts = tuple(event.result.account_id for event in results)
            for word, prompts in itertools.product(words_after(results), PROMPTS):
                if 1 + len(results) + len(word) + len(prompts) <= LONGEST:
                    yield (started(*accounts), *prompts, *results, *word)


def stories_of_another_set() -> Iterator[Story]:
    """One expected account owes its result; one that reports was not expected; somebody cancels."""
    for results in ((), (reported(A),), (failed(A, AGAIN),), (reported(A), rejected(B))):
        accounts = tuple(event.result.account_id for event in results)
        for word in (*words_after(results), (RefreshCanceled(),)):
            for prompts in PROMPTS[:2]:
                yield (started(*accounts, C), *prompts, *results, *word)
        for word in words_after(results):
            yield (started(*accounts), *results, reported(C), *word)


def stories_with_our_own_part() -> Iterator[Story]:
    """What our own code saw besides: reads, unclear creates, a second worker's refusal, wake-ups."""
    for results in ((reported(A),), (failed(A, AGAIN),), (reported(A), rejected(B))):
        accounts = tuple(event.result.account_id for event in results)
        for own, word in itertools.product(OWN[1:], words_after(results)):
            yield (started(*accounts), *own, *results, *word)
            if 3 + len(results) + len(word) <= LONGEST:
                yield (started(*accounts), offered(), *own, *results, *word)


def stories_of_one_word() -> Iterator[Story]:
    """Started, up to two prompts, and one word."""
    words: tuple[Story, ...] = (
        (),
        (RefreshSucceeded(new_movements=3),),
        *((RefreshFailed(failure=failure),) for failure in (AGAIN, FOR_GOOD)),
        *((RefreshRejected(failure=failure),) for failure in (WRONG, UNSURE)),
        (RefreshCanceled(),),
        (RefreshVanished(),),
    )
    second = (offered("p2", minute=0.7), answered("p2"))
    prompts = (*PROMPTS, (offered(), second[0]), (offered(), *second), (offered(), answered(), second[0]))
    for word, shown, own in itertools.product(words, prompts, OWN):
        if 1 + len(word) + len(shown) + len(own) <= LONGEST:
            yield (started(), *shown, *own, *word)


def test_stories_by_account_with_confirmation():
    assert assert_all_end_alike(stories_by_account(), EVERY) > 500


def test_stories_by_account_on_hints_alone():
    assert assert_all_end_alike(stories_by_account(), HINTS) > 500


def test_accounts_missing_or_added_and_cancellations():
    for policy in (EVERY, HINTS):
        assert assert_all_end_alike(stories_of_another_set(), policy) > 50


def test_stories_by_account_with_our_own_part():
    for policy in (EVERY, HINTS):
        assert assert_all_end_alike(stories_with_our_own_part(), policy) > 50


def test_stories_of_one_word():
    assert assert_all_end_alike(stories_of_one_word(), ONE_WORD) > 300


# --- longer than anyone can list -------------------------------------------------------------------------

ACCOUNTS = tuple(AccountId(f"acc_{number}") for number in range(8))


@st.composite
def long_stories(draw: st.DrawFn) -> tuple[list[list[ProviderEvent]], list[tuple[int, ProviderEvent]]]:
    """Some attempts, all but the last to be tried again, and what is heard of each of them too late or again."""
    attempts: list[list[ProviderEvent]] = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        ends: list[ProviderEvent] = [RefreshSucceeded(new_movements=2), RefreshFailed(failure=FOR_GOOD)]
        results = draw(st.lists(st.sampled_from(ACCOUNTS), unique=True))
        kinds = st.sampled_from(RESULTS)
        facts: list[ProviderEvent] = [draw(kinds)(account) for account in results]
        attempts.append(
            [
                RefreshProgressed(),
                offered(f"p{number}", minute=number),
                answered(f"p{number}"),
                *facts,
                draw(st.sampled_from(ends)),
            ]
        )
    for events in attempts[:-1]:
        events[-1] = RefreshFailed(failure=AGAIN)
    heard = [(number, event) for number, events in enumerate(attempts, 1) for event in events]
    return attempts, draw(st.lists(st.sampled_from(heard), max_size=20))


def tell_attempts(attempts: list[list[ProviderEvent]], late: list[tuple[int, ProviderEvent]]) -> State:
    """One attempt after the other; ``late`` are heard in between by the id of their refresh, or parked till then."""
    intent, parked, minute = wish(attended=True), list(late), 1.0

    def hear(number: int, event: ProviderEvent) -> Why | None:
        nonlocal intent
        notice = Notice(type="any", about=Subject(refresh_id=RefreshId(f"ri_{number}")), says=event, raw={})
        heard = receive(intent, notice, now=at(minute), policy=ONE_WORD)
        if isinstance(heard, Ignored):
            return heard.why
        intent = heard.intent
        return None

    for number, events in enumerate(attempts, 1):
        start = RefreshStarted(refresh_id=RefreshId(f"ri_{number}"), expected=ACCOUNTS, started_at=at(minute))
        intent = advance(intent, start, now=at(minute), policy=ONE_WORD).intent
        for event in events[:-1]:
            hear(number, event)
            parked = [one for one in parked if hear(*one) is Why.ANOTHER_REFRESH]
        hear(number, events[-1])
        if number < len(attempts):
            assert intent.status is Status.BACKING_OFF
            assert intent.wake is not None
            minute = (intent.wake.at - at()).total_seconds() / 60 + 0.01
            intent = advance(intent, woken(), now=intent.wake.at, policy=ONE_WORD).intent
    assert not [one for one in parked if hear(*one) is Why.ANOTHER_REFRESH]
    return final(intent)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(story=long_stories(), data=st.data())
def test_long_stories_over_several_attempts(story, data):
    attempts, late = story
    shuffled = [[*data.draw(st.permutations(events[:-1])), events[-1]] for events in attempts]
    assert tell_attempts(shuffled, late) == tell_attempts(attempts, [])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(kinds=st.lists(st.sampled_from(RESULTS), min_size=1, max_size=8), data=st.data())
def test_many_accounts(kinds, data):
    results = tuple(kind(account) for kind, account in zip(kinds, ACCOUNTS, strict=False))
    word = data.draw(st.sampled_from(list(words_after(results))))
    prompts = [event for number in range(8) for event in (offered(f"p{number}"), answered(f"p{number}"))]
    story = [started(*(event.result.account_id for event in results)), *results, *word, *prompts]
    for policy in (EVERY, HINTS):
        intents = []
        for order in (story, data.draw(st.permutations([*story, *story]))):
            intent = wish(attended=True)
            for event in order:
                if possible(intent, event):
                    intent = advance(intent, event, now=at(1), policy=policy).intent
            intents.append(final(intent))
        assert intents[0] == intents[1]
