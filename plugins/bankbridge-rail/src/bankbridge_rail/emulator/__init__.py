"""An emulated Rail: real HTTP and real webhooks in virtual time, with a script for every outcome.

::

    emulator = create_emulator(Clock(speed=600))
    link = emulator.add_link(attempts=["mfa"])
    with Server(emulator.app) as server:
        ...                                             # talk to server.url with emulator.secret_key
        emulator.person(link.link_id, "right_code")
    emulator.truth()
"""

from bankbridge_rail.emulator.banks import BANKS, Bank
from bankbridge_rail.emulator.emulator import RailEmulator, create_emulator
from bankbridge_rail.emulator.switches import SWITCHES
from bankbridge_rail.emulator.timings import Timings
from bankbridge_rail.emulator.words import AUTOMATIC_WORDS, WORDS, Word

__all__ = [
    "AUTOMATIC_WORDS",
    "BANKS",
    "SWITCHES",
    "WORDS",
    "Bank",
    "RailEmulator",
    "Timings",
    "Word",
    "create_emulator",
]
