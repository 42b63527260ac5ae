"""The jobs of a refresh: ask for it, carry out its effects, cancel it."""

from collections import deque
from collections.abc import Callable, Iterable

from bankbridge.machine.effects import CancelRefresh, CreateRefresh, Effect, ReadRefresh
from bankbridge.machine.events import (
    Canceler,
    CancelRequested,
    CreateRefused,
    PromptAnswered,
)
from bankbridge.machine.intent import RefreshIntent, Scope, new_intent
from bankbridge.machine.link import Link
from bankbridge.machine.outcome import Outcome, outcome_of
from bankbridge.provider import Evidence
from bankbridge.shells.connections import Core
from bankbridge.shells.evidence import canceled, created, read
from bankbridge.shells.jobs import Job, announce, transact
from bankbridge.shells.lookback import look_back
from bankbridge.shells.news import News
from bankbridge.shells.parking import commit
from bankbridge.shells.telling import Telling, telling
from bankbridge.store import Transaction
from bankbridge.words.errors import UnknownIntentError, UnknownLinkError
from bankbridge.words.ids import ConnectionName, IntentId, LinkId
from bankbridge.words.reasons import Failure, Reason


def link_in(tx: Transaction, link_id: LinkId, connection: str | None = None) -> Link:
    """A stored link. Raises `UnknownLinkError`."""
    link = tx.link(link_id, None if connection is None else ConnectionName(connection))
    if link is None:
        msg = f"link {link_id!r}: not stored, or stored under several connections: add it, or name the connection"
        raise UnknownLinkError(msg)
    return link


def intent_in(tx: Transaction, intent_id: IntentId) -> tuple[RefreshIntent, Link]:
    """A stored intent and its link. Raises `UnknownIntentError`."""
    intent = tx.intent(intent_id)
    if intent is None:
        msg = f"intent {intent_id!r}: not stored"
        raise UnknownIntentError(msg)
    return intent, link_in(tx, intent.link_id, intent.connection)


def refresh(
    core: Core,
    link_id: LinkId,
    *,
    scope: Scope,
    attended: bool,
    connection: str | None,
    retry_of: IntentId | None = None,
) -> Job[RefreshIntent]:
    """Make a wish and ask the provider for it; or join the one that is open; or store why it is refused."""
    now = core.clock()

    def begin(tx: Transaction) -> tuple[RefreshIntent, list[Effect], list[News]]:
        link = link_in(tx, link_id, connection)
        if (running := tx.open_intent(link)) is not None:
            return running, [], []
        intent = new_intent(
            intent_id=core.new_id(),
            connection=link.connection,
            link_id=link.id,
            scope=scope,
            attended=attended,
            retry_of=retry_of,
            now=now,
        )
        story = telling(
            tx, link, intent, policy=core.connection(link.connection).policy_of(link), now=now, stored=False
        )
        if scope in core.connection(link.connection).provider.capabilities.scopes:
            story.wake()
        else:
            story.tell([CreateRefused(failure=_no_such(scope))])
        news = story.commit()
        return story.intent, story.effects, news

    intent, effects, news = yield from transact(begin)
    yield from announce(news)
    yield from perform(core, intent.id, effects)
    return (yield from transact(lambda tx: intent_in(tx, intent.id)))[0]


def _no_such(scope: Scope) -> Failure:
    message = f"the provider has no {scope.value} refresh"
    return Failure(reason=Reason.NOT_SUPPORTED, message=message, ours=True)


def retry(core: Core, intent_id: IntentId) -> Job[RefreshIntent]:
    """The person asked again: a new, attended intent after one that is over; the same one while it is not."""
    before, link = yield from transact(lambda tx: intent_in(tx, intent_id))
    if not before.status.terminal:
        return before
    return (
        yield from refresh(
            core,
            link.id,
            scope=before.scope,
            attended=True,
            connection=link.connection,
            retry_of=before.id,
        )
    )


