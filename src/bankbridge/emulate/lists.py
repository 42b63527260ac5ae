"""What emulators can be told, listed for a person and as data."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bankbridge.emulate.known import kind_of, title_of
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
        _heading(console, f"{title_of(name)}: what its documentation leaves open")
        for switch in kind_of(name).switches.values():
            _show_switch(console, switch)
    console.print("Turn one with --switch NAME=VALUE, or PROVIDER.NAME=VALUE.")


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
        _heading(console, title)
        _show_pairs(console, {fault.name: fault.says for fault in FAULTS.values() if fault.side == side})
    console.print(
        "Let one strike with --fault NAME=RATE, or PROVIDER.NAME=RATE: 1 is always, 0.1 one time in ten."
    )


def _show_words(console: Console, providers: Sequence[str]) -> None:
    for name in providers:
        _heading(console, f"{title_of(name)}: what a refresh does (attempts)")
        _show_pairs(console, kind_of(name).words)
    _heading(console, "Everywhere")
    _show_pairs(console, {"webhooks": ", ".join(WEBHOOK_MODES), "the person": ", ".join(PERSON_ACTS)})
    console.print("Without a scenario each word has a link of its name, such as link_mfa.")


def _words_as_data(providers: Sequence[str]) -> dict[str, Any]:
    return {
        "attempts": {name: dict(kind_of(name).words) for name in providers},
        "webhooks": list(WEBHOOK_MODES),
        "person": list(PERSON_ACTS),
    }


def _heading(console: Console, text: str) -> None:
    console.print(Text(text, style="bold"))
    console.print()


def _show_switch(console: Console, switch: Switch) -> None:
    console.print(Text(f"  {switch.name}", style="cyan"))
    values = ", ".join(f"{value} (default)" if value == switch.default else value for value in switch.values)
    for paragraph, style in ((values, ""), (switch.says, "dim"), (switch.source, "dim")):
        # Not Rich's own wrapping, which breaks an address that is longer than a line.
        for line in textwrap.wrap(
            paragraph, console.width - 6, break_long_words=False, break_on_hyphens=False
        ):
            console.print(Text(f"      {line}", style=style), soft_wrap=True)
    console.print()


def _show_pairs(console: Console, pairs: Mapping[str, str]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, says in pairs.items():
        table.add_row(Text(name), Text(says))
    console.print(Padding(table, (0, 0, 1, 2), expand=False))
