"""How long things take at the emulated Rail."""

from datetime import timedelta
from typing import Final

import attrs

from bankbridge.emulation import is_round


@attrs.frozen(kw_only=True)
class Timings:
    """How long things take, in virtual time; most as in the example of https://docs.rail.cl/concepts/events."""

    sync: timedelta = timedelta(seconds=45)
    """From the create of an intent to its end, without a code."""
    until_prompt: timedelta = timedelta(seconds=15)
    """From the create until the bank asks for a code."""
    prompt_lasts: timedelta = timedelta(minutes=10)
    """How long a prompt can be answered."""
    after_code: timedelta = timedelta(seconds=30)
    """From the code to the end."""
    slow_rejection: timedelta = timedelta(seconds=90)
    """How long BancoEstado, which may need 60-90 s, takes to refuse."""
    until_running: timedelta = timedelta(seconds=5)
    """From the create to the status in between, where there is one; undocumented."""
    sync_every: timedelta = attrs.field(default=timedelta(hours=4), validator=is_round)
    """From one automatic sync to the next."""
    widget_token_lasts: timedelta = timedelta(minutes=30)
    """How long a widget can be opened; undocumented."""
    exchange_token_lasts: timedelta = timedelta(minutes=30)
    """How long after the login the exchange can be done; undocumented."""
    late_rows: timedelta = timedelta(minutes=3)
    """How long after the success new movements can be read, where they are late."""


EXAMPLE_TIMINGS: Final = Timings()
