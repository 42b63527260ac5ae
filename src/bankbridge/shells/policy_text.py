"""A policy as it is written: in words, as a plain document, and as the TOML that would make it again."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, cast

import attrs

from bankbridge.machine.policy import RETRY_TABLE, Policy, Rule, Timing
from bankbridge.shells.policies import NEVER, NUMBERS, TABLES, UNLIMITED
from bankbridge.words.durations import words_of_duration

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def rule_words(rule: Rule) -> str:
    """A row of the retry table as a sentence."""
    if rule.times == 0:
        return "never"
    times = "once" if rule.times == 1 else f"{rule.times} times"
    limit = "as often as it takes" if rule.times is None else f"at most {times}"
    waits = ", ".join(map(words_of_duration, rule.waits))
    if rule.after_cooldown:
        wait = "at the provider's cooldown's end" + (f", not before {waits}" if waits else "")
    else:
        wait = f"after {waits}"
    jitter = "" if rule.jitter is None else f"; jitter {rule.jitter:g}"
    return f"{wait}; {limit}{jitter}" + ("" if rule.spends else "; spends no attempt")


def document_of(policy: Policy, *, over: Policy | None = None) -> dict[str, Any]:
    """A policy as plain values, as they stand in a TOML table; without its institutions.

    With ``over``, only what is different there. The joint rule and the provider's traits are not in it.
    """
    numbers = {name: getattr(policy, name) for name in NUMBERS if _is_new(policy, over, name)}
    timing = {
        field.name: _plain(getattr(policy.timing, field.name))
        for field in attrs.fields(Timing)
        if _is_new(policy.timing, over and over.timing, field.name)
    }
    cooldowns = {
        scope.value: words_of_duration(wait)
        for scope, wait in policy.cooldowns.items()
        if over is None or over.cooldowns.get(scope) != wait
    }
    retry = {
        reason.value: _row(rule, (over.retry if over else RETRY_TABLE)[reason], whole=over is None)
        for reason, rule in policy.retry.items()
        if over is None or over.retry[reason] != rule
    }
    tables = {"timing": timing, "cooldowns": cooldowns, "retry": retry}
    return {**numbers, **{name: table for name, table in tables.items() if table}}


def _is_new(value: Policy | Timing, over: Policy | Timing | None, name: str) -> bool:
    return over is None or getattr(value, name) != getattr(over, name)


def _row(rule: Rule, before: Rule, *, whole: bool) -> str | dict[str, Any]:
    if rule.times == 0:
        return NEVER if rule.spends is before.spends else {"times": 0, "spends": rule.spends}
    cells: dict[str, Any] = {
        "waits": [words_of_duration(wait) for wait in rule.waits],
        "times": UNLIMITED if rule.times is None else rule.times,
        "spends": rule.spends,
        "jitter": rule.jitter,
    }
    always = {"waits", "times"} if whole else set[str]()
    return {
        name: cell
        for name, cell in cells.items()
        if name in always or getattr(rule, name) != getattr(before, name)
    }


def _plain(value: object) -> object:
    return words_of_duration(value) if isinstance(value, timedelta) else value


def toml_of(policies: Mapping[str, Policy]) -> str:
    """TOML that makes the policy of each connection again, whole; of a bank's own, what is different there."""
    lines: list[str] = []
    for name, policy in policies.items():
        lines += _tables(("connections", name, "policy"), document_of(policy))
        for bank, own in policy.institutions.items():
            path = ("connections", name, "policy", "institutions", bank)
            lines += _tables(path, document_of(own, over=policy))
    return "\n".join(lines).lstrip()


def _tables(path: tuple[str, ...], document: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n[{'.'.join(map(_key, path))}]"
    yield from (f"{name} = {_value(value)}" for name, value in document.items() if name not in TABLES)
    for name in TABLES:
        if name in document:
            yield f"\n[{'.'.join(map(_key, (*path, name)))}]"
            yield from (f"{key} = {_value(inner)}" for key, inner in document[name].items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    match value:
        case dict():
            cells = cast("dict[str, object]", value).items()
            return f"{{ {', '.join(f'{key} = {_value(inner)}' for key, inner in cells)} }}"
        case list():
            return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
        case str():
            # A JSON string is a TOML string, but for this one sign.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return json.dumps(value)
