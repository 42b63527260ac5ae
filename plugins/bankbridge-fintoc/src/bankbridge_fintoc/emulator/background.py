"""What Fintoc refreshes by itself: a new link at once and far back, and every link again and again."""

from datetime import datetime, timedelta
from functools import partial

from bankbridge_fintoc.emulator import refreshing
from bankbridge_fintoc.emulator.bank import ENDINGS
from bankbridge_fintoc.emulator.objects import Link
from bankbridge_fintoc.emulator.world import World


def read_history(world: World, link: Link, at: datetime) -> None:
    """The first refresh of a new link, which looks far back.

    https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-object
    """
    intent = refreshing.new_intent(world, link, "historical", at, made_by="fintoc")
    refreshing.start(world, link, intent, ENDINGS["succeeds"], at)
    # The login at the widget is the one that it goes on with.
    link.login_attempts -= 1


def refresh_now(world: World, link: Link, word: str, at: datetime) -> None:
    """One of Fintoc's own refreshes, over in the same moment."""
    intent = refreshing.new_intent(world, link, "only_last", at, made_by="fintoc")
    refreshing.run_at_once(world, link, intent, ENDINGS[word], at)


def keep_fresh(world: World, link: Link, at: datetime) -> None:
    """Refresh a link again and again from now on, where the organisation's plan has that."""
    if world.chose("background_refreshes", "scheduled"):
        for account in link.accounts:
            account.next_refresh = refreshing.next_refresh(world, account, at)
        world.at(at + _soonest(world, link, at), link.id, partial(_refresh_due, world, link))


def _refresh_due(world: World, link: Link, at: datetime) -> None:
    if link.deleted_at is not None:
        return
    # One login for all of the accounts, although each has reported a little after the one before.
    soon = at + world.timings.first_report + len(link.accounts) * world.timings.between_reports
    due = [one for one in link.accounts if one.next_refresh is not None and one.next_refresh <= soon]
    for account in due:
        account.next_refresh = refreshing.next_refresh(world, account, at)
    if due and link.active and link.status == "active":
        intent = refreshing.new_intent(world, link, "only_last", at, made_by="fintoc", accounts=due)
        refreshing.start(world, link, intent, ENDINGS["succeeds"], at)
    world.at(at + _soonest(world, link, at), link.id, partial(_refresh_due, world, link))


def _soonest(world: World, link: Link, at: datetime) -> timedelta:
    waits = [one.next_refresh - at for one in link.accounts if one.next_refresh is not None]
    return min(waits, default=world.timings.background_every)
