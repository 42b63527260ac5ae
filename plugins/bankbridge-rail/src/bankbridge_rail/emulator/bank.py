"""What the bank does with a refresh: the script words, and how each goes on after the intent was created."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import attrs

from bankbridge.emulation import Background
from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.world import ENDED, Account, Intent, Link, Prompt, Timings, World

REJECTED: Final = "rejected_credentials"
TIMED_OUT: Final = "requires_mfa_user_timeout"
CANCELED: Final = "canceled"
LINK_DELETED: Final = "link_deleted"

NEW_MOVEMENTS: Final = (3, 2, 0)
"""How many a successful sync finds at the first, second, third … account; then from the start again."""

CreateAnswer: TypeAlias = Literal["given", "500", "lost", "429 first"]


@attrs.frozen
class Word:
    """What a script word means: in prose, for the request to create, and for the bank.

    The bank's part ends ``after`` that long with ``error_code`` (None: it succeeds); without ``after`` never.
    """

    says: str
    after: Callable[[Timings], timedelta] | None = lambda timings: timings.sync
    error_code: str | None = None
    asks_for_code: bool = False
    create: CreateAnswer = "given"


WORDS: Final[Mapping[str, Word]] = {
    "succeeds": Word("the sync ends well"),
    "fails": Word("the bank is not available", error_code="bank_unavailable"),
    "rejects": Word("the bank refuses the credentials", error_code=REJECTED),
    "rejects_slowly": Word(
        "as `rejects`, after the time BancoEstado needs", lambda timings: timings.slow_rejection, REJECTED
    ),
    "mfa": Word("the bank asks for a code; the person decides how it ends", asks_for_code=True),
    "stuck": Word("nothing ever happens", after=None),
    "errors_500": Word("the create is answered 500, and makes no intent", create="500"),
    "response_lost": Word(
        "the intent is created, but the connection closes before the answer", create="lost"
    ),
    "rate_limited": Word("the first create is answered 429, the next as `succeeds`", create="429 first"),
}


class Bank:
    """Plays the stories of intents, in virtual time."""

    def __init__(self, world: World, events: Events, background: Background) -> None:
        self._world = world
        self._events = events
        self._background = background

    def begin(self, link: Link, refresh_type: str, word: Word) -> Intent:
        """Create an intent and let its story go on in the background."""
        at = self._world.clock.now()
        intent = Intent(
            id=self._world.new_id("ri"), link_id=link.id, refresh_type=refresh_type, created_at=at
        )
        link.intents[intent.id] = self._world.intents[intent.id] = intent
        self._events.about_intent(link, intent, at)
        self._background.spawn(self._play(link, intent, word))
        return intent

    def notice_timeout(self, link: Link) -> None:
        """With ``mfa_timeout=lazy``, the moment in which prompts of ``link`` past their deadline end."""
        if self._world.switches["mfa_timeout"] == "eager":
            return
        now = self._world.clock.now()
        for intent in link.intents.values():
            prompt = intent.prompt
            if prompt is not None and not prompt.code.done() and prompt.expires_at <= now:
                self.end(link, intent, TIMED_OUT, now)

    def end(self, link: Link, intent: Intent, error_code: str | None, at: datetime) -> None:
        """Let ``intent`` succeed or fail, unless it has ended, and tell everybody."""
        if intent.status in ENDED:
            return
        if error_code is None:
            self._succeed(link, intent, at)
        else:
            link.refused_logins += error_code == REJECTED
            intent.status, intent.error_code, intent.ended_at = "failed", error_code, at
            self._events.about_intent(link, intent, at)
        intent.paused.set()

    def cancel(self, link: Link, intent: Intent) -> None:
        """End ``intent`` in the way that the switch ``cancel`` says."""
        mode, at = self._world.switches["cancel"], self._world.clock.now()
        intent.ended_at, intent.is_gone = at, mode == "gone"
        if mode == "canceled":
            intent.status = "canceled"
        else:
            intent.status, intent.error_code = "failed", CANCELED
        if mode == "failed_with_event":
            self._events.about_intent(link, intent, at)
        if (event_type := self._world.switches["cancel_event"]) != "none":
            self._events.about_intent(link, intent, at, event_type)
        intent.paused.set()

    async def _play(self, link: Link, intent: Intent, word: Word) -> None:
        link.login_attempts += 1
        error_code = word.error_code
        if word.after is None:
            intent.paused.set()
            return
        at = self._after(link, intent, word.after)
        if word.asks_for_code:
            answer = await self._ask(link, intent)
            if answer is None:
                return
            act, at = answer
            error_code = REJECTED if act == "wrong_code" else None
            at += self._world.timings.after_code
        await self._world.clock.sleep_until(at)
        self.end(link, intent, error_code, at)

    async def _ask(self, link: Link, intent: Intent) -> tuple[str, datetime] | None:
        """Open a prompt and wait for the person; None when the story ends without a code."""
        at = self._after(link, intent, lambda timings: timings.until_prompt)
        await self._world.clock.sleep_until(at)
        if intent.status in ENDED:
            return None
        prompt = intent.prompt = Prompt(
            token=f"{intent.id}_sec_{self._world.new_hex('sec', 24)}",
            expires_at=at + self._world.timings.prompt_lasts,
            code=asyncio.get_running_loop().create_future(),
        )
        intent.status = "requires_mfa"
        self._events.about_intent(link, intent, at)
        intent.paused.set()
        if not await self._answered(prompt):
            if self._world.switches["mfa_timeout"] == "eager":
                self.end(link, intent, TIMED_OUT, prompt.expires_at)
            return None
        if intent.status not in ENDED:
            intent.status = self._world.switches["solved_status"]
        return prompt.code.result()

    async def _answered(self, prompt: Prompt) -> bool:
        deadline = asyncio.ensure_future(self._world.clock.sleep_until(prompt.expires_at))
        try:
            await asyncio.wait((prompt.code, deadline), return_when=asyncio.FIRST_COMPLETED)
        finally:
            deadline.cancel()
        return prompt.code.done()

    def _after(self, link: Link, intent: Intent, wait: Callable[[Timings], timedelta]) -> datetime:
        """A moment of the story; all at once on a link whose webhooks overtake the answer to the create."""
        return intent.created_at + (timedelta(0) if link.webhooks == "early" else wait(self._world.timings))

    def _succeed(self, link: Link, intent: Intent, at: datetime) -> None:
        accounts = [account for account in link.accounts.values() if account.removed_at is None]
        found = sum(_sync(account, number, at) for number, account in enumerate(accounts))
        link.last_sync_at = at
        intent.status, intent.ended_at = "succeeded", at
        intent.summary = {"accounts_updated": len(accounts), "new_movements_count": found}
        refreshed = bodies.link_refreshed(self._world, link, found)
        if self._world.switches["success_order"] == "link_first":
            self._events.emit(link, "link.refreshed", refreshed, at, intent)
            self._events.about_intent(link, intent, at)
        else:
            self._events.about_intent(link, intent, at)
            self._events.emit(link, "link.refreshed", refreshed, at, intent)


def _sync(account: Account, number: int, at: datetime) -> int:
    found = NEW_MOVEMENTS[number % len(NEW_MOVEMENTS)]
    account.found_at.extend([at] * found)
    account.last_sync_at = at
    return found
