"""Switches about how objects are written."""

from typing import Final

from bankbridge.emulation import Switch

_DOCS: Final = "https://docs.fintoc.com"
_INTENT: Final = f"{_DOCS}/api/movements-api/refresh-intents/refresh-intents-object"
_MOVEMENT: Final = f"{_DOCS}/api/movements-api/movements/movements-object"

OBJECTS: Final = (
    Switch(
        "id_form",
        ("prefixed", "bare"),
        "whether ids begin with what they are of: those from before 2021-05-05 do not, and the form may change",
        f"{_DOCS}/docs/api-changelog; {_DOCS}/guides/home/changes.md",
    ),
    Switch(
        "compatible_changes",
        ("none", "fields_and_values"),
        "whether objects have fields that nobody documents, in another order, and values outside the published lists: "
        "Fintoc may do this without a new version",
        f"{_DOCS}/guides/home/changes.md",
    ),
    Switch(
        "public_error_set",
        ("by_version", "2026", "2023"),
        "which `public_error` values exist; those that do not are null. By version: 2023-11-15 has not the two about "
        "credentials",
        "OpenAPI v2026-02-01 against v2023-11-15",
    ),
    Switch(
        "intent_public_error",
        ("present", "absent"),
        "whether refresh intents have `public_error` when they are read",
        f"{_INTENT} (absent in the example); OpenAPI v2026-02-01 (required)",
    ),
    Switch(
        "link_new_movements",
        ("zero", "absent"),
        "`new_movements` of an intent for a link: the text knows it only for accounts, the example has 0",
        _INTENT,
    ),
    Switch(
        "refresh_status_words",
        ("two", "four"),
        "the values of a link's `refresh_status`: `refreshing` is documented and `idle` seen; a third party has "
        "`partially_refreshing` and `interrupted` besides",
        f"{_DOCS}/api/movements-api/links/link-object; community clients",
    ),
    Switch(
        "inactive_status",
        ("unchanged", "inactive"),
        "`status` of an inactive link: `inactive` is not in the documents, but the CLI filters by it",
        f"{_DOCS}/api/movements-api/links/link-object; fintoc-com/fintoc-cli",
    ),
    Switch(
        "processing_word",
        ("processing", "pending"),
        "`status` of a movement that is not settled: it varies by page",
        f"{_MOVEMENT}; {_DOCS}/reference/movements-object",
    ),
    Switch(
        "movement_extras",
        ("none", "as_seen"),
        "whether movements have `transfer_id` and `document_number`, which one sample shows and no page",
        "a sandbox response of April 2026 in a community client",
    ),
    Switch(
        "amounts_in_pesos",
        ("units", "cents"),
        "what amounts in CLP count: the smallest unit of the currency, which has no decimals, or hundredths of it, as "
        "one copy of the page on movements says",
        f"{_MOVEMENT} against {_DOCS}/reference/movements-object",
    ),
    Switch(
        "post_date",
        ("milliseconds", "seconds"),
        "how the midnight of a `post_date` is written",
        f"{_MOVEMENT}; {_DOCS}/changelog/webhook-de-cambios-en-los-movimientos",
    ),
    Switch(
        "endpoint_flag",
        ("both", "status", "disabled"),
        "how a webhook endpoint says whether it is enabled: documents have `status`, the ruby SDK demands `disabled`",
        f"{_DOCS}/api/main-resources/webhook-endpoints/webhook-endpoints-object.md; fintoc-com/fintoc-ruby "
        "lib/fintoc/v1/resources/webhook_endpoint.rb",
    ),
)
