"""Playing a plan: the clock stands still but for moving to the next moment that anybody waits for."""

import heapq
import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from bankbridge import OutcomeChanged
from bankbridge.emulation import EmulatedLink, RetrySchedule, UnknownLinkError
from bankbridge.machine.events import Canceler
from bankbridge.machine.outcome import Outcome, Reconnect, UnlockAtBank
from bankbridge.store import Transaction
from bankbridge.words.errors import BankBridgeError
from bankbridge.words.ids import ConnectionName, LinkId
from tests.chaos.peril import DiedError
from tests.chaos.plan import Act, Life, Plan, Wish
from tests.chaos.scene import Scene

LONGEST: Final = timedelta(days=12)
"""Far longer than any wait: 17 retries of a delivery take 4.5 days, an intent ends within one."""

_RETRIES: Final = RetrySchedule().retries
_TRY_AGAIN: Final = timedelta(seconds=30)


class EndlessError(AssertionError):
    """Something waits for ever."""


@attrs.define(kw_only=True, eq=False)
class Living:
    """One link on its way through its life."""

    life: Life
    link: EmulatedLink
    left: list[Wish]
    wish: Wish | None = None
    intents: list[str] = attrs.field(factory=list)
    """Every intent of this link, in order."""
    prompts: set[str] = attrs.field(factory=set)
    mended: list[datetime] = attrs.field(factory=list)
    """When the person connected the link again."""
    canceled: dict[str, datetime] = attrs.field(factory=dict)
    """When somebody on our side canceled an intent."""
    asked: list[tuple[datetime, bool]] = attrs.field(factory=list)
    """Each ask: when, and whether a person was there."""
    accounts: list[str] = attrs.field(factory=list)
    backgrounds: list[tuple[datetime, str]] = attrs.field(factory=list)
    """When the provider refreshed it by itself, and how that ended."""

    @property
    def key(self) -> str:
        return self.link.link_id


