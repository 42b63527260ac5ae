"""What pytest's fixtures do once they are asked for; `bankbridge.pytest_plugin` offers them."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from bankbridge.emulate.choosing import Wish, wished
from bankbridge.emulate.known import emulated_providers
from bankbridge.emulate.reading import load_scenario
from bankbridge.emulate.scenario import ProviderPlan, Scenario
from bankbridge.emulate.served import ServedEmulator
from bankbridge.emulate.serving import emulated
from bankbridge.emulation import Clock, check_word
from bankbridge.words.errors import ConfigurationError

STILL: Final = Scenario(speed=0)

_OPTIONS: Final = ("seed", "speed", "start", "switches", "faults", "scenario")


def clock(request: pytest.FixtureRequest) -> Clock:
    """A clock as the test's marker wants it."""
    scenario = _scenario(request)
    return Clock(start=scenario.start, speed=scenario.speed)


@contextmanager
def served(request: pytest.FixtureRequest, name: str, clock: Clock) -> Generator[ServedEmulator]:
    """One provider as the test's marker wants it, on a free port."""
    scenario = _scenario(request)
    if name not in scenario.providers:
        pytest.fail(
            f"{name}_emulator needs bankbridge-{name}: pip install 'bankbridge[emulator]'", pytrace=False
        )
    mine = attrs.evolve(scenario, providers={name: scenario.providers[name]})
    with emulated(mine, clock=clock) as providers:
        yield providers[name]


def _scenario(request: pytest.FixtureRequest) -> Scenario:
    """What the test's markers ask for, with every provider that is installed."""
    try:
        options = _options(request)
        base = STILL
        if "scenario" in options:
            base = load_scenario(request.path.parent / options["scenario"])
        plans = {name: base.providers.get(name, ProviderPlan()) for name in emulated_providers()}
        start = options.get("start")
        wish = Wish(
            providers=[f"{name}:0" for name in plans],
            seed=options.get("seed"),
            speed=options.get("speed"),
            start=start.isoformat() if isinstance(start, datetime) else start,
            switches=[f"{name}={value}" for name, value in options["switches"].items()],
            faults=[f"{name}={rate}" for name, rate in options["faults"].items()],
        )
        return wished(wish, attrs.evolve(base, providers=plans))
    except (ConfigurationError, ValueError) as error:
        raise pytest.fail.Exception(f"marker emulator: {error}", pytrace=False) from None


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The markers' arguments, those nearest to the test going before others."""
    options: dict[str, Any] = {"switches": {}, "faults": {}}
    for marker in reversed(list(request.node.iter_markers("emulator"))):
        if marker.args:
            raise ValueError("give every argument by its name")
        for name, value in marker.kwargs.items():
            check_word("argument", name, _OPTIONS)
            _check_kind(name, value)
            options[name] = {**options[name], **value} if name in ("switches", "faults") else value
    return options


def _check_kind(name: str, value: object) -> None:
    # What is read here; the rest is judged as on a command line.
    if name in ("switches", "faults") and not isinstance(value, Mapping):
        raise ValueError(f"{name} is {value!r}: give a dict, by the name of what it is for")
    if name == "scenario" and not isinstance(value, str | Path):
        raise ValueError(f"{name} is {value!r}: give the path of a scenario file")
