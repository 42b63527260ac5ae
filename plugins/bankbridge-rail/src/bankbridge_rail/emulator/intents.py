"""The refresh intents of the emulated Rail over HTTP: https://docs.rail.cl/guides/mfa-handling."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from bankbridge.emulation import Answer, IdempotencyConflictError, IdempotencyKeys, LostResponse
from bankbridge_rail.emulator.answers import RailError, answer, find_link, json_object, text
from bankbridge_rail.emulator.bank import WORDS, Bank, Word
from bankbridge_rail.emulator.bodies import intent_body
from bankbridge_rail.emulator.world import ENDED, Create, Intent, Link, World


class IntentRoutes:
    """Create, read and cancel refresh intents."""

    def __init__(self, world: World, bank: Bank) -> None:
        self._world = world
        self._bank = bank
        self._keys = IdempotencyKeys()

    async def create(self, request: Request) -> Response:
        """Create an intent, once per idempotency key."""
        body = await json_object(request)
        link = find_link(self._world, text(body, "link_id"))
        # undocumented: whether it may be left out, and its values beyond `full` and `historical`.
        refresh_type = text(body, "refresh_type", "full")
        key = request.headers.get("idempotency-key")
        word = WORDS[link.script.word]
        is_lost = False

        async def make() -> Answer:
            nonlocal is_lost
            is_lost = word.create == "lost"
            return await self._make(link, word, refresh_type)

        try:
            given = await self._keys.once(key, await request.body(), make)
        except IdempotencyConflictError as error:
            given = await self._mismatch(error, make)
        self._note(link, key, given)
        if is_lost:
            return LostResponse()
        return Response(given.body, given.status, dict(given.headers), media_type="application/json")

    async def read(self, request: Request) -> Response:
        """One intent as it is now."""
        link, intent = self._find(request)
        intent.polls.append(self._world.clock.now())
        self._bank.notice_timeout(link)
        return answer(intent_body(intent))

    async def cancel(self, request: Request) -> Response:
        """Cancel an intent; what that does is the switch `cancel`."""
        link, intent = self._find(request)
        mode = self._world.switches["cancel"]
        if intent.status not in ENDED:
            self._bank.cancel(link, intent)
        elif mode == "conflict_when_ended":
            raise RailError(409, "refresh_intent_ended", "the intent has ended: there is nothing to cancel")
        return answer(intent_body(intent)) if mode == "canceled" else Response(status_code=204)

    async def _make(self, link: Link, word: Word, refresh_type: str) -> Answer:
        try:
            intent = self._begin(link, word, refresh_type)
        except RailError as error:
            refused = error.response()
            return Answer(error.status, bytes(refused.body), error.headers)
        # What it was when it was made, whatever happens until the answer is sent.
        created = json.dumps(intent_body(intent)).encode()
        if link.webhooks == "early":
            await intent.paused.wait()
            await asyncio.gather(*intent.answers)
        return Answer(int(self._world.switches["create_status"]), created)

    def _begin(self, link: Link, word: Word, refresh_type: str) -> Intent:
        if link.status != "active":
            # undocumented: how an expired link answers.
            raise RailError(422, "link_not_active", f"the link is {link.status}: connect it again")
        self._bank.notice_timeout(link)
        if word.create == "429 first" and not link.is_throttled:
            link.is_throttled = True
            raise RailError(429, "rate_limited", "too many requests", Retry_After="5")
        link.is_throttled = False
        link.script.take()
        if word.create == "500":
            raise RailError(500, "internal_error", "something went wrong")
        return self._bank.begin(link, refresh_type, word)

    async def _mismatch(
        self, error: IdempotencyConflictError, make: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        mode = self._world.switches["idempotency_mismatch"]
        if mode == "ignored":
            return await make()
        raise RailError(int(mode), "idempotency_mismatch", str(error))

    def _note(self, link: Link, key: str | None, given: Answer) -> None:
        intent_id = json.loads(given.body).get("id")
        at = self._world.clock.now()
        link.creates.append(Create(idempotency_key=key, status=given.status, intent_id=intent_id, at=at))

    def _find(self, request: Request) -> tuple[Link, Intent]:
        intent = self._world.intents.get(request.path_params["intent_id"])
        if intent is None or intent.is_gone:
            raise RailError(404, "not_found", "there is no such refresh intent")
        return self._world.links[intent.link_id], intent
