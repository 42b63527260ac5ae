"""The script of the emulated bank: what each word makes of a refresh intent, and how one runs and ends."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from bankbridge.emulation import UnknownLinkError, WidgetError, WidgetSession
from bankbridge_fintoc.emulator import events, seeds
from bankbridge_fintoc.emulator.world import Account, Intent, Link, Report, World, prompt_is_alive

Result: TypeAlias = tuple[str, str | None]
"""An account's status and public_error."""

SUCCEEDED: Final[Result] = ("succeeded", None)
RETRYABLE: Final[Result] = ("failed", "retryable_error")


@attrs.frozen(kw_only=True)
class Ending:
    """How an intent ends: the `last` account in one way, the `others` in another or the same."""

    others: Result
    last: Result
    afterwards: str = "nothing"
    """What the link is left with: ``nothing``, or credentials that are ``invalid`` or ``unconfirmed``."""


def _all(result: Result, afterwards: str = "nothing") -> Ending:
    return Ending(others=result, last=result, afterwards=afterwards)


# undocumented: which public_error goes with which status; the two credentials values can only be a refusal.
ENDINGS: Final[Mapping[str, Ending]] = MappingProxyType(
    {
        "succeeds": _all(SUCCEEDED),
        "mixed": Ending(others=SUCCEEDED, last=RETRYABLE),
        "fails": _all(RETRYABLE),
        "fails_plain": _all(("failed", None)),
        "needs_support": _all(("failed", "support_required_error")),
        "rejects": _all(("rejected", "invalid_credentials_error"), "invalid"),
        "locks": _all(("rejected", "credentials_locked_error")),
        "rejects_unconfirmed": _all(("rejected", None), "unconfirmed"),
    }
)

# undocumented: what a wrong code brings; neither of the two credentials values says it.
WRONG_CODE: Final = _all(("rejected", None))

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "succeeds": "every account succeeds",
        "mixed": "the last account fails, the others succeed",
        "fails": "every account fails with retryable_error",
        "fails_plain": "every account fails, and public_error is null",
        "needs_support": "every account fails with support_required_error",
        "rejects": "the credentials are invalid, and the link needs a reconnection",
        "locks": "the credentials are locked at the bank",
        "rejects_unconfirmed": "the bank refused, Fintoc is not sure why, and refuses creates for an hour",
        "refused_confirmed": "the create is refused: reconnect",
        "refused_unconfirmed": "the create is refused for an hour from the first one on",
        "mfa": "nothing starts until the person opens the widget",
        "stuck": "never ends",
        "errors_500": "the create answers 500 and creates nothing",
        "response_lost": "created, but the connection closes before the answer; then every account succeeds",
        "already_running": "somebody else started a refresh a moment before; that one succeeds",
        "cooldown": "refreshed a little before: refused until the five minutes are over, then succeeds",
    }
)
"""The script words of a link, and what a refresh intent does for each."""

# How bad a status is for the whole intent: https://docs.fintoc.com/docs/refresh-intents-walkthrough only says
# that the whole succeeded when every account did.
WORST_FIRST: Final = ("rejected", "failed", "succeeded")

ONE_HOUR: Final = timedelta(hours=1)


def new_intent(world: World, link: Link, refresh_type: str, created_at: datetime) -> Intent:
    """Another intent of this link, one with nothing under way yet."""
    intent = unlisted_intent(world, link, created_at, refresh_type)
    link.intents.append(intent)
    return intent


def unlisted_intent(
    world: World, link: Link, created_at: datetime, refresh_type: str = "only_last"
) -> Intent:
    """An intent that no client can read, for what Fintoc does by itself."""
    return Intent(
        id=world.ids.new("ri_"),
        link_id=link.id,
        type=refresh_type,
        created_at=created_at,
        reports=[Report(id=world.ids.new("ri_"), account_id=account.id) for account in link.accounts],
    )


def start(world: World, link: Link, intent: Intent, ending: Ending | None, at: datetime) -> None:
    """Log in at the bank; without an ending nothing more is ever heard of it."""
    intent.started_at = at
    link.login_attempts += 1
    if ending is None:
        return
    for position in range(len(intent.reports)):
        due = at + world.timings.first_report + position * world.timings.between_reports
        world.at(due, partial(_report, world, link, intent, ending, position))


def report_now(world: World, link: Link, intent: Intent, ending: Ending, at: datetime) -> None:
    """Log in and be done with every account in the same moment."""
    intent.started_at = at
    link.login_attempts += 1
    for position in range(len(intent.reports)):
        _report(world, link, intent, ending, position, at)


