"""What a command line asks for, as a scenario."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Final

import attrs

from bankbridge.codec import configure
from bankbridge.emulate.known import emulated_providers, kind_of
from bankbridge.emulate.scenario import ProviderPlan, Scenario, well_known_links
from bankbridge.emulation import FAULTS, check_word, read_rates, read_switches
from bankbridge.words.errors import ConfigurationError

EMPTY: Final = Scenario()


@attrs.frozen(kw_only=True)
class Wish:
    """The options of a command line as they were written, None or nothing for those that were not.

    ``providers`` are ``NAME`` or ``NAME:PORT``; ``switches`` and ``faults`` are ``NAME=VALUE`` or
    ``PROVIDER.NAME=VALUE``.
    """

    providers: Sequence[str] = ()
    seed: int | None = None
    speed: float | None = None
    start: str | None = None
    switches: Sequence[str] = ()
    faults: Sequence[str] = ()


def wished(wish: Wish, base: Scenario = EMPTY) -> Scenario:
    """The scenario that a command line asks for, on top of the one in its scenario file.

    Without ``providers`` those of the file are taken, or else all that are installed. One of which the file says
    nothing gets a link for each of its script words. Raises `ConfigurationError` with every problem at once.
    """
    problems: list[str] = []
    plans: dict[str, ProviderPlan] = {}
    for text in wish.providers or tuple(base.providers) or emulated_providers():
        _gather(problems, "", partial(_choose, plans, base, text))
    if not plans:
        raise ConfigurationError(problems or ["no emulator is installed: pip install 'bankbridge[emulator]'"])
    for text in wish.switches:
        _gather(problems, f"switch {text}: ", partial(_turn, plans, text))
    for text in wish.faults:
        _gather(problems, f"fault {text}: ", partial(_allow, plans, text))
    own = {"seed": wish.seed, "speed": wish.speed, "start": wish.start}
    given = {name: value for name, value in own.items() if value is not None}
    scenario = base
    try:
        read = configure(Scenario, given)
        scenario = attrs.evolve(base, **{name: getattr(read, name) for name in given})
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return attrs.evolve(scenario, providers=plans)


def _gather(problems: list[str], where: str, act: Callable[[], None]) -> None:
    try:
        act()
    except ValueError as error:
        problems.append(f"{where}{error}")


def _choose(plans: dict[str, ProviderPlan], base: Scenario, text: str) -> None:
    name, colon, port = text.partition(":")
    kind = kind_of(name)
    if name in plans:
        raise ValueError(f"{name} is named twice: name it once, one command emulates it at one port")
    plan = base.providers.get(name) or ProviderPlan(links=well_known_links(kind))
    if colon:
        if not port.isdecimal():
            raise ValueError(f"the port of {name} is {port!r}: give a number, 0 for any free one")
        plan = attrs.evolve(plan, port=int(port))
    plans[name] = plan


def _turn(plans: dict[str, ProviderPlan], text: str) -> None:
    where, name, value = _split(text)
    tables = {provider: kind_of(provider).switches for provider in plans}
    for provider in _those_meant(where, "switch", name, tables):
        read_switches(tables[provider], {name: value})
        plans[provider] = attrs.evolve(plans[provider], switches={**plans[provider].switches, name: value})


def _allow(plans: dict[str, ProviderPlan], text: str) -> None:
    where, name, value = _split(text)
    for provider in _those_meant(where, "fault", name, dict.fromkeys(plans, FAULTS)):
        rates = read_rates({name: _rate(value)})
        plans[provider] = attrs.evolve(plans[provider], faults={**plans[provider].faults, **rates})


def _split(text: str) -> tuple[str | None, str, str]:
    """``PROVIDER.NAME=VALUE`` in its parts."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError("write NAME=VALUE, or PROVIDER.NAME=VALUE for one provider only")
    where, dot, inner = name.partition(".")
    return (where, inner, value) if dot else (None, name, value)


def _rate(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{value!r} is no number: give a probability from 0 to 1") from None


def _those_meant(
    where: str | None, kind: str, name: str, known: Mapping[str, Iterable[str]]
) -> Sequence[str]:
    """The providers that a name is for: the one that is named with it, or all that know it."""
    if where is not None:
        check_word("provider", where, known)
        check_word(kind, name, known[where])
        return (where,)
    check_word(kind, name, dict.fromkeys(chain.from_iterable(known.values())))
    return [provider for provider, names in known.items() if name in names]
