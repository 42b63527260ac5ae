"""What is open about events and their delivery."""

from typing import Final

from bankbridge.emulation import Switch
from bankbridge_rail.emulator.switches.sources import EVENTS, WEBHOOK_GUIDE

WEBHOOKS: Final = (
    Switch(
        "retry_schedule",
        ("17_times", "never"),
        "Whether and when a delivery is tried again is not stated. Fintoc: 3 s later, then twice as long each time, "
        "17 times.",
        WEBHOOK_GUIDE,
    ),
    Switch(
        "retry_timestamp",
        ("fresh", "frozen"),
        "Whether a retry is signed anew is not stated; if not, it is soon older than the 300 s that the guide allows.",
        WEBHOOK_GUIDE,
    ),
    Switch(
        "event_data",
        ("partial", "full"),
        "`data` is said to be the resource after the change; the examples show a part of it.",
        EVENTS,
    ),
    Switch(
        "movement_event",
        ("none", "movements.created"),
        "The guide says that Rail tells of new movements; the catalogue has no event for it.",
        WEBHOOK_GUIDE,
    ),
    Switch(
        "test_mode_webhooks",
        ("sent", "none"),
        "Whether webhooks are sent in test mode is not stated.",
        WEBHOOK_GUIDE,
    ),
    Switch(
        "http_urls",
        ("accepted", "local_only"),
        "Whether an endpoint may be http and not https is not stated; local_only takes that on this machine alone.",
        WEBHOOK_GUIDE,
    ),
    Switch(
        "endpoint_read",
        ("without_secret", "with_secret"),
        "The secret is in the answer to the create; whether it can be read later is not stated.",
        WEBHOOK_GUIDE,
    ),
    Switch(
        "failing_endpoints",
        ("kept", "disabled"),
        "Whether an endpoint that fails is disabled is not stated; if so, here, after all tries of an event.",
        WEBHOOK_GUIDE,
    ),
)
