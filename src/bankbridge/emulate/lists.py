"""What emulators can be told, listed for a person and as data."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs
from rich.console import Console
from rich.text import Text

from bankbridge.emulate.known import kind_of, title_of
from bankbridge.emulate.screen import show_pairs, show_paragraph
from bankbridge.emulation import FAULTS, PERSON_ACTS, WEBHOOK_MODES, Switch

Listing: TypeAlias = Literal["switches", "faults", "words"]

SIDES: Final[Mapping[str, str]] = {
    "webhook": "What can go wrong with a webhook",
    "http": "What can go wrong with a request",
    "data": "What can go wrong with the data",
}


def show(console: Console, listing: Listing, providers: Sequence[str]) -> None:
    """Print a list for a person."""
    match listing:
        case "switches":
            _show_switches(console, providers)
        case "faults":
            _show_faults(console)
        case "words":
            _show_words(console, providers)


def as_data(listing: Listing, providers: Sequence[str]) -> dict[str, Any]:
    """The same list in JSON's types."""
    match listing:
        case "switches":
            return _switches_as_data(providers)
        case "faults":
            return {fault.name: attrs.asdict(fault) for fault in FAULTS.values()}
        case "words":
            return _words_as_data(providers)


def _show_switches(console: Console, providers: Sequence[str]) -> None:
    for name in providers:
        console.print(Text(f"{title_of(name)}: what its documentation leaves open", style="bold"))
        console.print()
        for switch in kind_of(name).switches.values():
            _show_switch(console, switch)
    show_paragraph(console, "Turn one with --switch NAME=VALUE, or PROVIDER.NAME=VALUE.", indent=0)


def _switches_as_data(providers: Sequence[str]) -> dict[str, Any]:
    return {
        name: {
            switch.name: {
                "values": list(switch.values),
                "default": switch.default,
                "says": switch.says,
                "source": switch.source,
            }
            for switch in kind_of(name).switches.values()
        }
        for name in providers
    }


def _show_faults(console: Console) -> None:
    for side, title in SIDES.items():
        _show_words_of(console, title, {one.name: one.says for one in FAULTS.values() if one.side == side})
    show_paragraph(
        console,
        "Let one strike with --fault NAME=RATE or PROVIDER.NAME=RATE; a rate of 1 is always.",
        indent=0,
    )


def _show_words(console: Console, providers: Sequence[str]) -> None:
    for name in providers:
        _show_words_of(console, f"{title_of(name)}: what a refresh does (attempts)", kind_of(name).words)
    everywhere = {"webhooks": ", ".join(WEBHOOK_MODES), "the person": ", ".join(PERSON_ACTS)}
    _show_words_of(console, "Everywhere", everywhere)
    show_paragraph(
        console, "Without a scenario each word has a link of its name, such as link_mfa.", indent=0
    )


def _words_as_data(providers: Sequence[str]) -> dict[str, Any]:
    return {
        "attempts": {name: dict(kind_of(name).words) for name in providers},
        "webhooks": list(WEBHOOK_MODES),
        "person": list(PERSON_ACTS),
    }


def _show_switch(console: Console, switch: Switch) -> None:
    console.print(Text(f"  {switch.name}", style="cyan"))
    values = ", ".join(f"{value} (default)" if value == switch.default else value for value in switch.values)
    for text, style in ((values, ""), (switch.says, "dim"), (switch.source, "dim")):
        show_paragraph(console, text, indent=6, style=style)
    console.print()


def _show_words_of(console: Console, heading: str, words: Mapping[str, str]) -> None:
    console.print(Text(heading, style="bold"))
    console.print()
    show_pairs(console, words.items(), style="cyan")
    console.print()
