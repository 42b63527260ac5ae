"""The diagram of the transition table: fixed places for the statuses, and every arrow taken from the table.

The open statuses lie on the left. Each has a line to the right; where it turns down to a status that ends an
intent there is a dot, and beside it the events that may lead there. An arrow of the table that has no place here
raises, so the picture cannot fall behind.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from bankbridge.machine import events as ev
from bankbridge.machine.status import TABLE, Status

Point: TypeAlias = tuple[float, float]
Draw: TypeAlias = Callable[[list[str]], str]

WORDS: Final[Mapping[type[ev.Event], str]] = {
    ev.RefreshStarted: "started",
    ev.CreateRefused: "refused",
    ev.CreateUnclear: "unclear",
    ev.WokeUp: "woke up",
    ev.CancelRequested: "cancel",
    ev.LinkLost: "link lost",
    ev.RefreshProgressed: "progress",
    ev.PromptOffered: "prompt",
    ev.PromptAnswered: "answer",
    ev.AccountReported: "account",
    ev.RefreshSucceeded: "succeeded",
    ev.RefreshFailed: "failed",
    ev.RefreshRejected: "rejected",
    ev.RefreshVanished: "vanished",
    ev.RefreshCanceled: "canceled",
    ev.ReadFinished: "read",
}
"""The word for each event on an arrow, in the order in which they are written."""

ENDS: Final = (ev.RefreshSucceeded, ev.RefreshFailed, ev.RefreshRejected, ev.RefreshVanished)
"""What is written as one word, ``end``, wherever all four of them lead the same way."""

_WIDTH, _HEIGHT = 806, 590
_LINE = 12.5

_OPEN: Final[Mapping[Status, tuple[float, float, float, float]]] = {
    Status.REQUESTED: (214, 64, 146, 58),
    Status.IN_PROGRESS: (214, 172, 122, 58),
    Status.REQUIRES_MFA: (214, 284, 146, 58),
    Status.BACKING_OFF: (8, 64, 98, 362),
}
"""Left, top, width, height of each open status."""

_ROW: Final[Mapping[Status, float]] = {
    Status.REQUESTED: 93,
    Status.IN_PROGRESS: 201,
    Status.REQUIRES_MFA: 313,
    Status.BACKING_OFF: 404,
}
"""How high each open status's line to the right lies."""

_COLUMN: Final[Mapping[Status, float]] = {
    Status.SUCCEEDED: 398,
    Status.PARTIAL: 468,
    Status.FAILED: 538,
    Status.REJECTED: 608,
    Status.CANCELED: 678,
    Status.LOST: 748,
}
"""Where each ending status stands."""

_ENDS_AT: Final = 508

_STYLE: Final = """
.states { --ink: var(--color-foreground-primary, #1c1f23); --soft: var(--color-foreground-muted, #6b727a);
  --paper: var(--color-background-secondary, #f6f7f9); font: 11px system-ui, "DejaVu Sans", sans-serif; }
@media (prefers-color-scheme: dark) { .states { --ink: var(--color-foreground-primary, #e4e6e9);
  --soft: var(--color-foreground-muted, #9aa1a9); --paper: var(--color-background-secondary, #22262b); } }
.states text { fill: var(--ink); } .states circle { fill: var(--ink); }
.states .soft, .states .stays { fill: var(--soft); }
.states .stays { font-size: 10px; } .states .name { font-weight: 600; font-size: 13px; text-anchor: middle; }
.states .end { font-size: 10.5px; font-weight: 600; text-anchor: middle; }
.states rect { fill: var(--paper); stroke: var(--soft); stroke-width: 1.2; }
.states path { fill: none; stroke: var(--soft); stroke-width: 1.3; } .states .tip { fill: var(--soft); stroke: none; }
.states .arrow:hover path { stroke-width: 3; } .states .arrow:hover text { font-weight: 700; }
.states .succeeded { --line: #2f9e62; } .states .partial { --line: #b98a14; } .states .failed { --line: #d9534a; }
.states .rejected { --line: #b45bc8; } .states .canceled { --line: #4a8ad4; } .states .lost { --line: #8a9099; }
.states .to path.down, .states rect.to { stroke: var(--line); stroke-width: 1.8; }
.states .to circle, .states .to .tip { fill: var(--line); }
"""


