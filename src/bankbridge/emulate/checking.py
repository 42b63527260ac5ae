"""What is wrong with a scenario: every problem, each with its path."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial

import attrs

from bankbridge.emulate.known import kind_of
from bankbridge.emulate.scenario import LinkPlan, ProviderPlan, Scenario
from bankbridge.emulation import WEBHOOK_MODES, check_word, read_rates, read_switches
from bankbridge.emulation.kind import EmulatorKind

MODES = ("test", "live")
LONGEST = timedelta(days=3660)


def problems_of(scenario: Scenario) -> list[str]:
    """The words, values and rates in a scenario that nobody knows, and ports that are given twice."""
    problems: list[str] = []
    ports: dict[int, str] = {}
    for name, plan in scenario.providers.items():
        try:
            kind = kind_of(name)
        except ValueError as error:
            problems.append(str(error))
            continue
        problems += _of_provider(plan, kind, name)
        port = kind.port if plan.port is None else plan.port
        first = ports.setdefault(port, name)
        if port and first != name:
            problems.append(
                f"{name}.port: {port} is the port of {first}: choose another, or 0 for any free one"
            )
    return problems


def _of_provider(plan: ProviderPlan, kind: EmulatorKind, path: str) -> Iterator[str]:
    for name, value in plan.switches.items():
        yield from _found(f"{path}.switches", partial(read_switches, kind.switches, {name: value}))
    yield from _of_rates(plan.faults, f"{path}.faults")
    if plan.timings is not None:
        yield from (
            f"{path}.timings.{name}: must be from 0 seconds to ten years"
            for name, wait in attrs.asdict(plan.timings).items()
            if not timedelta(0) <= wait <= LONGEST
        )
    for index, link in enumerate(plan.links):
        yield from _of_link(link, kind, f"{path}.links[{index}]")
    for index, endpoint in enumerate(plan.webhooks):
        yield from _found(f"{path}.webhooks[{index}].mode", partial(check_word, "mode", endpoint.mode, MODES))


def _of_link(link: LinkPlan, kind: EmulatorKind, path: str) -> Iterator[str]:
    for index, word in enumerate(link.attempts):
        yield from _found(f"{path}.attempts[{index}]", partial(check_word, "script word", word, kind.words))
    yield from _found(f"{path}.webhooks", partial(check_word, "webhook mode", link.webhooks, WEBHOOK_MODES))
    yield from _found(f"{path}.mode", partial(check_word, "mode", link.mode, MODES))
    yield from _of_rates(link.faults, f"{path}.faults")


def _of_rates(rates: Mapping[str, float], path: str) -> Iterator[str]:
    for fault, rate in rates.items():
        yield from _found(path, partial(read_rates, {fault: rate}))


def _found(path: str, check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except ValueError as error:
        yield f"{path}: {error}"
