"""The switches of the emulated Fintoc: where its sources disagree or are silent, each reading can be had."""

from collections.abc import Mapping
from typing import Final

from bankbridge.emulation import Switch, switch_table
from bankbridge_fintoc.emulator.switches_of_objects import OBJECTS
from bankbridge_fintoc.emulator.switches_of_refreshes import REFRESHES
from bankbridge_fintoc.emulator.switches_of_requests import REQUESTS
from bankbridge_fintoc.emulator.switches_of_webhooks import WEBHOOKS

SWITCHES: Final[Mapping[str, Switch]] = switch_table(*REQUESTS, *REFRESHES, *OBJECTS, *WEBHOOKS)
"""Every switch, by name."""
