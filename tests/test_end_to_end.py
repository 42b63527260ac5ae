"""Whole stories over real sockets: what the application is told is what really happened at the emulator."""

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge import Status
from bankbridge.emulation import WEBHOOK_MODES, UnknownLinkError
from bankbridge.machine.attempt import Attempt
from bankbridge.machine.outcome import Outcome
from bankbridge.shells.linking import Story
from bankbridge.words.reasons import Reason
from tests.stages import COLOURS, PROVIDERS, Stage, staged

WORDS: Mapping[str, list[str]] = {
    "rail": sorted(bankbridge_rail.emulator.WORDS),
    "fintoc": sorted(bankbridge_fintoc.emulator.WORDS),
}


# The codes of a create that is refused for its credentials.
REFUSED_LOGINS = ("rejected_refresh_intent", "institution_credentials_invalid", "locked_credentials")


def expected(provider: str, link: Mapping[str, Any], attempt: Attempt) -> Status:
    """How the last attempt ended, by the emulator's own account of it."""
    if attempt.refusal is not None and attempt.refusal.ours:
        # Our own guard: the refusal before it made the link need the person, and nothing more was asked.
        assert link["refused_logins"] == len(link["creates"]) == 1
        return Status.REJECTED
    if attempt.refresh_id is None:
        code = link["creates"][-1].get("code")
        return Status.REJECTED if code in REFUSED_LOGINS else Status.FAILED
    last = next(one for one in link["intents"] if one["id"] == attempt.refresh_id)
    results = {report["status"] for report in last["accounts"].values()}
    match last["status"]:
        case "succeeded":
            return Status.SUCCEEDED
        case "failed" | "rejected" if "succeeded" in results:
            return Status.PARTIAL
        case "rejected":
            return Status.REJECTED
        case "failed":
            refused = provider == "rail" and last["error_code"] == "rejected_credentials"
            return Status.REJECTED if refused else Status.FAILED
        case _:
            # Nobody came to the widget, or nothing was ever heard.
            return Status.FAILED if last.get("prompt") else Status.LOST


def attempts_of(story: Story) -> list[Any]:
    return [*story.intent.past, story.intent.attempt]


def check(stage: Stage, provider: str, link_id: str, outcome: Outcome) -> None:
    """Hold one outcome, and how it came about, against the truth."""
    truth, story = stage.truth(link_id, provider), stage.bridge.explain(outcome.intent_id)
    assert outcome.status is expected(provider, truth, story.intent.attempt), (truth, story.entries)
    # One refresh at the provider for each attempt that began, whatever was asked how often.
    begun = [attempt.refresh_id for attempt in attempts_of(story) if attempt.refresh_id is not None]
    made = [one["id"] for one in truth["intents"] if one.get("made_by", "client") == "client"]
    assert len(begun) == len(set(begun))
    assert set(made) <= set(begun)
    assert set(begun) <= {one["id"] for one in truth["intents"]}
    # Not read more often than the provider allows, by its own count.
    floor = PROVIDERS[provider].capabilities.poll_floor
    for intent in truth["intents"]:
        polls = [datetime.fromisoformat(at) for at in intent["polls"]]
        assert all(later - sooner >= floor for sooner, later in itertools.pairwise(polls)), polls
    # The lockout guard's budget.
    assert truth["refused_logins"] <= 2


def people(stage: Stage, acts: Mapping[str, tuple[str, str]]) -> Any:
    """Someone at each link's widget who does one thing as soon as there is something to do."""
    acted: set[str] = set()

    def act() -> None:
        for link_id, (provider, what) in acts.items():
            if link_id in acted:
                continue
            try:
                stage.emulators[provider].person(link_id, what)
            except UnknownLinkError:
                continue  # the prompt is not there yet
            acted.add(link_id)

    return act


# --- every word, however its webhooks come ---------------------------------------------------------------------------


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("provider", WORDS)
def test_every_story_ends_in_the_provider_s_truth(provider, colour):
    with staged(provider, colour=colour) as stage:
        links: dict[str, str] = {}
        acts: dict[str, tuple[str, str]] = {}
        for word in WORDS[provider]:
            links[stage.link(word).link_id] = word
        for mode in WEBHOOK_MODES:
            for word in WORDS[provider]:
                links[stage.link(word, "succeeds", webhooks=mode).link_id] = word
            for what in ("right_code", "wrong_code", "walk_away"):
                link = stage.link("mfa", webhooks=mode)
                links[link.link_id], acts[link.link_id] = what, (provider, what)
        intents = {link_id: stage.bridge.refresh(link_id, attended=True).id for link_id in links}
        outcomes = stage.play(list(intents.values()), meanwhile=people(stage, acts))
        for link_id, intent_id in intents.items():
            check(stage, provider, link_id, outcomes[intent_id])
        reasons = {links[link_id]: _reason(outcomes[intents[link_id]]) for link_id in acts}
        assert reasons == {
            "right_code": None,
            "wrong_code": Reason.MFA_REJECTED,
            "walk_away": Reason.MFA_EXPIRED,
        }


def _reason(outcome: Outcome) -> Reason | None:
    return None if outcome.failure is None else outcome.failure.reason


# --- whatever the documentation leaves open ---------------------------------------------------------------------------

SWITCHES = [
    *(
        ("rail", switch.name, value)
        for switch in bankbridge_rail.emulator.SWITCHES.values()
        for value in switch.values
        if value != switch.default
    ),
    *(
        ("fintoc", name, value)
        for name, switch in bankbridge_fintoc.emulator.SWITCHES.items()
        for value in switch.values
        if value != switch.default
    ),
]


@pytest.mark.parametrize(("provider", "switch", "value"), SWITCHES)
def test_every_reading_of_the_documentation_ends_in_the_truth(provider, switch, value):
    with staged(provider, switches={switch: value}) as stage:
        words = [word for word in WORDS[provider] if word not in ("stuck", "rejects_slowly", "needs_support")]
        acts: dict[str, tuple[str, str]] = {}
        scripts = [[word, "succeeds"] for word in words]
        links = [
            stage.link(*script, webhooks=mode).link_id for script in scripts for mode in ("normal", "lost")
        ]
        for what in ("right_code", "wrong_code", "walk_away"):
            link = stage.link("mfa", webhooks="normal")
            links.append(link.link_id)
            acts[link.link_id] = (provider, what)
        intents = {link_id: stage.bridge.refresh(link_id, attended=True).id for link_id in links}
        outcomes = stage.play(list(intents.values()), meanwhile=people(stage, acts))
        for link_id, intent_id in intents.items():
            check(stage, provider, link_id, outcomes[intent_id])
