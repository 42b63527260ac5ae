"""The refresh intents of the emulated Rail over HTTP: https://docs.rail.cl/guides/mfa-handling."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Final

from starlette.responses import Response

from bankbridge.emulation import Answer, LostResponse
from bankbridge_rail.emulator.answers import Call, InvalidError, RailError, answer, find_link, text
from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.bodies import intent_body
from bankbridge_rail.emulator.door import too_many
from bankbridge_rail.emulator.once import HEADER, Once, given_answer, kept_answer
from bankbridge_rail.emulator.stories import Stories
from bankbridge_rail.emulator.words import UNSUPPORTED_TYPE, WORDS, Word
from bankbridge_rail.emulator.world import Create, Intent, Link, World

REFRESH_TYPES: Final = ("full", "historical")

COOLDOWNS: Final = {"historical": timedelta(minutes=60)}
COOLDOWN: Final = timedelta(minutes=5)
"""Fintoc's, after a success: https://docs.fintoc.com/reference/refresh-intents-create. undocumented: whether any."""

_THROTTLED_WAIT: Final = timedelta(seconds=5)


class IntentRoutes:
    """Create, read and cancel refresh intents."""

    def __init__(self, world: World, stories: Stories, once: Once) -> None:
        self._world = world
        self._stories = stories
        self._once = once

    async def create(self, call: Call) -> Response:
        """Create an intent, once per idempotency key."""
        body = call.body()
        link = self._link(call, text(body, "link_id"))
        refresh_type = self._refresh_type(body)
        word = WORDS[link.script.word]
        is_lost = False

        async def make() -> Answer:
            nonlocal is_lost
            try:
                if (running := self._running(link)) is not None:
                    return kept_answer(answer(intent_body(self._world, running)))
                intent = self._begin(link, word, refresh_type)
            except RailError as error:
                return kept_answer(error.response(self._world))
            is_lost = word.create == "lost"
            # What it was when it was made, whatever happens until the answer is sent.
            status = int(self._world.switches["create_status"])
            created = kept_answer(answer(intent_body(self._world, intent), status))
            await self._wait(link, intent)
            return created

        at, key = self._world.clock.now(), call.request.headers.get(HEADER)
        try:
            given = await self._once.answer(call, make)
        except RailError as error:
            link.creates.append(Create(idempotency_key=key, status=error.status, intent_id=None, at=at))
            raise
        self._note(link, key, given, at)
        return LostResponse() if is_lost else given_answer(given)

    async def read(self, call: Call) -> Response:
        """One intent as it is now."""
        link, intent = self._find(call)
        intent.polls.append(self._world.clock.now())
        self._stories.notice_timeouts(link)
        return answer(intent_body(self._world, intent))

    async def cancel(self, call: Call) -> Response:
        """Cancel an intent; what that does is the switch `cancel`."""
        link, intent = self._find(call)
        mode = self._world.switches["cancel"]
        if not intent.has_ended:
            if intent.prompt is None and self._world.switches["cancel_created"] == "409":
                raise RailError(409, "refresh_intent_not_cancelable", "the intent does not wait for a code")
            self._stories.cancel(link, intent)
        elif mode == "conflict_when_ended":
            raise RailError(409, "refresh_intent_ended", "the intent has ended: there is nothing to cancel")
        return answer(intent_body(self._world, intent)) if mode == "canceled" else Response(status_code=204)

    def _link(self, call: Call, link_id: str) -> Link:
        if link_id not in call.mode.links:
            raise RailError(int(self._world.switches["unknown_link"]), "not_found", "there is no such link")
        return find_link(self._world, call.mode, link_id)

    def _refresh_type(self, body: dict[str, object]) -> str:
        """undocumented: whether it may be left out, and its values beyond `full` and `historical`."""
        is_required = self._world.switches["refresh_type"] == "required"
        refresh_type = text(body, "refresh_type", None if is_required else "full")
        if self._world.switches["refresh_type_values"] == "known" and refresh_type not in REFRESH_TYPES:
            raise InvalidError(f"refresh_type must be one of {', '.join(REFRESH_TYPES)}")
        return refresh_type

    def _begin(self, link: Link, word: Word, refresh_type: str) -> Intent:
        self._check_link(link, refresh_type)
        if word.create == "429 first" and not link.is_throttled:
            link.is_throttled = True
            raise too_many("too many requests", _THROTTLED_WAIT)
        link.is_throttled = False
        link.script.take()
        if word.create == "500":
            raise RailError(500, "internal_error", "something went wrong")
        return self._stories.begin(link, refresh_type, word)

    def _check_link(self, link: Link, refresh_type: str) -> None:
        """Refuse what a link cannot be asked for. undocumented: all of these answers."""
        mode = self._world.switches["inactive_link"]
        if link.status != "active" and mode in {"422", "409"}:
            raise RailError(int(mode), "link_not_active", f"the link is {link.status}: connect it again")
        is_refused = self._world.switches["historical_elsewhere"] == "refused"
        if refresh_type == "historical" and is_refused and not BANKS[link.bank_id].has_historical:
            raise RailError(422, UNSUPPORTED_TYPE, f"historical is not possible at {link.bank_id}")
        self._check_cooldown(link)

    def _check_cooldown(self, link: Link) -> None:
        mode, last = self._world.switches["cooldown"], link.last_success
        if mode == "none" or last is None or last.ended_at is None:
            return
        left = last.ended_at + COOLDOWNS.get(last.refresh_type, COOLDOWN) - self._world.clock.now()
        if left > timedelta(0):
            message = "the link was refreshed a little before: wait"
            raise too_many(message, left) if mode == "429" else RailError(409, "cooldown", message)

    def _running(self, link: Link) -> Intent | None:
        """The intent that stands in the way of another one, or is given in its place."""
        self._stories.notice_timeouts(link)
        mode = self._world.switches["second_intent"]
        running = next((one for one in link.running.values() if not one.has_ended), None)
        if running is not None and mode == "409":
            raise RailError(409, "refresh_intent_in_progress", "an intent of this link is running")
        return running if mode == "running_one" else None

    async def _wait(self, link: Link, intent: Intent) -> None:
        """Keep the answer back until the receiver has answered what overtakes it."""
        is_early = link.webhooks == "early"
        if is_early:
            self._world.agenda.catch_up()
        key = (link.id, "create", intent.number)
        if is_early or self._world.faults.strikes("event_first", *key, rates=link.faults):
            await asyncio.gather(*intent.sent)

    def _note(self, link: Link, key: str | None, given: Answer, at: datetime) -> None:
        intent_id = json.loads(given.body)["id"] if given.status < 300 else None
        link.creates.append(Create(idempotency_key=key, status=given.status, intent_id=intent_id, at=at))

    def _find(self, call: Call) -> tuple[Link, Intent]:
        intent = call.mode.intents.get(call.param("intent_id"))
        if intent is None or intent.is_gone:
            raise RailError(404, "not_found", "there is no such refresh intent")
        return call.mode.links[intent.link_id], intent
