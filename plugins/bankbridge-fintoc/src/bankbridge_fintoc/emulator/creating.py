"""POST /v1/refresh_intents: what refuses it, and what a link's script makes of it.

https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-create
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

import attrs

from bankbridge.emulation import link_rates
from bankbridge_fintoc.emulator import refreshing
from bankbridge_fintoc.emulator.bank import ENDINGS
from bankbridge_fintoc.emulator.errors import FintocApiError, refusal
from bankbridge_fintoc.emulator.objects import Intent, Link
from bankbridge_fintoc.emulator.world import World, blocks

COOLDOWNS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {"only_last": timedelta(minutes=5), "historical": timedelta(minutes=60)}
)
"""How long to leave after a success, by refresh type; a failure holds nothing back."""

FORCED: Final[Mapping[str, str]] = MappingProxyType(
    {"succeeded": "succeeds", "failed": "fails", "rejected": "rejects"}
)
"""The script word for each `result_status`."""

NO_PLAN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "on_demand_policy_required": "Your organization needs the on-demand policy to create refresh intents.",
        "on_demand_refresh_unavailable": "On-demand refreshes are not available.",
        "invalid_on_demand_link": "This link cannot be refreshed on demand.",
    }
)
"""What an organisation without the plan is told; of the three only the codes are known."""


@attrs.frozen(kw_only=True)
class Created:
    """An intent that was made; `answer_is_lost` where its maker is never told, `tells_first` where events go first."""

    intent: Intent
    answer_is_lost: bool = False
    tells_first: bool = False


def create_intent(
    world: World, link: Link, *, refresh_type: str, result_status: str | None, now: datetime
) -> Created:
    """Make the intent that a client asks for; raises `FintocApiError` where it is refused."""
    _refuse_if_blocked(world, link, refresh_type, now)
    is_forced = world.chose("result_status", "honoured") and link.mode == "test"
    return _follow_script(
        world, link, refresh_type, FORCED.get(result_status or "") if is_forced else None, now
    )


def _refuse_if_blocked(world: World, link: Link, refresh_type: str, now: datetime) -> None:
    plan = world.switches["on_demand"]
    if plan in NO_PLAN:
        raise _refused(world, plan, NO_PLAN[plan])
    if not link.active:
        # undocumented: only that inactive links are not refreshed.
        raise _refused(world, "invalid_on_demand_link", f"{link.id} is inactive.")
    if any(blocks(world, intent, now) for intent in link.running.values()):
        raise _in_progress(world, link)
    if link.must_reconnect:
        raise _rejected(world, "reconnect the account")
    if link.refused_until is not None and now < link.refused_until:
        raise _rejected(world, "wait at least an hour so that they do not get locked")
    _refuse_in_cooldown(world, link, refresh_type, now)


def _refuse_in_cooldown(world: World, link: Link, refresh_type: str, now: datetime) -> None:
    for intent in link.succeeded.values():
        if intent.type != refresh_type and world.chose("cooldown_scope", "same_type"):
            continue
        is_from_creation = world.chose("cooldown_clock", "creation")
        since = intent.created_at if is_from_creation else intent.ended_at
        if since is not None and now < since + COOLDOWNS[intent.type]:
            minutes = COOLDOWNS[intent.type] // timedelta(minutes=1)
            raise _refused(
                world,
                "rate_limit_exceeded",
                f"Link refreshed recently; leave at least {minutes} minutes between refresh intents.",
            )


def _follow_script(world: World, link: Link, refresh_type: str, forced: str | None, now: datetime) -> Created:
    word = forced or link.script.word
    if word == "cooldown" and not link.cooldown_played:
        link.cooldown_played = True
        refreshing.make_past_success(world, link, refresh_type, now)
        _refuse_in_cooldown(world, link, refresh_type, now)
    link.script.take()
    link.cooldown_played = False
    match word:
        case "errors_500":
            raise refusal("internal_server_error", "Something went wrong on our side.")
        case "bank_unavailable":
            status = int(world.switches["unavailable_status"])
            raise refusal("unavailable_institution", "The institution is not available.", status=status)
        case "refused_invalid":
            raise _refused(world, "institution_credentials_invalid", "The credentials are invalid.")
        case "refused_locked":
            raise _refused(world, "locked_credentials", "The credentials are locked at the institution.")
        case "refused_confirmed":
            refreshing.require_reconnection(world, link, now)
            raise _rejected(world, "reconnect the account")
        case "refused_unconfirmed":
            link.refused_until = now + refreshing.ONE_HOUR
            raise _rejected(world, "wait at least an hour so that they do not get locked")
        case "already_running":
            earlier = now - world.timings.running_since
            running = refreshing.new_intent(world, link, refresh_type, earlier, made_by="somebody else")
            refreshing.start(world, link, running, ENDINGS["succeeds"], earlier)
            raise _in_progress(world, link)
        case _:
            intent = refreshing.new_intent(world, link, refresh_type, now)
            tells_first = _begin(world, link, intent, word, now)
            return Created(intent=intent, answer_is_lost=word == "response_lost", tells_first=tells_first)


def _begin(world: World, link: Link, intent: Intent, word: str, now: datetime) -> bool:
    """Let the intent start, or wait for the person; whether its events come before the answer."""
    if word == "mfa":
        intent.prompt = "open"
        intent.prompt_expires_at = now + world.timings.mfa_token_life
        token = world.ids.make(f"{intent.id}_sec_", link.id, intent.id, size=20)
        world.offer_prompt(link, intent, token)
        if world.chose("abandoned_mfa", "fails"):
            act = partial(refreshing.fail_abandoned, world, link, intent)
            world.at(intent.prompt_expires_at, link.id, act)
        return False
    if word == "stuck":
        refreshing.start(world, link, intent, None, now)
        return False
    ending = ENDINGS.get(word, ENDINGS["succeeds"])
    key = (link.id, "create", link.number("create"))
    rates = link_rates(link.webhooks, link.faults, is_outcome=False)
    if world.faults.strikes("event_first", *key, rates=rates):
        refreshing.run_at_once(world, link, intent, ending, now)
        return True
    refreshing.start(world, link, intent, ending, now)
    return False


def _in_progress(world: World, link: Link) -> FintocApiError:
    return _refused(
        world, "refresh_intent_in_progress", f"A refresh intent is already running for {link.id}."
    )


def _rejected(world: World, advice: str) -> FintocApiError:
    # The message alone tells the two cases apart, and the published example has no param and no doc_url.
    message = f"Credentials reported invalid by the institution: {advice}."
    return _refused(world, "rejected_refresh_intent", message, bare=True)


def _refused(world: World, code: str, message: str, *, bare: bool = False) -> FintocApiError:
    """The documents do not say with which status a create is refused."""
    status = None if world.chose("refused_create_status", "by_code") else 400
    return refusal(code, message, status=status, bare=bare)
