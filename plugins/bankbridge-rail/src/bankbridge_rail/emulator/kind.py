"""What can be said of the emulated Rail before one is made."""

from string import Template
from typing import Final

from bankbridge.emulation.kind import EmulatorKind
from bankbridge_rail.emulator import control
from bankbridge_rail.emulator.switches import SWITCHES
from bankbridge_rail.emulator.timings import Timings
from bankbridge_rail.emulator.words import WORDS

PORT: Final = 8101


def kind() -> EmulatorKind:
    """The emulated Rail's switches, words, timings and controls, its usual port and an example."""
    return EmulatorKind(
        switches=SWITCHES,
        words={name: word.says for name, word in WORDS.items()},
        timings=Timings,
        port=PORT,
        example=Template(
            "curl $url/v1/refresh_intents \\\n"
            "  -H 'Authorization: Bearer $key' \\\n"
            '  --json \'{"link_id": "$link_id"}\''
        ),
        controls=control.__doc__ or "",
    )
