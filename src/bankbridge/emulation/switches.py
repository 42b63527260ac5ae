"""Switches: what a provider's documentation leaves open or contradicts itself about, each reading to be emulated."""

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from bankbridge.emulation.words import check_word


@attrs.frozen
class Switch:
    """One open question: the ``values`` it can have (the first is the default), what is known, and who says it."""

    name: str
    values: tuple[str, ...]
    says: str
    source: str

    @property
    def default(self) -> str:
        """The value when nobody turns the switch."""
        return self.values[0]


def switch_table(*switches: Switch) -> Mapping[str, Switch]:
    """Switches by name, in the order given."""
    return MappingProxyType({switch.name: switch for switch in switches})


def read_switches(table: Mapping[str, Switch], given: Mapping[str, str] | None) -> Mapping[str, str]:
    """Every switch of ``table`` with its value.

    Raises `UnknownWordError` for a name or a value that the table does not have, naming the nearest.
    """
    values = {name: switch.default for name, switch in table.items()}
    for name, value in (given or {}).items():
        check_word("switch", name, table)
        check_word(f"value of switch {name}", value, table[name].values)
        values[name] = value
    return MappingProxyType(values)
