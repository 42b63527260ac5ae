"""The command ``bankbridge replay``."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bankbridge.replay.show import Tally, as_json, as_line, summary, table
from bankbridge.shells.config import StoreSettings, read_config
from bankbridge.shells.policy_files import read_policy
from bankbridge.shells.replay import NowUnderstood, Replayed, Verdict
from bankbridge.words.errors import BankBridgeError, ConfigurationError

_DEFAULT: Final = Path("bankbridge.toml")
_PIPE: Final = 160
"""A pipe has no width of its own; the table needs room for ids."""

MOST_ROWS: Final = 200
"""What a person reads at once. With ``--json`` every one is printed, as it is found."""


def replay(
    *,
    config: Annotated[Path, typer.Option(help="The configuration file.")] = _DEFAULT,
    link: Annotated[str | None, typer.Option(metavar="ID", help="Only the intents of this link.")] = None,
    connection: Annotated[
        str | None, typer.Option(help="The link's connection, where two have a link of that id.")
    ] = None,
    intent: Annotated[str | None, typer.Option(metavar="ID", help="Only this intent.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            metavar="DATE",
            help="Only what is newer, in UTC: 2026-06-03.",
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Tell them under this policy: the [policy] tables of a configuration file, nothing else of it.",
        ),
    ] = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Put right what is over, and drain again what is understood now."),
    ] = False,
    in_json: Annotated[
        bool,
        typer.Option("--json", help="Print for a program: a line for each that differs, then the counts."),
    ] = False,
) -> None:
    """Tell every stored intent's story again, and show what today's translation would have said differently.

    With --policy, also what that policy would have said: the one that is in force now plays no part then.
    Reads the store only, and asks no provider anything. With --apply, intents that are over and would be over
    differently are put right, and deliveries that mean something now go back into the inbox; no refresh begins. Exits
    with 1 if anything differs (with --apply: if anything that differs was left alone), and with 2 if the
    configuration cannot be used.
    """
    tally = Tally(applying=apply)
    rows: list[Replayed | NowUnderstood] = []
    try:
        from bankbridge import BankBridge  # noqa: PLC0415 (only this command needs it)

        configured = read_config(config)
        _see_the_store(configured.store)
        policies = None if policy is None else read_policy(policy, configured.providers)
        store = configured.store.open(upgrade=False)
        with BankBridge(configured.providers, store=store, policies=configured.policies) as bridge:
            found = bridge.replay(
                link_id=link,
                connection=connection,
                intent_id=intent,
                since=None if since is None else since.replace(tzinfo=UTC),
                policies=policies,
                apply=apply,
            )
            for one in _watched(found, tally):
                if in_json:
                    typer.echo(as_line(one))
                elif len(rows) < MOST_ROWS:
                    rows.append(one)
    except BankBridgeError as error:
        typer.echo(f"bankbridge replay: {error}", err=True)
        raise typer.Exit(2) from None
    if in_json:
        typer.echo(as_json(tally))
    else:
        _print(rows, tally)
    if tally.differing:
        raise typer.Exit(1)


def _see_the_store(settings: StoreSettings) -> None:
    if settings.path is None and settings.url is None:
        raise ConfigurationError(["store: is kept in memory, where nothing is left to tell again"])
    if settings.path is not None and not Path(settings.path).exists():
        raise ConfigurationError([f"store.path: {settings.path!r} does not exist"])


def _watched(found: Iterator[Replayed | NowUnderstood], tally: Tally) -> Iterator[Replayed | NowUnderstood]:
    """Count everything, show a person how far it is, and pass on what differs."""
    with Console(stderr=True).status("telling again …") as shown:
        for one in found:
            tally.count(one)
            shown.update(f"telling again … {tally.intents:,} intents")
            if isinstance(one, NowUnderstood) or one.verdict is Verdict.DIFFERS:
                yield one


def _print(rows: list[Replayed | NowUnderstood], tally: Tally) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PIPE)
    if rows:
        console.print(table(rows, applying=tally.applying))
    if tally.shown > len(rows):
        console.print(f"… and {tally.shown - len(rows):,} more: --json prints each", highlight=False)
    for line in summary(tally):
        console.print(line, highlight=False, markup=False)
