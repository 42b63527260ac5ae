"""Reading movements through lists that shift under the reader: every row once, or the gap by name."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bankbridge import Money, MovementsMissingError
from bankbridge.banking import Movement, MovementPage
from bankbridge.shells.reading import Gap, read_movements
from bankbridge.wire import Running
from bankbridge.words.errors import UnknownLinkError
from bankbridge.words.ids import AccountId, MovementId
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.stages import COLOURS, staged
from tests.talking import link_of

FIRST = date(2026, 1, 1)
PAGE = 10


def row(number: int, day: date | None = None, *, anonymous: bool = False) -> Movement:
    return Movement(
        id=None if anonymous else MovementId(f"mov_{number}"),
        account_id=AccountId("acc_1"),
        amount=Money(number, "CLP"),
        post_date=day,
        raw={"number": number},
    )


def rows(count: int, days: int = 30) -> list[Movement]:
    return [row(number, FIRST + timedelta(days=number * days // max(count, 1))) for number in range(count)]


def read(
    answer: Callable[..., MovementPage],
    *,
    since: date | None = None,
    until: date | None = None,
    windows: bool = True,
    most: int = 10_000,
) -> tuple[list[Movement], tuple[Gap, ...], int]:
    """Everything that was handed out, what stayed incomplete, and how many pages it took."""
    provider: Any = _Asking(windows)
    reading = Running(read_movements(provider, link_of(), AccountId("acc_1"), since=since, until=until))
    given_out: list[Movement] = []
    pages = 0
    while not reading.done:
        if isinstance(reading.asks, tuple):
            given_out += reading.asks
            reading.answer(None)
        else:
            pages += 1
            assert pages <= most, "reads for ever"
            asked: Any = next(reading.asks)  # our own flow below yields the arguments
            reading.answer(answer(**asked))
    return given_out, reading.result, pages


class _Asking:
    """A provider whose flows only say what they would ask."""

    def __init__(self, windows: bool) -> None:
        self.capabilities = (Fintoc if windows else Rail).capabilities

    def movements(self, _link: Any, _account_id: Any, **asked: Any) -> Any:
        yield asked


def stable(all_rows: Sequence[Movement], *, announces: bool = True) -> Callable[..., MovementPage]:
    """A list that holds still."""

    def answer(*, since, until, page):
        found = within(all_rows, since, until)
        shown = found[(page - 1) * PAGE : page * PAGE]
        return MovementPage(
            rows=tuple(shown), has_next=page * PAGE < len(found), announced=len(found) if announces else None
        )

    return answer


def within(all_rows, since, until):
    return [
        one
        for one in all_rows
        if one.post_date is None
        or ((since is None or one.post_date >= since) and (until is None or one.post_date <= until))
    ]


def unstable(all_rows, *, seed: int = 0, narrow: int = 0) -> Callable[..., MovementPage]:
    """Rows of one day change their order from page to page; a window of ``narrow`` days or less holds still."""
    source = Random(seed)
    still = stable(all_rows)

    def answer(*, since, until, page):
        if since and until and (until - since).days < narrow:
            return still(since=since, until=until, page=page)
        found = within(all_rows, since, until)
        shuffled = sorted(found, key=lambda one: (one.post_date, source.random()))
        shown = shuffled[(page - 1) * PAGE : page * PAGE]
        return MovementPage(rows=tuple(shown), has_next=page * PAGE < len(found), announced=len(found))

    return answer


def ids(found: Sequence[Movement]) -> list[str | None]:
    return [one.id for one in found]


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 35])
@pytest.mark.parametrize("announces", [True, False])
def test_a_list_that_holds_still_is_read_once(count, announces):
    found, gaps, pages = read(stable(rows(count), announces=announces))
    assert (ids(found), gaps) == (ids(rows(count)), ())
    assert pages == max(1, -(-count // PAGE))


@pytest.mark.parametrize("seed", range(10))
def test_a_list_that_shifts_is_read_until_it_is_whole(seed):
    everything = rows(200, days=40)
    found, gaps, _ = read(unstable(everything, seed=seed, narrow=2), since=FIRST)
    assert (sorted(map(str, ids(found))), gaps) == (sorted(map(str, ids(everything))), ())


@pytest.mark.parametrize("seed", range(10))
def test_each_row_comes_once_and_what_is_missing_is_named(seed):
    everything = rows(120, days=3)
    found, gaps, _ = read(unstable(everything, seed=seed))
    assert len(set(ids(found))) == len(found)
    for day in {one.post_date or FIRST for one in everything if one.id not in ids(found)}:
        assert any((gap.since or day) <= day <= (gap.until or day) for gap in gaps), (day, gaps)


@given(st.integers(0, 80), st.integers(1, 20), st.integers(0, 10**6), st.booleans())
def test_no_list_is_read_for_ever_and_no_row_is_lost_silently(count, days, seed, windows):
    everything = rows(count, days)
    found, gaps, _ = read(unstable(everything, seed=seed), windows=windows)
    assert len(set(ids(found))) == len(found)
    assert len(found) == count or gaps


def test_only_the_days_asked_for_are_handed_out():
    everything = rows(90, days=30)
    # A provider without date filters answers with everything.
    found, gaps, _ = read(
        lambda **asked: stable(everything, announces=False)(since=None, until=None, page=asked["page"]),
        since=FIRST + timedelta(days=10),
        until=FIRST + timedelta(days=19),
        windows=False,
    )
    assert {one.post_date for one in found} == {FIRST + timedelta(days=day) for day in range(10, 20)}
    assert gaps == ()


def test_one_day_more_than_asked_for_is_no_gap():
    # Fintoc is asked for a day more than wanted, so its count has that day's rows too.
    everything = rows(40, days=20)

    def answer(*, since, until, page):
        return stable(everything)(since=since, until=until and until + timedelta(days=1), page=page)

    found, gaps, _ = read(answer, since=FIRST, until=FIRST + timedelta(days=4))
    assert (len(found), gaps) == (10, ())


def test_rows_without_an_id_are_never_dropped():
    twins = [row(1, FIRST, anonymous=True), row(1, FIRST, anonymous=True), row(2, None)]
    found, gaps, _ = read(stable(twins))
    assert (found, gaps) == (twins, ())


def test_rows_without_an_id_are_not_handed_out_again_by_a_second_pass():
    everything = [row(1, FIRST, anonymous=True), *rows(5)]

    def answer(*, since, until, page):
        whole = stable(everything)(since=since, until=until, page=page)
        return MovementPage(rows=whole.rows, has_next=False, announced=99)

    found, gaps, _ = read(answer)
    assert [one.id for one in found].count(None) == 1
    assert gaps


def test_rows_without_a_day_are_handed_out_whatever_was_asked_for():
    found, _, _ = read(stable([row(1)]), since=FIRST, until=FIRST)
    assert ids(found) == ["mov_1"]


def test_a_list_without_an_end_is_left_when_nothing_new_comes():
    everything = rows(10)

    def answer(*, since, until, page):
        return MovementPage(rows=tuple(everything), has_next=True, announced=10)

    found, gaps, pages = read(answer, most=5)
    assert (len(found), gaps, pages) == (10, (), 4)


def test_a_list_that_repeats_without_saying_how_long_it_is_is_named():
    def answer(*, since, until, page):
        return MovementPage(rows=tuple(rows(10)), has_next=page < 3, announced=None)

    found, (gap,), _ = read(answer, windows=False)
    assert (len(found), gap.announced, gap.found) == (10, None, 10)
    assert str(gap) == "the beginning to now: 10 of an unknown number of rows"


def test_a_shortfall_is_pinned_to_its_day():
    everything = rows(60, days=30)
    hidden = everything[31]

    def answer(*, since, until, page):
        whole = stable(everything)(since=since, until=until, page=page)
        shown = tuple(one for one in whole.rows if one.id != hidden.id)
        return MovementPage(rows=shown, has_next=whole.has_next, announced=whole.announced)

    found, (gap,), _ = read(answer, since=FIRST, until=FIRST + timedelta(days=29))
    assert len(found) == 59
    assert gap.since == gap.until == hidden.post_date
    assert str(gap) == f"{hidden.post_date} to {hidden.post_date}: 1 of 2 rows"


# --- against the emulators -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("provider", "faults"), [("rail", {}), ("fintoc", {}), ("fintoc", {"unstable_paging": 1})]
)
def test_every_row_of_an_emulator_comes_once(provider, faults, colour):
    with staged(provider, colour=colour, webhooks=False) as stage:
        link = stage.link(accounts=2, faults=faults)
        account = link.account_ids[0]
        if provider == "fintoc":
            # Longer than a page holds, over a year.
            stage.emulator.set_history(account, 700, days=365)
        found = list(stage.bridge.movements(account))
        unconfirmed = [one for one in found if one.status != "confirmed"]
        assert len({one.id for one in found}) == len(found) == {"rail": 65, "fintoc": 700}[provider]
        assert unconfirmed, "rows that are not confirmed yet come too"
        assert {one.account_id for one in found} == {account}
        since, until = (
            min(filter(None, (one.post_date for one in found))) + timedelta(days=2),
            date(2026, 6, 1),
        )
        some = list(stage.bridge.movements(account, since, until))
        assert {one.id for one in some} == {one.id for one in found if since <= one.post_date <= until}


@pytest.mark.parametrize("colour", COLOURS)
def test_nothing_is_asked_before_the_first_row_is_wanted(colour):
    with staged("fintoc", colour=colour, webhooks=False) as stage:
        link = stage.link(accounts=1)
        before = stage.truth(link)["requests"]
        movements = stage.bridge.movements(link.account_ids[0])
        accounts = stage.bridge.accounts(link.link_id)
        assert stage.truth(link)["requests"] == before
        next(iter(movements))
        next(iter(accounts))
        asked = stage.truth(link)["requests"]
        assert sum(asked.values()) == sum(before.values()) + 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_gap_is_an_error_unless_it_is_allowed(colour):
    with staged("fintoc", colour=colour, webhooks=False) as stage:
        link = stage.link(accounts=1, faults={"unstable_paging": 1})
        account = link.account_ids[0]
        # All on one day: no window of dates is narrow enough.
        stage.emulator.set_history(account, 900, days=1)
        strict = stage.bridge.movements(account)
        got: list[Movement] = []
        with pytest.raises(MovementsMissingError) as caught:
            got.extend(strict)
        assert 0 < len(got) < 900
        gap: Any = caught.value.gaps[0]
        assert (gap.announced, gap.found) == (900, len(got))
        assert list(strict) == [], "it has said so once"
        lenient = stage.bridge.movements(account, allow_gaps=True)
        assert len(list(lenient)) == len(got)
        assert lenient.gaps == (gap,)


@pytest.mark.parametrize("colour", COLOURS)
def test_accounts_come_with_the_removed_ones_and_are_remembered(colour):
    with staged("rail", colour=colour, webhooks=False) as stage:
        link = stage.link(accounts=2)
        added = stage.emulator.add_account(link.link_id)
        stage.emulator.remove_account(link.account_ids[0])
        with pytest.raises(UnknownLinkError):
            next(iter(stage.bridge.movements(added)))
        found = list(stage.bridge.accounts(link.link_id))
        assert {one.id: one.removed for one in found}.get(added) is False
        assert next(iter(stage.bridge.movements(added))).account_id == added
