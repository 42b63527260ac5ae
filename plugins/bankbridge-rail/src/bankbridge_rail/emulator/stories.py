"""How the story of a refresh intent goes on after it was created: https://docs.rail.cl/guides/mfa-handling."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from bankbridge_rail.emulator.agenda import Entry
from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.syncs import Syncs
from bankbridge_rail.emulator.timings import Timings
from bankbridge_rail.emulator.words import CANCELED, REJECTED, TIMED_OUT, UNSUPPORTED_TYPE, Word
from bankbridge_rail.emulator.world import Intent, Link, Prompt, World

HISTORICAL_ROWS: Final = 60
"""How many movements a historical refresh finds at each account, the first time: one every four days or so."""

_BETWEEN_HISTORICAL: Final = timedelta(days=4)


class Stories:
    """Plays the stories of intents, in virtual time."""

    def __init__(self, world: World, events: Events, syncs: Syncs) -> None:
        self._world = world
        self._events = events
        self._syncs = syncs

    def begin(self, link: Link, refresh_type: str, word: Word) -> Intent:
        """Create an intent; its story goes on by the agenda."""
        at, number = self._world.clock.now(), len(link.intents) + 1
        word = self._syncs.decide(link, word, "intent", number)
        intent = Intent(
            id=self._world.ids.of("ri", link.id, number),
            link_id=link.id,
            number=number,
            refresh_type=refresh_type,
            word=word,
            created_at=at,
        )
        link.intents[intent.id] = link.mode.intents[intent.id] = link.running[intent.id] = intent
        link.login_attempts += 1
        self._events.about_intent(link, intent, at)
        self._plan(link, intent)
        return intent

    def end(self, link: Link, intent: Intent, error_code: str | None, at: datetime) -> None:
        """Let ``intent`` succeed or fail, unless it has ended, and tell everybody."""
        self._leave(link, intent)
        if intent.has_ended and not self._may_still_succeed(intent, error_code):
            return
        intent.ended_at = at
        if error_code is None:
            self._succeed(link, intent, at)
            return
        intent.status, intent.error_code = "failed", error_code
        if error_code != TIMED_OUT or self._world.switches["timeout_event"] == "sent":
            self._events.about_intent(link, intent, at)
        link.refused_logins += error_code == REJECTED
        if self._world.switches["on_demand_failures"] == "count":
            self._syncs.fail(link, error_code, at)

    def cancel(self, link: Link, intent: Intent) -> None:
        """End ``intent`` in the way that the switch ``cancel`` says."""
        mode, at = self._world.switches["cancel"], self._world.clock.now()
        intent.is_canceled, intent.is_gone = True, mode == "gone"
        if self._world.switches["late_success"] == "never":
            self._leave(link, intent)
        intent.ended_at = at
        if mode == "canceled":
            intent.status = "canceled"
        else:
            intent.status, intent.error_code = "failed", CANCELED
        if mode == "failed_with_event":
            self._events.about_intent(link, intent, at)
        if (event_type := self._world.switches["cancel_event"]) != "none":
            self._events.about_intent(link, intent, at, event_type)

    def vanish(self, link: Link, intent: Intent) -> None:
        """Let nothing be heard of ``intent`` any more."""
        self._leave(link, intent)
        intent.is_gone = True

    def notice_timeouts(self, link: Link) -> None:
        """With ``mfa_timeout=lazy``, the moment in which prompts of ``link`` past their deadline end."""
        if self._world.switches["mfa_timeout"] == "lazy":
            now = self._world.clock.now()
            for intent in tuple(link.running.values()):
                if intent.prompt is not None and intent.prompt.is_over:
                    self.end(link, intent, TIMED_OUT, now)

    def open_prompt(self, link: Link) -> tuple[Intent, Prompt] | None:
        """The code that the person at the widget of ``link`` can type now: the one asked for last."""
        for intent in reversed(link.running.values()):
            prompt = intent.prompt
            if prompt is not None and prompt.act is None and not prompt.is_over:
                return intent, prompt
        return None

    def open_widget(self, prompt: Prompt) -> None:
        """Let the person see the prompt. undocumented: whether that stops its clock."""
        if self._world.switches["mfa_clock"] == "stops_when_opened":
            prompt.is_open_in_widget = True

    def close_widget(self, link: Link, intent: Intent, prompt: Prompt) -> None:
        """Let the person leave without a code: the intent waits until its deadline."""
        was_open, prompt.is_open_in_widget = prompt.is_open_in_widget, False
        if was_open:
            prompt.timer.drop()
            at = max(prompt.expires_at, self._world.clock.now())
            prompt.timer = self._timer(link, intent, prompt, at)

    def answer(self, link: Link, intent: Intent, prompt: Prompt, act: str) -> None:
        """Let the person type a code."""
        at = self._world.clock.now()
        prompt.act = act
        prompt.timer.drop()
        if not intent.has_ended:
            intent.status = self._world.switches["solved_status"]
        after = at + self._world.timings.after_code
        self._next(link, intent, after, lambda due_at: self._after_code(link, intent, act, due_at))

    def _plan(self, link: Link, intent: Intent) -> None:
        """Put the first steps of the story on the agenda."""
        word = intent.word
        if self._world.switches["running_status"] == "processing":
            running_at = self._moment(link, intent, lambda timings: timings.until_running)
            self._world.agenda.add(running_at, link.id, lambda _: self._run(intent))
        if self._is_unsupported(link, intent):
            at = self._moment(link, intent, lambda timings: timings.sync)
            self._next(link, intent, at, lambda due_at: self.end(link, intent, UNSUPPORTED_TYPE, due_at))
        elif word.asks_for_code:
            at = self._moment(link, intent, lambda timings: timings.until_prompt)
            self._next(link, intent, at, lambda due_at: self._ask(link, intent, due_at))
        elif word.after is not None:
            at = self._moment(link, intent, word.after)
            self._next(
                link, intent, at, lambda due_at: self.end(link, intent, self._code(link, word), due_at)
            )

    def _code(self, link: Link, word: Word) -> str | None:
        is_void = link.status == "expired" and self._world.switches["inactive_link"] == "fails"
        return REJECTED if is_void else word.error_code

    def _is_unsupported(self, link: Link, intent: Intent) -> bool:
        return (
            intent.refresh_type == "historical"
            and not BANKS[link.bank_id].has_historical
            and self._world.switches["historical_elsewhere"] == "fails"
        )

    def _run(self, intent: Intent) -> None:
        if intent.status == "created":
            intent.status = "processing"

    def _ask(self, link: Link, intent: Intent, at: datetime) -> None:
        """Let the bank ask for a code."""
        number = len(intent.prompts) + 1
        prompt = Prompt(
            token=f"{intent.id}_sec_{self._world.ids.hex(24, 'prompt', intent.id, number)}",
            expires_at=at + self._world.timings.prompt_lasts,
        )
        intent.prompts.append(prompt)
        prompt.timer = self._timer(link, intent, prompt, prompt.expires_at)
        if not intent.has_ended:
            intent.status = "requires_mfa"
            self._events.about_intent(link, intent, at)

    def _timer(self, link: Link, intent: Intent, prompt: Prompt, at: datetime) -> Entry:
        return self._world.agenda.add(
            at, link.id, lambda due_at: self._time_out(link, intent, prompt, due_at)
        )

    def _time_out(self, link: Link, intent: Intent, prompt: Prompt, at: datetime) -> None:
        if prompt.is_open_in_widget:
            return
        prompt.is_over = True
        if self._world.switches["mfa_timeout"] == "eager":
            self.end(link, intent, TIMED_OUT, at)

    def _after_code(self, link: Link, intent: Intent, act: str, at: datetime) -> None:
        if act == "wrong_code":
            self.end(link, intent, REJECTED, at)
        elif len(intent.prompts) < int(self._world.switches["mfa_rounds"]):
            self._ask(link, intent, at)
        else:
            self.end(link, intent, self._code(link, intent.word), at)

    def _next(self, link: Link, intent: Intent, at: datetime, action: Callable[[datetime], None]) -> None:
        intent.next_step = self._world.agenda.add(at, link.id, action)

    def _moment(self, link: Link, intent: Intent, wait: Callable[[Timings], timedelta]) -> datetime:
        """A moment of the story; all at once on a link whose webhooks overtake the answer to the create."""
        return intent.created_at + (timedelta(0) if link.webhooks == "early" else wait(self._world.timings))

    def _leave(self, link: Link, intent: Intent) -> None:
        """Plan nothing more for ``intent``."""
        link.running.pop(intent.id, None)
        if intent.next_step is not None:
            intent.next_step.drop()
        if intent.prompt is not None:
            intent.prompt.timer.drop()
            intent.prompt.is_over = True

    def _may_still_succeed(self, intent: Intent, error_code: str | None) -> bool:
        return (
            error_code is None
            and intent.is_canceled
            and intent.status != "succeeded"
            and self._world.switches["late_success"] == "after_cancel"
        )

    def _succeed(self, link: Link, intent: Intent, at: datetime) -> None:
        accounts = link.present_accounts
        if intent.refresh_type == "historical" and BANKS[link.bank_id].has_historical:
            for account in accounts:
                if not account.older:
                    account.add_older(HISTORICAL_ROWS, _BETWEEN_HISTORICAL)
        found = self._syncs.succeed(link, at)
        intent.status, intent.error_code = "succeeded", None
        intent.summary = {"accounts_updated": len(accounts), "new_movements_count": found}
        link.last_success = intent
        if self._is_link_first(link, intent):
            self._syncs.tell(link, found, at, intent)
            self._events.about_intent(link, intent, at)
        else:
            self._events.about_intent(link, intent, at)
            self._syncs.tell(link, found, at, intent)

    def _is_link_first(self, link: Link, intent: Intent) -> bool:
        order = self._world.switches["success_order"]
        return order == "link_first" or (
            order == "seeded" and self._world.faults.draw("order", link.id, intent.number) < 0.5
        )
