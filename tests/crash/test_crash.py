"""The short form of the crash run, and that each thing it promises can be seen broken."""

import attrs
import pytest

from bankbridge import OutcomeChanged, Status
from bankbridge.store.sql import new_key, sqlite_store
from bankbridge.words.ids import DeliveryId
from tests.chaos.play import Living
from tests.crash.balance import DOUBLED, EXTRA, LOST, WAITED, WRONG, balance_of
from tests.crash.books import Books, books_from
from tests.crash.news import told_of
from tests.crash.plan import MOMENTS, plan_of
from tests.crash.run import run
from tests.stages import staged

BRIEFLY = 120.0
"""Virtual seconds in a real one."""

RUNS = [
    ("sqlite", "embedded", 0),
    ("postgresql", "embedded", 4),
    ("postgresql", "procrastinate", 8),
]


@pytest.mark.parametrize(("database", "engine", "seed"), RUNS)
def test_processes_are_killed_and_nothing_is_lost(testrun_uid, database, engine, seed):
    plan = plan_of(seed, rounds=6, database=database, engine=engine, brief=True)
    ran = run(plan, speed=BRIEFLY, cluster=testrun_uid)
    assert ran.balance.broken == ()
    assert ran.died == {}
    assert sum(ran.kills.values()) == 6
    assert sum(ran.killed.values()) >= 6
    assert ran.balance.deliveries
    assert ran.balance.intents
    assert ran.balance.refreshes


def test_a_seed_has_one_plan():
    first, second = (plan_of(7, rounds=20, database="sqlite", engine="embedded") for _ in range(2))
    assert first == second
    assert first != plan_of(8, rounds=20, database="sqlite", engine="embedded")
    assert {one.kill.moment for one in first.rounds} == set(MOMENTS)


# --- each promise, broken --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def books(tmp_path_factory) -> Books:
    """The books of a refresh that went well, and of one that the bank refused."""
    store = sqlite_store(tmp_path_factory.mktemp("crash") / "bridge.db", keys=[new_key()])
    heard: list = []

    with staged("rail", store=store, on_news=heard.append) as stage:
        lives = []
        for number, word in enumerate(("succeeds", "rejects")):
            link = stage.link(word)
            lives.append(Living(life=_life(number), link=link, left=[]))
            stage.play([stage.bridge.refresh(link.link_id).id])
        told = [told_of(item.outcome) for item in heard if isinstance(item, OutcomeChanged)]
        return books_from(
            stage.bridge, store, truths={"rail": stage.emulator.truth()}, lives=lives, told=told
        )


def _life(number: int):
    (life, *_) = plan_of(0, rounds=1, database="sqlite", engine="embedded").lives
    return attrs.evolve(life, number=number, provider="rail")


def broken_in(books: Books) -> set[str]:
    return {one.promise for one in balance_of(books).broken}


def test_nothing_is_broken_where_nothing_was(books):
    assert broken_in(books) == set()
    balance = balance_of(books)
    assert (balance.intents, balance.refreshes) == (2, 2)
    assert balance.deliveries == len(books.results)


@pytest.mark.parametrize("result", [None, "gone"])
def test_an_acknowledged_delivery_that_is_not_there_is_seen(books, result):
    name, *_ = books.results
    results = {**books.results, name: None}
    if result == "gone":
        del results[name]
    assert broken_in(attrs.evolve(books, results=results)) == {LOST}


def test_a_delivery_that_waits_for_what_is_known_is_seen(books):
    story, *_ = books.stories.values()
    parked = [("rail/evt_1", story.intent.attempt.refresh_id)]
    assert broken_in(attrs.evolve(books, parked=parked)) == {LOST}


def doctored(books: Books, *, said=lambda entries: entries, **outcome) -> Books:
    """With another story of the first intent."""
    name, *_ = books.stories
    story = books.stories[name]
    entries = tuple(said(story.entries))
    story = attrs.evolve(story, entries=entries, outcome=attrs.evolve(story.outcome, **outcome))
    return attrs.evolve(books, stories={**books.stories, name: story})


def test_a_delivery_that_was_told_twice_is_seen(books):
    def twice(entries):
        heard = attrs.evolve(entries[-1], before=Status.SUCCEEDED, delivery_id=DeliveryId("rail/evt_1"))
        return *entries, heard, heard

    assert broken_in(doctored(books, said=twice)) == {DOUBLED}


def test_an_intent_that_ends_twice_is_seen(books):
    assert broken_in(
        doctored(books, said=lambda entries: (*entries, attrs.evolve(entries[-1], delivery_id=None)))
    ) == {DOUBLED}


def test_an_end_that_is_announced_twice_is_seen(books):
    ends = [one for one in books.told if Status(one[1]).terminal]
    assert ends
    assert broken_in(attrs.evolve(books, told=[*books.told, ends[0]])) == {DOUBLED}


def test_a_refused_login_that_counts_twice_is_seen(books):
    name = next(name for name, link in books.links.items() if link.refused_logins)
    link = attrs.evolve(books.links[name], refused_logins=2)
    assert broken_in(attrs.evolve(books, links={**books.links, name: link})) == {DOUBLED}


def test_a_refresh_that_nobody_knows_is_seen(books):
    key = books.lives[0].key
    link = books.truths["rail"]["links"][key]
    extra = {**link["intents"][0], "id": "one more"}
    create = {**link["creates"][0], "intent_id": "one more", "idempotency_key": "another"}
    link = {**link, "intents": [*link["intents"], extra], "creates": [*link["creates"], create]}
    links = {**books.truths["rail"]["links"], key: link}
    assert EXTRA in broken_in(attrs.evolve(books, truths={"rail": {**books.truths["rail"], "links": links}}))


def test_an_outcome_that_is_not_the_truth_is_seen(books):
    assert broken_in(doctored(books, status=Status.FAILED)) == {WRONG}


def test_who_waits_in_vain_is_seen(books):
    assert broken_in(attrs.evolve(books, gave_up=["rail/0: waited in vain"])) == {WAITED}
