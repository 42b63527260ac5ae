"""pytest's fixtures ``rail_emulator`` and ``fintoc_emulator``: a provider each, emulated for one test.

Both are a `bankbridge.emulate.ServedEmulator`. The marker ``emulator`` says how they are made; time is that of the
fixture ``emulator_clock``, which a project may define anew. Loaded in every run of pytest where bankbridge is
installed, so everything else is imported when a fixture is asked for.
"""

from collections.abc import Generator
from typing import Any

import pytest

MARKER = (
    "emulator(seed=0, speed=0, start=None, switches={}, faults={}, scenario=None): how the emulators of a test are "
    "made; scenario is a file, its path relative to the test's"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def emulator_clock(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 (a Clock, which is not imported yet)
    """The virtual time of a test's emulators. It stands still but for ``advance``, unless the marker gives a speed."""
    return _fixtures().clock(request)


@pytest.fixture
def rail_emulator(request: pytest.FixtureRequest, emulator_clock: Any) -> Generator[Any]:  # noqa: ANN401 (as above)
    """An emulated Rail on a port of its own."""
    with _fixtures().served(request, "rail", emulator_clock) as emulator:
        yield emulator


@pytest.fixture
def fintoc_emulator(request: pytest.FixtureRequest, emulator_clock: Any) -> Generator[Any]:  # noqa: ANN401 (as above)
    """An emulated Fintoc on a port of its own."""
    with _fixtures().served(request, "fintoc", emulator_clock) as emulator:
        yield emulator


def _fixtures() -> Any:  # noqa: ANN401 (a module)
    try:
        from bankbridge.emulate import fixtures  # noqa: PLC0415 (it needs the extra)
    except ImportError as error:
        problem = f"the emulators need {error.name}: pip install 'bankbridge[emulator]'"
        raise pytest.fail.Exception(problem, pytrace=False) from None
    return fixtures
