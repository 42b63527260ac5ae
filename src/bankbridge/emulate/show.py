"""What a person sees of ``bankbridge emulate``, and the same as data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from bankbridge.emulate.known import kind_of, title_of
from bankbridge.emulate.scenario import Scenario
from bankbridge.emulate.screen import show_pairs, show_paragraph
from bankbridge.emulate.served import ServedEmulator
from bankbridge.emulation import EmulatedLink

MOST_LINKS: Final = 40
"""How many links a person is shown; a scenario may have a thousand."""


def show_start(console: Console, scenario: Scenario, served: Mapping[str, ServedEmulator]) -> None:
    """Where each provider is, what opens it, and how to go on."""
    for name, one in served.items():
        console.print(Text.assemble((title_of(name), "bold"), " at ", (one.url, "bold cyan")), soft_wrap=True)
        show_pairs(console, _rows(one), style="dim")
        for line in _example(name, one):
            console.print(Text(f"  {line}".rstrip()), soft_wrap=True)
        console.print()
    first = next(iter(served.values()))
    now = f"{first.clock.now():%Y-%m-%d %H:%M:%S}"
    show_paragraph(console, f"It is {now} UTC there, and {_pace(scenario.speed)}.", indent=0)
    console.print("What each word does: bankbridge emulate --list-words. Ctrl-C stops.")


def start_as_data(scenario: Scenario, served: Mapping[str, ServedEmulator]) -> dict[str, Any]:
    """The same in JSON's types, with every link."""
    return {
        "seed": scenario.seed,
        "speed": scenario.speed,
        "providers": {
            name: {
                "url": one.url,
                "control": f"{one.url}/__emulator/",
                "widget": f"{one.url}/__emulator/widget/",
                "now": one.clock.now().isoformat(),
                "keys": dict(one.keys),
                "links": [_link_as_data(link) for link in one.links],
                "webhooks": [{"url": hook.url, "secret": hook.secret} for hook in one.endpoints],
            }
            for name, one in served.items()
        },
    }


def _link_as_data(link: EmulatedLink) -> dict[str, Any]:
    return {
        "link_id": link.link_id,
        "link_token": link.link_token,
        "account_ids": list(link.account_ids),
    }


def _rows(one: ServedEmulator) -> Iterator[tuple[str, str]]:
    yield "keys", "\n".join(one.keys.values())
    if one.links:
        yield "links", _some(link.link_id for link in one.links)
        tokens = [link.link_token for link in one.links if link.link_token is not None]
        if tokens:
            is_told = all(link.link_token == f"{link.link_id}_token" for link in one.links)
            yield "tokens", f"the link's id and _token: {tokens[0]}" if is_told else _some(tokens)
    for hook in one.endpoints:
        yield "webhooks", f"to {hook.url}\nsecret {hook.secret}"
    yield "widget", f"{one.url}/__emulator/widget/"
    yield "control", f"{one.url}/__emulator/truth"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - MOST_LINKS
    return ", ".join(listed[:MOST_LINKS]) + (f" and {more} more" if more > 0 else "")


def _example(name: str, one: ServedEmulator) -> Sequence[str]:
    """A command to begin with, on the first link."""
    if not one.links:
        return ()
    link = one.links[0]
    command = kind_of(name).example.substitute(
        url=one.url, key=one.secret_key, link_id=link.link_id, link_token=link.link_token
    )
    return ("", *command.splitlines())


def _pace(speed: float) -> str:
    match speed:
        case 0:
            return "time stands still until it is moved: POST /__emulator/clock/advance"
        case 1:
            return "time runs as it does here"
        case _:
            return f"{speed:g} seconds pass in one"
