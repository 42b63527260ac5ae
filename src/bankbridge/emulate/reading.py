"""Scenario files, TOML or JSON.

::

    seed = 7
    speed = 60

    [rail]
    switches = { cancel = "gone" }

    [[rail.links]]
    name = "ana"
    attempts = ["mfa", "succeeds"]
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs

from bankbridge.codec import configure
from bankbridge.emulate.checking import problems_of
from bankbridge.emulate.known import emulated_providers, kind_of
from bankbridge.emulate.scenario import EndpointPlan, LinkPlan, ProviderPlan, Scenario
from bankbridge.emulate.serving import furnish
from bankbridge.emulation import Clock, check_word
from bankbridge.words.errors import ConfigurationError

T = TypeVar("T")

_OWN: Final = ("seed", "speed", "start")


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file, whose name ends in ``.toml`` or ``.json``.

    Raises `ConfigurationError` with every problem at once, each with its path:
    ``rail.links[2].attempts[0]: unknown script word 'succeds': did you mean 'succeeds'?``
    """
    return scenario_of(_document(Path(path)))


def scenario_of(document: Mapping[str, Any]) -> Scenario:
    """A scenario from a parsed document. Raises `ConfigurationError`."""
    problems: list[str] = []
    own = {name: _as_text(document[name]) for name in _OWN if name in document}
    scenario = _read(Scenario, own, "", problems)
    plans: dict[str, ProviderPlan] = {}
    known = emulated_providers()
    for name, table in document.items():
        try:
            check_word("key", name, (*_OWN, *known))
        except ValueError as error:
            problems.append(str(error))
        if name in known:
            plans[name] = _provider(name, table, problems)
    scenario = attrs.evolve(scenario, providers=plans)
    problems += problems_of(scenario)
    if problems:
        raise ConfigurationError(problems)
    # What only an emulator knows, such as its banks, it is asked here and not when it is to be served.
    furnish(scenario, Clock(speed=0))
    return scenario


def _document(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        match path.suffix:
            case ".toml":
                return tomllib.loads(text)
            case ".json":
                document = json.loads(text)
            case _:
                raise ConfigurationError([f"{path}: a scenario's name ends in .toml or .json"])
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({type(error).__name__})"]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"{path}: is not {path.suffix[1:].upper()}: {error}"]) from None
    if not isinstance(document, dict):
        raise ConfigurationError([f"{path}: must be an object"])
    return cast(dict[str, Any], document)


def _as_text(value: object) -> object:
    """TOML has moments of its own; JSON, and what reads both, has texts."""
    return value.isoformat() if isinstance(value, date) else value


def _provider(name: str, given: object, problems: list[str]) -> ProviderPlan:
    table = dict(_table(given, name, problems))
    timings = table.pop("timings", None)
    links = _list(table.pop("links", []), f"{name}.links", problems)
    webhooks = _list(table.pop("webhooks", []), f"{name}.webhooks", problems)
    return attrs.evolve(
        _read(ProviderPlan, table, name, problems),
        timings=None
        if timings is None
        else _read(kind_of(name).timings, timings, f"{name}.timings", problems),
        links=tuple(_read(LinkPlan, link, f"{name}.links[{at}]", problems) for at, link in enumerate(links)),
        webhooks=tuple(_endpoints(webhooks, f"{name}.webhooks", problems)),
    )


def _read(kind: type[T], given: object, path: str, problems: list[str]) -> T:
    """What is good of a table of which nothing is required. Every key is read alone, so that none hides another."""
    good: dict[str, Any] = {}
    for name, value in _table(given, path, problems).items():
        for part in _parts(value):
            try:
                read = getattr(configure(kind, {name: part}, path=path), name)
            except ConfigurationError as error:
                problems += [problem for problem in error.problems if problem not in problems]
            else:
                good[name] = {**good.get(name, {}), **read} if isinstance(part, dict) else read
    return kind(**good)


def _parts(value: object) -> Sequence[object]:
    return [{key: inner} for key, inner in (_if_table(value) or {}).items()] or (value,)


def _endpoints(given: Sequence[object], path: str, problems: list[str]) -> Iterator[EndpointPlan]:
    for index, table in enumerate(given):
        here = f"{path}[{index}]"
        try:
            yield configure(EndpointPlan, _table(table, here, problems), path=here)
        except ConfigurationError as error:
            problems += error.problems


def _table(value: object, path: str, problems: list[str]) -> Mapping[str, Any]:
    table = _if_table(value)
    if table is None:
        problems.append(f"{path}: must be a table")
    return table or {}


def _if_table(value: object) -> Mapping[str, Any] | None:
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def _list(value: object, path: str, problems: list[str]) -> Sequence[object]:
    if isinstance(value, list):
        return cast(list[object], value)
    problems.append(f"{path}: must be a list of tables")
    return ()
