"""Playing the scenarios, and holding each outcome against what the emulator knows really happened."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from bankbridge.demo.scenarios import SCENARIOS, Scenario
from bankbridge.demo.stage import Stage, staged
from bankbridge.emulation import EmulatedLink
from bankbridge.machine.events import AccountReported, CancelRequested
from bankbridge.machine.outcome import Outcome
from bankbridge.machine.status import Status
from bankbridge.shells.linking import Story
from bankbridge.shells.news import News, OutcomeChanged
from bankbridge.words.ids import IntentId
from bankbridge.words.reasons import Reason

SPEED: Final = 180.0
"""Seconds that pass in one: the hour's wait after an unconfirmed rejection then takes about twenty."""

PATIENCE: Final = 90.0
"""Real seconds after which the demonstration gives up and says what is missing."""


@attrs.define(kw_only=True)
class Played:
    """One scenario on its way: the link and intent that carry it, and the last outcome heard of."""

    scenario: Scenario
    link: EmulatedLink
    intent_id: IntentId
    outcome: Outcome
    acted: bool = False


@attrs.frozen(kw_only=True)
class Verdict:
    """One scenario played to its end. ``differs`` is what does not agree with the truth or the expectation."""

    scenario: Scenario
    outcome: Outcome
    said: str
    differs: tuple[str, ...]


def play(
    watch: Callable[[list[Played]], None],
    *,
    scenarios: Sequence[Scenario] = SCENARIOS,
    speed: float = SPEED,
    seed: int = 0,
    patience: float = PATIENCE,
) -> list[Verdict]:
    """Play every scenario at once. ``watch`` is called as things change, with everything under way."""
    changed = threading.Event()

    def on_news(news: News) -> None:
        if isinstance(news, OutcomeChanged):
            changed.set()

    providers = tuple(dict.fromkeys(scenario.provider for scenario in scenarios))
    with staged(providers, speed=speed, seed=seed, on_news=on_news) as stage:
        stop = threading.Event()
        worker = threading.Thread(target=_work, args=(stage, stop), name="bankbridge-demo-worker")
        worker.start()
        try:
            under_way: list[Played] = []
            for scenario in scenarios:
                under_way.append(_begin(stage, scenario))
                _look(stage, under_way)
                watch(under_way)
            _until_over(stage, under_way, changed, watch, time.monotonic() + patience)
        finally:
            stop.set()
            worker.join()
        truths = {name: emulator.truth() for name, emulator in stage.emulators.items()}
        return [_verdict(stage, played, truths[played.scenario.provider]) for played in under_way]


def _work(stage: Stage, stop: threading.Event) -> None:
    while not stop.is_set():
        if stage.bridge.wake_due() == 0:
            stop.wait(0.02)


def _begin(stage: Stage, scenario: Scenario) -> Played:
    emulator = stage.emulators[scenario.provider]
    link = emulator.add_link(attempts=scenario.attempts, webhooks=scenario.webhooks)
    stage.bridge.add_link(scenario.provider, link.link_id, token=link.link_token)
    intent = stage.bridge.refresh(link.link_id, attended=True)
    return Played(scenario=scenario, link=link, intent_id=intent.id, outcome=stage.bridge.outcome(intent.id))


def _until_over(
    stage: Stage,
    under_way: list[Played],
    changed: threading.Event,
    watch: Callable[[list[Played]], None],
    give_up_at: float,
) -> None:
    while time.monotonic() < give_up_at:
        changed.wait(0.1)
        changed.clear()
        _look(stage, under_way)
        watch(under_way)
        if all(played.outcome.status.terminal for played in under_way):
            return


def _look(stage: Stage, under_way: list[Played]) -> None:
    for played in under_way:
        if not played.outcome.status.terminal:
            played.outcome = stage.bridge.outcome(played.intent_id)
            _act(stage, played)


def _act(stage: Stage, played: Played) -> None:
    """Do once what the scenario has the person or the application do."""
    scenario, status = played.scenario, played.outcome.status
    if played.acted or status not in (Status.REQUIRES_MFA, Status.IN_PROGRESS):
        return
    if scenario.person is not None and status is Status.REQUIRES_MFA:
        played.acted = True
        stage.emulators[scenario.provider].person(played.link.link_id, scenario.person)
        if scenario.person != "walk_away":
            stage.bridge.prompt_answered(played.intent_id)
    elif scenario.cancels and (status is Status.REQUIRES_MFA or "mfa" not in scenario.attempts):
        played.acted = True
        played.outcome = stage.bridge.cancel(played.intent_id)


def _verdict(stage: Stage, played: Played, truth: Mapping[str, Any]) -> Verdict:
    outcome = stage.bridge.outcome(played.intent_id)
    story = stage.bridge.explain(played.intent_id)
    status, reason = played.scenario.expects
    differs = _differences(outcome, story, truth["links"][played.link.link_id])
    if outcome.status is not status:
        differs.append(f"expected {status.value}")
    if _reason(outcome) is not reason:
        differs.append(f"expected {reason.value if reason else 'no reason'}")
    return Verdict(scenario=played.scenario, outcome=outcome, said=said_by(story), differs=tuple(differs))


def _reason(outcome: Outcome) -> Reason | None:
    return None if outcome.failure is None else outcome.failure.reason


# What the provider's own status of the last refresh can be, for each status of ours.
_AGREES: Final[Mapping[Status, frozenset[str]]] = {
    Status.SUCCEEDED: frozenset({"succeeded"}),
    Status.PARTIAL: frozenset({"failed", "rejected"}),
    Status.FAILED: frozenset({"failed"}),
    Status.REJECTED: frozenset({"rejected", "failed"}),
}


def _differences(outcome: Outcome, story: Story, link: Mapping[str, Any]) -> list[str]:
    """Where an outcome and the emulator's truth part: status, fresh accounts, refreshes made."""
    differs: list[str] = []
    refreshes = link["intents"]
    last: Mapping[str, Any] = refreshes[-1] if refreshes else {"status": "none", "accounts": {}}
    expired = _reason(outcome) is Reason.MFA_EXPIRED
    if outcome.status not in _AGREES and outcome.status is not Status.CANCELED:
        differs.append(f"ended as {outcome.status.value}")
    elif outcome.status in _AGREES and last["status"] not in _AGREES[outcome.status] and not expired:
        differs.append(f"the provider's last refresh is {last['status']}")
    fresh = {name for name, result in last["accounts"].items() if result["status"] == "succeeded"}
    if (
        outcome.status in (Status.SUCCEEDED, Status.PARTIAL)
        and last["accounts"]
        and fresh != set(outcome.fresh)
    ):
        differs.append(f"fresh there: {len(fresh)}, here: {len(outcome.fresh)}")
    ours = {attempt.refresh_id for attempt in (*story.intent.past, story.intent.attempt) if attempt.started}
    theirs = {refresh["id"] for refresh in refreshes if refresh.get("made_by", "client") == "client"}
    if not ours.issuperset(theirs):
        differs.append(f"{len(theirs - ours)} refresh(es) there that we know nothing of")
    return differs


def said_by(story: Story) -> str:
    """The provider's own words that moved the intent or reported an account, in order; repeats are counted."""
    words = [
        entry.said
        for entry in story.entries
        if entry.said is not None
        and entry.event != CancelRequested.__name__
        and (entry.before is not entry.after or entry.event == AccountReported.__name__)
    ]
    counted = [(said, len(list(same))) for said, same in itertools.groupby(words)]
    return " → ".join(said if count == 1 else f"{count} times {said}" for said, count in counted) or "nothing"
