"""What Rail's documentation leaves open or contradicts itself about: every reading of it can be emulated.

The first value of a switch is its default. Where nobody documents anything, it is our pick, and ``says`` tells so.
"""

from collections.abc import Mapping
from typing import Final

from bankbridge.emulation import Switch, switch_table
from bankbridge_rail.emulator.switches.api import API
from bankbridge_rail.emulator.switches.data import DATA
from bankbridge_rail.emulator.switches.idempotency import IDEMPOTENCY
from bankbridge_rail.emulator.switches.intents import INTENTS
from bankbridge_rail.emulator.switches.links import LINKS
from bankbridge_rail.emulator.switches.webhooks import WEBHOOKS

__all__ = ["SWITCHES"]

SWITCHES: Final[Mapping[str, Switch]] = switch_table(*INTENTS, *IDEMPOTENCY, *LINKS, *DATA, *WEBHOOKS, *API)
