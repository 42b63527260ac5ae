"""``bankbridge.toml``: connections, store, engine, policies, and where each secret comes from, never the file itself.

::

    [store]
    path = "bankbridge.db"                          # or for PostgreSQL: url = { env = "BANKBRIDGE_STORE_URL" }
    keys = { env = "BANKBRIDGE_STORE_KEYS" }        # several, separated by commas, while one is rotated

    [engine]                                        # may be left out
    kind = "embedded"                               # or "procrastinate", where the store is in PostgreSQL

    [connections.rail]
    provider = "rail"
    secret_key = { env = "RAIL_SECRET_KEY" }
    webhook_secrets = [{ file = "/run/secrets/rail_webhook" }]

What a policy may say is in `bankbridge.shells.policies`.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs

from bankbridge.codec import configure
from bankbridge.engine import Engine
from bankbridge.hookspecs import ProviderPlugin
from bankbridge.machine.policy import Policy
from bankbridge.provider import Capabilities, Provider
from bankbridge.registry import plugin_for
from bankbridge.shells.engines import EngineSettings, ProcrastinateSettings, engine_settings
from bankbridge.shells.policies import policies_of
from bankbridge.store import Store
from bankbridge.words.errors import ConfigurationError

_T = TypeVar("_T")

_TABLES: Final = ("connections", "engine", "policy", "store")


@attrs.frozen(kw_only=True)
class StoreSettings:
    """Where to keep what must last: in the SQLite file ``path``, in the PostgreSQL database ``url``, else in memory.

    ``keys`` encrypt what is secret. ``url`` may hold a password.
    """

    path: str | None = None
    url: str | None = attrs.field(default=None, repr=False)
    keys: tuple[str, ...] = attrs.field(default=(), repr=False)

    def open(self, *, upgrade: bool = True) -> Store:
        """The store; a SQLite file of an older version is left as it is where ``upgrade`` is false.

        Raises like `bankbridge.store.sql.SqlStore`.
        """
        if self.path is None and self.url is None:
            from bankbridge.store.memory import MemoryStore  # noqa: PLC0415 (one of them)

            return MemoryStore()
        # SQLAlchemy is only for those who have a database.
        from bankbridge.store.sql import postgresql_store, sqlite_store  # noqa: PLC0415

        if self.url is not None:
            return postgresql_store(self.url, keys=self.keys)
        return sqlite_store(cast("str", self.path), keys=self.keys, upgrade=upgrade)


@attrs.frozen(kw_only=True)
class Config:
    """What a configuration file says."""

    providers: Mapping[str, Provider]
    store: StoreSettings
    policies: Mapping[str, Policy]
    engine: EngineSettings

    def open(self) -> tuple[Store, Engine]:
        """The store it names, and the engine on it. Raises like `StoreSettings.open`, and `ConfigurationError`."""
        with ExitStack() as unless_both:
            store = self.store.open()
            unless_both.callback(store.close)
            engine = self.engine.open(store)
            unless_both.pop_all()
        return store, engine


@attrs.frozen(kw_only=True)
class Usable:
    """What of a configuration can be used, and all that is wrong with it, each problem with its path.

    A secret that is not there where it should be is ``"unset"`` here. ``store`` and ``engine`` are ``None`` where
    nobody can tell what is meant.
    """

    providers: Mapping[str, Provider]
    store: StoreSettings | None
    policies: Mapping[str, Policy]
    engine: EngineSettings | None
    problems: tuple[str, ...]


def read_config(path: str | Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file. Raises `ConfigurationError` with every problem at once, each with its path."""
    return config_of(read_document(path), environ)


def read_store(path: str | Path, environ: Mapping[str, str] = os.environ) -> StoreSettings:
    """Read what a configuration file says of the store only. Raises like `read_config`."""
    table = read_document(path).get("store", {})
    problems: list[str] = []
    settings = _resolved(table, "store", environ, problems)
    if problems:
        raise ConfigurationError(problems)
    return _store(settings)


def read_engine(path: str | Path) -> EngineSettings:
    """Read what a configuration file says of the engine only. Raises like `read_config`."""
    return engine_settings(read_document(path).get("engine", {}))