def arrows() -> Mapping[tuple[Status, Status], frozenset[type[ev.Event]]]:
    """Every arrow of the table, with the events that may follow it; also those that lead back to where they start."""
    found: dict[tuple[Status, Status], set[type[ev.Event]]] = {}
    for here, row in TABLE.items():
        for event, targets in row.items():
            for there in targets:
                found.setdefault((here, there), set()).add(event)
    return {way: frozenset(events) for way, events in found.items()}


def words_for(events: Iterable[type[ev.Event]]) -> list[str]:
    """The words of events, in one order; the four ends together are one word."""
    left = set(events)
    shown = [event for event in WORDS if event in left]
    if left.issuperset(ENDS):
        place = shown.index(ENDS[0])
        kept = [event for event in shown if event not in ENDS]
        before = sum(shown.index(event) < place for event in kept)
        words = [WORDS[event] for event in kept]
        return [*words[:before], "end", *words[before:]]
    return [WORDS[event] for event in shown]


def diagram() -> str:
    """The diagram as SVG, for light and dark pages."""
    boxes = [*map(_open_box, _OPEN), *map(_end_box, _COLUMN)]
    # The longest line of each row first, and the rows from above, so that every dot lies on top.
    ways = sorted(arrows().items(), key=lambda item: -_COLUMN.get(item[0][1], 0))
    ways.sort(key=lambda item: _ROW.get(item[0][0], 0))
    parts = [_start(), *boxes, *(_arrow(*way, events) for way, events in ways)]
    parts += _legend()
    body = "\n".join(part for part in parts if part)
    return (
        f'<svg class="states" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="The statuses of a refresh intent, and the events that lead from one to another">\n'
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )


def _arrow(here: Status, there: Status, events: frozenset[type[ev.Event]]) -> str:
    shape = _shape(here, there, words_for(events))
    names = " ".join(sorted(event.__name__ for event in events))
    title = f"{here.value} → {there.value}: {names}"
    kind = f"arrow to {there.value}" if there in _COLUMN and here is not there else "arrow"
    return (
        f'<g class={quoteattr(kind)} data-from="{here.value}" data-to="{there.value}" data-events="{names}">'
        f"<title>{escape(title)}</title>{shape}</g>"
    )


def _shape(here: Status, there: Status, words: list[str]) -> str:
    if here is there:
        return _stays(here) if here in _OPEN else ""
    if there in _COLUMN:
        return _ending(here, there, words)
    return _BETWEEN[here, there](words)


def _ending(here: Status, there: Status, words: list[str]) -> str:
    left, _, width, _ = _OPEN[here]
    x, y = _COLUMN[there], _ROW[here]
    return (
        f'<path d="M{left + width} {y}H{x}"/><path class="down" d="M{x} {y}V{_ENDS_AT - 6}"/>'
        f'<circle cx="{x}" cy="{y}" r="3.5"/>{_tip(x, _ENDS_AT, 0, 1)}{_text((x + 6, y + 14), words)}'
    )


def _stays(here: Status) -> str:
    """What leaves an open status as it is, said by what does not: that is shorter."""
    left, top, width, height = _OPEN[here]
    words = words_for(set(TABLE[here]) - arrows()[here, here])
    narrow = width < 120
    first = ["stays: all but"] if narrow or len(words) <= 2 else [f"stays: all but {words.pop(0)},"]
    lines = [*first, *_wrapped(words, 2 if narrow else 3)]
    below = height / 2 + 4 if height > 100 else 34
    return _text((left + width / 2, top + below), lines, "stays", anchor="middle", step=12)


def _down(x: float, start: float, end: float, text: Point) -> Draw:
    def draw(words: list[str]) -> str:
        way = 1 if end > start else -1
        return f'<path d="M{x} {start}V{end - 6 * way}"/>{_tip(x, end, 0, way)}{_text(text, words)}'

    return draw


