"""``advance``: what one event means to one intent. Facts first, then the verdict over them, then the status.

An event adds a fact to the attempt (`_learn`); the joint rule and the policy judge the facts (`_judge`); the
answer must stand in the transition table. Because facts only grow and the verdict looks at nothing else, the
order in which they came makes no difference.
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from bankbridge.machine import events as ev
from bankbridge.machine.attempt import (
    Attempt,
    End,
    EndKind,
    WakePurpose,
    with_answer,
    with_end,
    with_prompt,
    with_refusal,
    with_result,
    with_start,
)
from bankbridge.machine.effects import CancelRefresh, CreateRefresh, Effect, ReadRefresh
from bankbridge.machine.intent import RefreshIntent, WakeUp, key_of, new_attempt
from bankbridge.machine.joint import NotYet, Over
from bankbridge.machine.policy import Policy, Timing, TryAgain, decide
from bankbridge.machine.status import TABLE, Status
from bankbridge.words.errors import ImpossibleEventError
from bankbridge.words.reasons import REJECTIONS, Failure, Reason

LINK_GONE: Final = Failure(reason=Reason.LINK_GONE, ours=True)
"""What a deleted link leaves behind. Nothing that is still heard of the refresh says it better."""

_MOST_GROWTH: Final = 30

# What a provider may say to a request whatever became of the one before it.
_AT_THE_DOOR: Final = frozenset({Reason.RATE_LIMITED, Reason.COOLDOWN, Reason.ALREADY_IN_PROGRESS})


@attrs.frozen(kw_only=True)
class Transition:
    """What `advance` returns: the next intent, and what to do at the provider once it is stored."""

    intent: RefreshIntent
    effects: tuple[Effect, ...] = ()


def advance(
    intent: RefreshIntent, event: ev.Event, *, now: datetime, policy: Policy, attempt: int | None = None
) -> Transition:
    """Tell ``intent`` one ``event``; strict, for what our own code saw.

    ``attempt`` is the number of the attempt that the event is about, by default the current one. What comes for
    an earlier attempt is kept there and changes nothing else. An event that adds nothing gives the same intent
    back. Raises `ImpossibleEventError` for an event that cannot happen in this status.
    """
    if attempt is not None and attempt != intent.attempt.number:
        return Transition(intent=_keep_for_past(intent, event, attempt, policy))
    targets = TABLE[intent.status].get(type(event))
    if targets is None:
        msg = f"intent {intent.id}: {type(event).__name__} cannot happen while {intent.status.value}"
        raise ImpossibleEventError(msg)
    transition = _next(intent, event, now, policy)
    if transition.intent.status not in targets:
        led = f"led from {intent.status.value} to {transition.intent.status.value}"
        msg = f"intent {intent.id}: {type(event).__name__} {led}"
        raise ImpossibleEventError(msg)
    if transition.intent == intent:
        return Transition(intent=intent, effects=transition.effects)
    return attrs.evolve(transition, intent=_next_version(intent, transition.intent))


def _next_version(before: RefreshIntent, after: RefreshIntent) -> RefreshIntent:
    version, wake = before.version + 1, after.wake
    if wake is not None:
        wake = before.wake if wake == before.wake else attrs.evolve(wake, version=version)
    return attrs.evolve(after, version=version, wake=wake)


def _next(intent: RefreshIntent, event: ev.Event, now: datetime, policy: Policy) -> Transition:
    match event:
        case ev.WokeUp():
            return _wake(intent, now, policy)
        case ev.CancelRequested():
            return _stop(intent, Over(status=Status.CANCELED), now, policy)
        case ev.LinkLost() if not intent.status.terminal:
            return _stop(intent, Over(status=Status.FAILED, failure=LINK_GONE), now, policy)
        case ev.ReadFinished() if intent.status in (Status.IN_PROGRESS, Status.REQUIRES_MFA):
            return _after_read(intent, event, now, policy)
        case ev.CreateUnclear() if intent.status is Status.REQUESTED:
            return _after_unclear(intent, event, now, policy)
        case ev.CreateRefused(failure=failure) if _says_nothing_of_the_first(intent, failure):
            return _ask_again(intent, now, policy, answered=True, not_before=failure.not_before)
        case _:  # every other event is a fact, or nothing
            pass
    learnt = _learn(intent.attempt, event, policy.timing)
    if learnt == intent.attempt:
        return Transition(intent=intent)
    return _judge(attrs.evolve(intent, attempt=learnt), event, now, policy)


# --- facts -----------------------------------------------------------------------------------------------


def _learn(attempt: Attempt, event: ev.Event, timing: Timing) -> Attempt:
    match event:
        case ev.RefreshStarted():
            return with_start(
                attempt,
                refresh_id=event.refresh_id,
                expected=event.expected,
                started_at=event.started_at,
                adopted=event.adopted,
            )
        case ev.CreateRefused(failure=failure):
            return with_refusal(attempt, failure)
        case ev.PromptOffered(prompt=prompt):
            return with_prompt(
                attempt,
                attrs.evolve(prompt, expires_at=prompt.expires_at or prompt.offered_at + timing.prompt),
            )
        case ev.PromptAnswered(prompt_id=prompt_id):
            return with_answer(attempt, prompt_id)
        case ev.AccountReported(result=result):
            return with_result(attempt, result)
        case (
            ev.RefreshSucceeded()
            | ev.RefreshFailed()
            | ev.RefreshRejected()
            | ev.RefreshCanceled()
            | ev.RefreshVanished()
        ):
            return with_end(attempt, _end_of(event))
        case (
            ev.RefreshProgressed()
            | ev.ReadFinished()
            | ev.CreateUnclear()
            | ev.WokeUp()
            | ev.CancelRequested()
            | ev.LinkLost()
        ):
            return attempt


def _end_of(event: ev.RefreshEnded) -> End:
    match event:
        case ev.RefreshSucceeded(new_movements=new_movements):
            return End(kind=EndKind.SUCCEEDED, new_movements=new_movements)
        case ev.RefreshFailed(failure=failure):
            return End(kind=EndKind.FAILED, failure=failure)
        case ev.RefreshRejected(failure=failure):
            return End(kind=EndKind.REJECTED, failure=failure)
        case ev.RefreshCanceled():
            return End(kind=EndKind.CANCELED)
        case ev.RefreshVanished():
            return End(kind=EndKind.VANISHED)


def _keep_for_past(intent: RefreshIntent, event: ev.Event, number: int, policy: Policy) -> RefreshIntent:
    past = tuple(
        _learn(attempt, event, policy.timing) if attempt.number == number else attempt
        for attempt in intent.past
    )
    return intent if past == intent.past else attrs.evolve(intent, past=past, version=intent.version + 1)


# --- verdicts --------------------------------------------------------------------------------------------


def _judge(intent: RefreshIntent, event: ev.Event, now: datetime, policy: Policy) -> Transition:
    attempt = intent.attempt
    if intent.status.terminal:
        return _afterwards(intent, event, policy)
    if attempt.refusal is not None:
        rejected = attempt.refusal.reason in REJECTIONS
        refused = Over(status=Status.REJECTED if rejected else Status.FAILED, failure=attempt.refusal)
        return _stop(intent, refused, now, policy)
    if not attempt.started:
        return Transition(intent=intent)
    match policy.joint.judge(attempt):
        case Over() as verdict:
            return _stop(intent, verdict, now, policy)
        # An attempt that we gave up on at its deadline stays so, unless it turns out to have only begun.
        case NotYet() if intent.status is Status.BACKING_OFF and not isinstance(event, ev.RefreshStarted):
            return Transition(intent=intent)
        case NotYet(confirm=True):
            return _confirm(intent, now, policy)
        case NotYet():
            return Transition(intent=_go_on(intent, now, policy))


def _afterwards(intent: RefreshIntent, event: ev.Event, policy: Policy) -> Transition:
    """Terminal is absorbing for the status; a late fact may still say better why, or need a cancel."""
    attempt = intent.attempt
    if isinstance(event, ev.RefreshStarted) and intent.status is Status.CANCELED and attempt.end is None:
        return Transition(intent=intent, effects=_cancel(attempt, policy))
    verdict = policy.joint.judge(attempt)
    gone_or_refused = intent.failure == LINK_GONE or attempt.refusal is not None
    if isinstance(verdict, Over) and verdict.status is intent.status and not gone_or_refused:
        return Transition(intent=attrs.evolve(intent, failure=verdict.failure))
    return Transition(intent=intent)


def _stop(intent: RefreshIntent, over: Over, now: datetime, policy: Policy) -> Transition:
    """The attempt is over: try again by itself if the policy says so, else the intent is over too."""
    if over.status in (Status.FAILED, Status.REJECTED) and over.failure is not None:
        match decide(intent, over.failure, now=now, policy=policy):
            case TryAgain(at=at):
                wake = WakeUp(at=at, purpose=WakePurpose.BACKOFF)
                return Transition(
                    intent=attrs.evolve(intent, status=Status.BACKING_OFF, failure=over.failure, wake=wake)
                )
            case _:
                pass
    ended = attrs.evolve(intent, status=over.status, failure=over.failure, wake=None, ended_at=now)
    running = intent.status in (Status.IN_PROGRESS, Status.REQUIRES_MFA) and intent.attempt.end is None
    cancels = over.status is Status.CANCELED and running
    return Transition(intent=ended, effects=_cancel(intent.attempt, policy) if cancels else ())


def _confirm(intent: RefreshIntent, now: datetime, policy: Policy) -> Transition:
    """Everything hints at an end: read it at once, or as soon as it may be read again."""
    attempt, soonest = intent.attempt, may_read_at(intent.attempt, now, policy.timing)
    if soonest <= now:
        looked = attrs.evolve(intent, attempt=attrs.evolve(attempt, looked_at=now))
        return Transition(intent=_go_on(looked, now, policy), effects=(_read(attempt),))
    soon = attrs.evolve(attempt, read_at=min(attempt.read_at or soonest, soonest))
    return Transition(intent=_go_on(attrs.evolve(intent, attempt=soon), now, policy))


def may_read_at(attempt: Attempt, at: datetime, timing: Timing) -> datetime:
    """``at``, or later where that would be too soon after the last look, whatever asks for this one."""
    return at if attempt.looked_at is None else max(at, attempt.looked_at + timing.poll_floor)


def _go_on(intent: RefreshIntent, now: datetime, policy: Policy) -> RefreshIntent:
    """It runs: the status by the prompt, and the next look at it."""
    attempt, timing = intent.attempt, policy.timing
    if attempt.read_at is None:
        attempt = attrs.evolve(attempt, read_at=now + timing.first_poll)
    prompt = attempt.open_prompt
    looks = {WakePurpose.POLL: attempt.read_at, WakePurpose.DEADLINE: deadline_of(attempt, timing)}
    if prompt is not None and prompt.expires_at is not None:
        looks[WakePurpose.PROMPT_EXPIRY] = prompt.expires_at + timing.prompt_margin
    purpose, at = min(
        (
            (purpose, at)
            for purpose, at in looks.items()
            if at is not None and (at > now or purpose is WakePurpose.POLL)
        ),
        key=lambda look: look[1],
    )
    status = Status.IN_PROGRESS if prompt is None else Status.REQUIRES_MFA
    wake = WakeUp(at=may_read_at(attempt, at, timing), purpose=purpose)
    return attrs.evolve(intent, attempt=attempt, status=status, failure=None, wake=wake)


def deadline_of(attempt: Attempt, timing: Timing) -> datetime:
    """When we stop believing in the attempt; a prompt extends it past the prompt's own end."""
    ends = (prompt.expires_at for prompt in attempt.prompts if prompt.expires_at is not None)
    return max((attempt.asked_at + timing.attempt, *(end + timing.after_prompt for end in ends)))


