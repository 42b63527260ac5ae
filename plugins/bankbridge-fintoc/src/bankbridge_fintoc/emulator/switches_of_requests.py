"""Switches about who may ask, and how a request is answered."""

from typing import Final

from bankbridge.emulation import Switch

_DOCS: Final = "https://docs.fintoc.com"
_RUBY: Final = "fintoc-com/fintoc-ruby lib/fintoc/errors.rb"

REQUESTS: Final = (
    Switch(
        "bearer",
        ("accepted", "refused"),
        "whether `Authorization: Bearer KEY` opens too: the documents ask for the raw key, the ruby SDK sends this",
        f"{_DOCS}/api/fintoc-api/authentication; fintoc-com/fintoc-ruby lib/fintoc/base_client.rb",
    ),
    Switch(
        "public_key_code",
        ("invalid_api_key_mode", "invalid_api_key"),
        "the error code for a public key where a secret one belongs",
        f"undocumented; codes: {_RUBY}",
    ),
    Switch(
        "rate_limit",
        ("off", "100_per_second", "100_per_10_seconds_and_address", "5_per_second"),
        "how many requests are let through, in virtual time, before 429 `rate_limit_exceeded`; three documents have "
        "three numbers. The first one also lets 100 widgets connect in 130 s",
        f"{_DOCS}/guides/home/api-rate-limits (organisation); {_DOCS}/docs/api-rate-limits (address); v2023-11-15 "
        "pages on status codes (5/s)",
    ),
    Switch(
        "throttled_keys",
        ("not_kept", "kept"),
        "whether a 429 of that limit is kept under the request's idempotency key: errors are, failed logins are not",
        f"undocumented; {_DOCS}/reference/idempotent-requests",
    ),
    Switch(
        "stored_keys",
        ("24_hours", "for_ever"),
        "how long an idempotency key is remembered: it *may* be pruned after 24 hours",
        f"{_DOCS}/reference/idempotent-requests",
    ),
    Switch(
        "key_conflict",
        ("400", "409", "422"),
        "HTTP status for an idempotency key that was used with other parameters: only that it is an error is known",
        f"undocumented; {_DOCS}/reference/idempotent-requests",
    ),
    Switch(
        "pinned_version",
        ("first_request", "2026-02-01", "2025-08-13", "2023-11-15"),
        "the API version of the account, in which its webhooks come: set by its first request, be it the request's "
        "`Fintoc-Version` or the latest one, or given",
        f"{_DOCS}/guides/home/upgrade-api-version",
    ),
    Switch(
        "form_bodies",
        ("refused", "accepted"),
        "whether a body may be a form too; the documents ask for JSON",
        f"undocumented; {_DOCS}/api/fintoc-api/introduction",
    ),
    Switch(
        "error_fields",
        ("whole", "bare"),
        "whether errors have `param` and `doc_url`, which may be absent",
        f"{_DOCS}/api/fintoc-api/errors/errors-object.md",
    ),
    Switch(
        "create_status",
        ("201", "200"),
        "HTTP status of an answered create",
        f"undocumented; examples show 200 for reads: {_DOCS}/api/movements-api/refresh-intents",
    ),
    Switch(
        "refused_create_status",
        ("by_code", "400"),
        "HTTP status of a refresh intent that is refused: as the ruby SDK groups the codes (422, 429), or 400 for all",
        f"undocumented; {_RUBY}",
    ),
    Switch(
        "unavailable_status",
        ("503", "406"),
        "HTTP status of `unavailable_institution`: the documents have 503 for a bank that is unavailable",
        f"{_DOCS}/api/fintoc-api/errors.md (503); {_RUBY} (406)",
    ),
    Switch(
        "invalid_link_token_status",
        ("400", "403"),
        "HTTP status of `invalid_link_token`",
        f"{_RUBY} (400); fintoc-com/fintoc-zapier authentication.js (403)",
    ),
    Switch(
        "unknown_token_in_path",
        ("missing_resource", "invalid_link_token"),
        "the error code for a link token in the path that opens no link",
        f"undocumented; {_DOCS}/api/movements-api/links",
    ),
    Switch(
        "per_page_over_300",
        ("refused", "cut"),
        "whether a page of more than 300 rows is refused, or has 300",
        f"undocumented; {_DOCS}/api/movements-api/movements/movements-list",
    ),
    Switch(
        "until",
        ("exclusive", "inclusive"),
        "whether `until` takes in its own day",
        f"{_DOCS}/api/movements-api/movements/movements-list (older page: inclusive)",
    ),
    Switch(
        "movements_path",
        ("accounts_only", "links_too"),
        "whether `GET /v1/movements?link_token=` lists the movements of all accounts: one entry of the changelog shows "
        "it, everywhere else the path has an account",
        f"{_DOCS}/changelog?page=2 (Status de los Movimientos)",
    ),
    Switch(
        "inactive_link",
        ("readable", "refused"),
        "whether the data of an inactive link can be read: one page says both",
        f"{_DOCS}/api/movements-api/links (update)",
    ),
)
