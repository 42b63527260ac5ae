"""Every word that any logger says while a run lasts, so that secrets can be looked for in it."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        said = f"{record.name}: {record.getMessage()}"
        if record.exc_info is not None:
            said += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        self._heard.append(said)


@contextmanager
def listening() -> Iterator[list[str]]:
    """Everything said at DEBUG and above, by whomever."""
    heard: list[str] = []
    root, ear = logging.getLogger(), _Ear(heard)
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(ear)
