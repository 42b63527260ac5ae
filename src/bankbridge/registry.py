"""Finding plugins: whatever is installed and names itself in the entry-point group ``bankbridge``."""

import difflib
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import pluggy

from bankbridge import hookspecs
from bankbridge.hookspecs import ProviderPlugin
from bankbridge.words.errors import ConfigurationError


@cache
def plugins() -> Mapping[str, ProviderPlugin]:
    """Every installed provider, by name.

    Raises `ConfigurationError` when two plugins bring the same name, and pluggy's own error for a hook that does
    not exist: a misspelt hook would otherwise be ignored.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.load_setuptools_entrypoints(hookspecs.PROJECT)
    return found(manager)


def found(manager: pluggy.PluginManager) -> Mapping[str, ProviderPlugin]:
    """The providers of the plugins registered with ``manager``, in the order of their names."""
    manager.check_pending()
    by_name: dict[str, ProviderPlugin] = {}
    for brought in manager.hook.bankbridge_providers():
        for plugin in brought:
            name = plugin.provider.name
            if name in by_name:
                raise ConfigurationError([f"provider {name!r}: brought by two plugins, uninstall one"])
            by_name[name] = plugin
    return MappingProxyType(dict(sorted(by_name.items())))


def plugin_for(name: str) -> ProviderPlugin:
    """The plugin of one provider. Raises `ConfigurationError` that names the nearest installed one."""
    installed = plugins()
    if name in installed:
        return installed[name]
    near = difflib.get_close_matches(name, installed, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(installed) or 'none'}"
    raise ConfigurationError([f"provider {name!r}: no such plugin is installed; {hint}"])
