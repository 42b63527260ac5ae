"""The ``[engine]`` of a configuration file: which one carries wake-ups and work, and its settings."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

import attrs

from bankbridge.codec import configure
from bankbridge.engine import Engine
from bankbridge.engine.embedded import CONCURRENCY, EVERY, Embedded
from bankbridge.store import Store
from bankbridge.words.errors import ConfigurationError


def _at_least(least: object, words: str) -> Callable[[object, "attrs.Attribute[Any]", Any], None]:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:  # noqa: ANN401 (as attrs calls it)
        if value is not None and value < least:
            raise ValueError(f"{attribute.name}: {words}")

    return check


_long = _at_least(timedelta(microseconds=1), "must be longer than nothing")
_some = _at_least(1, "must be at least 1")


@attrs.frozen(kw_only=True)
class EmbeddedSettings:
    """`bankbridge.engine.embedded.Embedded` and its settings; times in seconds."""

    every: timedelta = attrs.field(default=EVERY, validator=_long)
    concurrency: int = attrs.field(default=CONCURRENCY, validator=_some)
    elsewhere: bool = False

    def __str__(self) -> str:
        return f"embedded, looks every {self.every.total_seconds():g} s"

    def open(self, store: Store) -> Engine:
        """The engine."""
        del store
        return Embedded(every=self.every, concurrency=self.concurrency, elsewhere=self.elsewhere)

    def tables(self) -> None:
        """It has none of its own."""


@attrs.frozen(kw_only=True)
class ProcrastinateSettings:
    """`bankbridge.engine.procrastinate.ProcrastinateEngine` and its settings; times in seconds. ``None``: its own."""

    concurrency: int | None = attrs.field(default=None, validator=_some)
    heartbeat: timedelta | None = attrs.field(default=None, validator=_long)
    gone_after: timedelta | None = attrs.field(default=None, validator=_long)
    sweep_every: timedelta | None = attrs.field(default=None, validator=_long)
    look_every: timedelta | None = attrs.field(default=None, validator=_long)

    def __str__(self) -> str:
        return "procrastinate"

    def open(self, store: Store) -> Engine:
        """The engine. Raises `ConfigurationError` where it cannot work on ``store``, or is not installed."""
        with _installed():
            from bankbridge.engine.procrastinate import ProcrastinateEngine  # noqa: PLC0415 (needs an extra)
        given = attrs.asdict(self, filter=lambda _, value: value is not None)
        return ProcrastinateEngine(store, **given)

    def tables(self) -> Callable[[Any], None]:
        """What puts its tables into the store's database, on a connection of `bankbridge.store.sql.migrate`.

        Raises `ConfigurationError` where it is not installed.
        """
        with _installed():
            from bankbridge.engine.procrastinate import driver_of, install  # noqa: PLC0415 (needs an extra)
        return lambda connection: install(driver_of(connection))


@contextmanager
def _installed() -> Generator[None]:
    try:
        yield
    except ImportError as error:
        msg = f"engine: {error.name} is missing: pip install 'bankbridge[procrastinate]'"
        raise ConfigurationError([msg]) from None


EngineSettings: TypeAlias = EmbeddedSettings | ProcrastinateSettings

_KINDS: Final[Mapping[str, type[EngineSettings]]] = {
    "embedded": EmbeddedSettings,
    "procrastinate": ProcrastinateSettings,
}


def engine_settings(table: object) -> EngineSettings:
    """The settings of the engine that ``[engine]`` names. Raises `ConfigurationError` with every problem at once."""
    if not isinstance(table, dict):
        raise ConfigurationError(["engine: must be a table"])
    settings = cast("dict[str, Any]", table)
    kind = _KINDS.get(str(settings.get("kind", "embedded")))
    if kind is None:
        raise ConfigurationError([f"engine.kind: unknown engine (known: {', '.join(_KINDS)})"])
    given = {name: value for name, value in settings.items() if name != "kind"}
    chosen: EngineSettings = configure(kind, given, path="engine")
    return chosen