# --- time and answers ------------------------------------------------------------------------------------


def _wake(intent: RefreshIntent, now: datetime, policy: Policy) -> Transition:
    attempt, timing = intent.attempt, policy.timing
    match intent.status:
        case Status.REQUESTED:
            if now >= deadline_of(attempt, timing):
                return _stop(intent, policy.joint.by_evidence(attempt), now, policy)
            # The lease: if this worker dies before the answer is stored, another asks again with the same key.
            again = attempt.unclear > 0 or intent.version > 0
            asked = attrs.evolve(attempt, asking=True, unanswered=attempt.unanswered + attempt.asking)
            lease = WakeUp(at=now + timing.unclear, purpose=WakePurpose.CREATE)
            return Transition(
                intent=attrs.evolve(intent, attempt=asked, wake=lease),
                effects=(_create(asked, look_first=again),),
            )
        case Status.BACKING_OFF:
            begun = attrs.evolve(
                intent,
                status=Status.REQUESTED,
                past=(*intent.past, attrs.evolve(attempt, failure=intent.failure)),
                attempt=attrs.evolve(new_attempt(intent.id, attempt.number + 1, now), asking=True),
                failure=None,
                wake=WakeUp(at=now + timing.unclear, purpose=WakePurpose.CREATE),
            )
            return Transition(intent=begun, effects=(_create(begun.attempt),))
        case _:
            next_at = now + _grown(timing.first_poll, attempt.reads, timing)
            due = attrs.evolve(attempt, looked_at=now, read_at=next_at)
            return Transition(
                intent=_go_on(attrs.evolve(intent, attempt=due), now, policy), effects=(_read(attempt),)
            )


