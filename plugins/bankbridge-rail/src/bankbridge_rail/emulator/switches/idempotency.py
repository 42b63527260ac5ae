"""What is open about ``Idempotency-Key``: all but that the header exists."""

from typing import Final

from bankbridge.emulation import Switch
from bankbridge_rail.emulator.switches.sources import MFA_GUIDE

IDEMPOTENCY: Final = (
    Switch(
        "idempotency",
        ("honoured", "ignored"),
        "A key is to be sent with every create; what it does is not stated, and so it may do nothing.",
        MFA_GUIDE,
    ),
    Switch(
        "idempotency_mismatch",
        ("409", "422", "ignored"),
        "What an idempotency key does with another body is not stated: an error, or nothing.",
        MFA_GUIDE,
    ),
    Switch(
        "idempotency_errors",
        ("replayed", "forgotten"),
        "Whether an error is kept for a key, as at Fintoc, or the next request is done anew, is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "idempotency_in_flight",
        ("waits", "409"),
        "What a second request does while the first with its key is under way is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "idempotency_lifetime",
        ("for_ever", "24_hours"),
        "How long a key is kept is not stated. Fintoc may drop it after 24 hours.",
        MFA_GUIDE,
    ),
    Switch(
        "idempotency_replay",
        ("same", "200", "marked"),
        "How an answer looks that is given again is not stated: as it was, with status 200, or with the header "
        "`Idempotency-Replayed: true`.",
        MFA_GUIDE,
    ),
    Switch(
        "idempotency_paths",
        ("refresh_intents", "every_post"),
        "The header is shown with refresh intents; whether other requests take it is not stated.",
        MFA_GUIDE,
    ),
)
