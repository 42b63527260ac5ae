"""Switches about connections, and about refresh intents and what they depend on."""

from typing import Final

from bankbridge.emulation import Switch

_DOCS: Final = "https://docs.fintoc.com"
_ERRORS: Final = f"{_DOCS}/docs/refresh-intents-errors"
_CREATE: Final = f"{_DOCS}/api/movements-api/refresh-intents/refresh-intents-create"
_WIDGET: Final = f"{_DOCS}/docs/refresh-intents-widget"
_RECURRING: Final = f"{_DOCS}/docs/refresh-intents-webhook (2021)"
_LINK_INTENT: Final = f"{_DOCS}/api/movements-api/linkintents/link-intent-object"

REFRESHES: Final = (
    Switch(
        "link_intent_mode",
        ("both", "live_only"),
        "whether link intents can be made in test mode: one page says only live, and links to the testing guide",
        f"{_DOCS}/v2023-11-15/api/movements-api/link-intents/link-intent-object",
    ),
    Switch(
        "link_intent_exchange_token",
        ("null", "present"),
        "whether a new link intent already has its exchange token, to be used once a bank is connected",
        f"{_LINK_INTENT} (the example has it with the status `created`)",
    ),
    Switch(
        "exchange_token_form",
        ("exchange_token", "exc"),
        "the middle of an exchange token",
        f"{_LINK_INTENT}; newer example: exc",
    ),
    Switch(
        "exchange_token_use",
        ("once", "until_it_expires"),
        "how often an exchange token can be exchanged: the link token is shown once, says the quickstart",
        f"undocumented; {_DOCS}/guides/movements/overview-data-aggregation/quickstart",
    ),
    Switch(
        "reconnection",
        ("keeps_token", "new_token", "new_link"),
        "what a person who connects again gets, whose link needs it: the same link with its token or with a new one, "
        "or a new link",
        "undocumented",
    ),
    Switch(
        "on_demand",
        ("allowed", "on_demand_policy_required", "on_demand_refresh_unavailable", "invalid_on_demand_link"),
        "whether the organisation may create refresh intents, or with which error it may not",
        f"{_CREATE}; codes: fintoc-com/fintoc-ruby lib/fintoc/errors.rb",
    ),
    Switch(
        "after_rejected",
        ("as_scripted", "retry_now", "retry_once", "refuse_1h", "refuse_reconnect"),
        "what a create gets after a rejected intent; as_scripted: what the script words say; retry_once: the second "
        "rejection refuses creates for an hour, which would make both pages right",
        f"{_ERRORS} against {_DOCS}/docs/refresh-intents-webhook (retry at once)",
    ),
    Switch(
        "cooldown_clock",
        ("creation", "success"),
        "from when the 5 or 60 minutes after a success are counted",
        f"{_ERRORS} (creation); its v2023-11-15 copy (success)",
    ),
    Switch(
        "cooldown_scope",
        ("same_type", "any_type"),
        "whether a success holds back only its own refresh type",
        f"undocumented; {_CREATE}",
    ),
    Switch(
        "partial_cooldown",
        ("none", "counts"),
        "whether an intent of which only some accounts succeeded holds the next one back",
        f"undocumented; {_ERRORS}",
    ),
    Switch(
        "background_cooldown",
        ("none", "counts"),
        "whether a success of Fintoc's own refreshes holds the next intent back",
        f"undocumented; {_ERRORS}",
    ),
    Switch(
        "background_blocks",
        ("no", "yes"),
        "whether an intent is refused while Fintoc refreshes by itself",
        f"undocumented; {_CREATE}",
    ),
    Switch(
        "background_refreshes",
        ("off", "scheduled"),
        "whether Fintoc refreshes links by itself, again and again: that depends on the organisation's plan. Off, "
        "`next_refresh` is null",
        f"{_RECURRING}; {_DOCS}/api/movements-api/accounts/accounts-object",
    ),
    Switch(
        "background_rows",
        ("hidden", "listed"),
        "whether GET /v1/refresh_intents has Fintoc's own refreshes too",
        "undocumented",
    ),
    Switch(
        "result_status",
        ("honoured", "ignored"),
        "whether `result_status` on a create forces the outcome in test mode",
        "OpenAPI v2023-11-15; not confirmed for 2026",
    ),
    Switch(
        "running_status",
        ("created", "in_progress"),
        "`status` of an intent that has not ended",
        f"undocumented; the create example shows created: {_DOCS}/docs/refresh-intents-creating",
    ),
    Switch(
        "mfa_status",
        ("as_running", "requires_mfa"),
        "`status` of an intent that waits for the person: `requires_mfa` is documented as a field",
        f"undocumented; {_WIDGET}",
    ),
    Switch(
        "answered_mfa",
        ("kept", "null"),
        "what becomes of the field `requires_mfa` when the person has answered",
        f"undocumented; {_WIDGET}",
    ),
    Switch(
        "waiting_mfa_blocks",
        ("while_token_lives", "always", "never"),
        "for how long an intent whose widget nobody opens blocks new ones",
        f"undocumented; {_WIDGET}",
    ),
    Switch(
        "abandoned_mfa",
        ("stays", "fails"),
        "what becomes of an intent when its widget token has expired: it stays as it is, or it has failed",
        f"undocumented; {_WIDGET}",
    ),
    Switch(
        "intent_rows",
        ("link_level", "with_accounts"),
        "whether GET /v1/refresh_intents lists rows of single accounts too",
        "undocumented; the v2023-11-15 object example is such a row",
    ),
    Switch(
        "intent_retention",
        ("for_ever", "limited"),
        "for how long an intent can be read; limited: as the timing `intent_retention` says",
        "undocumented",
    ),
)
