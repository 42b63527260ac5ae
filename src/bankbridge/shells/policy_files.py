"""Policies from files: from the configuration itself, or from another file, to see what it would change."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from bankbridge.machine.policy import Policy
from bankbridge.provider import Provider
from bankbridge.shells.config import declared_in, read_document, unknown_tables
from bankbridge.shells.policies import policies_of
from bankbridge.words.errors import ConfigurationError, did_you_mean


def read_policies(path: str | Path) -> Mapping[str, Policy]:
    """Read the policy of each connection of a configuration file; no secret is needed.

    Raises `ConfigurationError` with every problem at once, each with its path.
    """
    document = read_document(path)
    problems = unknown_tables(document)
    return _good(policies_of(document, declared_in(document, problems), problems), problems)


def read_policy(path: str | Path, providers: Mapping[str, Provider]) -> Mapping[str, Policy]:
    """Read the policy of each of these connections from another file.

    The file has the ``[policy]`` and ``[connections.NAME.policy]`` of a configuration file, and may be one: what else
    is in there is not looked at. It stands alone: what it does not say is the default, not what is in force now.
    Raises like `read_policies`, also for a connection that is not among ``providers``.
    """
    document = read_document(path)
    problems = unknown_tables(document)
    connections = document.get("connections", {})
    names: Iterable[str] = cast("dict[str, Any]", connections) if isinstance(connections, dict) else ()
    problems += [
        f"connections.{name}: no such connection{did_you_mean(name, providers)}"
        for name in names
        if name not in providers
    ]
    declared = {name: provider.capabilities for name, provider in providers.items()}
    return _good(policies_of(document, declared, problems), problems)


def _good(policies: Mapping[str, Policy], problems: list[str]) -> Mapping[str, Policy]:
    if problems:
        raise ConfigurationError(sorted(problems))
    return policies
