"""What a test needs of the machine: without it a run by hand skips the test aloud, and `.ci/run` fails."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str, way_out: str) -> NoReturn:
    """Say that ``what`` is not here, and how to get it.

    `.ci/run` sets BANKBRIDGE_SKIPS=never, and nothing is skipped there.
    """
    text = f"{what} is not on this machine: {way_out}"
    if os.environ.get("BANKBRIDGE_SKIPS") == "never":
        pytest.fail(text)
    pytest.skip(text)


def program(name: str, way_out: str) -> str:
    """The path of a program, which is needed."""
    return shutil.which(name) or missing(name, way_out)
