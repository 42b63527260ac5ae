"""The tables of the reference that are about no single provider."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import get_args

import attrs

from bankbridge.hookspecs import ProviderPlugin
from bankbridge.machine import events as ev
from bankbridge.machine import link as links
from bankbridge.machine import notices, outcome, policy
from bankbridge.machine.bounds import BOUNDS
from bankbridge.machine.status import TABLE, Status
from bankbridge.refusals import HTTP_REASONS
from bankbridge.shells import news
from bankbridge.shells.policies import NUMBERS
from bankbridge.shells.policy_text import rule_words
from bankbridge.words.durations import words_of_duration
from bankbridge.words.reasons import ACTORS, REJECTIONS, Actor, Reason
from docs._tools.markdown import attribute_docs, code, summary, table
from docs._tools.states import WORDS


def statuses() -> str:
    """What each status means."""
    docs = attribute_docs(Status)
    rows = (
        (code(status.value), "over" if status.terminal else "open", docs[status.name]) for status in Status
    )
    return table(("status", "", "means"), rows)


def transitions() -> str:
    """The transition table: one part per open status, and one for all that end an intent."""
    parts = [_transitions_of(status) for status in Status if not status.terminal]
    over = [status for status in Status if status.terminal]
    kept = {frozenset(TABLE[status]) for status in over}
    assert len(kept) == 1  # noqa: S101 (they are all alike)
    assert all(targets == (status,) for status in over for targets in TABLE[status].values())  # noqa: S101
    names = ", ".join(code(event.__name__) for event in WORDS if event in TABLE[over[0]])
    return (
        "\n".join(parts)
        + f"\n### {', '.join(code(status.value) for status in over)}\n\n"
        + f"The status stays. What is still heard is kept as a fact: {names}. Anything else cannot happen.\n"
    )


def _transitions_of(status: Status) -> str:
    rows = (
        (code(event.__name__), ", ".join(code(target.value) for target in _in_order(targets)))
        for event in WORDS
        if (targets := TABLE[status].get(event)) is not None
    )
    return f"### {code(status.value)}\n\n{table(('event', 'may lead to'), rows)}"


def _in_order(targets: Iterable[Status]) -> list[Status]:
    return [status for status in Status if status in set(targets)]


def events() -> str:
    """Every event, who says it, and its word in the diagram."""
    own = set(get_args(ev.OwnEvent))
    rows = (
        (code(event.__name__), "ours" if event in own else "the provider's", word, summary(event))
        for event, word in WORDS.items()
    )
    return table(("event", "whose word", "in the diagram", "means"), rows)


def link_events() -> str:
    """What happens to links, and the status it leads to."""
    rows = (
        (
            code(event.__name__),
            code(links.LINK_TABLE[event].value) if event in links.LINK_TABLE else "as it is",
            summary(event),
        )
        for event in get_args(links.LinkEvent)
    )
    return table(("event", "the link becomes", "means"), rows)


def other_notices() -> str:
    """What a notice may say besides events."""
    kinds = (
        notices.MovementsAmended,
        notices.MovementsRemoved,
        notices.TestDelivery,
        notices.NotUnderstood,
    )
    return table(("notice", "means"), ((code(kind.__name__), summary(kind)) for kind in kinds))


def announcements() -> str:
    """What `on_news` is called with."""
    rows = ((code(kind.__name__), summary(kind)) for kind in get_args(news.News))
    return table(("news", "means"), rows)


def actors() -> str:
    """Who can be asked to act."""
    docs = attribute_docs(Actor)
    return table(("actor", "who"), ((code(actor.value), docs[actor.name]) for actor in Actor))


def retries() -> str:
    """Reason, rule, and once it is over: the next step and who must act. The defaults."""
    rows = (
        (
            code(reason.value),
            rule_words(policy.RETRY_TABLE[reason]),
            code(type(outcome.STEP_AFTER[reason]).__name__),
            outcome.actor_after(reason).value,
        )
        for reason in Reason
    )
    return table(("reason", "by itself", "next step once it is over", "who must act then"), rows)


def reasons(plugins: Mapping[str, ProviderPlugin]) -> str:
    """Every reason, who can lift it, and which providers have words for it."""
    rows = (
        (
            code(reason.value),
            ACTORS[reason].value,
            "yes" if reason in REJECTIONS else "",
            ", ".join(
                plugin.title
                for plugin in plugins.values()
                if any(row.reason is reason for row in plugin.reasons)
            ),
        )
        for reason in Reason
    )
    return table(("reason", "who can lift it", "a rejection", "said by"), rows)


def http_reasons() -> str:
    """The reason of an HTTP status whose code says nothing more."""
    rows = [(code(status), code(reason.value)) for status, reason in HTTP_REASONS.items()]
    rows += [("500 and above", code(Reason.PROVIDER_ERROR.value)), ("any other", code(Reason.UNKNOWN.value))]
    return table(("HTTP status", "reason"), rows)


def steps() -> str:
    """Every next step and what to do."""
    rows = ((code(step.__name__), summary(step)) for step in get_args(outcome.NextStep))
    return table(("next step", "what to do"), rows)


def defaults() -> str:
    """Every number of the policy: where a file says it, its default and its bounds."""
    rows = [(name, getattr(policy.Policy(), name)) for name in NUMBERS]
    rows += [
        (f"timing.{field.name}", getattr(policy.Timing(), field.name))
        for field in attrs.fields(policy.Timing)
    ]
    rows += [("cooldowns", "the provider's")]
    rows += [(f"retry.REASON.{name}", "") for name in ("waits", "times")]
    return table(("setting", "default", "least", "most", "why"), (_with_bounds(*row) for row in rows))


def _with_bounds(name: str, default: object) -> tuple[str, ...]:
    bound = BOUNDS[name.removeprefix("retry.REASON.")]
    return (code(name), _words(default), _words(bound.least), _words(bound.most), bound.why)


def _words(value: object) -> str:
    return words_of_duration(value) if isinstance(value, timedelta) else str(value)
