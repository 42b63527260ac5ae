"""Switches about webhooks: which events come, what they carry, and how they are delivered."""

from typing import Final

from bankbridge.emulation import Switch

_DOCS: Final = "https://docs.fintoc.com"
_TYPES: Final = f"{_DOCS}/api/main-resources/events-reference/types-of-events"
_OBJECT: Final = f"{_DOCS}/api/main-resources/events-reference/events-object"
_GUIDES: Final = f"{_DOCS}/guides/resources/webhooks-walkthrough"
_WEBHOOK: Final = f"{_DOCS}/docs/refresh-intents-webhook"

WEBHOOKS: Final = (
    Switch(
        "background_events",
        ("all", "succeeded_only", "none"),
        "which events Fintoc's own refreshes send: failed and rejected ones are said to be for on-demand plans only",
        _TYPES,
    ),
    Switch(
        "link_events",
        ("none", "link.refresh_intent", "refresh_intent"),
        "the event that ends a whole intent: the list has it for invoices only, a guide has a bare name that is in no "
        "list",
        f"{_TYPES}; {_DOCS}/guides/movements/refresh-intents-walkthrough/refresh-intents-creating",
    ),
    Switch(
        "link_created",
        ("widget_only", "endpoints_too"),
        "where `link.created` goes: to the widget's `webhookUrl` alone, says the text; an example has it among the "
        "events of an endpoint",
        f"{_TYPES}; {_DOCS}/api/main-resources/webhook-endpoints/webhook-endpoints-object.md",
    ),
    Switch(
        "event_link",
        ("whole", "reduced"),
        "the Link in `link.*` events: the example lacks `active`, `status`, `refresh_status`, `last_time_refreshed`",
        _OBJECT,
    ),
    Switch(
        "event_link_token",
        ("present", "null"),
        "whether the Link in `link.*` events has its token: the example has, elsewhere only the exchange shows it",
        f"{_OBJECT}; {_DOCS}/api/movements-api/links/link-object",
    ),
    Switch(
        "event_public_error",
        ("present", "absent"),
        "whether events carry `public_error` at all",
        f"{_WEBHOOK} (2021: absent; newer: present)",
    ),
    Switch(
        "event_created_at",
        ("of_the_intent", "days_before"),
        "`data.created_at` of an event: an example has a day four days before the event",
        f"{_WEBHOOK} (2021)",
    ),
    Switch(
        "removed_payload",
        ("refresh_intent", "movements", "items"),
        "what `movements_removed` carries: a refresh intent, says a table; a community client expects a list under one "
        "of two names",
        _TYPES,
    ),
    Switch(
        "test_event_keys",
        ("snake_case", "camelCase"),
        "how the keys of test events are written",
        f"{_GUIDES}/webhooks-testing (legacy page: camelCase)",
    ),
    Switch(
        "test_answer",
        ("event", "endpoint"),
        "what asking for a test event is answered with: the node SDK reads an event, the ruby SDK an endpoint",
        "fintoc-com/fintoc-node src/lib/managers/webhookEndpointsManager.ts; fintoc-com/fintoc-ruby "
        "lib/fintoc/v1/managers/webhook_endpoints_manager.rb",
    ),
    Switch(
        "webhook_urls",
        ("any", "https_or_local"),
        "whether an endpoint may be plain HTTP: Fintoc demands HTTPS with a good certificate, receivers in tests are "
        "next door",
        f"{_GUIDES}/webhooks-creating-guide",
    ),
    Switch(
        "retry_signature",
        ("fresh", "frozen"),
        "whether each retry is signed anew, or with the time of the first try",
        f"undocumented; {_GUIDES}/webhooks-validating",
    ),
    Switch(
        "auto_disable",
        ("never", "after_the_last_retry"),
        "whether an endpoint is disabled that has refused an event 18 times: a third party says that it is",
        f"undocumented; {_GUIDES}/webhooks-creating-guide",
    ),
)
