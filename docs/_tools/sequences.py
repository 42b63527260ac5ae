"""Sketches of one refresh at each provider, drawn from the steps listed here."""

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import attrs

LANES: Final = ("application", "bankbridge", "provider", "person")

_LEFT: Final = 70
_BETWEEN: Final = 212
_STEP: Final = 34
_TOP: Final = 62
_WIDTH: Final = 780


@attrs.frozen
class Step:
    """One message from a lane to another; in its own lane it is a note. ``kind`` is call, answer or webhook."""

    sender: str
    receiver: str
    text: str
    kind: str = "call"


def _note(text: str) -> Step:
    return Step("bankbridge", "bankbridge", text, "note")


RAIL: Final = (
    Step("application", "bankbridge", "refresh(link, attended=True)"),
    _note("requested: stored, with its idempotency key"),
    Step("bankbridge", "provider", "POST /v1/refresh_intents"),
    Step("provider", "bankbridge", "status=created, id ri_…", "answer"),
    _note("in_progress: looked at again in 30 s, whatever is heard"),
    Step("provider", "bankbridge", "refresh_intent.requires_mfa", "webhook"),
    _note("requires_mfa: a prompt with its deadline"),
    Step("bankbridge", "application", "OpenWidget(prompt)", "answer"),
    Step("application", "person", "the widget, with the prompt's token"),
    Step("person", "provider", "the code from the bank"),
    Step("application", "bankbridge", "prompt_answered(intent)"),
    _note("in_progress"),
    Step("provider", "bankbridge", "refresh_intent.succeeded", "webhook"),
    _note("succeeded: one word ends it, for the whole link"),
    Step("bankbridge", "application", "FetchMovements(accounts)", "answer"),
    Step("provider", "bankbridge", "link.refreshed", "webhook"),
    _note("about the link: it ends no refresh"),
)

FINTOC: Final = (
    Step("application", "bankbridge", "refresh(link)"),
    _note("requested: stored, with its idempotency key"),
    Step("bankbridge", "provider", "GET /v1/accounts"),
    Step("provider", "bankbridge", "acc_1, acc_2, acc_3: the frozen set", "answer"),
    Step("bankbridge", "provider", "POST /v1/refresh_intents"),
    Step("provider", "bankbridge", "status=created, id ri_…", "answer"),
    _note("in_progress: looked at again in 30 s, whatever is heard"),
    Step("provider", "bankbridge", "… succeeded, for acc_1", "webhook"),
    _note("account → link → its running attempt, if not older than that"),
    Step("provider", "bankbridge", "… failed, for acc_2", "webhook"),
    Step("provider", "bankbridge", "… succeeded, for acc_3", "webhook"),
    _note("all have reported, but only in hints: due now"),
    Step("bankbridge", "provider", "GET /v1/refresh_intents/ri_…"),
    Step("provider", "bankbridge", "status=failed", "answer"),
    Step("bankbridge", "provider", "GET /v1/accounts"),
    Step("provider", "bankbridge", "acc_1 and acc_3: refreshed since", "answer"),
    _note("partial: two fresh, one named as stale"),
    Step("bankbridge", "application", "FetchMovements(acc_1, acc_3)", "answer"),
)

SKETCHES: Final[Mapping[str, Sequence[Step]]] = {"rail": RAIL, "fintoc": FINTOC}
"""The steps at each provider: at Rail with a code from the bank, at Fintoc with accounts that end differently."""

_STYLE: Final = """
.seq { --ink: var(--color-foreground-primary, #1c1f23); --soft: var(--color-foreground-muted, #6b727a);
  --paper: var(--color-background-secondary, #f6f7f9); --hook: #b98a14;
  font: 11.5px system-ui, "DejaVu Sans", sans-serif; }
@media (prefers-color-scheme: dark) { .seq { --ink: var(--color-foreground-primary, #e4e6e9);
  --soft: var(--color-foreground-muted, #9aa1a9); --paper: var(--color-background-secondary, #22262b); } }
.seq text { fill: var(--ink); text-anchor: middle; } .seq .lane { font-weight: 600; font-size: 13px; }
.seq rect { fill: var(--paper); stroke: var(--soft); } .seq .note text { font-size: 11px; }
.seq .note rect { stroke-dasharray: 3 3; } .seq line { stroke: var(--soft); stroke-width: 1.3; }
.seq .life { stroke-dasharray: 2 4; } .seq .answer line { stroke-dasharray: 6 4; }
.seq path { fill: var(--soft); } .seq .webhook line { stroke: var(--hook); stroke-width: 1.8; }
.seq .webhook path { fill: var(--hook); }
"""


def sketch(name: str) -> str:
    """One provider's sketch as SVG, for light and dark pages."""
    steps = SKETCHES[name]
    title = name.capitalize()
    lanes = [lane for lane in LANES if any(lane in (step.sender, step.receiver) for step in steps)]
    height = _TOP + _STEP * len(steps) + 36
    parts = [_lane(lane, title if lane == "provider" else lane, height - 34) for lane in lanes]
    parts += [_step(step, _TOP + _STEP * (number + 0.75)) for number, step in enumerate(steps)]
    parts.append(
        f'<text x="{_x("bankbridge")}" y="{height - 10}">'
        "solid: a request · dashed: its answer · yellow: a webhook, which may come late, twice or never</text>"
    )
    body = "\n".join(parts)
    width = _x(lanes[-1]) + 90 if len(lanes) > 3 else 600
    return (
        f'<svg class="seq" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {min(width, _WIDTH)} {height}"'
        f' role="img" aria-label={quoteattr(f"One refresh at {title}, step by step")}>\n'
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )


def _x(lane: str) -> int:
    return _LEFT + _BETWEEN * LANES.index(lane)


def _lane(lane: str, title: str, bottom: float) -> str:
    x = _x(lane)
    return (
        f'<line class="life" x1="{x}" y1="46" x2="{x}" y2="{bottom}"/>'
        f'<rect x="{x - 58}" y="16" width="116" height="30" rx="7"/>'
        f'<text class="lane" x="{x}" y="36">{escape(title)}</text>'
    )


def _step(step: Step, y: float) -> str:
    start, end = _x(step.sender), _x(step.receiver)
    if start == end:
        width = 6.3 * len(step.text) + 14
        return (
            f'<g class="note"><rect x="{start - width / 2}" y="{y - 17}" width="{width}" height="23" rx="4"/>'
            f'<text x="{start}" y="{y - 1.5}">{escape(step.text)}</text></g>'
        )
    way = 1 if end > start else -1
    return (
        f'<g class="{step.kind}"><text x="{(start + end) / 2}" y="{y - 5}">{escape(step.text)}</text>'
        f'<line x1="{start}" y1="{y}" x2="{end - 7 * way}" y2="{y}"/>'
        f'<path d="M{end} {y}L{end - 9 * way} {y - 4}V{y + 4}Z"/></g>'
    )
