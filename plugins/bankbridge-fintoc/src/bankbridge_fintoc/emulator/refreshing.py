"""How a refresh runs and ends: what the bank shows, account by account, and what the link is left with."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from bankbridge_fintoc.emulator import events, rows, seeds
from bankbridge_fintoc.emulator.bank import SUCCEEDED, Ending, Result
from bankbridge_fintoc.emulator.objects import Account, Intent, Link, Report
from bankbridge_fintoc.emulator.world import World

# How bad a status is for the whole intent: https://docs.fintoc.com/docs/refresh-intents-walkthrough only says
# that the whole succeeded when every account did.
WORST_FIRST: Final = ("rejected", "failed", "succeeded")

Action: TypeAlias = Callable[[datetime], None]

ONE_HOUR: Final = timedelta(hours=1)

ROW_FAULTS: Final = ("late_rows", "changed_rows", "vanished_rows", "backdated_rows")
"""The faults of the data that strike a refresh."""


def new_intent(
    world: World,
    link: Link,
    refresh_type: str,
    created_at: datetime,
    *,
    made_by: str = "client",
    accounts: list[Account] | None = None,
) -> Intent:
    """Another intent of this link, for those of its accounts that are still there, with nothing under way yet."""
    intent_id = world.ids.make("ri_", link.id, link.number("intent"))
    shown = link.accounts if accounts is None else accounts
    intent = Intent(
        id=intent_id,
        link_id=link.id,
        type=refresh_type,
        created_at=created_at,
        made_by=made_by,
        reports=[_new_report(world, intent_id, account) for account in shown if not account.removed],
    )
    (link.own_refreshes if made_by == "fintoc" else link.intents)[intent.id] = intent
    link.running[intent.id] = intent
    return intent


def start(world: World, link: Link, intent: Intent, ending: Ending | None, at: datetime) -> None:
    """Log in at the bank; without an ending nothing more is ever heard of it."""
    _log_in(world, link, intent, ending, at)
    if ending is None:
        return

    def later(step: int, action: Action) -> None:
        due = at + world.timings.first_report + step * world.timings.between_reports
        world.at(due, link.id, action)

    _schedule(world, link, intent, ending, later)


def run_at_once(world: World, link: Link, intent: Intent, ending: Ending, at: datetime) -> None:
    """Log in and be done with every account in the same moment."""
    _log_in(world, link, intent, ending, at)
    _schedule(world, link, intent, ending, lambda _step, action: action(at))


def make_past_success(world: World, link: Link, refresh_type: str, now: datetime) -> None:
    """Let the link have been refreshed by somebody else a little before, without a trace but its data."""
    created_at = now - world.timings.cooldown_age
    ended_at = min(created_at + world.timings.first_report, now)
    intent = new_intent(world, link, refresh_type, created_at, made_by="somebody else")
    intent.started_at, intent.ended_at, intent.status = created_at, ended_at, "succeeded"
    link.login_attempts += 1
    link.last_refreshed_at = ended_at
    for report in intent.reports:
        report.status, report.reported_at = "succeeded", ended_at
        _, account = world.accounts[report.account_id]
        account.refreshed_at = ended_at
    _is_over(world, link, intent)


def forget(link: Link, intent: Intent) -> None:
    """Let an intent that only events speak of leave no trace."""
    del link.own_refreshes[intent.id], link.running[intent.id]


def require_reconnection(world: World, link: Link, at: datetime) -> None:
    """Set the link to `login_required` and tell so."""
    if link.status != "login_required":
        link.status = "login_required"
        events.tell_credentials_changed(world, link, at)


def fail_abandoned(world: World, link: Link, intent: Intent, at: datetime) -> None:
    """Nobody came to the widget in time. Undocumented: see the switch ``abandoned_mfa``."""
    if intent.status is None and intent.prompt in ("open", "walk_away"):
        intent.status, intent.ended_at = "failed", at
        _is_over(world, link, intent)


def next_refresh(world: World, account: Account, at: datetime) -> datetime | None:
    """When Fintoc refreshes an account again by itself that is fresh now; never without such a plan."""
    if world.chose("background_refreshes", "off") or account.removed:
        return None
    # Accounts in US dollars about daily, says a third party.
    is_usd = account.currency == "USD"
    return at + (world.timings.background_every_usd if is_usd else world.timings.background_every)


def add_account(world: World, link: Link, at: datetime) -> Account:
    """Let the bank show an account more; nothing of it has been read."""
    account = seeds.new_account(world, link, at)
    world.add_account(link, account)
    return account


def remove_account(world: World, link: Link, account: Account, at: datetime) -> None:
    """Let the bank show an account no more: what runs waits for it no longer."""
    account.removed, account.next_refresh = True, None
    for intent in tuple(link.running.values()):
        intent.reports = [one for one in intent.reports if one.account_id != account.id or one.status]
        _end_if_all_reported(world, link, intent, at)


def _new_report(world: World, intent_id: str, account: Account) -> Report:
    return Report(id=world.ids.make("ri_", intent_id, account.id), account_id=account.id)


def _log_in(world: World, link: Link, intent: Intent, ending: Ending | None, at: datetime) -> None:
    intent.started_at, intent.ending = at, ending
    link.login_attempts += 1
    which = link.number("refresh")
    intent.row_faults = frozenset(
        fault for fault in ROW_FAULTS if world.faults.strikes(fault, link.id, which, rates=link.faults)
    )


def _schedule(
    world: World, link: Link, intent: Intent, ending: Ending, later: Callable[[int, Action], None]
) -> None:
    """Let each account report in its turn, and before the first one the bank show what it has."""
    reports = list(intent.reports)

    def appear(at: datetime) -> None:
        if link.deleted_at is None:
            report = _new_report(world, intent.id, add_account(world, link, at))
            intent.reports.append(report)
            later(len(reports), partial(_report, world, link, intent, report, ending.last))

    if ending.accounts == "appears":
        later(0, appear)
    elif not reports:
        # Every account has vanished before: there is nothing that could report.
        later(0, lambda at: _end_if_all_reported(world, link, intent, at))
    elif ending.accounts == "vanishes":
        _, gone = world.accounts[reports.pop().account_id]
        later(0, lambda at: remove_account(world, link, gone, at))
    for step, report in enumerate(reports):
        result = ending.last if report is intent.reports[-1] else ending.others
        later(step, partial(_report, world, link, intent, report, result))


def _report(world: World, link: Link, intent: Intent, report: Report, result: Result, at: datetime) -> None:
    """One account's result has come."""
    if link.deleted_at is not None or report not in intent.reports:
        return
    report.status, report.public_error = result
    report.reported_at = at
    brought = rows.Brought(new=0)
    _, account = world.accounts[report.account_id]
    if report.status == "succeeded":
        brought = rows.refresh(world, account, at, intent.row_faults)
        report.new_movements = brought.new
        account.next_refresh = next_refresh(world, account, at)
        link.last_refreshed_at = at
    if report.status == "rejected" and all(one is report or one.status is None for one in intent.reports):
        link.refused_logins += 1
    events.tell_outcome(world, link, intent, report, at)
    events.tell_changes(world, link, account, intent, report, brought, at)
    _end_if_all_reported(world, link, intent, at)


