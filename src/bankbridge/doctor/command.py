"""The command ``bankbridge doctor``."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bankbridge.doctor.checks import Check, Verdict, WaitingFor, problem
from bankbridge.doctor.configuration import NAME
from bankbridge.doctor.show import as_json as in_json
from bankbridge.doctor.show import watch, worst
from bankbridge.shells.config import read_document
from bankbridge.words.errors import ConfigurationError

_DEFAULT: Final = Path("bankbridge.toml")
_PIPE: Final = 160
"""A pipe has no width of its own; a line needs room for what is to be done."""


def doctor(
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = _DEFAULT,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider whether it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a program.")] = False,
) -> None:
    """Look at an installation: what is right, what is not, and the remedy.

    Looks at the configuration, the store and what waits in it, keys and secrets, and whether each provider answers
    and agrees about the time. Changes nothing. Exits with 1 if there is a problem, and with 2 if the configuration
    file cannot be read at all; warnings are no problems.
    """
    from bankbridge.doctor.examine import examine  # noqa: PLC0415 (httpx is only for this command)

    try:
        document = read_document(config)
    except ConfigurationError as error:
        _show([problem(NAME, str(error), "name the right file with --config, or mend it")], as_json=as_json)
        raise typer.Exit(2) from None
    checks = _show(examine(document, config, offline=offline), as_json=as_json)
    if worst(check.verdict for check in checks) is Verdict.PROBLEM:
        raise typer.Exit(1)


def _show(said: Iterable[Check | WaitingFor], *, as_json: bool) -> list[Check]:
    if not as_json:
        return watch(said, Console(width=None if sys.stdout.isatty() else _PIPE))
    checks = [one for one in said if isinstance(one, Check)]
    typer.echo(in_json(checks))
    return checks
