"""Emulated providers for an application's tests: ``bankbridge emulate``, scenario files and pytest's fixtures.

Needs the extra ``bankbridge[emulator]``. From Python::

    with emulated(load_scenario("scenario.toml")) as providers:
        providers["rail"].url
"""

from bankbridge.emulate.reading import load_scenario, scenario_of
from bankbridge.emulate.scenario import EndpointPlan, LinkPlan, ProviderPlan, Scenario, well_known_links
from bankbridge.emulate.served import MadeEndpoint, ServedEmulator
from bankbridge.emulate.serving import emulated

__all__ = [
    "EndpointPlan",
    "LinkPlan",
    "MadeEndpoint",
    "ProviderPlan",
    "Scenario",
    "ServedEmulator",
    "emulated",
    "load_scenario",
    "scenario_of",
    "well_known_links",
]
