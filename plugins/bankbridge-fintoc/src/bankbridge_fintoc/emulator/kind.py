"""What can be said of the emulated Fintoc before one is made."""

from string import Template
from typing import Final

from bankbridge.emulation.kind import EmulatorKind
from bankbridge_fintoc.emulator import control
from bankbridge_fintoc.emulator.bank import WORDS
from bankbridge_fintoc.emulator.switches import SWITCHES
from bankbridge_fintoc.emulator.timings import Timings

PORT: Final = 8102


def kind() -> EmulatorKind:
    """The emulated Fintoc's switches, words, timings and controls, its usual port and an example."""
    return EmulatorKind(
        switches=SWITCHES,
        words=WORDS,
        timings=Timings,
        port=PORT,
        example=Template(
            "curl $url/v1/refresh_intents \\\n"
            "  -H 'Authorization: $key' \\\n"
            '  --json \'{"link_token": "$link_token"}\''
        ),
        controls=control.__doc__ or "",
    )