class Play:
    """One run. After `run`, ``lives`` and the scene hold all that happened."""

    def __init__(self, plan: Plan, scene: Scene, on_step: Callable[["Play"], None]) -> None:
        self.plan = plan
        self.scene = scene
        self.lives: list[Living] = []
        self.over = 0
        """Wishes that are over."""
        self.errors: list[str] = []
        """The text of every error that a call raised."""
        self.joins: list[tuple[str, str]] = []
        """Where an ask should have joined an open intent and got another: both ids."""
        self.restarts = 0
        self.tokens: set[str] = set()
        """Every widget token that was shown."""
        self._on_step = on_step
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._by_intent: dict[str, Living] = {}
        self._open: dict[str, Living] = {}

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play until every wish is over and every delivery has been tried to its end."""
        clock, start = self.scene.clock, self.scene.clock.now()
        for life in self.plan.lives:
            self._at(timedelta(0), partial(self._born, life))
        for after in self.plan.restarts:
            self._at(after, self._restart)
        while True:
            self._come_to_rest()
            moment = self._next_moment()
            if moment is None:
                return
            if moment - start > LONGEST:
                waiting = ", ".join(sorted(self._open)) or "deliveries"
                raise EndlessError(f"not over after {LONGEST.days} days: {waiting}")
            clock.advance(max(moment - clock.now(), timedelta(0)))

    def _come_to_rest(self) -> None:
        """Do all that is due now: at the emulators, then at the bridge, then what people do."""
        while True:
            self._settle()
            if self._wake() or self._act():
                continue
            self._on_step(self)
            return

    def _wake(self) -> bool:
        due = self.scene.store.transact(lambda tx: tx.next_wake_at())
        if due is None or due > self.scene.clock.now():
            return False
        self._call("wake_due")
        return True

    def _act(self) -> bool:
        if not self._agenda or self._agenda[0][0] > self.scene.clock.now():
            return False
        heapq.heappop(self._agenda)[2]()
        return True

    def _next_moment(self) -> datetime | None:
        """The next moment that anybody waits for; nothing once only the provider's own life goes on."""
        ours = [self._agenda[0][0]] if self._agenda else []
        if due := self.scene.store.transact(lambda tx: tx.next_wake_at()):
            ours.append(due)
        theirs = self.scene.clock.next_at()
        if not ours and not self._deliveries_pending():
            return None
        return min([*ours, *([theirs] if theirs is not None else [])], default=None)

    def _deliveries_pending(self) -> bool:
        """Whether an event is still on its way: it has not been taken, and the last of its tries is not over."""
        return any(
            not one["lost"] and 200 not in one["statuses"] and one["tries"] <= _RETRIES
            for emulator in self.scene.emulators.values()
            for one in emulator.truth()["deliveries"]
        )

    def _settle(self) -> None:
        self.scene.settle()
        news, self.scene.news[:] = list(self.scene.news), []
        changed = {item.outcome.intent_id: item.outcome for item in news if isinstance(item, OutcomeChanged)}
        for intent_id in sorted(changed, key=_number):
            self._heard(changed[intent_id])

    def _at(self, after: timedelta, do: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.scene.clock.now() + after, next(self._order), do))

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Call the bridge while nobody else does. None when it raised, or died of it."""
        try:
            with self.scene.receiver.shut():
                return getattr(self.scene.bridge, name)(*arguments, **named)
        except DiedError:
            self._reborn()
        except BankBridgeError as error:
            self.errors.append(f"{name}: {error!r} {error}")
        return None

    def _restart(self) -> None:
        self.restarts += 1
        self._reborn()

    def _reborn(self) -> None:
        """Another process takes over; what the one before it was about to announce is not announced."""
        with self.scene.receiver.shut():
            self.scene.reopen()
        for intent_id in sorted(self._open, key=_number):
            self._heard(self.scene.bridge.outcome(intent_id))

    # --- a life ------------------------------------------------------------------------------------------------------

    def _born(self, life: Life) -> None:
        emulator = self.scene.emulators[life.provider]
        link = emulator.add_link(
            attempts=life.attempts,
            webhooks=life.webhooks,
            accounts=life.accounts,
            institution=life.institution,
        )
        self.scene.early.know(link.link_id, life.webhooks)
        living = Living(life=life, link=link, left=list(life.wishes), accounts=list(link.account_ids))
        self.lives.append(living)
        self._at(timedelta(seconds=1), lambda: self._connect(living))

    def _connect(self, living: Living) -> None:
        link = living.link
        if self._call("add_link", living.life.provider, link.link_id, token=link.link_token) is None:
            self._at(_TRY_AGAIN, lambda: self._connect(living))
        else:
            self._next_wish(living)

    def _next_wish(self, living: Living) -> None:
        living.wish = None
        if living.left:
            wish = living.left.pop(0)
            self._at(wish.after, lambda: self._begin(living, wish))

    def _begin(self, living: Living, wish: Wish) -> None:
        living.wish = wish
        if wish.mends and living.intents:
            self._mend(living)
        intent_id = self._ask(living, wish)
        if intent_id is None:
            self._at(_TRY_AGAIN, lambda: self._begin(living, attrs.evolve(wish, mends=False)))
            return
        self._began(living, wish, intent_id)

    def _began(self, living: Living, wish: Wish, intent_id: str) -> None:
        self._by_intent[intent_id] = self._open[intent_id] = living
        living.intents.append(intent_id)
        for after in wish.again:
            self._at(after, lambda: self._ask_again(living, wish, intent_id))
        for after, what in wish.happens:
            self._at(after, partial(self._happen, living, what))
        if wish.cancel_after is not None:
            self._at(wish.cancel_after, lambda: self._cancel(living, intent_id))
        self._heard(self.scene.bridge.outcome(intent_id))

    def _ask(self, living: Living, wish: Wish) -> str | None:
        attended = wish.attended or (wish.is_retry and bool(living.intents))
        living.asked.append((self.scene.clock.now(), attended))
        if wish.is_retry and living.intents:
            intent = self._call("retry", living.intents[-1])
        else:
            intent = self._call("refresh", living.key, scope=wish.scope, attended=wish.attended)
        return self._stored_now(living) if intent is None else str(intent.id)

    def _stored_now(self, living: Living) -> str | None:
        """The intent that was stored before the process died of asking for it, if it came that far."""

        def look(tx: Transaction) -> str | None:
            link = tx.link(LinkId(living.key), ConnectionName(living.life.provider))
            newest = [] if link is None else tx.intents(link, limit=1)
            return next((one.id for one in newest if one.id not in living.intents), None)

        found: str | None = self.scene.store.transact(look)
        return found

    def _ask_again(self, living: Living, wish: Wish, intent_id: str) -> None:
        """Several want the same at once: while one is open, all get that one."""
        if intent_id not in self._open:
            return
        intent = self._call("refresh", living.key, scope=wish.scope, attended=wish.attended)
        if intent is not None and intent.id != intent_id:
            self.joins.append((intent_id, intent.id))

    def _cancel(self, living: Living, intent_id: str) -> None:
        if intent_id not in self._open:
            return
        living.canceled[intent_id] = self.scene.clock.now()
        by = Canceler.PERSON if living.wish is not None and living.wish.attended else Canceler.APPLICATION
        if self._call("cancel", intent_id, by=by) is None:
            self._at(_TRY_AGAIN, lambda: self._cancel(living, intent_id))

    def _heard(self, outcome: Outcome) -> None:
        """The application looks at what an intent has come to."""
        living = self._by_intent.get(outcome.intent_id)
        if living is None or outcome.intent_id not in self._open:
            return
        if outcome.status.terminal:
            del self._open[outcome.intent_id]
            self.over += 1
            self._next_wish(living)
        elif outcome.prompt is not None and outcome.prompt.id not in living.prompts:
            self.tokens.add(outcome.prompt.token)
            self._show(living, outcome)

    # --- people ------------------------------------------------------------------------------------------------------

    def _show(self, living: Living, outcome: Outcome) -> None:
        wish, prompt = living.wish, outcome.prompt
        if wish is None or prompt is None:
            return
        act = wish.acts[min(len(living.prompts), len(wish.acts) - 1)]
        living.prompts.add(prompt.id)
        if wish.attended or wish.is_retry:
            self._at(act.after, lambda: self._answer(living, outcome.intent_id, act))

    def _answer(self, living: Living, intent_id: str, act: Act) -> None:
        if act.what == "nothing" or intent_id not in self._open:
            return
        with suppress(UnknownLinkError):  # it may be too late
            self.scene.emulators[living.life.provider].person(living.key, act.what)
            if act.tells and act.what != "walk_away":
                self._call("prompt_answered", intent_id)

    def _mend(self, living: Living) -> None:
        """The person connects the bank again, if they were told to."""
        step = self.scene.bridge.outcome(living.intents[-1])
        if not any(isinstance(one, Reconnect | UnlockAtBank) for one in (step.next_step, step.then)):
            return
        if living.life.provider == "rail":
            self._reconnect_at_rail(living)
        else:
            self.scene.emulators["fintoc"].reconnect(living.key)
        living.mended.append(self.scene.clock.now())
        self._call("reconnected", living.key)

    def _reconnect_at_rail(self, living: Living) -> None:
        """Through the widget, as there is no other way."""
        emulator = self.scene.emulators["rail"]
        if emulator.truth()["links"][living.key]["status"] == "deleted":
            return
        body = {"link_id": living.key}
        token = self.scene.ask("rail", "POST", "/v1/widget_tokens", json=body)["id"]
        bank = living.life.institution
        granted = emulator.connect(token, institution=bank, username="11111111-1", password="right")
        self.scene.ask("rail", "POST", f"/v1/exchange_tokens/{granted}")

    # --- the provider ------------------------------------------------------------------------------------------------

    def _happen(self, living: Living, what: str) -> None:
        emulator = self.scene.emulators[living.life.provider]
        with suppress(
            UnknownLinkError, ValueError
        ):  # the link may be deleted, the account may have no row left
            match what:
                case "add_account":
                    living.accounts.append(emulator.add_account(living.key))
                case "remove_account" if len(living.accounts) > 1:
                    emulator.remove_account(living.accounts.pop())
                case "auto_sync rejects" | "auto_sync fails":
                    emulator.auto_sync(living.key, what.removeprefix("auto_sync "))
                case "expire_link":
                    emulator.expire_link(living.key)
                case "delete_link":
                    emulator.delete_link(living.key)
                case "change_credentials":
                    emulator.change_credentials(living.key)
                case "background succeeds" | "background fails" | "background rejects":
                    word = what.removeprefix("background ")
                    emulator.refresh_in_background(living.key, word)
                    living.backgrounds.append((self.scene.clock.now(), word))
                case "modify_movements":
                    emulator.modify_movements(living.accounts[0], 2)
                case "remove_movements":
                    emulator.remove_movements(living.accounts[0], 1)
                case _:
                    pass


def _number(intent_id: str) -> int:
    return int(intent_id.rpartition("_")[2])
