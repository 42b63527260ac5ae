"""The tables of one provider's page, and of the page that compares them."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs

from bankbridge import policy_for
from bankbridge.hookspecs import ProviderPlugin
from bankbridge.provider import Capabilities
from bankbridge.words.durations import words_of_duration
from docs._tools.markdown import code, source, table


def settings(plugin: ProviderPlugin) -> str:
    """The provider's settings."""
    rows = []
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", plugin.provider)):
        required = field.default is attrs.NOTHING
        default = "" if required else _default(field.default)
        marks = ["required" if required else f"default {default}"]
        if not field.repr:
            marks.append("secret")
        rows.append((code(field.alias), _type(field.type), ", ".join(marks)))
    return table(("setting", "type", ""), rows)


def _type(kind: Any) -> str:  # noqa: ANN401 (an annotation can be anything)
    return code(getattr(kind, "__name__", kind)) if isinstance(kind, type) else code(kind)


def _default(value: object) -> str:
    return words_of_duration(value) if hasattr(value, "total_seconds") else code(value)  # type: ignore[arg-type]


_YES_NO: Mapping[str, str] = {
    "event_ids": "events have ids",
    "idempotency_keys": "a create takes an idempotency key",
    "replays_errors": "stored answers to a create are replayed, errors too",
    "finds_running": "a running refresh can be found",
    "cancels": "a refresh can be canceled",
    "date_windows": "movements can be asked for by date",
}

_OTHERS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "granularity": ("one result is about a", lambda value: str(value.value)),
    "correlation": ("an event finds its refresh by", lambda value: str(value.value).replace("_", " ")),
    "prompts": ("prompts", lambda value: ", ".join(sorted(kind.value for kind in value))),
    "scopes": ("scopes", lambda value: ", ".join(sorted(scope.value for scope in value))),
    "cooldowns": (
        "its wait after a success",
        lambda value: (
            ", ".join(f"{scope.value}: {words_of_duration(wait)}" for scope, wait in value.items())
            or "none known"
        ),
    ),
    "first_poll": ("first read after (with the default policy)", words_of_duration),
    "longest_poll": ("longest wait between reads (with the default policy)", words_of_duration),
    "poll_floor": ("read at most every", words_of_duration),
    "pace": ("looks at refreshes wait beyond", lambda value: "none known" if value is None else str(value)),
    "event_types": ("event types to subscribe to", lambda value: str(len(value))),
}


def capabilities(plugins: Mapping[str, ProviderPlugin]) -> str:
    """What providers can do, side by side."""
    declared = [plugin.provider.capabilities for plugin in plugins.values()]
    rows = [
        (_label(field.name), *(_value(field.name, one) for one in declared))
        for field in attrs.fields(Capabilities)
    ]
    return table(("", *(plugin.title for plugin in plugins.values())), rows)


def _label(name: str) -> str:
    return _YES_NO[name] if name in _YES_NO else _OTHERS[name][0]


def _value(name: str, declared: Capabilities) -> str:
    value = getattr(declared, name)
    if name in {"first_poll", "longest_poll"}:
        # What is declared is only one of the things that decide it.
        value = getattr(policy_for(declared).timing, name)
    if name in _YES_NO:
        return "yes" if value else "no"
    return _OTHERS[name][1](value)


def events(plugin: ProviderPlugin) -> str:
    """Theirs to ours."""
    subscribed = plugin.provider.capabilities.event_types
    rows = (
        (code(said), means, "yes" if said in subscribed else "no") for said, means in plugin.events.items()
    )
    return table((f"{plugin.title} says", "it means", "subscribe"), rows)


def reasons(plugin: ProviderPlugin) -> str:
    """Theirs to ours, with the source of each judgement."""
    rows = ((code(row.said), code(row.reason.value), row.means, source(row.source)) for row in plugin.reasons)
    return table((f"{plugin.title} says", "our reason", "means", "source"), rows)
