"""The command ``bankbridge``."""

import json
import sys
import time
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


@app.callback()
def _group() -> None:
    """Keep people's bank data fresh through any bank-data provider."""


@app.command()
def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the closing table as JSON.")] = False,
    speed: Annotated[float, typer.Option(min=1.0, max=300.0, help="Seconds that pass in one.")] = 180.0,
    seed: Annotated[int, typer.Option(help="Seed of the emulators' ids and data.")] = 0,
) -> None:
    """Play each provider's whole range against emulators on this machine, and hold every outcome against the truth.

    Starts an emulator of each provider and a webhook receiver on loopback, and needs no account anywhere. Exits with
    1 if any outcome differs from what the emulators know really happened.
    """
    try:
        from bankbridge.demo.play import play  # noqa: PLC0415 (only this command needs the extras)
        from bankbridge.demo.show import as_data, closing_table, progress  # noqa: PLC0415
    except ImportError as error:
        typer.echo(
            f"bankbridge demo: {error.name} is missing: pip install 'bankbridge[emulator,sqlite]'", err=True
        )
        raise typer.Exit(2) from None
    aside = Console(stderr=True)
    began = time.monotonic()
    if not as_json:
        aside.print(f"Two emulated providers and a receiver on loopback; {speed:g} seconds pass in one.")
    with progress(aside) as shown:
        verdicts = play(shown.watch, speed=speed, seed=seed)
    if as_json:
        typer.echo(json.dumps(as_data(verdicts), indent=2, ensure_ascii=False))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(closing_table(verdicts))
        _close(
            aside, sum(bool(verdict.differs) for verdict in verdicts), len(verdicts), time.monotonic() - began
        )
    for verdict in verdicts:
        for difference in verdict.differs:
            aside.print(f"{verdict.scenario.provider}: {verdict.scenario.title}: {difference}", style="red")
    if any(verdict.differs for verdict in verdicts):
        raise typer.Exit(1)


def _close(console: Console, different: int, played: int, seconds: float) -> None:
    agree = f"{played - different} of {played} outcomes agree with the emulators' truth"
    console.print(f"{agree}; {seconds:.0f} s.", style="red" if different else "green")


def main() -> None:
    """Run the command."""
    app()
