"""How long things take at the emulated Fintoc."""

from datetime import timedelta

import attrs


@attrs.frozen(kw_only=True)
class Timings:
    """How long things take, in the clock's (virtual) time."""

    first_report: timedelta = timedelta(seconds=60)
    """From the start of the work to the first account's result; the docs speak of 1 to 3 minutes."""
    between_reports: timedelta = timedelta(seconds=15)
    """From one account's result to the next one's."""
    cooldown_age: timedelta = timedelta(minutes=4, seconds=30)
    """How long ago the success behind the script word `cooldown` was created."""
    running_since: timedelta = timedelta(seconds=20)
    """How long ago somebody else started the intent behind the script word `already_running`."""
    mfa_token_life: timedelta = timedelta(minutes=10)
    """How long a widget token can be used. Undocumented."""
    narrow_window: timedelta = timedelta(days=7)
    """Up to this width of `since`..`until`, pages are stable even where the switch `paging` is unstable."""
