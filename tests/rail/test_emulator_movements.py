"""The emulated Rail's movements: pages, fields, and what goes wrong with them."""

import pytest

from bankbridge.emulation import UnknownLinkError
from bankbridge_rail.emulator import SWITCHES


def test_movements_come_in_pages_and_syncs_add_and_confirm(rail):
    link = rail.emulator.add_link()
    account_id = link.account_ids[0]
    rows = rail.movements(account_id)
    assert len({row["id"] for row in rows}) == 65
    assert [row["status"] for row in rows[:3]] == ["processing", "processing", "confirmed"]
    assert [row["post_date"] for row in rows] == sorted((row["post_date"] for row in rows), reverse=True)
    assert all((row["amount"] < 0) == (row["direction"] == "outbound") for row in rows)
    assert rail.movements(account_id, confirmed_only="true") == rows[2:]
    intent_id = rail.create(link.link_id).json()["id"]
    rail.pass_time(45)
    assert rail.intent(intent_id)["status"] == "succeeded"
    after = rail.movements(account_id)
    assert [row["id"] for row in after[3:]] == [row["id"] for row in rows]
    assert [row["status"] for row in after[:6]] == ["processing"] * 2 + ["confirmed"] * 4


@pytest.mark.parametrize("reading", SWITCHES["movement_ids"].values)
def test_movement_ids(serve, reading):
    rail = serve(movement_ids=reading)
    link = rail.emulator.add_link()
    before = [row.get("id") for row in rail.movements(link.account_ids[0])]
    rail.refreshed(link.link_id)
    after = [row.get("id") for row in rail.movements(link.account_ids[0])][3:]
    kept = [number for number, (one, other) in enumerate(zip(before, after, strict=True)) if one == other]
    if reading == "none":
        assert set(before) == set(after) == {None}
    else:
        lost = {"stable": 0, "new_when_confirmed": 2, "new_each_sync": 65}[reading]
        assert kept == list(range(lost, 65))
        assert len(set(after)) == 65


def test_movement_order(serve):
    rail = serve(movement_order="oldest_first")
    days = [row["post_date"] for row in rail.movements(rail.emulator.add_link().account_ids[0])]
    assert days == sorted(days)


@pytest.mark.parametrize(
    ("reading", "dates"),
    [
        ("date", {"post_date": "2026-06-03", "transaction_date": "2026-06-03"}),
        ("datetime", {"post_date": "2026-06-03T09:00:00Z", "transaction_date": None}),
        ("other_fields", {"date": "2026-06-03", "created_at": "2026-06-03T09:00:00Z"}),
    ],
)
def test_movement_dates(serve, reading, dates):
    rail = serve(movement_dates=reading)
    row = rail.movements(rail.emulator.add_link().account_ids[0])[0]
    known = ("post_date", "transaction_date", "date", "created_at")
    assert {name: row[name] for name in known if name in row} == dates


def test_movement_filters(serve, rail):
    account_id = rail.emulator.add_link().account_ids[0]
    path = f"/v1/accounts/{account_id}/movements"
    wanted = {"since": "2026-05-30", "until": "2026-05-31", "per_page": "5"}
    assert len(rail.http.get(path, params=wanted).json()) == 30
    filtering = serve(movement_filters="honoured")
    filtering.emulator.add_link()
    rows = filtering.http.get(path, params=wanted).json()
    assert [row["post_date"] for row in rows] == ["2026-05-31"] * 4 + ["2026-05-30"]
    for name, value in (("per_page", "301"), ("per_page", "x"), ("since", "yesterday"), ("until", "")):
        assert filtering.http.get(path, params={name: value}).status_code == 400


def test_unconfirmed_status(serve):
    rail = serve(unconfirmed_status="pending")
    rows = rail.movements(rail.emulator.add_link().account_ids[0])
    assert [row["status"] for row in rows[:3]] == ["pending", "pending", "confirmed"]


