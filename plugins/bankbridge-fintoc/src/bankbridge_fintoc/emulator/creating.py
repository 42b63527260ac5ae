"""POST /v1/refresh_intents: what refuses it, and what a link's script makes of it.

https://docs.fintoc.com/api/movements-api/refresh-intents/refresh-intents-create
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from bankbridge_fintoc.emulator import bank
from bankbridge_fintoc.emulator.errors import FintocApiError, refusal
from bankbridge_fintoc.emulator.world import Intent, Link, World, blocks

COOLDOWNS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {"only_last": timedelta(minutes=5), "historical": timedelta(minutes=60)}
)
"""How long to leave after a success, by refresh type; a failure holds nothing back."""

FORCED: Final[Mapping[str, str]] = MappingProxyType(
    {"succeeded": "succeeds", "failed": "fails", "rejected": "rejects"}
)
"""The script word for each `result_status`."""


@attrs.frozen(kw_only=True)
class Created:
    """An intent that was made; `answer_is_lost` where its maker is never told."""

    intent: Intent
    answer_is_lost: bool = False


def create_intent(
    world: World, link: Link, *, refresh_type: str, result_status: str | None, now: datetime
) -> Created:
    """Make the intent that a client asks for; raises `FintocApiError` where it is refused."""
    _refuse_if_blocked(world, link, refresh_type, now)
    return _follow_script(world, link, refresh_type, FORCED.get(result_status or ""), now)


def _refuse_if_blocked(world: World, link: Link, refresh_type: str, now: datetime) -> None:
    if any(blocks(world, intent, now) for intent in link.intents):
        raise _in_progress(link)
    if link.must_reconnect:
        raise _rejected("reconnect the account")
    if link.refused_until is not None and now < link.refused_until:
        raise _rejected("wait at least an hour so that they do not get locked")
    _refuse_in_cooldown(world, link, refresh_type, now)


def _refuse_in_cooldown(world: World, link: Link, refresh_type: str, now: datetime) -> None:
    for intent in link.intents:
        if intent.status != "succeeded" or intent.ended_at is None:
            continue
        if intent.type != refresh_type and world.switches["cooldown_scope"] == "same_type":
            continue
        since = intent.created_at if world.switches["cooldown_clock"] == "creation" else intent.ended_at
        if now < since + COOLDOWNS[intent.type]:
            minutes = COOLDOWNS[intent.type] // timedelta(minutes=1)
            raise refusal(
                "rate_limit_exceeded",
                f"Link refreshed recently; leave at least {minutes} minutes between refresh intents.",
            )


def _follow_script(world: World, link: Link, refresh_type: str, forced: str | None, now: datetime) -> Created:
    word = forced or link.script.word
    if word == "cooldown" and not link.cooldown_played:
        link.cooldown_played = True
        bank.make_past_success(world, link, refresh_type, now)
        _refuse_in_cooldown(world, link, refresh_type, now)
    link.script.take()
    link.cooldown_played = False
    match word:
        case "errors_500":
            raise refusal("internal_server_error", "Something went wrong on our side.")
        case "refused_confirmed":
            bank.require_reconnection(world, link, now)
            raise _rejected("reconnect the account")
        case "refused_unconfirmed":
            link.refused_until = now + bank.ONE_HOUR
            raise _rejected("wait at least an hour so that they do not get locked")
        case "already_running":
            earlier = now - world.timings.running_since
            running = bank.new_intent(world, link, refresh_type, earlier)
            running.made_by = "somebody else"
            bank.start(world, link, running, bank.ENDINGS["succeeds"], earlier)
            raise _in_progress(link)
        case _:
            intent = bank.new_intent(world, link, refresh_type, now)
            _begin(world, link, intent, word, now)
            return Created(intent=intent, answer_is_lost=word == "response_lost")


def _begin(world: World, link: Link, intent: Intent, word: str, now: datetime) -> None:
    if word == "mfa":
        intent.prompt = "open"
        intent.prompt_expires_at = now + world.timings.mfa_token_life
        intent.widget_token = world.ids.new(f"{intent.id}_sec_", 20)
        return
    ending = None if word == "stuck" else bank.ENDINGS.get(word, bank.ENDINGS["succeeds"])
    if link.webhooks == "early" and ending is not None:
        bank.report_now(world, link, intent, ending, now)
    else:
        bank.start(world, link, intent, ending, now)


def _in_progress(link: Link) -> FintocApiError:
    return refusal("refresh_intent_in_progress", f"A refresh intent is already running for {link.id}.")


def _rejected(advice: str) -> FintocApiError:
    # The message alone tells the two cases apart, and the published example has no param and no doc_url.
    return refusal(
        "rejected_refresh_intent", f"Credentials reported invalid by the institution: {advice}.", bare=True
    )