def _sideways(y: float, *, to_left: bool) -> Draw:
    start, end, way = (214, 106, -1) if to_left else (106, 214, 1)

    def draw(words: list[str]) -> str:
        lines = _wrapped(words, 2)
        first = y - 5 - _LINE * (len(lines) - 1) if to_left else y + 13
        text = _text((160, first), lines, anchor="middle")
        return f'<path d="M{start} {y}H{end - 6 * way}"/>{_tip(end, y, way, 0)}{text}'

    return draw


_BETWEEN: Final[Mapping[tuple[Status, Status], Draw]] = {
    (Status.REQUESTED, Status.IN_PROGRESS): _down(234, 122, 172, (240, 150)),
    (Status.REQUESTED, Status.REQUIRES_MFA): _down(348, 122, 284, (302, 150)),
    (Status.IN_PROGRESS, Status.REQUIRES_MFA): _down(228, 230, 284, (234, 254)),
    (Status.REQUIRES_MFA, Status.IN_PROGRESS): _down(288, 284, 230, (294, 247)),
    (Status.REQUESTED, Status.BACKING_OFF): _sideways(90, to_left=True),
    (Status.BACKING_OFF, Status.REQUESTED): _sideways(108, to_left=False),
    (Status.IN_PROGRESS, Status.BACKING_OFF): _sideways(198, to_left=True),
    (Status.BACKING_OFF, Status.IN_PROGRESS): _sideways(216, to_left=False),
    (Status.REQUIRES_MFA, Status.BACKING_OFF): _sideways(310, to_left=True),
    (Status.BACKING_OFF, Status.REQUIRES_MFA): _sideways(328, to_left=False),
}


def _wrapped(words: list[str], most: int) -> list[str]:
    """Words as lines of at most so many, with commas."""
    lines = [", ".join(words[at : at + most]) for at in range(0, len(words), most)]
    return [f"{line}," for line in lines[:-1]] + lines[-1:]


def _text(
    at: Point, lines: list[str], kind: str = "word", *, anchor: str = "start", step: float = _LINE
) -> str:
    x, y = at
    spans = "".join(
        f'<tspan x="{x:g}" y="{y + number * step:g}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    return f'<text class="{kind}" text-anchor="{anchor}">{spans}</text>'


def _tip(x: float, y: float, right: int, down: int) -> str:
    """An arrow's tip that points right (1), left (-1), down (1) or up (-1) and ends at a place."""
    if right:
        back = x - 9 * right
        return f'<path class="tip" d="M{x} {y}L{back} {y - 4}V{y + 4}Z"/>'
    back = y - 9 * down
    return f'<path class="tip" d="M{x} {y}L{x - 4} {back}H{x + 4}Z"/>'


def _open_box(status: Status) -> str:
    left, top, width, height = _OPEN[status]
    name = (left + width / 2, top + height / 2 - 12) if height > 100 else (left + width / 2, top + 19)
    return (
        f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="7"/>'
        f"{_text(name, [status.value], 'name', anchor='middle')}"
    )


def _end_box(status: Status) -> str:
    x = _COLUMN[status]
    return (
        f'<g class="to {status.value}"><rect class="to" x="{x - 34}" y="{_ENDS_AT}" width="68" height="30" rx="15"/>'
        f"{_text((x, _ENDS_AT + 19), [status.value], 'end', anchor='middle')}</g>"
    )


def _start() -> str:
    return f'<circle cx="287" cy="22" r="5"/><path d="M287 27V58"/>{_tip(287, 64, 0, 1)}' + _text(
        (298, 26), ["refresh()"], "soft"
    )


def _legend() -> list[str]:
    ends = ", ".join(event.__name__ for event in ENDS[:-1])
    lines = [
        f"end: any of {ends} or {ENDS[-1].__name__}.",
        "A line turns down only at its own dot. A status at the bottom stays as it is, whatever is still heard.",
    ]
    return [_text((8, _ENDS_AT + 58), lines, "soft", step=15)]
