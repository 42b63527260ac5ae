"""What is open about refresh intents."""

from typing import Final

from bankbridge.emulation import Switch
from bankbridge_rail.emulator.switches.sources import BANKS, EVENTS, MFA_GUIDE

INTENTS: Final = (
    Switch(
        "cancel",
        ("failed", "failed_with_event", "canceled", "gone", "conflict_when_ended"),
        "DELETE cancels an intent that waits for a code; status, body and event of it are not stated. "
        "Either 204 and `failed` with code `canceled`, silently or with an event; or 200 and `canceled`; "
        "or the intent is not found any more; or as the first, with 409 for an intent that has ended.",
        MFA_GUIDE,
    ),
    Switch(
        "cancel_event",
        ("none", "refresh_intent.canceled"),
        "The catalogue of events has none for a cancel; a type outside it may come all the same.",
        EVENTS,
    ),
    Switch(
        "cancel_created",
        ("works", "409"),
        "DELETE is documented for an intent that waits for a code; whether it works before that is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "late_success",
        ("never", "after_cancel"),
        "Whether the sync of an intent that was canceled stops, or goes on and succeeds, is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "mfa_timeout",
        ("eager", "lazy"),
        "An unanswered prompt ends in `requires_mfa_user_timeout`: at its deadline, or only when "
        "somebody reads the intent or creates the next one.",
        MFA_GUIDE,
    ),
    Switch(
        "timeout_event",
        ("sent", "none"),
        "Whether an unanswered prompt ends with the event `refresh_intent.failed` is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "mfa_clock",
        ("runs", "stops_when_opened"),
        "The ten minutes are for opening the widget; whether they go on while it is open is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "mfa_rounds",
        ("1", "2"),
        "Whether a bank may ask for more than one code in an intent is not stated; each has a token of its own.",
        MFA_GUIDE,
    ),
    Switch(
        "solved_status",
        ("requires_mfa", "in_progress", "created"),
        "After the code is right the sync goes on; the status meanwhile is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "running_status",
        ("created", "processing"),
        "Four statuses are named; whether there is one between `created` and the end is not stated.",
        EVENTS,
    ),
    Switch(
        "refresh_type",
        ("optional", "required"),
        "Whether `refresh_type` may be left out, and what it is then, is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "refresh_type_values",
        ("any", "known"),
        "`full` and `historical` are named, no list of values is; others are taken, or refused.",
        MFA_GUIDE,
    ),
    Switch(
        "historical_elsewhere",
        ("refused", "as_full", "fails"),
        "`historical` is documented for BancoEstado alone. Elsewhere: refused with "
        "`refresh_type_not_supported`, or done as `full`, or the intent fails with that code.",
        BANKS,
    ),
    Switch(
        "second_intent",
        ("allowed", "409", "running_one"),
        "What a create does while an intent of the link is running is not stated: another one, an error "
        "(as at Fintoc), or the running one again.",
        MFA_GUIDE,
    ),
    Switch(
        "cooldown",
        ("none", "429", "409"),
        "No wait between refreshes is stated. Fintoc's is 5 minutes after a success, 60 after a historical one, "
        "none after a failure; the error is our pick.",
        MFA_GUIDE,
    ),
    Switch(
        "inactive_link",
        ("422", "409", "fails", "allowed"),
        "What a create for an expired link does is not stated: an error, or an intent that fails with "
        "`rejected_credentials`, or an intent like any other.",
        MFA_GUIDE,
    ),
    Switch(
        "success_order",
        ("intent_first", "link_first", "seeded"),
        "A success sends `refresh_intent.succeeded` and `link.refreshed`; their order is not stated.",
        EVENTS,
    ),
)
