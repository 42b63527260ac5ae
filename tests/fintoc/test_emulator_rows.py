"""The movements of the emulated Fintoc: unstable pages as once recorded, and rows that come late, change or vanish."""

from collections import Counter
from datetime import timedelta

import pytest

from bankbridge_fintoc.emulator import Timings
from bankbridge_fintoc.emulator.paging import unstable_page
from tests.fintoc.served import NOON, OPT_IN, OUTCOMES, code


def test_the_recorded_case_of_unstable_paging(fintoc):
    link = fintoc.emulator.add_link(accounts=1, faults={"unstable_paging": 1})
    fintoc.emulator.set_history(link.account_ids[0], 1495, days=60)
    rows, answers = fintoc.pages(link, confirmed_only="false")
    assert len(answers) == 50
    assert {answer.headers["x-total-count"] for answer in answers} == {"1495"}
    times = Counter(row["id"] for row in rows)
    assert (len(rows), len(times)) == (1495, 1335)
    assert Counter(times.values()) == {1: 1187, 2: 136, 3: 12}
    # On no page twice, and none is short.
    assert all(len({row["id"] for row in answer.json()}) == len(answer.json()) for answer in answers)
    assert [len(answer.json()) for answer in answers] == [30] * 49 + [25]
    # Day by day no page is turned, and every row comes.
    days = [(NOON - timedelta(days=days)).date() for days in range(61)]
    found = [
        row["id"]
        for day in days
        for row in fintoc.rows(link, since=f"{day}", until=f"{day + timedelta(days=1)}")
    ]
    assert len(set(found)) == len(found) == 1495


