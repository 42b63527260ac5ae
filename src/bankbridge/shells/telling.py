"""Telling an intent events inside a transaction: advance, account for the link, log, save, and what to announce."""

from collections.abc import Iterable
from datetime import datetime

import attrs

from bankbridge.codec import encode
from bankbridge.machine.advance import Transition, advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.effects import CreateRefresh, Effect
from bankbridge.machine.events import CreateRefused, Event, WokeUp
from bankbridge.machine.intent import RefreshIntent, WakeUp
from bankbridge.machine.link import Link, account_for, blockers_of
from bankbridge.machine.outcome import Outcome, outcome_of
from bankbridge.machine.policy import Policy
from bankbridge.machine.status import Status
from bankbridge.shells.news import LinkChanged, News, OutcomeChanged
from bankbridge.store import LogEntry, Transaction
from bankbridge.words.ids import DeliveryId


@attrs.define(kw_only=True)
class Telling:
    """One intent being told things in one transaction. `commit` writes what came of it."""

    tx: Transaction
    policy: Policy
    now: datetime
    link: Link
    intent: RefreshIntent
    effects: list[Effect] = attrs.field(factory=list[Effect])
    _stored: RefreshIntent | None = attrs.field(default=None, alias="stored")
    _entries: list[LogEntry] = attrs.field(factory=list[LogEntry], init=False)
    _link_before: Link = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._link_before = self.link

    def tell(
        self,
        events: Iterable[Event],
        *,
        attempt: int | None = None,
        said: str | None = None,
        delivery_id: DeliveryId | None = None,
    ) -> None:
        """Advance by each event in turn."""
        for event in events:
            transition = advance(self.intent, event, now=self.now, policy=self.policy, attempt=attempt)
            self._take(transition, event, attempt=attempt, said=said, delivery_id=delivery_id)

    def take(self, transition: Transition, *, event: Event, said: str, delivery_id: DeliveryId) -> None:
        """Take the step that the machine made of what a delivery says, and write down what it changed."""
        self._take(transition, event, said=said, delivery_id=delivery_id, again=True)

    def _take(
        self,
        transition: Transition,
        event: Event,
        *,
        attempt: int | None = None,
        said: str | None,
        delivery_id: DeliveryId | None,
        again: bool = False,
    ) -> None:
        """``again``: the event can be had from the delivery whenever it is wanted, so it isn't written down."""
        before = self.intent
        if transition.intent == before:
            return
        self.intent = transition.intent
        self.link = account_for(self.link, before, self.intent, now=self.now, policy=self.policy)
        self._entries.append(
            LogEntry(
                intent_id=before.id,
                at=self.now,
                event=type(event).__name__,
                attempt=before.attempt.number if attempt is None else attempt,
                before=before.status,
                after=self.intent.status,
                said=said,
                delivery_id=delivery_id,
                told=None if again else encode(event),
            )
        )
        self._guard(transition.effects)

    def _guard(self, effects: tuple[Effect, ...]) -> None:
        """The one door to a new refresh: what blocks the link turns the create into a refusal.

        A create that may have gone through already is asked again under its own key, which starts nothing new.
        """
        for effect in effects:
            if isinstance(effect, CreateRefresh) and not effect.look_first:
                blockers = blockers_of(
                    self.link, attended=self.intent.attended, now=self.now, policy=self.policy
                )
                if blockers:
                    self.tell([CreateRefused(failure=blockers[0].failure)])
                    continue
            self.effects.append(effect)

    def wake(self) -> None:
        """Tell the intent that its wake-up came due."""
        if self.intent.wake is not None:
            self.tell([WokeUp(purpose=self.intent.wake.purpose)])

    def wake_now(self) -> None:
        """Leave what must be asked at the provider to whoever wakes what is due: nothing is asked in here."""
        if self.effects:
            looked_at = None if self._stored is None else self._stored.attempt.looked_at
            self.intent = woken_now(self.intent, looked_at=looked_at, now=self.now)
        self.effects.clear()

    @property
    def is_clearer(self) -> bool:
        """Whether something is known of the intent's refresh that was not: its id, that there is none, or no answer."""
        if self._stored is None:
            return False
        before, after = self._stored.attempt, self.intent.attempt
        answered = self._stored.status is Status.REQUESTED and self.intent.status is not Status.REQUESTED
        refused = before.refusal is None and after.refusal is not None
        named = after.refresh_id not in (None, before.refresh_id)
        return answered or refused or named or after.unclear > before.unclear

    def commit(self) -> list[News]:
        """Store what changed, and say what is to be announced once the transaction is through."""
        news: list[News] = []
        before, accounts = self._stored, self.link.accounts or ()
        if before is None:
            self.tx.add_intent(self.intent)
        elif self.intent != before:
            self.tx.save_intent(self.intent, replaces=before.version)
        if self.link != self._link_before:
            self.tx.save_link(self.link)
            if self.link.status is not self._link_before.status:
                news.append(LinkChanged(link=self.link))
        for entry in self._entries:
            self.tx.log(entry)
        if self.intent != before:
            outcome = outcome_of(self.intent, accounts)
            if before is None or _gist(outcome) != _gist(outcome_of(before, accounts)):
                news.append(OutcomeChanged(outcome=outcome))
        return news


def woken_now(intent: RefreshIntent, *, looked_at: datetime | None, now: datetime) -> RefreshIntent:
    """The intent, due ``now`` for what it wants; it was last ``looked_at`` before it wanted that."""
    if intent.wake is None:
        return intent
    attempt, purpose = intent.attempt, intent.wake.purpose
    if purpose is not WakePurpose.CREATE:
        # What is not read now has not been looked at yet.
        attempt, purpose = attrs.evolve(attempt, looked_at=looked_at), WakePurpose.POLL
    return attrs.evolve(intent, attempt=attempt, wake=WakeUp(at=now, purpose=purpose, version=intent.version))


def _gist(outcome: Outcome) -> tuple[object, ...]:
    """What makes an outcome another one; when it is looked at next does not."""
    return outcome.status, outcome.failure, outcome.prompt, outcome.fresh, outcome.attempts


def telling(
    tx: Transaction, link: Link, intent: RefreshIntent, *, policy: Policy, now: datetime, stored: bool = True
) -> Telling:
    """Begin to tell ``intent`` things; ``stored`` is false for one that the store does not have yet."""
    return Telling(tx=tx, policy=policy, now=now, link=link, intent=intent, stored=intent if stored else None)
