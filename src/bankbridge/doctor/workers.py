"""Procrastinate: whether its tables are in the database, and whether a worker says that it lives."""

from datetime import timedelta
from typing import Any, Final

from bankbridge.doctor.checks import Check, Examination, WaitingFor, ok, plural, problem, skipped
from bankbridge.engine.procrastinate import GONE_AFTER, check, driver_of, live_workers
from bankbridge.store.sql import Inspection
from bankbridge.words.errors import ConfigurationError, StoreUnavailableError

_NAME: Final = "engine"


def examine_workers(url: str, gone_after: timedelta | None) -> Examination[None]:
    """Look into the database at ``url``. A worker that has been silent for ``gone_after`` is none."""
    gone_after = gone_after or GONE_AFTER

    def ask(connection: Any) -> int:  # noqa: ANN401 (SQLAlchemy's, which only the store knows)
        driver = driver_of(connection)
        check(driver)
        return live_workers(driver, gone_after=gone_after)

    try:
        inspection = Inspection(url)
        yield WaitingFor(what=inspection.name)
        try:
            yield judge_workers(inspection.ask(ask), gone_after)
        finally:
            inspection.close()
    except StoreUnavailableError:
        yield skipped(_NAME, "procrastinate: the store does not answer")
    except ConfigurationError as error:
        says, _, remedy = str(error).removeprefix("engine: ").rpartition(": ")
        yield problem(_NAME, f"procrastinate: {says}", remedy.removeprefix("run ").strip("`"))


def judge_workers(count: int, gone_after: timedelta) -> Check:
    """Whether anybody is at work."""
    if count:
        return ok(_NAME, f"procrastinate: {plural(count, 'worker')} at work")
    silent = f"procrastinate: no worker has said in the last {gone_after.total_seconds():g} s that it lives"
    return problem(_NAME, silent, "bankbridge worker")
