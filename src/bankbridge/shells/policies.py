"""A policy from a parsed TOML document: each table changes, row by row, what is in force above it.

::

    [policy]                                                # every connection
    refused_logins = 1
    retry.provider_error = "never"
    retry.institution_unavailable = { waits = ["10 min", "1 h"], times = 5 }

    [connections.rail.policy]                               # one connection
    timing.attempt = "15 min"

    [connections.rail.policy.institutions.santander]        # one bank there, by the provider's id of it
    retry.institution_unavailable = { times = 1 }
"""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeGuard, cast

import attrs

from bankbridge.machine.bounds import BOUNDS, problems_of_rule
from bankbridge.machine.intent import Scope
from bankbridge.machine.policy import Policy, Rule, Timing
from bankbridge.provider import Capabilities
from bankbridge.shells.connections import policy_for
from bankbridge.words.durations import duration_of, words_of_duration
from bankbridge.words.errors import did_you_mean
from bankbridge.words.reasons import Reason

NUMBERS: Final = ("most_attempts", "jitter", "refused_logins", "abandoned_prompts")
NEVER: Final = "never"
UNLIMITED: Final = "unlimited"

TABLES: Final = ("timing", "cooldowns", "retry")
_ROW: Final = ("waits", "times", "jitter", "spends")
_CELL_TEXT: Final[Mapping[str, str]] = {
    "waits": "must be a list of durations, such as ['1 min', '5 min']",
    "times": f"must be a whole number or {UNLIMITED!r}",
    "spends": "must be true or false",
}
_BAD: Final = object()
_ROW_TEXT: Final = f"must be {NEVER!r} or a table, such as {{ waits = ['10 min', '1 h'], times = 2 }}"


def policies_of(
    document: Mapping[str, Any], declared: Mapping[str, Capabilities | None], problems: list[str]
) -> Mapping[str, Policy]:
    """The policy of each connection; what is wrong is added to ``problems``, each with its path.

    ``declared`` are the connections, with what their providers can do: ``None`` where nobody knows, and then there
    is no policy, but its table is read all the same.
    """
    reader = _Reader(problems)
    base = reader.policy(document.get("policy", {}), "policy", over=Policy())
    policies: dict[str, Policy] = {}
    for name, capabilities in declared.items():
        table = _inner(_inner(_inner(document, "connections"), name), "policy")
        policy = _of_connection(_Reader(problems, capabilities), table, f"connections.{name}.policy", base)
        if capabilities is not None:
            policies[name] = policy_for(capabilities, policy)
    return policies


def _of_connection(reader: "_Reader", table: object, path: str, base: Policy) -> Policy:
    policy = reader.policy(table, path, over=base, more=("institutions",))
    banks = reader.table(_inner(table, "institutions"), f"{path}.institutions")
    own = {
        name: reader.policy(bank, f"{path}.institutions.{name}", over=policy) for name, bank in banks.items()
    }
    return attrs.evolve(policy, institutions=own)


