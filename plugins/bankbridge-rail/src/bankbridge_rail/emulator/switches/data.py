"""What is open about accounts and movements: of the latter nearly all, for no page of Rail's shows one."""

from typing import Final

from bankbridge.emulation import Switch
from bankbridge_rail.emulator.switches.sources import ACCOUNTS, QUICKSTART

DATA: Final = (
    Switch(
        "card_balance",
        ("example", "rule"),
        "A card's `available` is said to be `limit` less `current`; the example on the same page is not.",
        ACCOUNTS,
    ),
    Switch(
        "movement_ids",
        ("stable", "new_when_confirmed", "new_each_sync", "none"),
        "Whether movements have an id, and whether it stays, is not stated.",
        QUICKSTART,
    ),
    Switch(
        "movement_order",
        ("newest_first", "oldest_first"),
        "The order of movements is not stated.",
        QUICKSTART,
    ),
    Switch(
        "movement_dates",
        ("date", "datetime", "other_fields"),
        "A client in production takes the first ten characters of `post_date`, and tries `date` and `created_at` "
        "where there is none.",
        QUICKSTART,
    ),
    Switch(
        "movement_filters",
        ("ignored", "honoured"),
        "Whether movements take `since`, `until` and `per_page` is not stated.",
        QUICKSTART,
    ),
    Switch(
        "unconfirmed_status",
        ("processing", "pending"),
        "There is a filter `confirmed_only`; what the status of the others is called is not stated.",
        QUICKSTART,
    ),
)