def _says_nothing_of_the_first(intent: RefreshIntent, failure: Failure) -> bool:
    """Whether a create that once had no answer is now turned away before anybody looks at it: it may run all the same.

    As a refusal it would be followed by another attempt, with a key of its own: a second refresh beside the first.
    """
    asked_again = intent.status is Status.REQUESTED and intent.attempt.unanswered > 0
    return asked_again and failure.reason in _AT_THE_DOOR and not failure.ours


def _after_unclear(
    intent: RefreshIntent, event: ev.CreateUnclear, now: datetime, policy: Policy
) -> Transition:
    attempt = intent.attempt
    if now >= deadline_of(attempt, policy.timing):
        return _stop(intent, policy.joint.by_evidence(attempt), now, policy)
    is_unanswered = attempt.unanswered > 0 or not event.answered
    if event.answered and attempt.unclear + 1 >= policy.timing.answered_errors and not is_unanswered:
        refused = Failure(reason=Reason.PROVIDER_ERROR, code=event.detail)
        return _next(intent, ev.CreateRefused(failure=refused), now, policy)
    return _ask_again(intent, now, policy, answered=event.answered)


def _ask_again(
    intent: RefreshIntent,
    now: datetime,
    policy: Policy,
    *,
    answered: bool,
    not_before: datetime | None = None,
) -> Transition:
    attempt, timing = intent.attempt, policy.timing
    at = now + _grown(timing.unclear, attempt.unclear, timing)
    unclear = attempt.unclear + 1
    replays = answered and policy.new_key_after_answer
    asked = attrs.evolve(
        attempt,
        asking=False,
        unclear=unclear,
        unanswered=attempt.unanswered + (not answered),
        key=key_of(intent.id, attempt.number, unclear) if replays else attempt.key,
    )
    wake = WakeUp(at=max(at, not_before or at), purpose=WakePurpose.CREATE)
    return Transition(intent=attrs.evolve(intent, attempt=asked, wake=wake))


