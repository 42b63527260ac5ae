"""The command ``bankbridge``."""

import sys
import time
from importlib.metadata import version
from typing import Annotated

try:
    import typer
    from rich.console import Console
except ImportError as missing:  # pragma: no cover (this is the case of an installation without the extra)
    sys.exit(f"bankbridge: the command needs {missing.name}: pip install 'bankbridge[cli]'")


app = typer.Typer(
    help="Keep people's bank data fresh through any bank-data provider.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


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


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