@pytest.mark.parametrize("size", [1, 2, 3, 5, 30, 300])
@pytest.mark.parametrize("count", [0, 1, 29, 30, 31, 601])
def test_unstable_pages_are_as_long_as_stable_ones(count, size):
    rows = range(count)
    for number in range(1, -(-count // size) + 2):
        page = unstable_page(rows, number, size)
        assert len(page) == len(rows[(number - 1) * size : number * size])
        assert len(set(page)) == len(page)
        assert set(page) <= set(rows)


def test_a_fault_of_one_account_is_not_another_s(fintoc):
    link = fintoc.emulator.add_link(accounts=1)
    other = fintoc.emulator.add_link(accounts=1)
    fintoc.emulator.faults.next("unstable_paging")
    assert len({row["id"] for row in fintoc.pages(link, confirmed_only="false")[0]}) == 69
    assert len({row["id"] for row in fintoc.pages(other, confirmed_only="false")[0]}) == 75


def test_a_history_is_what_a_test_wants(fintoc):
    link = fintoc.emulator.add_link(accounts=1)
    fintoc.emulator.set_history(link.account_ids[0], 3, days=1)
    assert [row["post_date"][:10] for row in fintoc.rows(link)] == ["2026-03-01"] * 3
    fintoc.emulator.set_history(link.account_ids[0], 0)
    assert fintoc.rows(link) == []
    with pytest.raises(ValueError, match="movements is -1: give 0 to 100000"):
        fintoc.emulator.set_history(link.account_ids[0], -1)
    with pytest.raises(ValueError, match="days is 0: give 1 to 10000"):
        fintoc.emulator.set_history(link.account_ids[0], 1, days=0)


def refreshed(fintoc, link) -> None:
    assert fintoc.create(link).status_code == 201
    fintoc.advance(minutes=2)


def test_late_rows_are_counted_before_they_can_be_read(fintoc, receiver):
    fintoc.subscribe(receiver, OUTCOMES)
    link = fintoc.emulator.add_link(accounts=1, faults={"late_rows": 1})
    refreshed(fintoc, link)
    new = receiver.events(1)[0]["data"]["new_movements"]
    assert new >= 1
    assert len(fintoc.rows(link)) == 75
    fintoc.advance(minutes=2)
    rows = fintoc.rows(link)
    assert len(rows) == 75 + new
    assert fintoc.emulator.truth()["faults"] == [
        {"fault": "late_rows", "on": f"{link.link_id} 1", "at": "2026-03-02T12:00:00+00:00"}
    ]


def test_changed_and_vanished_rows_are_told_to_who_wants_to_know(fintoc, receiver):
    fintoc.subscribe(receiver, OPT_IN)
    link = fintoc.emulator.add_link(accounts=1, faults={"changed_rows": 1, "vanished_rows": 1})
    before = {row["id"]: row for row in fintoc.rows(link)}
    refreshed(fintoc, link)
    after = {row["id"]: row for row in fintoc.rows(link)}
    (gone,) = before.keys() - after.keys()
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    modified, removed = sorted(receiver.events(2), key=lambda event: event["type"])
    assert [row["id"] for row in modified["data"]["movements_changed"]] == changed
    assert removed["data"]["refreshed_object_id"] == link.account_ids[0]
    path = f"/v1/accounts/{link.account_ids[0]}/movements/{gone}"
    assert code(fintoc.get(link, path)) == (404, "missing_resource")


def test_where_no_row_is_none_can_change_or_vanish(fintoc):
    link = fintoc.emulator.add_link(accounts=1, faults={"changed_rows": 1, "vanished_rows": 1})
    fintoc.emulator.set_history(link.account_ids[0], 0)
    refreshed(fintoc, link)
    assert (
        len(fintoc.rows(link))
        == fintoc.story(link)["intents"][0]["accounts"][link.account_ids[0]]["new_movements"]
    )


def test_a_backdated_row_lies_before_all_that_was_read(fintoc):
    link = fintoc.emulator.add_link(accounts=1, faults={"backdated_rows": 1})
    before = fintoc.rows(link)
    refreshed(fintoc, link)
    oldest = fintoc.rows(link)[-1]
    assert oldest["id"] not in {row["id"] for row in before}
    assert oldest["post_date"] < min(row["post_date"] for row in before)


def test_new_rows_come_from_before_and_from_days_to_come_and_are_settled_later(fintoc, receiver):
    fintoc.subscribe(receiver, OPT_IN)
    link = fintoc.emulator.add_link(accounts=20)
    before = {account: _statuses(fintoc, link, account) for account in link.account_ids}
    fintoc.create(link)
    fintoc.advance(minutes=6)
    new = {account: _statuses(fintoc, link, account) for account in link.account_ids}
    days = {row for account in new for row in new[account].keys() - before[account].keys()}
    posted = {day for day, _ in (name.split() for name in days)}
    assert {"2026-02-27", "2026-03-02", "2026-03-04"} == posted
    waiting = {n for a in new for n in new[a].keys() - before[a].keys() if new[a][n] == "processing"}
    assert waiting
    fintoc.advance(hours=12)
    fintoc.create(link)
    fintoc.advance(minutes=6)
    settled: dict[str, str] = {}
    for account in link.account_ids:
        settled |= {n: s for n, s in _statuses(fintoc, link, account).items() if n in waiting}
    assert set(settled) == waiting
    assert set(settled.values()) <= {"confirmed", "reversed"}
    fintoc.emulator.settle()
    told = {
        row["id"]
        for event in receiver.events(receiver.came.qsize())
        for row in event["data"]["movements_changed"]
    }
    assert {name.split()[1] for name in waiting} == told


def _statuses(fintoc, link, account: str) -> dict[str, str]:
    """Day and id of every row, and its status."""
    params = {"per_page": 300, "confirmed_only": "false"}
    rows = fintoc.get(link, f"/v1/accounts/{account}/movements", **params).json()
    return {f"{row['post_date'][:10]} {row['id']}": row["status"] for row in rows}


def test_the_balance_follows_what_is_confirmed(fintoc):
    link = fintoc.emulator.add_link(accounts=1)
    path = f"/v1/accounts/{link.account_ids[0]}"
    before, seen = fintoc.get(link, path).json()["balance"], {row["id"] for row in fintoc.rows(link)}
    refreshed(fintoc, link)
    new = [row for row in fintoc.rows(link) if row["id"] not in seen and row["status"] == "confirmed"]
    after = fintoc.get(link, path).json()["balance"]
    assert after["current"] == before["current"] + sum(row["amount"] for row in new)


def test_when_somebody_reads_makes_no_difference(serve):
    def read(early: bool) -> list[dict]:
        fintoc = serve()
        link = fintoc.emulator.add_link(accounts=1, name="same")
        if early:
            fintoc.rows(link)
        refreshed(fintoc, link)
        return fintoc.rows(link)

    assert read(early=True) == read(early=False)


@pytest.mark.parametrize(("path", "status"), [("accounts_only", 404), ("links_too", 200)])
def test_switch_movements_path(serve, path, status):
    fintoc = serve(movements_path=path)
    link = fintoc.emulator.add_link(accounts=2)
    answer = fintoc.get(link, "/v1/movements", per_page=300, confirmed_only="false")
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["x-total-count"] == "150"
    else:
        assert code(answer) == (404, "invalid_url")


def test_switches_of_movements(serve):
    timings = Timings(settling=timedelta(days=1))
    fintoc = serve(timings=timings, processing_word="pending", movement_extras="as_seen", post_date="seconds")
    link = fintoc.emulator.add_link()
    rows = fintoc.rows(link)
    assert {row["status"] for row in rows} == {"confirmed", "pending", "reversed", "duplicated"}
    assert all(row["post_date"].endswith("T00:00:00Z") for row in rows)
    assert all({"transfer_id", "document_number"} <= set(row) for row in rows)


def test_switch_amounts_in_pesos(serve):
    def read(unit: str) -> list[int]:
        fintoc = serve(amounts_in_pesos=unit)
        link = fintoc.emulator.add_link(name="same")
        balances = [row["balance"]["current"] for row in fintoc.get(link, "/v1/accounts").json()]
        return [*balances, fintoc.rows(link)[0]["amount"]]

    units, cents = read("units"), read("cents")
    assert cents == [units[0] * 100, units[1] * 100, units[2], units[3] * 100]