def _after_read(intent: RefreshIntent, event: ev.ReadFinished, now: datetime, policy: Policy) -> Transition:
    timing = policy.timing
    reads = intent.attempt.reads + 1
    wait = now + _grown(timing.first_poll, reads, timing)
    told = event.failure.not_before if event.failure is not None else None
    attempt = attrs.evolve(intent.attempt, reads=reads, read_at=max(wait, told or wait))
    read = attrs.evolve(intent, attempt=attempt)
    prompt = attempt.open_prompt
    ends_at = None if prompt is None else prompt.expires_at
    if event.failure is None and ends_at is not None and now >= ends_at + timing.prompt_margin:
        expired = Failure(reason=Reason.MFA_EXPIRED, ours=True)
        return _stop(read, Over(status=Status.FAILED, failure=expired), now, policy)
    # A provider that cannot be read may know the end all the same: it is given longer to say so.
    patience = timing.unread if event.failure is not None else timedelta(0)
    if now >= deadline_of(attempt, timing) + patience:
        return _stop(read, policy.joint.by_evidence(attempt), now, policy)
    return Transition(intent=_go_on(read, now, policy))


def _grown(first: timedelta, times: int, timing: Timing) -> timedelta:
    # In seconds: a timedelta overflows long after the longest wait is reached, and sooner the faster it grows.
    seconds = first.total_seconds() * timing.poll_factor ** min(times, _MOST_GROWTH)
    return (
        timing.longest_poll if seconds > timing.longest_poll.total_seconds() else timedelta(seconds=seconds)
    )


# --- effects ---------------------------------------------------------------------------------------------


def _create(attempt: Attempt, *, look_first: bool = False) -> CreateRefresh:
    return CreateRefresh(attempt=attempt.number, key=attempt.key, look_first=look_first)


def _read(attempt: Attempt) -> ReadRefresh:
    return ReadRefresh(attempt=attempt.number, refresh_id=attempt.refresh_id)


def _cancel(attempt: Attempt, policy: Policy) -> tuple[Effect, ...]:
    if not policy.can_cancel:
        return ()
    return (CancelRefresh(attempt=attempt.number, refresh_id=attempt.refresh_id),)