def read_document(path: str | Path) -> dict[str, Any]:
    """What is in a configuration file, as it is written. Raises `ConfigurationError` if it cannot be read."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({type(error).__name__})"]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path}: is not TOML: it is not UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: is not TOML: {error}"]) from None


def config_of(document: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """A configuration from a parsed document. Raises `ConfigurationError` with every problem at once."""
    usable = usable_of(document, environ)
    if usable.problems or usable.store is None or usable.engine is None:
        raise ConfigurationError(usable.problems)
    return Config(
        providers=usable.providers, store=usable.store, engine=usable.engine, policies=usable.policies
    )


def usable_of(document: Mapping[str, Any], environ: Mapping[str, str]) -> Usable:
    """What can be used of a parsed document, and what is wrong with the rest."""
    problems = unknown_tables(document)
    # What is wrong with a connection itself is said below.
    policies = policies_of(document, declared_in(document, []), problems)
    document = _resolved(document, "", environ, problems)
    store = _good(lambda: _store(document.get("store", {})), problems)
    engine = _good(lambda: engine_settings(document.get("engine", {})), problems)
    if isinstance(engine, ProcrastinateSettings) and store is not None and store.url is None:
        problems.append("engine.kind: procrastinate needs a store in PostgreSQL: set store.url")
    providers: dict[str, Provider] = {}
    connections = _good(lambda: _table(document.get("connections", {}), "connections"), problems) or {}
    for name, settings in connections.items():
        provider = _good(partial(_provider, name, settings), problems)
        if provider is not None:
            providers[name] = provider
    if not providers and not problems:
        problems.append("connections: at least one is needed, for instance [connections.rail]")
    return Usable(
        providers=providers, store=store, engine=engine, policies=policies, problems=tuple(sorted(problems))
    )


def unknown_tables(document: Mapping[str, Any]) -> list[str]:
    """What a configuration file does not have, each as a problem."""
    known = ", ".join(_TABLES)
    return [f"{name}: unknown table (known: {known})" for name in document.keys() - set(_TABLES)]


def declared_in(document: Mapping[str, Any], problems: list[str]) -> Mapping[str, Capabilities | None]:
    """What the provider of each connection can do; ``None`` where there is no such provider, which is a problem."""
    connections = document.get("connections", {})
    tables = cast("dict[str, object]", connections) if isinstance(connections, dict) else {}
    declared: dict[str, Capabilities | None] = {}
    for name, settings in tables.items():
        try:
            declared[name] = _plugin(name, settings).provider.capabilities
        except ConfigurationError as error:
            problems += error.problems
            declared[name] = None
    return declared


def _good(read: Callable[[], _T], problems: list[str]) -> _T | None:
    """What was read, or nothing but its problems."""
    try:
        return read()
    except ConfigurationError as error:
        problems += error.problems
        return None


def _store(table: object) -> StoreSettings:
    settings = _table(table, "store")
    keys = settings.get("keys")
    split = [key.strip() for key in keys.split(",")] if isinstance(keys, str) else keys
    store = configure(StoreSettings, {**settings, **({} if keys is None else {"keys": split})}, path="store")
    if store.path is not None and store.url is not None:
        raise ConfigurationError(["store: has a path and a url: leave one out"])
    return store


def _provider(name: str, settings: object) -> Provider:
    plugin = _plugin(name, settings)
    table = cast(dict[str, Any], settings)
    given = {key: value for key, value in table.items() if key not in {"provider", "policy"}}
    return configure(plugin.provider, given, path=f"connections.{name}")


def _plugin(name: str, settings: object) -> ProviderPlugin:
    path = f"connections.{name}"
    provider = _table(settings, path).get("provider", name)
    try:
        return plugin_for(str(provider))
    except ConfigurationError as error:
        raise ConfigurationError([f"{path}.{problem}" for problem in error.problems]) from None


def _table(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError([f"{path}: must be a table"])
    return cast(dict[str, Any], value)


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
            except (OSError, UnicodeDecodeError) as error:
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
