"""What a test can make happen at the emulated Fintoc: links, accounts, and what becomes of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs

from bankbridge.emulation import Script
from bankbridge.emulation.reading import BadControlError
from bankbridge_fintoc.emulator import background, connecting, events, refreshing, rows, seeds
from bankbridge_fintoc.emulator.objects import Account, Link, Movement, Report
from bankbridge_fintoc.emulator.world import World

MOST_MOVEMENTS: Final = 100_000


@attrs.frozen(kw_only=True)
class Wanted:
    """A link that is to be made."""

    script: Script
    webhooks: str
    institution: Mapping[str, str]
    name: str | None
    mode: str
    faults: Mapping[str, float]


def add_link(world: World, wanted: Wanted, accounts: int, now: datetime) -> Link:
    """Make a link that was connected, and read, a while ago."""
    if wanted.name is None:
        link_id = world.ids.make("link_", wanted.mode, world.number(f"link {wanted.mode}"))
        token = connecting.token_of(world, link_id, 1)
    else:
        link_id = f"link_{wanted.name}"
        token = f"{link_id}_token"
    if link_id in world.links:
        raise BadControlError(f"the name {wanted.name!r} is taken: choose another")
    link = Link(
        id=link_id,
        token=token,
        mode=wanted.mode,
        institution=wanted.institution,
        username=connecting.TEST_USERNAME,
        script=wanted.script,
        webhooks=wanted.webhooks,
        faults=wanted.faults,
        created_at=now,
        last_refreshed_at=now,
    )
    link.accounts = [seeds.new_account(world, link, now) for _ in range(accounts)]
    for account in link.accounts:
        account.refreshed_at = now
        account.unmade_history, account.unread_history = account.unread_history, 0
    world.add(link)
    background.keep_fresh(world, link, now)
    return link


def change_credentials(world: World, link_id: str, now: datetime) -> None:
    """The person changes the password at the bank."""
    refreshing.require_reconnection(world, world.link(link_id), now)


def refresh_in_background(world: World, link_id: str, word: str, now: datetime) -> None:
    """Fintoc refreshes the link by itself."""
    background.refresh_now(world, world.link(link_id), word, now)


def add_account(world: World, link_id: str, now: datetime) -> str:
    """The bank shows an account more."""
    return refreshing.add_account(world, world.link(link_id), now).id


def remove_account(world: World, account_id: str, now: datetime) -> None:
    """The bank shows an account no more."""
    link, account = world.link_of_account(account_id)
    refreshing.remove_account(world, link, account, now)


def set_history(world: World, account_id: str, movements: int, days: int) -> None:
    """Let an account have had these many movements, and no others."""
    _, account = world.link_of_account(account_id)
    if not 0 <= movements <= MOST_MOVEMENTS:
        raise BadControlError(f"movements is {movements}: give 0 to {MOST_MOVEMENTS}")
    if not 1 <= days <= 10_000:
        raise BadControlError(f"days is {days}: give 1 to 10000")
    account.movements.clear()
    account.unmade_history, account.history_days = movements, days


def modify_movements(world: World, account_id: str, count: int, now: datetime) -> tuple[str, ...]:
    """The newest rows get another description and are confirmed."""
    link, account = world.link_of_account(account_id)
    newest = _newest(world, account, count, now)
    for row in newest:
        rows.amend(row)
    events.tell_modified(world, link, account, newest, now)
    return tuple(row.id for row in newest)


def remove_movements(world: World, account_id: str, count: int, now: datetime) -> tuple[str, ...]:
    """The newest rows are gone."""
    link, account = world.link_of_account(account_id)
    gone = tuple(row.id for row in _newest(world, account, count, now))
    account.movements = [row for row in account.movements if row.id not in gone]
    intent = refreshing.new_intent(world, link, "only_last", now, made_by="fintoc", accounts=[account])
    report = Report(id=intent.id, account_id=account_id, status="succeeded")
    refreshing.forget(link, intent)
    events.tell_removed(world, link, intent, report, gone, now)
    return gone


def _newest(world: World, account: Account, count: int, now: datetime) -> tuple[Movement, ...]:
    """The newest rows of an account that is not short of them."""
    found = rows.readable(world, account, now)
    if count < 1:
        raise BadControlError(f"count is {count}: send how many movements, 1 or more")
    if count > len(found):
        raise BadControlError(f"count is {count}: {account.id} has {len(found)} movements")
    return tuple(found[:count])
