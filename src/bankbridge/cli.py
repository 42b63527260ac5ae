"""The command ``bankbridge``."""

import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

try:
    import typer
    from rich.console import Console
except ImportError as missing:  # pragma: no cover (this is the case of an installation without the extra)
    sys.exit(f"bankbridge: the command needs {missing.name}: pip install 'bankbridge[cli]'")

from bankbridge.doctor.command import doctor
from bankbridge.policy_command import policy
from bankbridge.replay.command import replay
from bankbridge.store_command import store
from bankbridge.worker_command import worker

app = typer.Typer(
    help="Keep people's bank data fresh through any bank-data provider.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.add_typer(store)
app.add_typer(policy)
app.command()(doctor)
app.command()(replay)
app.command()(worker)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (Typer calls it with the option's value)
    if wanted:
        typer.echo(f"bankbridge {version('bankbridge')}")
        raise typer.Exit


@app.callback()
def _group(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep people's bank data fresh through any bank-data provider."""


@app.command()
def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the closing table as JSON.")] = False,
    only: Annotated[str | None, typer.Option(help="Play one provider only.")] = None,
    speed: Annotated[float, typer.Option(min=1.0, max=300.0, help="Seconds that pass in one.")] = 180.0,
    seed: Annotated[int, typer.Option(help="Seed of the emulators' ids and data.")] = 0,
) -> None:
    """Play each provider's whole range against emulators on this machine, and hold every outcome against the truth.

    Starts an emulator of each provider and a webhook receiver on loopback, and needs no account anywhere. Exits with
    1 if any outcome differs from what the emulators know really happened.
    """
    try:
        from bankbridge.demo.play import play  # noqa: PLC0415 (only this command needs the extras)
        from bankbridge.demo.scenarios import SCENARIOS  # noqa: PLC0415
        from bankbridge.demo.show import progress, report, report_json  # noqa: PLC0415
    except ImportError as error:
        typer.echo(
            f"bankbridge demo: {error.name} is missing: pip install 'bankbridge[emulator,sqlite]'", err=True
        )
        raise typer.Exit(2) from None
    chosen = [scenario for scenario in SCENARIOS if only is None or scenario.provider == only]
    if not chosen:
        known = ", ".join(sorted({scenario.provider for scenario in SCENARIOS}))
        raise typer.BadParameter(f"{only!r} is not played here (known: {known})", param_hint="--only")
    aside = Console(stderr=True)
    began = time.monotonic()
    if not as_json:
        aside.print(f"Emulated providers and a receiver on loopback; {speed:g} seconds pass in one.")
    with progress(aside) as shown:
        verdicts = play(shown.watch, scenarios=chosen, speed=speed, seed=seed)
    if as_json:
        typer.echo(report_json(verdicts))
    else:
        # A pipe has no width of its own; the table needs room for the providers' words.
        report(
            Console(width=None if sys.stdout.isatty() else 160), verdicts, seconds=time.monotonic() - began
        )
    if any(verdict.differs for verdict in verdicts):
        raise typer.Exit(1)


@app.command(
    help="Serve emulated providers, for any client in any language, until Ctrl-C.\n\n"
    "Each speaks its provider's own HTTP, sends signed webhooks and shows a page that stands in for its widget. "
    "Without a scenario there is a link for each thing that can happen, named after it: link_succeeds, link_mfa …"
)
def emulate(  # noqa: PLR0913 (an argument for each option)
    providers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROVIDER[:PORT]",
            help="What to emulate, and where; port 0 is any free one.",
            show_default="all",
        ),
    ] = None,
    *,
    scenario: Annotated[Path | None, typer.Option(help="A scenario file, TOML or JSON.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="What ids, keys, data and faults follow from.", show_default="0")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Virtual seconds in a real one; 0 stands still.", show_default="1")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="The virtual time at the start: 2026-06-03T15:00:00Z.", show_default="now"),
    ] = None,
    switch: Annotated[
        list[str] | None, typer.Option(metavar="[PROVIDER.]NAME=VALUE", help="Turn a switch. Repeatable.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="[PROVIDER.]NAME=RATE", help="Let a fault strike. Repeatable.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    list_switches: Annotated[
        bool, typer.Option("--list-switches", help="List the switches, and stop.")
    ] = False,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="List the faults, and stop.")] = False,
    list_words: Annotated[
        bool, typer.Option("--list-words", help="List the script words, and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for a program.")] = False,
) -> None:
    """Serve emulated providers until Ctrl-C."""
    try:
        from bankbridge.emulate.choosing import Wish  # noqa: PLC0415 (only this command needs the extra)
        from bankbridge.emulate.command import run  # noqa: PLC0415
    except ImportError as error:
        typer.echo(
            f"bankbridge emulate: {error.name} is missing: pip install 'bankbridge[emulator]'", err=True
        )
        raise typer.Exit(2) from None
    wish = Wish(
        providers=providers or (),
        seed=seed,
        speed=speed,
        start=start,
        switches=switch or (),
        faults=fault or (),
    )
    listing: Literal["switches", "faults", "words"] | None = (
        "switches" if list_switches else "faults" if list_faults else "words" if list_words else None
    )
    raise typer.Exit(run(wish, scenario=scenario, host=host, listing=listing, as_json=as_json))


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
