"""Finding plugins: what is installed is found, and what is wrong about a plugin is said."""

import importlib.metadata
import types
from typing import Any

import pluggy
import pytest

from bankbridge import ConfigurationError, hookspecs, registry
from bankbridge.emulation import Clock, Emulator
from bankbridge.hookspecs import ProviderPlugin, hookimpl
from bankbridge.provider import Capabilities, Correlation, Granularity, Provider
from bankbridge.words.reasons import Reason
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail

INSTALLED = registry.plugins()


def manager_with(*plugins: object) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager


def plugin(**members: Any) -> types.SimpleNamespace:
    return types.SimpleNamespace(**members)


def brings(*providers: ProviderPlugin) -> Any:
    @hookimpl
    def bankbridge_providers() -> list[ProviderPlugin]:
        return list(providers)

    return bankbridge_providers


def test_both_plugins_are_found_by_their_entry_points():
    points = {point.name: point.value for point in importlib.metadata.entry_points(group="bankbridge")}
    assert points.keys() >= {"rail", "fintoc"}
    assert list(INSTALLED) == sorted(INSTALLED)
    assert (INSTALLED["rail"].provider, INSTALLED["fintoc"].provider) == (Rail, Fintoc)
    assert registry.plugin_for("rail") is INSTALLED["rail"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fintok", "did you mean 'fintoc'"),
        ("Rail", "did you mean 'rail'"),
        ("plaid", "installed: fintoc, rail"),
    ],
)
def test_a_provider_that_is_not_installed(name, hint):
    with pytest.raises(ConfigurationError, match=hint):
        registry.plugin_for(name)


def test_a_misspelt_hook_is_refused():
    @hookimpl
    def bankbridge_provider() -> list[ProviderPlugin]:
        return []

    manager = manager_with(plugin(bankbridge_provider=bankbridge_provider))
    with pytest.raises(pluggy.PluginValidationError, match="bankbridge_provider"):
        registry.found(manager)


def test_two_plugins_with_one_name():
    twice = manager_with(
        plugin(bankbridge_providers=brings(INSTALLED["rail"])),
        plugin(bankbridge_providers=brings(INSTALLED["rail"])),
    )
    with pytest.raises(ConfigurationError, match=r"'rail': brought by two plugins"):
        registry.found(twice)


def test_one_plugin_may_bring_several_and_another_none():
    manager = manager_with(
        plugin(bankbridge_providers=brings(*INSTALLED.values())), plugin(bankbridge_providers=brings())
    )
    assert registry.found(manager) == INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
def test_what_a_plugin_says_of_itself(name):
    brought = INSTALLED[name]
    capabilities = brought.provider.capabilities
    assert (brought.provider.name, bool(brought.title)) == (name, True)
    assert capabilities.event_types <= set(brought.events)
    assert all(brought.events.values())
    assert len({row.said for row in brought.reasons}) == len(brought.reasons)
    for row in brought.reasons:
        assert isinstance(row.reason, Reason)
        assert row.means
        assert row.source.startswith("https://docs.")
    assert capabilities.poll_floor <= capabilities.first_poll <= capabilities.longest_poll


@pytest.mark.parametrize("name", INSTALLED)
def test_an_emulator_is_made_on_demand(name):
    make = INSTALLED[name].emulator
    assert make is not None
    emulator: Emulator = make(Clock(speed=0), seed=1)
    assert emulator.provider == name


def test_capabilities_need_no_cooldowns():
    plain = Capabilities(
        granularity=Granularity.LINK,
        correlation=Correlation.REFRESH_ID,
        event_ids=False,
        idempotency_keys=False,
        replays_errors=False,
        finds_running=False,
        cancels=False,
        prompts=frozenset(),
        scopes=Rail.capabilities.scopes,
        first_poll=Rail.capabilities.first_poll,
        longest_poll=Rail.capabilities.longest_poll,
        poll_floor=Rail.capabilities.poll_floor,
        date_windows=False,
        event_types=frozenset(),
    )
    assert plain.cooldowns == {}


@pytest.mark.parametrize(
    ("make", "settings", "problem"),
    [
        (Rail, {"secret_key": "rail_pk_live_1"}, "secret_key: is a publishable key"),
        (Fintoc, {"secret_key": "pk_live_1"}, "secret_key: is a public key"),
        (Rail, {"secret_key": ""}, "secret_key: "),
        (Fintoc, {"webhook_secrets": ()}, "webhook_secrets: "),
        (Rail, {"base_url": "ftp://h"}, "base_url: "),
        (Fintoc, {"base_url": "https://me:pass@h"}, "base_url: "),
    ],
)
def test_settings_that_cannot_work(make, settings, problem):
    given: dict[str, Any] = {"secret_key": "key", "webhook_secrets": ("whsec",), **settings}
    with pytest.raises(ValueError, match=problem) as caught:
        make(**given)
    assert "pk_live_1" not in str(caught.value)


def test_providers_are_values():
    one = Rail(secret_key="k", webhook_secrets=("w",), base_url="https://h/")
    assert one == Rail(secret_key="k", webhook_secrets=("w",), base_url="https://h")
    assert isinstance(one, Provider)
    assert one.secrets == ("k", "w")
