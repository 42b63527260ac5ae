"""What goes wrong with the movements that a successful sync finds, so that a client cannot trust what it read."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bankbridge.emulation import FaultPlan
from bankbridge_rail.emulator.ledger import Account
from bankbridge_rail.emulator.world import Link, World


def spoil(world: World, link: Link, found: Mapping[str, range], at: datetime) -> None:
    """Let the plan do what it wants with a sync; ``found`` are the new movements by account."""
    key = (link.id, "sync", link.syncs)

    def strikes(fault: str) -> bool:
        return world.faults.strikes(fault, *key, rates=link.faults)

    accounts = [link.accounts[account_id] for account_id in found]
    if not accounts:
        return
    if strikes("late_rows"):
        for account_id, numbers in found.items():
            for number in numbers:
                link.accounts[account_id].odd(number).visible_at = at + world.timings.late_rows
    if strikes("changed_rows"):
        account, number = _any_row(world.faults, accounts, found, "changed", *key)
        account.odd(number).revision += 1
    if strikes("vanished_rows"):
        account, number = _any_row(world.faults, accounts, found, "vanished", *key)
        account.odd(number).gone_at = at
    if strikes("backdated_rows"):
        _backdate(accounts, found)


def _any_row(
    plan: FaultPlan, accounts: list[Account], found: Mapping[str, range], *key: str | int
) -> tuple[Account, int]:
    """A movement that was there before the sync."""
    account = accounts[int(plan.draw("account", *key) * len(accounts))]
    before = found[account.id].start
    return account, int(plan.draw("row", *key) * before)


def _backdate(accounts: list[Account], found: Mapping[str, range]) -> None:
    """Give one new movement a date before all others of its account."""
    for account in accounts:
        for number in found[account.id]:
            account.odd(number).posted_at = account.oldest_at - timedelta(days=1)
            return
