"""A scenario, played: emulators behind real sockets, with what the scenario gives them from the start."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs

from bankbridge.emulate.checking import problems_of
from bankbridge.emulate.known import kind_of, make
from bankbridge.emulate.scenario import ProviderPlan, Scenario
from bankbridge.emulate.served import MadeEndpoint, ServedEmulator
from bankbridge.emulation import Clock, EmulatedLink, Emulator, PortInUseError, Server
from bankbridge.words.errors import ConfigurationError


@attrs.frozen(kw_only=True)
class Furnished:
    """An emulator with what a scenario gives it from the start, not served yet."""

    emulator: Emulator
    links: tuple[EmulatedLink, ...]
    endpoints: tuple[MadeEndpoint, ...]


def furnish(scenario: Scenario, clock: Clock) -> Mapping[str, Furnished]:
    """The emulators of a scenario. Raises `ConfigurationError` with every problem at once, each with its path."""
    problems = problems_of(scenario)
    if problems:
        raise ConfigurationError(problems)
    found = {
        name: _furnish(name, plan, scenario.seed, clock, problems)
        for name, plan in scenario.providers.items()
    }
    if problems:
        raise ConfigurationError(problems)
    return found


def _furnish(name: str, plan: ProviderPlan, seed: int, clock: Clock, problems: list[str]) -> Furnished:
    told: dict[str, Any] = {} if plan.timings is None else {"timings": plan.timings}
    emulator = make(name, clock, seed=seed, switches=plan.switches, **told)
    emulator.faults.rates = plan.faults
    links: list[EmulatedLink] = []
    for index, link in enumerate(plan.links):
        try:
            links.append(emulator.add_link(**attrs.asdict(link, recurse=False)))
        except ValueError as error:
            problems.append(f"{name}.links[{index}]: {error}")
    endpoints: list[MadeEndpoint] = []
    for index, endpoint in enumerate(plan.webhooks):
        try:
            secret = emulator.add_endpoint(**attrs.asdict(endpoint))
            endpoints.append(MadeEndpoint(url=endpoint.url, secret=secret))
        except ValueError as error:
            problems.append(f"{name}.webhooks[{index}]: {error}")
    return Furnished(emulator=emulator, links=tuple(links), endpoints=tuple(endpoints))


@contextmanager
def emulated(
    scenario: Scenario, *, host: str = "127.0.0.1", clock: Clock | None = None
) -> Generator[Mapping[str, ServedEmulator]]:
    """Serve the providers of a scenario, by name, and stop them again.

    They share one ``clock``: by default one that starts and runs as the scenario says. Raises `ConfigurationError`
    with every problem at once, and `PortInUseError`.
    """
    time = clock or Clock(start=scenario.start, speed=scenario.speed)
    with ExitStack() as stack:
        served: dict[str, ServedEmulator] = {}
        for name, one in furnish(scenario, time).items():
            port = scenario.providers[name].port
            server = Server(one.emulator.app, host=host, port=kind_of(name).port if port is None else port)
            try:
                url = stack.enter_context(server).url
            except PortInUseError as error:
                raise PortInUseError(f"{name}: {error}") from error
            served[name] = ServedEmulator(
                emulator=one.emulator, url=url, links=one.links, endpoints=one.endpoints
            )
        yield served