def cancel(core: Core, intent_id: IntentId, *, by: Canceler) -> Job[Outcome]:
    """Stop wanting it: here at once, and at the provider where it can be canceled. One that is over stays so."""

    def stop(story: Telling) -> None:
        if not story.intent.status.terminal:
            story.tell([CancelRequested(by=by)], said=f"by the {by.value}")

    return (yield from _tell(core, intent_id, stop))


def prompt_answered(core: Core, intent_id: IntentId) -> Job[Outcome]:
    """The person answered the open prompt: the provider goes on, and so do we."""

    def answer(story: Telling) -> None:
        prompt = story.intent.attempt.open_prompt
        if prompt is not None and not story.intent.status.terminal:
            story.tell([PromptAnswered(prompt_id=prompt.id)])

    return (yield from _tell(core, intent_id, answer))


def outcome(core: Core, intent_id: IntentId) -> Job[Outcome]:
    """What the intent means to the application now."""
    del core
    intent, link = yield from transact(lambda tx: intent_in(tx, intent_id))
    return outcome_of(intent, link.accounts or ())


def _tell(core: Core, intent_id: IntentId, what: Callable[[Telling], None]) -> Job[Outcome]:
    now = core.clock()

    def work(tx: Transaction) -> tuple[list[Effect], list[News]]:
        intent, link = intent_in(tx, intent_id)
        connection = core.connection(intent.connection)
        story = telling(tx, link, intent, policy=connection.policy_of(link), now=now)
        what(story)
        return story.effects, commit(story, connection)

    effects, news = yield from transact(work)
    yield from announce(news)
    yield from perform(core, intent_id, effects)
    return (yield from outcome(core, intent_id))


def perform(core: Core, intent_id: IntentId, effects: Iterable[Effect]) -> Job[None]:
    """Carry out effects at the provider, tell the intent what came of each, and go on until nothing is left."""
    queue = deque(effects)
    while queue:
        effect = queue.popleft()
        intent, link = yield from transact(lambda tx: intent_in(tx, intent_id))
        attempt = next((one for one in (intent.attempt, *intent.past) if one.number == effect.attempt), None)
        if attempt is None or (attempt is not intent.attempt and not isinstance(effect, CancelRefresh)):
            continue
        connection = core.connection(intent.connection)
        asked_at = core.clock()
        match effect:
            case CreateRefresh(look_first=again):
                unfit = None if again else (yield from look_back(core, connection, link, intent))
                if unfit is None:
                    look_first = again and connection.provider.capabilities.finds_running
                    flow = connection.provider.create_refresh(
                        link, attempt, scope=intent.scope, look_first=look_first, now=asked_at
                    )
                    evidence = yield from created(connection, flow, asked_at)
                else:
                    evidence = Evidence(events=(CreateRefused(failure=unfit),), words=unfit.message or "")
            case ReadRefresh():
                flow = connection.provider.poll_refresh(link, attempt, now=asked_at)
                evidence = yield from read(connection, flow, asked_at)
            case CancelRefresh():
                flow = connection.provider.cancel_refresh(link, attempt, now=asked_at)
                evidence = yield from canceled(connection, flow)
        wanted = yield from _told(core, intent_id, evidence, attempt.number)
        # What was read a moment ago is not read again at once: the next look is scheduled.
        queue.extend(
            one for one in wanted if not isinstance(effect, ReadRefresh) or not isinstance(one, ReadRefresh)
        )


def _told(core: Core, intent_id: IntentId, evidence: Evidence, attempt: int) -> Job[list[Effect]]:
    now = core.clock()

    def work(tx: Transaction) -> tuple[list[Effect], list[News]]:
        intent, link = intent_in(tx, intent_id)
        connection = core.connection(intent.connection)
        story = telling(tx, link, intent, policy=connection.policy_of(link), now=now)
        story.tell(evidence.events, attempt=attempt, said=evidence.words)
        return story.effects, commit(story, connection)

    effects, news = yield from transact(work)
    yield from announce(news)
    return effects
