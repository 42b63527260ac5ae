"""``bankbridge.toml``: connections, the store, and where each secret comes from, which is never the file itself.

::

    [store]
    path = "bankbridge.db"
    keys = { env = "BANKBRIDGE_STORE_KEYS" }        # several, separated by commas, while one is rotated

    [connections.rail]
    provider = "rail"
    secret_key = { env = "RAIL_SECRET_KEY" }
    webhook_secrets = [{ file = "/run/secrets/rail_webhook" }]
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from bankbridge.codec import configure
from bankbridge.provider import Provider
from bankbridge.registry import plugin_for
from bankbridge.store import Store
from bankbridge.words.errors import ConfigurationError


@attrs.frozen(kw_only=True)
class StoreSettings:
    """Where to keep what must last. Without a path it is kept in memory. ``keys`` encrypt what is secret."""

    path: str | None = None
    keys: tuple[str, ...] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Config:
    """What a configuration file says."""

    providers: Mapping[str, Provider]
    store: StoreSettings

    def open_store(self) -> Store:
        """The store it names."""
        if self.store.path is None:
            from bankbridge.store.memory import MemoryStore  # noqa: PLC0415 (one of the two)

            return MemoryStore()
        from bankbridge.store.sql import sqlite_store  # noqa: PLC0415 (SQLAlchemy only for those who have a file)

        return sqlite_store(self.store.path, keys=self.store.keys)


def read_config(path: str | Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file. Raises `ConfigurationError` with every problem at once, each with its path."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({type(error).__name__})"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: is not TOML: {error}"]) from None
    return config_of(document, environ)


def config_of(document: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """A configuration from a parsed document."""
    problems = [
        f"{name}: unknown table (known: connections, store)"
        for name in document.keys() - {"connections", "store"}
    ]
    document = _resolved(document, "", environ, problems)
    store = StoreSettings()
    try:
        store = _store(document.get("store", {}))
    except ConfigurationError as error:
        problems += error.problems
    providers: dict[str, Provider] = {}
    for name, settings in document.get("connections", {}).items():
        try:
            providers[name] = _provider(name, settings)
        except ConfigurationError as error:
            problems += error.problems
    if not providers and not problems:
        problems.append("connections: at least one is needed, for instance [connections.rail]")
    if problems:
        raise ConfigurationError(sorted(problems))
    return Config(providers=providers, store=store)


def _store(settings: Mapping[str, Any]) -> StoreSettings:
    keys = settings.get("keys")
    split = [key.strip() for key in keys.split(",")] if isinstance(keys, str) else keys
    return configure(StoreSettings, {**settings, **({} if keys is None else {"keys": split})}, path="store")


def _provider(name: str, settings: object) -> Provider:
    path = f"connections.{name}"
    if not isinstance(settings, dict):
        raise ConfigurationError([f"{path}: must be a table"])
    table = cast(dict[str, Any], settings)
    provider = table.get("provider", name)
    try:
        plugin = plugin_for(str(provider))
    except ConfigurationError as error:
        raise ConfigurationError([f"{path}.{problem}" for problem in error.problems]) from None
    given = {key: value for key, value in table.items() if key != "provider"}
    return configure(plugin.provider, given, path=path)


def _resolved(value: Any, path: str, environ: Mapping[str, str], problems: list[str]) -> Any:  # noqa: ANN401 (TOML)
    """Put in what ``{ env = … }`` and ``{ file = … }`` stand for."""
    match value:
        case {"env": str(name), **rest} if not rest:
            if name not in environ:
                problems.append(f"{path}: environment variable {name} is not set")
            return environ.get(name, "unset")
        case {"file": str(name), **rest} if not rest:
            try:
                return Path(name).read_text(encoding="utf-8").strip()
            except OSError as error:
                problems.append(f"{path}: {name} cannot be read ({type(error).__name__})")
                return "unset"
        case dict():
            table = cast(dict[str, Any], value)
            return {
                key: _resolved(inner, f"{path}.{key}" if path else key, environ, problems)
                for key, inner in table.items()
            }
        case list():
            return [
                _resolved(inner, f"{path}[{index}]", environ, problems)
                for index, inner in enumerate(cast(list[object], value))
            ]
        case _:
            return value