@pytest.mark.parametrize("reading", SWITCHES["include_removed"].values)
def test_include_removed(serve, reading):
    rail = serve(include_removed=reading)
    gone, *_ = rail.emulator.add_link().account_ids
    rail.emulator.remove_account(gone)
    rail.emulator.remove_account(gone)
    assert rail.told() == ["link.created", "account.removed"]
    listed = {
        flag: len(rail.http.get("/v1/accounts", params={"include_removed": flag}).json())
        for flag in ("false", "true")
    }
    read = {
        flag: rail.http.get(f"/v1/accounts/{gone}/movements", params={"include_removed": flag}).status_code
        for flag in ("false", "true")
    }
    assert listed == {"false": 3 if reading == "movements" else 2, "true": 3}
    assert read == {"false": 200 if reading == "accounts" else 404, "true": 200}
    assert rail.http.get(f"/v1/accounts/{gone}").json()["status"] == "removed"


# --- Faults ----------------------------------------------------------------------------------------------------------


def test_unstable_paging_loses_what_was_recorded(serve):
    rail = serve({"faults": {"unstable_paging": 1}})
    account_id = rail.emulator.add_link().account_ids[0]
    rail.emulator.add_movements(account_id, 1_430)
    rows = rail.movements(account_id)
    found = {row["id"] for row in rows}
    assert len(rows) == 1_495
    assert 120 < 1_495 - len(found) < 200
    true = rail.emulator.movements(account_id)
    assert found < {row["id"] for row in true}
    # Another reading loses others: who reads on finds them all.
    assert found != {row["id"] for row in rail.movements(account_id)}
    assert [fault["fault"] for fault in rail.emulator.truth()["faults"]] == ["unstable_paging"]


def test_without_the_fault_nothing_is_lost(rail):
    account_id = rail.emulator.add_link().account_ids[0]
    rail.emulator.add_movements(account_id, 1_430)
    assert rail.movements(account_id) == rail.emulator.movements(account_id)


def test_late_rows(serve):
    rail = serve({"faults": {"late_rows": 1}})
    link = rail.emulator.add_link()
    summary = rail.refreshed(link.link_id)["summary"]
    assert summary["new_movements_count"] == 5
    assert len(rail.movements(link.account_ids[0])) == 65
    rail.pass_time(180)
    assert len(rail.movements(link.account_ids[0])) == 68


@pytest.mark.parametrize("fault", ["changed_rows", "vanished_rows"])
def test_a_row_that_was_read_changes_or_vanishes(serve, fault):
    rail = serve({"faults": {fault: 1}})
    link = rail.emulator.add_link()
    before = [row for account_id in link.account_ids for row in rail.movements(account_id)]
    rail.refreshed(link.link_id)
    after = {row["id"]: row for account_id in link.account_ids for row in rail.movements(account_id)}
    assert len(after) == len(before) + (5 if fault == "changed_rows" else 4)
    missing = [row for row in before if row["id"] not in after]
    changed = [row for row in before if row["id"] in after and after[row["id"]]["amount"] != row["amount"]]
    assert (len(missing), len(changed)) == ((0, 1) if fault == "changed_rows" else (1, 0))


def test_backdated_rows(serve):
    rail = serve({"faults": {"backdated_rows": 1}})
    link = rail.emulator.add_link()
    before = rail.movements(link.account_ids[0])
    rail.refreshed(link.link_id)
    after = rail.movements(link.account_ids[0])
    (oldest,) = after[len(before) + 2 :]
    assert oldest["id"] not in {row["id"] for row in before}
    assert oldest["post_date"] < before[-1]["post_date"]


def test_faults_of_one_link_leave_the_others_alone(serve):
    rail = serve()
    struck = rail.emulator.add_link(faults={"late_rows": 1})
    other = rail.emulator.add_link()
    for link in (struck, other):
        rail.refreshed(link.link_id)
    assert [len(rail.movements(link.account_ids[0])) for link in (struck, other)] == [65, 68]


def test_a_link_without_accounts_has_no_rows_to_spoil(serve):
    rail = serve({"faults": {"changed_rows": 1, "vanished_rows": 1, "backdated_rows": 1}})
    link = rail.emulator.add_link(accounts=1)
    rail.emulator.remove_account(link.account_ids[0])
    assert rail.refreshed(link.link_id)["summary"] == {"accounts_updated": 0, "new_movements_count": 0}


def test_counts_that_make_no_sense(rail):
    account_id = rail.emulator.add_link().account_ids[0]
    with pytest.raises(ValueError, match="count is 0"):
        rail.emulator.add_movements(account_id, 0)
    with pytest.raises(UnknownLinkError, match="there is no account"):
        rail.emulator.movements("acc_0")
