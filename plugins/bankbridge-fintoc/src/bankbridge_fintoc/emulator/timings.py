"""How long things take at the emulated Fintoc."""

from datetime import timedelta

import attrs

from bankbridge.emulation import is_round


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
    """How long the widget token of a refresh intent can be used. Undocumented."""
    link_intent_life: timedelta = timedelta(minutes=30)
    """How long the widget token of a link intent can be used. Undocumented."""
    exchange_token_life: timedelta = timedelta(minutes=30)
    """How long an exchange token can be used; as in the published example of a link intent."""
    background_every: timedelta = attrs.field(default=timedelta(hours=4), validator=is_round)
    """From one of Fintoc's own refreshes of an account to the next; as in the published example of an account."""
    background_every_usd: timedelta = attrs.field(default=timedelta(hours=24), validator=is_round)
    """The same for accounts in US dollars."""
    settling: timedelta = timedelta(hours=12)
    """How long a movement is `processing`: the first refresh after it finds it confirmed or reversed."""
    late_rows: timedelta = timedelta(minutes=3)
    """How long after a success the fault `late_rows` hides the movements that it brought."""
    key_life: timedelta = timedelta(hours=24)
    """How long an idempotency key is remembered."""
    intent_retention: timedelta = timedelta(days=30)
    """For how long an intent can be read where the switch `intent_retention` is `limited`."""
    delivery_timeout: timedelta = timedelta(seconds=10)
    """How long a receiver of webhooks may take, in real time. That there is a limit is documented, and not which."""
