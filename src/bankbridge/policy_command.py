"""The commands ``bankbridge policy …``: which policy is in force, and in which words it could be written."""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import typer
from rich.console import Console
from rich.table import Table

from bankbridge.machine.outcome import STEP_AFTER, actor_after
from bankbridge.machine.policy import Policy, Timing
from bankbridge.provider import Capabilities
from bankbridge.shells.config import declared_in, read_document
from bankbridge.shells.connections import policy_for
from bankbridge.shells.policies import NUMBERS
from bankbridge.shells.policy_files import read_policies
from bankbridge.shells.policy_text import document_of, rule_words, toml_of
from bankbridge.words.durations import words_of_duration
from bankbridge.words.errors import ConfigurationError, did_you_mean

_DEFAULT: Final = Path("bankbridge.toml")
_PIPE: Final = 180
"""A pipe has no width of its own; a row needs room for its waits."""

policy = typer.Typer(
    name="policy",
    help="Look at the retry policy: what is tried again by itself, when, and how often.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@policy.callback()
def _group() -> None:
    """Look at the retry policy: what is tried again by itself, when, and how often."""


@attrs.frozen(kw_only=True)
class _InForce:
    """A policy that is in force somewhere, and what would be there if no file said anything."""

    connection: str
    institution: str | None
    policy: Policy
    default: Policy

    @property
    def title(self) -> str:
        return self.connection if self.institution is None else f"{self.connection} at {self.institution}"


@policy.command()
def show(
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = _DEFAULT,
    connection: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this connection.", show_default="all")
    ] = None,
    institution: Annotated[
        str | None, typer.Option(metavar="ID", help="At this bank, by the provider's id of it.")
    ] = None,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print it whole as TOML, banks too, to change it and try it out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a program.")] = False,
) -> None:
    """Show the policy that is in force: defaults, what the file changes, and what the provider decides.

    What differs from the default says so. Reads the file only, and needs no secret of it. Exits with 1 if the file
    cannot be used.
    """
    if as_toml and (as_json or institution is not None):
        raise typer.BadParameter("prints everything, and only so", param_hint="--toml")
    try:
        chosen = _chosen(read_policies(config), connection)
        shown = list(_shown(chosen, declared_in(read_document(config), []), institution))
    except ConfigurationError as error:
        typer.echo(f"bankbridge policy: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps([_document(one) for one in shown], ensure_ascii=False))
    elif as_toml:
        typer.echo(toml_of(chosen))
    else:
        _print(shown)


def _chosen(policies: Mapping[str, Policy], name: str | None) -> Mapping[str, Policy]:
    if not policies:
        raise ConfigurationError(["connections: at least one is needed, for instance [connections.rail]"])
    if name is None:
        return policies
    if name not in policies:
        raise ConfigurationError([f"--connection {name!r}: not configured{did_you_mean(name, policies)}"])
    return {name: policies[name]}


def _shown(
    policies: Mapping[str, Policy], declared: Mapping[str, Capabilities | None], institution: str | None
) -> Iterator[_InForce]:
    for name, own in policies.items():
        capabilities = declared[name]
        default = Policy() if capabilities is None else policy_for(capabilities)
        banks = (None, *own.institutions) if institution is None else (institution,)
        for bank in banks:
            yield _InForce(connection=name, institution=bank, policy=own.at(bank), default=default)


def _document(shown: _InForce) -> dict[str, Any]:
    where = {"connection": shown.connection, "institution": shown.institution}
    return {**where, "policy": document_of(shown.policy)}


def _print(shown: list[_InForce]) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PIPE)
    for one in shown:
        console.print(_retries(one))
        console.print(_numbers(one))


def _retries(shown: _InForce) -> Table:
    table = Table(title=f"{shown.title}: what is tried again by itself", title_justify="left")
    for heading in ("reason", "by itself", "by default", "once it is over", "who must act then"):
        table.add_column(heading)
    for reason, rule in shown.policy.retry.items():
        default = shown.default.retry[reason]
        table.add_row(
            reason.value,
            rule_words(rule),
            "" if rule == default else rule_words(default),
            type(STEP_AFTER[reason]).__name__,
            actor_after(reason).value,
        )
    return table


def _numbers(shown: _InForce) -> Table:
    table = Table(title=f"{shown.title}: the numbers", title_justify="left")
    for heading in ("setting", "in force", "by default"):
        table.add_column(heading)
    defaults = dict(_settings(shown.default))
    for name, value in _settings(shown.policy):
        default = defaults.get(name, timedelta(0))
        table.add_row(name, _words(value), "" if value == default else _words(default))
    return table


def _settings(policy: Policy) -> Iterator[tuple[str, object]]:
    """Every number by the path at which a file says it."""
    yield from ((name, getattr(policy, name)) for name in NUMBERS)
    yield from (
        (f"timing.{field.name}", getattr(policy.timing, field.name)) for field in attrs.fields(Timing)
    )
    yield from ((f"cooldowns.{scope.value}", wait) for scope, wait in policy.cooldowns.items())


def _words(value: object) -> str:
    return words_of_duration(value) if isinstance(value, timedelta) else f"{value}"
