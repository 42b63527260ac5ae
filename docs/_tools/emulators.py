"""The tables of the emulators' page: what they can be told, in Python, in scenario files and over HTTP."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from bankbridge.emulate import EndpointPlan, LinkPlan, ProviderPlan, Scenario
from bankbridge.emulate.known import kind_of
from bankbridge.emulation import FAULTS, PERSON_ACTS, WEBHOOK_MODES
from bankbridge.emulation import controls as emulation_controls
from bankbridge.hookspecs import ProviderPlugin
from bankbridge.words.durations import words_of_duration
from docs._tools.markdown import as_markdown, attribute_docs, code, source, summary, table


def common_words() -> str:
    """What every emulator understands."""
    acts = ", ".join(map(code, PERSON_ACTS))
    modes = ", ".join(map(code, WEBHOOK_MODES))
    return f"- `webhooks=`: {modes}.\n- `person(link_id, act)`: {acts}.\n"


def script_words(plugin: ProviderPlugin) -> str:
    """What the emulated banks can be told to do."""
    words = kind_of(plugin.provider.name).words
    rows = ((code(word), as_markdown(says)) for word, says in words.items())
    return table(("word", "what a refresh then does"), rows)


def switches(plugin: ProviderPlugin) -> str:
    """Where the documentation is silent or disagrees with itself, and the readings that can be emulated."""
    rows = (
        (
            code(switch.name),
            ", ".join(
                f"**{code(value)}**" if value == switch.default else code(value) for value in switch.values
            ),
            f"{as_markdown(switch.says)} ({source(switch.source)})",
        )
        for switch in kind_of(plugin.provider.name).switches.values()
    )
    return table(("switch", "values (default in bold)", "about"), rows)


def timings(plugin: ProviderPlugin) -> str:
    """How long things take at the emulator."""
    kind: Any = kind_of(plugin.provider.name).timings
    docs, made = attribute_docs(kind), kind()
    rows = (
        (code(field.name), words_of_duration(getattr(made, field.name)), source(docs[field.name]))
        for field in attrs.fields(kind)
    )
    return f"{source(summary(kind))}\n\n{table(('timing', 'default', ''), rows)}"


def faults() -> str:
    """What can go wrong, and what has one chance each of it."""
    rows = (
        (code(fault.name), _SIDES[fault.side], as_markdown(fault.says), fault.chance)
        for fault in FAULTS.values()
    )
    return table(("fault", "strikes", "what happens", "a chance for each"), rows)


_SIDES: Final = {"webhook": "a webhook", "http": "a request", "data": "the data"}


def scenario(kind: type[Any]) -> str:
    """The keys of a table of a scenario file."""
    docs = attribute_docs(kind)
    rows = (
        (code(field.name), _TYPES[str(field.type)], _default(field), docs[field.name])
        for field in attrs.fields(kind)
        if field.name != "providers"
    )
    return table(("key", "type", "default", "means"), rows)


SCENARIO: Final[Mapping[str, type[Any]]] = {
    "top": Scenario,
    "provider": ProviderPlan,
    "link": LinkPlan,
    "webhook": EndpointPlan,
}

_TYPES: Final[Mapping[str, str]] = {
    str(int): "whole number",
    str(int | None): "whole number",
    str(float): "number",
    str(str): "text",
    str(str | None): "text",
    str(datetime | None): "time",
    str(tuple[str, ...]): "list of texts",
    str(tuple[str, ...] | None): "list of texts",
    str(Mapping[str, str]): "table of texts",
    str(Mapping[str, float]): "table of numbers",
    str(Any): "table of numbers",
    str(tuple[LinkPlan, ...]): "list of tables",
    str(tuple[EndpointPlan, ...]): "list of tables",
}


def _default(field: "attrs.Attribute[Any]") -> str:
    match field.default:
        case attrs.NOTHING:
            return "required"
        case str() | int() | float() as value:
            return code(value)
        case tuple() as words if words:
            return code(", ".join(words))
        case _:
            return ""


def controls() -> str:
    """The routes under ``/__emulator/`` that every emulator has."""
    return _block(emulation_controls.__doc__ or "")


def more_controls(plugin: ProviderPlugin) -> str:
    """Those that only this one has."""
    return _block(kind_of(plugin.provider.name).controls)


def _block(doc: str) -> str:
    """The literal block of a docstring."""
    lines: Sequence[str] = doc.partition("::\n")[2].splitlines()
    block = "\n".join(line for line in lines if not line or line.startswith("    "))
    return f"```text\n{textwrap.dedent(block).strip()}\n```\n"
