"""The emulators of the installed plugins."""

from typing import cast

from bankbridge.emulation import Clock, Emulator, check_word
from bankbridge.emulation.kind import EmulatorKind
from bankbridge.registry import plugins


def emulated_providers() -> tuple[str, ...]:
    """The names of the installed providers that have an emulator."""
    return tuple(
        name for name, plugin in plugins().items() if None not in (plugin.emulator, plugin.emulation)
    )


def title_of(name: str) -> str:
    """A provider's name as people write it."""
    return plugins()[name].title


def kind_of(name: str) -> EmulatorKind:
    """What a provider's emulator can be told. Raises `UnknownWordError` that names the nearest provider."""
    check_word("provider", name, emulated_providers())
    describe = plugins()[name].emulation
    assert describe is not None  # noqa: S101 (it is among those that have one)
    return cast(EmulatorKind, describe())


def make(name: str, clock: Clock, **told: object) -> Emulator:
    """A provider's emulator; ``told`` is handed to it. Raises `UnknownWordError`."""
    check_word("provider", name, emulated_providers())
    create = plugins()[name].emulator
    assert create is not None  # noqa: S101 (as above)
    return cast(Emulator, create(clock, **told))
