"""The engine: who is to work, whether it can, and, where that can be seen, whether somebody does."""

from typing import Final

from bankbridge.doctor.checks import Examination, ok, problem, skipped
from bankbridge.shells.config import Usable
from bankbridge.shells.engines import EmbeddedSettings, ProcrastinateSettings

NAME: Final = "engine"


def examine_engine(usable: Usable) -> Examination[None]:
    """The engine that is configured."""
    match usable.engine:
        case None:
            yield skipped(NAME, "the configuration must be mended first")
        case EmbeddedSettings() as embedded:
            yield ok(NAME, f"{embedded}; needs nothing but the store")
        case ProcrastinateSettings() as procrastinate:
            yield from _procrastinate(procrastinate, None if usable.store is None else usable.store.url)


def _procrastinate(settings: ProcrastinateSettings, url: str | None) -> Examination[None]:
    if url is None:
        yield skipped(NAME, "procrastinate: there is no database in PostgreSQL to look into")
        return
    try:
        from bankbridge.doctor.workers import examine_workers  # noqa: PLC0415 (needs an extra)
    except ImportError as error:
        yield problem(
            NAME, f"procrastinate: {error.name} is missing", "pip install 'bankbridge[procrastinate]'"
        )
        return
    yield from examine_workers(url, settings.gone_after)
