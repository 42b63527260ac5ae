"""What Rail's documentation leaves open, as switches: every reading of it can be emulated."""

from collections.abc import Mapping
from typing import Final

from bankbridge.emulation import Switch, switch_table

_MFA_GUIDE: Final = "https://docs.rail.cl/guides/mfa-handling"
_EVENTS: Final = "https://docs.rail.cl/concepts/events"
_QUICKSTART: Final = "https://docs.rail.cl/quickstart"


SWITCHES: Final[Mapping[str, Switch]] = switch_table(
    Switch(
        "cancel",
        ("failed", "failed_with_event", "canceled", "gone", "conflict_when_ended"),
        "DELETE cancels an intent that waits for a code; status, body and event of it are not stated. "
        "Either 204 and `failed` with code `canceled`, silently or with an event; or 200 and `canceled`; "
        "or the intent is not found any more; or as the first, with 409 for an intent that has ended.",
        _MFA_GUIDE,
    ),
    Switch(
        "cancel_event",
        ("none", "refresh_intent.canceled"),
        "The catalogue of events has none for a cancel; a type outside it may come all the same.",
        _EVENTS,
    ),
    Switch(
        "mfa_timeout",
        ("eager", "lazy"),
        "An unanswered prompt ends in `requires_mfa_user_timeout`: at its deadline, or only when "
        "somebody reads the intent or creates the next one.",
        _MFA_GUIDE,
    ),
    Switch(
        "solved_status",
        ("requires_mfa", "in_progress"),
        "After the code is right the sync goes on; the status meanwhile is not stated.",
        _MFA_GUIDE,
    ),
    Switch(
        "create_status",
        ("201", "200", "202"),
        "The HTTP status of a successful POST is not stated.",
        _MFA_GUIDE,
    ),
    Switch(
        "list_shape",
        ("bare", "data"),
        'Lists are shown as bare arrays; a client in production also takes `{"data": [...]}`.',
        _QUICKSTART,
    ),
    Switch(
        "success_order",
        ("intent_first", "link_first"),
        "A success sends `refresh_intent.succeeded` and `link.refreshed`; their order is not stated.",
        _EVENTS,
    ),
    Switch(
        "idempotency_mismatch",
        ("409", "422", "ignored"),
        "What an idempotency key does with another body is not stated: an error, or nothing.",
        _MFA_GUIDE,
    ),
    Switch(
        "sync_field",
        ("last_synced_at", "last_sync_at"),
        "The event page calls it `last_synced_at`; a client in production reads `last_sync_at`.",
        _EVENTS,
    ),
    Switch(
        "bank_field",
        ("bank_id", "institution"),
        "A link names its bank by `bank_id`; a client in production reads `institution: {id, name}`.",
        _EVENTS,
    ),
    Switch(
        "rate_limit",
        ("off", "on"),
        "More than 100 requests in a minute are answered 429; off, so that tests may be quick.",
        _MFA_GUIDE,
    ),
)
