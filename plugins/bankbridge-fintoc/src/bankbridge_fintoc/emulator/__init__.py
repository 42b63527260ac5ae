"""An emulated Fintoc to test against: its bank-data API over real HTTP, and banks that follow a script.

Needs the extra ``bankbridge-fintoc[emulator]``::

    from bankbridge.emulation import Clock, Server
    from bankbridge_fintoc.emulator import create_emulator

    emulator = create_emulator(Clock())
    link = emulator.add_link(attempts=("fails", "succeeds"))
    with Server(emulator.app) as server:
        ...  # talk to server.url with emulator.secret_key and link.link_token
"""

from bankbridge_fintoc.emulator.bank import WORDS
from bankbridge_fintoc.emulator.emulator import FintocEmulator, create_emulator
from bankbridge_fintoc.emulator.switches import SWITCHES
from bankbridge_fintoc.emulator.timings import Timings

__all__ = ["SWITCHES", "WORDS", "FintocEmulator", "Timings", "create_emulator"]