class _Reader:
    """Reads values and collects what is wrong with them; what is wrong is then left as it was."""

    def __init__(self, problems: list[str], declared: Capabilities | None = None) -> None:
        self.problems = problems
        self.declared = declared

    def policy(self, value: object, path: str, *, over: Policy, more: Iterable[str] = ()) -> Policy:
        """``over``, with what a table changes."""
        table = self.table(value, path, known=(*NUMBERS, *TABLES, *more))
        timing = self.table(table.get("timing", {}), f"{path}.timing", known=_names_of(Timing))
        changed = attrs.evolve(
            over,
            **self._numbers(Policy, {name: table[name] for name in NUMBERS if name in table}, path),
            timing=attrs.evolve(over.timing, **self._numbers(Timing, timing, f"{path}.timing", "timing.")),
            cooldowns={**over.cooldowns, **self._cooldowns(table.get("cooldowns", {}), f"{path}.cooldowns")},
        )
        rows = self._rows(table.get("retry", {}), f"{path}.retry", changed)
        return attrs.evolve(changed, retry={**over.retry, **rows})

    def table(self, value: object, path: str, *, known: Iterable[str] | None = None) -> dict[str, Any]:
        """A table without what is not ``known``."""
        if not _is_table(value):
            self._add(path, "must be a table")
            return {}
        names = value.keys() if known is None else tuple(known)
        for name in value.keys() - set(names):
            self._add(f"{path}.{name}", f"unknown field{did_you_mean(name, names)}")
        return {name: inner for name, inner in value.items() if name in names}

    def _numbers(
        self, kind: type[Policy | Timing], table: Mapping[str, object], path: str, prefix: str = ""
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in table.items():
            number = self._number(attrs.fields_dict(kind)[name].type, value, f"{path}.{name}", prefix + name)
            if number is not None:
                found[name] = number
        return found

    def _cooldowns(self, value: object, path: str) -> dict[Scope, timedelta]:
        scopes = {scope.value: scope for scope in Scope}
        found: dict[Scope, timedelta] = {}
        for name, wait in self.table(value, path, known=scopes).items():
            cooldown = self._number(timedelta, wait, f"{path}.{name}", "cooldowns")
            told = timedelta(0) if self.declared is None else self.declared.cooldowns.get(scopes[name])
            if cooldown is not None and told is not None and cooldown < told:
                self._add(f"{path}.{name}", f"must be at least {words_of_duration(told)}: the provider's own")
            elif cooldown is not None:
                found[scopes[name]] = cooldown
        return found

    def _rows(self, value: object, path: str, policy: Policy) -> dict[Reason, Rule]:
        reasons = {reason.value: reason for reason in Reason}
        rows: dict[Reason, Rule] = {}
        for name, row in self.table(value, path).items():
            reason = reasons.get(name)
            if reason is None:
                self._add(f"{path}.{name}", f"unknown reason{did_you_mean(name, reasons)}")
                continue
            rule = self._row(row, f"{path}.{name}", reason, policy)
            if rule is not None:
                rows[reason] = rule
        return rows

    def _row(self, value: object, path: str, reason: Reason, policy: Policy) -> Rule | None:
        before = policy.retry[reason]
        if value == NEVER:
            return _never(before)
        if not _is_table(value):
            self._add(path, _ROW_TEXT)
            return None
        table = self.table(value, path, known=_ROW)
        cells = {name: self._cell(name, cell, path) for name, cell in table.items()}
        row: dict[str, Any] = {name: cell for name, cell in cells.items() if cell is not _BAD}
        waits, times = row.get("waits", before.waits), row.get("times", before.times)
        if times != 0 and not waits and not before.after_cooldown:
            if cells.get("waits") is not _BAD:
                self._add(f"{path}.waits", "at least one is needed where something is tried again")
            return None
        if times == 0 and row.get("waits") and cells.get("times") is not _BAD:
            self._add(f"{path}.times", f"is 0, so nothing waits: give times too, or {NEVER!r} for the row")
        rule = attrs.evolve(before, **row)
        unsafe = list(problems_of_rule(reason, rule))
        if any(wait >= policy.timing.intent for wait in rule.waits):
            longest = words_of_duration(policy.timing.intent)
            unsafe.append(("waits", f"must be shorter than timing.intent, {longest}: nothing is tried later"))
        for field, problem in unsafe:
            self._add(f"{path}.{field}", problem)
        if unsafe:
            return None
        return _never(rule) if rule.times == 0 else rule

    def _cell(self, name: str, value: object, path: str) -> object:
        path = f"{path}.{name}"
        if name == "waits" and isinstance(value, list):
            values = enumerate(cast("list[object]", value))
            waits = [self._number(timedelta, wait, f"{path}[{index}]", "waits") for index, wait in values]
            return _BAD if None in waits else tuple(waits)
        if name == "times" and value == UNLIMITED:
            return None
        if name == "spends" and type(value) is bool:
            return value
        if name == "jitter" or (name == "times" and type(value) is int):
            number = self._number(float if name == "jitter" else int, value, path, name)
            return _BAD if number is None else number
        self._add(path, _CELL_TEXT[name])
        return _BAD

    def _number(self, kind: object, value: object, path: str, bound: str) -> Any:  # noqa: ANN401 (of that kind)
        """A duration, a whole number or a number within its bounds; else ``None``."""
        try:
            number = _plain(kind, value)
        except ValueError as error:
            self._add(path, str(error))
            return None
        problem = BOUNDS[bound].problem(number) or self._provider_s_problem(bound, number)
        if problem is not None:
            self._add(path, problem)
            return None
        return number

    def _provider_s_problem(self, bound: str, value: Any) -> str | None:  # noqa: ANN401 (a duration, by its bound)
        if self.declared is None:
            return None
        floor, declared = self.declared.poll_floor, self.declared
        match bound:
            case "timing.first_poll" if value < (least := max(floor, declared.first_poll)):
                return f"must be at least {words_of_duration(least)}: sooner, a look tells nothing at this provider"
            case "timing.poll_floor" | "timing.longest_poll" if value < floor:
                return f"must be at least {words_of_duration(floor)}: the provider wants no look sooner"
            case "timing.longest_poll" if value > declared.longest_poll:
                most = words_of_duration(declared.longest_poll)
                return f"must be at most {most}: at this provider, an end that no webhook tells must be looked for"
            case _:
                return None

    def _add(self, path: str, problem: str) -> None:
        self.problems.append(f"{path}: {problem}")


def _plain(kind: object, value: object) -> float | timedelta:
    if kind is timedelta:
        if not isinstance(value, str):
            msg = "must be a duration in quotes, such as '15 min'"
            raise ValueError(msg)
        return duration_of(value)
    if kind is int:
        if type(value) is not int:
            msg = "must be a whole number"
            raise ValueError(msg)
        return value
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    msg = "must be a number"
    raise ValueError(msg)


def _never(rule: Rule) -> Rule:
    """Nothing is tried again, so nothing waits."""
    return attrs.evolve(rule, waits=(), times=0, jitter=None)


def _names_of(kind: type[Timing]) -> list[str]:
    return [field.name for field in attrs.fields(kind)]


def _inner(value: object, name: str) -> object:
    """What a table holds, or an empty one. Whoever reads the outer one says so if it is none."""
    return value.get(name, {}) if _is_table(value) else {}


def _is_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)