def look_at_widget(world: World, token: str, now: datetime) -> WidgetSession:
    """What the widget shows for the token of a prompt; raises `WidgetError` when it can show nothing."""
    for link in world.links.values():
        for intent in link.intents:
            if intent.widget_token != token:
                continue
            if intent.prompt != "open" or not prompt_is_alive(intent, now):
                raise WidgetError("the time for the code is over: try again")
            return WidgetSession(
                kind="code", institutions={}, link_id=link.id, expires_at=intent.prompt_expires_at
            )
    raise WidgetError("there is no such widget token: ask for a new one")


def act_at_widget(world: World, link: Link, act: str, now: datetime) -> None:
    """Let the person act at the prompt that is open on a link; raises `UnknownLinkError` when none is."""
    intent = next((one for one in reversed(link.intents) if one.prompt == "open"), None)
    if intent is None:
        raise UnknownLinkError(
            f"no open prompt on {link.id}: create a refresh intent with the script word 'mfa'"
        )
    if not prompt_is_alive(intent, now):
        raise UnknownLinkError(
            f"the prompt of {intent.id} on {link.id} has expired: create a new refresh intent"
        )
    intent.prompt = act
    if act != "walk_away":
        start(world, link, intent, WRONG_CODE if act == "wrong_code" else ENDINGS["succeeds"], now)


def make_past_success(world: World, link: Link, refresh_type: str, now: datetime) -> None:
    """Let the link have been refreshed by somebody else a little before, without a trace but its data."""
    created_at = now - world.timings.cooldown_age
    ended_at = min(created_at + world.timings.first_report, now)
    intent = new_intent(world, link, refresh_type, created_at)
    intent.made_by, intent.status = "somebody else", "succeeded"
    intent.started_at, intent.ended_at = created_at, ended_at
    link.login_attempts += 1
    link.last_refreshed_at = ended_at
    for account, report in zip(link.accounts, intent.reports, strict=True):
        account.refreshed_at = report.reported_at = ended_at
        report.status = "succeeded"


def refresh_in_background(world: World, link: Link, word: str, now: datetime) -> None:
    """Fintoc's own refresh: no intent can be read, and its events look like those of any other."""
    ending = ENDINGS[word]
    intent = unlisted_intent(world, link, now)
    link.login_attempts += 1
    for position in range(len(intent.reports)):
        told = world.switches["background_events"]
        speaks = told == "all" or (
            told == "succeeded_only" and _result(intent, ending, position) == SUCCEEDED
        )
        _report(world, link, intent, ending, position, now, speaks=speaks)


def require_reconnection(world: World, link: Link, at: datetime) -> None:
    """Set the link to `login_required` and tell so."""
    if link.status != "login_required":
        link.status = "login_required"
        events.tell_credentials_changed(world, link, at)


def _result(intent: Intent, ending: Ending, position: int) -> Result:
    return ending.last if position == len(intent.reports) - 1 else ending.others


def _report(
    world: World,
    link: Link,
    intent: Intent,
    ending: Ending,
    position: int,
    at: datetime,
    *,
    speaks: bool = True,
) -> None:
    """One account's result has come."""
    if link.deleted_at is not None:
        return
    report, account = intent.reports[position], link.accounts[position]
    report.status, report.public_error = _result(intent, ending, position)
    report.reported_at = at
    if report.status == "succeeded":
        report.new_movements = _refresh(account, at)
        link.last_refreshed_at = at
    if report.status == "rejected" and position == 0:
        link.refused_logins += 1
    if speaks:
        events.tell_outcome(world, link, intent, report, at)
    if all(one.status for one in intent.reports):
        _end(world, link, intent, ending, at)


def _refresh(account: Account, at: datetime) -> int:
    account.refreshed_at = at
    return seeds.bring_new_movements(account, at.date())


def _end(world: World, link: Link, intent: Intent, ending: Ending, at: datetime) -> None:
    deciding = min(intent.reports, key=lambda one: WORST_FIRST.index(str(one.status)))
    intent.status, intent.public_error, intent.ended_at = deciding.status, deciding.public_error, at
    if intent.status == "succeeded":
        link.status = "active"
    if ending.afterwards == "invalid":
        require_reconnection(world, link, at)
    if intent.status == "rejected":
        _refuse_later_creates(world, link, ending.afterwards, at)


def _refuse_later_creates(world: World, link: Link, afterwards: str, at: datetime) -> None:
    """Sources disagree on this one: see the switch."""
    policy = world.switches["after_rejected"]
    if policy == "refuse_reconnect":
        link.must_reconnect = True
    if policy == "refuse_1h" or (policy == "as_scripted" and afterwards == "unconfirmed"):
        link.refused_until = at + ONE_HOUR
