"""The switches of the emulated Fintoc: where its sources disagree or are silent, each reading can be had."""

from collections.abc import Mapping
from typing import Final

from bankbridge.emulation import Switch, switch_table

_DOCS: Final = "https://docs.fintoc.com"
_ERRORS_PAGE: Final = f"{_DOCS}/docs/refresh-intents-errors"

SWITCHES: Final[Mapping[str, Switch]] = switch_table(
    Switch(
        "create_status",
        ("201", "200"),
        "HTTP status of an answered create",
        f"undocumented; examples show 200 for reads: {_DOCS}/api/movements-api/refresh-intents",
    ),
    Switch(
        "until",
        ("exclusive", "inclusive"),
        "whether `until` takes in its own day",
        f"{_DOCS}/api/movements-api/movements/movements-list (older page: inclusive)",
    ),
    Switch(
        "invalid_link_token_status",
        ("400", "403"),
        "HTTP status of `invalid_link_token`",
        "fintoc-com/fintoc-ruby errors.rb (400), fintoc-com/fintoc-zapier authentication.js (403)",
    ),
    Switch(
        "after_rejected",
        ("as_scripted", "retry_now", "refuse_1h", "refuse_reconnect"),
        "what a create gets after a rejected intent; as_scripted: what the script words say",
        f"{_ERRORS_PAGE} against {_DOCS}/docs/refresh-intents-webhook (retry at once)",
    ),
    Switch(
        "cooldown_clock",
        ("creation", "success"),
        "from when the 5 or 60 minutes after a success are counted",
        f"{_ERRORS_PAGE} (creation); its v2023-11-15 copy (success)",
    ),
    Switch(
        "cooldown_scope",
        ("same_type", "any_type"),
        "whether a success holds back only its own refresh type",
        f"undocumented; {_DOCS}/api/movements-api/refresh-intents/refresh-intents-create",
    ),
    Switch(
        "public_error_set",
        ("2026", "2023"),
        "which `public_error` values exist; those that do not are null",
        "OpenAPI v2026-02-01 against v2023-11-15",
    ),
    Switch(
        "event_public_error",
        ("present", "absent"),
        "whether events carry `public_error` at all",
        f"{_DOCS}/docs/refresh-intents-webhook (2021: absent; newer: present)",
    ),
    Switch(
        "waiting_mfa_blocks",
        ("while_token_lives", "always", "never"),
        "for how long an intent whose widget nobody opens blocks new ones",
        "undocumented",
    ),
    Switch(
        "intent_rows",
        ("link_level", "with_accounts"),
        "whether GET /v1/refresh_intents lists rows of single accounts too",
        "undocumented; the v2023-11-15 object example is such a row",
    ),
    Switch(
        "paging",
        ("stable", "unstable"),
        "unstable repeats rows and never returns others, unless the window of dates is narrow",
        "fintoc-com/fintoc-ruby, cassette get_account_s_movements_with_arguments.yml (2020)",
    ),
    Switch(
        "background_events",
        ("all", "succeeded_only", "none"),
        "which events a background refresh sends",
        f"{_DOCS}/api/main-resources/events-reference/types-of-events (on-demand only)",
    ),
    Switch(
        "running_status",
        ("created", "in_progress"),
        "`status` of an intent that has not ended",
        f"undocumented; the create example shows created: {_DOCS}/docs/refresh-intents-creating",
    ),
    Switch(
        "result_status",
        ("honoured", "ignored"),
        "whether `result_status` on a create forces the outcome in test mode",
        "OpenAPI v2023-11-15; not confirmed for 2026",
    ),
    Switch(
        "test_event_keys",
        ("snake_case", "camelCase"),
        "how the keys of test events are written",
        f"{_DOCS}/guides/resources/webhooks-walkthrough/webhooks-testing (legacy page: camelCase)",
    ),
)
"""Every switch, by name."""