def _end_if_all_reported(world: World, link: Link, intent: Intent, at: datetime) -> None:
    ending = intent.ending
    if intent.status is not None or ending is None or not all(one.status for one in intent.reports):
        return
    # An account that vanished leaves nothing that could have gone wrong.
    results = [(str(one.status), one.public_error) for one in intent.reports] or [SUCCEEDED]
    intent.status, intent.public_error = min(results, key=lambda one: WORST_FIRST.index(one[0]))
    intent.ended_at = at
    _is_over(world, link, intent)
    if intent.status == "succeeded":
        link.status = "active"
    if ending.afterwards == "invalid":
        require_reconnection(world, link, at)
    if intent.status == "rejected":
        _refuse_later_creates(world, link, ending.afterwards, at)
    events.tell_end(world, link, intent, at)


def _is_over(world: World, link: Link, intent: Intent) -> None:
    """Nothing runs any more, and perhaps the next one has to wait."""
    del link.running[intent.id]
    if intent.made_by == "fintoc" and world.chose("background_cooldown", "none"):
        return
    counts_partly = world.chose("partial_cooldown", "counts")
    brought_something = any(one.status == "succeeded" for one in intent.reports)
    if intent.status == "succeeded" or (counts_partly and brought_something):
        link.succeeded[intent.type] = intent


def _refuse_later_creates(world: World, link: Link, afterwards: str, at: datetime) -> None:
    """Sources disagree on this one: see the switch."""
    policy = world.switches["after_rejected"]
    if policy == "refuse_reconnect":
        link.must_reconnect = True
    refuses = {
        "refuse_1h": True,
        "retry_once": link.refused_logins > 1,
        "as_scripted": afterwards == "unconfirmed",
    }
    if refuses.get(policy, False):
        link.refused_until = at + ONE_HOUR
