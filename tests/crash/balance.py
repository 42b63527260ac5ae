"""The balance of a run: what was promised, held against the books. Nothing in here counts what the harness did."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

from bankbridge import Status
from bankbridge.machine.link import LinkStatus
from tests.chaos.play import Living
from tests.chaos.promises import Broken, broken_at, history, not_kept
from tests.crash.books import Books

LOST: Final = "no acknowledged delivery lost"
DOUBLED: Final = "no effect doubled"
EXTRA: Final = "one refresh per attempt"
WRONG: Final = "the outcome is the truth"
WAITED: Final = "nothing waits in vain"

_TERMINAL: Final = frozenset(status.value for status in Status if status.terminal)


@attrs.frozen(kw_only=True)
class Balance:
    """What there was of each, and every promise that was not kept."""

    deliveries: int
    """Acknowledged, each counted once."""
    effects: int
    """Steps in the stories of the intents."""
    refreshes: int
    """At the providers."""
    intents: int
    broken: tuple[Broken, ...]

    def count(self, promise: str) -> int:
        """How often a promise was broken."""
        return sum(one.promise == promise for one in self.broken)


def balance_of(books: Books) -> Balance:
    """Draw the balance."""
    return Balance(
        deliveries=len(set(books.acknowledged)),
        effects=sum(len(story.entries) for story in books.stories.values()),
        refreshes=sum(
            len(link["intents"]) for truth in books.truths.values() for link in truth["links"].values()
        ),
        intents=len(books.stories),
        broken=tuple(_broken(books)),
    )


def _broken(books: Books) -> Iterator[Broken]:
    for living in books.lives:
        for promise, says in (
            *broken_at(books, living),
            *((DOUBLED, says) for says in _counted_wrong(books, living)),
        ):
            yield Broken(promise=promise, link=living.life.name, says=says)
    for promise, found in (
        (LOST, not_kept(set(books.acknowledged), books.results, books.stories, books.parked)),
        (DOUBLED, (*_steps_twice(books), *_told_twice(books))),
        (WAITED, books.gave_up),
    ):
        for says in found:
            yield Broken(promise=promise, link=None, says=says)


def _steps_twice(books: Books) -> Iterator[str]:
    """A delivery moves an intent by each thing it says once; an attempt begins once, and an intent ends once."""
    for intent_id, story in books.stories.items():
        heard = Counter((one.delivery_id, one.event, one.attempt) for one in story.entries if one.delivery_id)
        for (delivery_id, event, _), times in heard.items():
            if times > 1:
                yield f"{intent_id} was told {event} of {delivery_id} {times} times"
        began = Counter(
            one.attempt
            for one in story.entries
            if one.before is Status.REQUESTED and one.after is not Status.REQUESTED
        )
        yield from (
            f"{intent_id}, attempt {number} began {times} times"
            for number, times in began.items()
            if times > 1
        )
        ends = sum(one.after.terminal and not one.before.terminal for one in story.entries)
        if ends > 1:
            yield f"{intent_id} ended {ends} times"


def _told_twice(books: Books) -> Iterator[str]:
    """How an intent ended is announced once; at most once, where the process died before it said so."""
    ends = Counter(told for told in books.told if told[1] in _TERMINAL)
    yield from (
        f"{told[0]} was announced as {told[1]} {times} times" for told, times in ends.items() if times > 1
    )


def _counted_wrong(books: Books, living: Living) -> Iterator[str]:
    """A link counts the logins that the bank refused, and the prompts that nobody answered, each once."""
    link = books.links.get((living.life.provider, living.key))
    if link is None or link.status is LinkStatus.DELETED:
        return
    refused = abandoned = 0
    for _, what in sorted(history(books, living)):
        match what:
            case "success" | "connected":
                refused = abandoned = 0
            case "refused":
                refused += 1
            case "abandoned":
                abandoned += 1
            case _:
                pass
    # Nobody has told us how a refresh ended that we gave up, until we ask for the next one.
    unheard = sum(
        intent.gave_up and intent.attempt.end is None
        for intent in (books.stories[intent_id].intent for intent_id in living.intents)
    )
    if not refused - unheard <= link.refused_logins <= refused:
        yield f"{link.id} counts {link.refused_logins} refused logins, there were {refused}"
    # Only Rail tells of a prompt that nobody answered; at Fintoc such a refresh just never starts. One that was
    # canceled may have been abandoned before.
    most = abandoned + len(living.canceled)
    if living.life.provider == "rail" and not abandoned - unheard <= link.abandoned_prompts <= most:
        yield f"{link.id} counts {link.abandoned_prompts} abandoned prompts, there were {abandoned}"
