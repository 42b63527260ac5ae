"""All checks of an installation, one after the other; what fails hides nothing that can still be looked at."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bankbridge.doctor.checks import Check, Examination, WaitingFor, problem, skipped, warning
from bankbridge.doctor.configuration import concerns, examine_configuration
from bankbridge.doctor.engines import examine_engine
from bankbridge.doctor.reach import PATIENCE, Site, examine_site
from bankbridge.doctor.secrets import examine_secrets
from bankbridge.provider import Provider
from bankbridge.shells.config import Usable
from bankbridge.shells.core import utc_now
from bankbridge.webhooks import TOLERANCE


def examine(
    document: Mapping[str, Any],
    path: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    offline: bool = False,
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[Check | WaitingFor]:
    """Look at everything that a configuration (the parsed file at ``path``) names.

    ``offline`` leaves out the providers, but not the database. Changes nothing, and needs no worker to be stopped.
    """
    usable = yield from examine_configuration(document, path, environ)
    yield from _store(usable, clock)
    yield from examine_engine(usable)
    yield from _secrets(usable)
    yield from _sites(usable, clock, offline=offline)


def _store(usable: Usable, clock: Callable[[], datetime]) -> Examination[None]:
    settings = usable.store
    if settings is None or any(
        concerns(said, f"store.{name}") for said in usable.problems for name in ("path", "url")
    ):
        yield skipped("store", "the configuration must be mended first")
        return
    if settings.path is None and settings.url is None:
        yield warning(
            "store",
            "in memory: nothing survives a restart, and no other process sees it",
            "give [store] a path or a url: docs/how-to/store-in-sqlite.md",
        )
        return
    try:
        from bankbridge.doctor.storage import examine_database, examine_file  # noqa: PLC0415 (needs an extra)
    except ImportError as error:
        yield problem(
            "store",
            f"{error.name} is missing",
            "pip install 'bankbridge[sqlite]' or 'bankbridge[postgresql]'",
        )
        return
    keys = None if any(concerns(said, "store.keys") for said in usable.problems) else settings.keys
    if settings.path is not None:
        yield from examine_file(Path(settings.path), keys, clock)
    elif settings.url is not None:
        yield from examine_database(settings.url, keys, clock)


def _secrets(usable: Usable) -> Iterator[Check]:
    whole = {
        name: provider
        for name, provider in usable.providers.items()
        if not any(_spoils(said, name) for said in usable.problems)
    }
    before: dict[str, Provider] = {}
    for name, provider in whole.items():
        yield from examine_secrets(name, provider, before)
        before[name] = provider
    for name in usable.providers.keys() - whole.keys():
        yield skipped("webhook secrets", f"{name}: the configuration must be mended first")


def _spoils(said: str, name: str) -> bool:
    """Whether a problem is about the provider's settings of a connection."""
    return concerns(said, f"connections.{name}") and not concerns(said, f"connections.{name}.policy")


def _sites(usable: Usable, clock: Callable[[], datetime], *, offline: bool) -> Examination[None]:
    if offline:
        yield skipped("reachability", "--offline")
        return
    with httpx.Client(timeout=PATIENCE.total_seconds()) as client:
        for site in _sites_of(usable.providers):
            yield from examine_site(site, client, clock)


def _sites_of(providers: Mapping[str, Provider]) -> list[Site]:
    """Each base URL once."""
    names: dict[str, list[str]] = {}
    for name, provider in providers.items():
        names.setdefault(provider.base_url, []).append(name)
    return [
        Site(
            base_url=base_url,
            connections=tuple(connections),
            tolerance=min(_tolerance(providers[name]) for name in connections),
        )
        for base_url, connections in names.items()
    ]


def _tolerance(provider: Provider) -> timedelta:
    """How far a delivery's time may be from ours, where the provider has such a setting."""
    tolerance: timedelta = getattr(provider, "signature_tolerance", TOLERANCE)
    return tolerance
