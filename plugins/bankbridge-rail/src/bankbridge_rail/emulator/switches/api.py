"""What is open about the HTTP API as a whole."""

from typing import Final

from bankbridge.emulation import Switch
from bankbridge_rail.emulator.switches.sources import API_KEYS, MFA_GUIDE, QUICKSTART

API: Final = (
    Switch(
        "key_prefix",
        ("rail_sk", "sk"),
        "API keys begin with `rail_sk_` and `rail_pk_` (quickstart), or with `sk_` and `pk_` (reference).",
        API_KEYS,
    ),
    Switch(
        "publishable_key",
        ("401", "403"),
        "The API wants a secret key; what it answers to a publishable one is not stated.",
        QUICKSTART,
    ),
    Switch(
        "error_envelope",
        ("nested", "flat", "text"),
        "No page shows an error. A client in production reads `error.code` and `error.message`; flat has them at "
        "the top, text is no JSON.",
        QUICKSTART,
    ),
    Switch(
        "invalid_parameter",
        ("400", "422"),
        "The HTTP status of a request that is not as it should be is not stated.",
        QUICKSTART,
    ),
    Switch(
        "rate_limit",
        ("off", "on", "on_without_retry_after"),
        "More than 100 requests in a minute are answered 429; `Retry-After` is known from a client in production. "
        "Off, so that tests may be quick.",
        MFA_GUIDE,
    ),
    Switch(
        "rate_limit_scope",
        ("organisation", "key"),
        "Whether the limit counts the requests of a key or of all of them is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "create_status",
        ("201", "200", "202"),
        "The HTTP status of a successful POST is stated for the four requests of the generated reference only.",
        MFA_GUIDE,
    ),
    Switch(
        "delete_status",
        ("204", "200", "202"),
        "The HTTP status of a successful DELETE of a link or an endpoint is not stated; but for 204 there is a body.",
        QUICKSTART,
    ),
    Switch(
        "list_shape",
        ("bare", "data"),
        'Lists are shown as bare arrays; a client in production also takes `{"data": [...]}`.',
        QUICKSTART,
    ),
    Switch(
        "list_pages",
        ("none", "30"),
        "Whether links and accounts come in pages, as movements do, is not stated.",
        QUICKSTART,
    ),
    Switch(
        "undocumented_routes",
        ("offered", "absent"),
        "Reading one link, listing, changing and deleting endpoints, and listing keys are on no page, but a tool "
        "needs them.",
        QUICKSTART,
    ),
    Switch(
        "absent_fields",
        ("absent", "null"),
        "Whether a field that does not apply, such as `requires_mfa`, is left out or null is not stated.",
        MFA_GUIDE,
    ),
    Switch(
        "extra_fields",
        ("none", "some"),
        "Objects may have fields that no page shows: `created_at`, `error_message`, `mode` and more.",
        MFA_GUIDE,
    ),
)
