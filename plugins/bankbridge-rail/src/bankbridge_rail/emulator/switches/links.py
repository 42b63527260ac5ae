"""What is open about links, the widget and the automatic sync."""

from typing import Final

from bankbridge.emulation import Switch
from bankbridge_rail.emulator.switches.sources import ACCOUNTS, EVENTS, POST_LINKS, QUICKSTART, WIDGET_TOKENS

LINKS: Final = (
    Switch(
        "automatic_sync",
        ("on", "off"),
        "Every link is synced every four hours, without an event when that fails; off, for a quiet test.",
        EVENTS,
    ),
    Switch(
        "automatic_mfa",
        ("skipped", "fails", "expires"),
        "What the automatic sync does when the bank asks for a code is not stated: nothing; or it fails and "
        "nothing follows; or it fails and the third time in a row expires the link.",
        EVENTS,
    ),
    Switch(
        "failures_that_count",
        ("rejected_credentials", "all"),
        'A link expires after three failures in a row "without validating"; which ones count is not stated.',
        EVENTS,
    ),
    Switch(
        "on_demand_failures",
        ("count", "do_not_count"),
        "Whether failures of refresh intents count towards the three is not stated.",
        EVENTS,
    ),
    Switch(
        "paused_status",
        ("active", "paused"),
        "`is_paused` is seen by a client in production; whether the status says it too is not stated. A paused "
        "link is not synced automatically.",
        QUICKSTART,
    ),
    Switch(
        "failing_status",
        ("active", "error"),
        "`active` and `expired` are named; whether there is one for a link whose last sync failed is not stated.",
        EVENTS,
    ),
    Switch(
        "last_error",
        ("string", "object"),
        "`last_error` is seen by a client in production; whether it is the code or an object is not known.",
        QUICKSTART,
    ),
    Switch(
        "bank_field",
        ("bank_id", "institution"),
        "A link names its bank by `bank_id`; a client in production reads `institution: {id, name}`.",
        EVENTS,
    ),
    Switch(
        "sync_field",
        ("last_synced_at", "last_sync_at"),
        "The event page calls it `last_synced_at`; a client in production reads `last_sync_at`.",
        EVENTS,
    ),
    Switch(
        "widget_token_body",
        ("both", "bank_id", "institution_id"),
        "A widget token is asked for with `bank_id` (quickstart) or with `institution_id` (reference): either "
        "is taken, or the other one is refused.",
        WIDGET_TOKENS,
    ),
    Switch(
        "link_appears",
        ("at_exchange", "at_login"),
        "`link.created` comes after the exchange; whether the link is listed before it is not stated.",
        EVENTS,
    ),
    Switch(
        "exchange_again",
        ("409", "404", "410", "200"),
        "What a second exchange of the same token answers is not stated; 200 gives the same answer again.",
        QUICKSTART,
    ),
    Switch(
        "exchange_expired",
        ("410", "404", "400"),
        "What the exchange of a token that is too old answers, and when it is, is not stated.",
        QUICKSTART,
    ),
    Switch(
        "reconnect",
        ("same_link", "new_accounts", "new_link"),
        "A person connects an expired link again: whether it keeps its id, and its accounts theirs, is not stated.",
        WIDGET_TOKENS,
    ),
    Switch(
        "reconnect_event",
        ("link.created", "none", "link.reconnected"),
        "Which event follows when a link is connected again in place is not stated; the last is in no catalogue.",
        EVENTS,
    ),
    Switch(
        "post_links",
        ("at_once", "later"),
        "Whether POST /v1/links answers when the bank has taken the credentials, or before with a link that is "
        "`pending`, is not stated.",
        POST_LINKS,
    ),
    Switch(
        "post_links_event",
        ("link.created", "none"),
        "`link.created` follows an exchange; whether it follows POST /v1/links too is not stated.",
        EVENTS,
    ),
    Switch(
        "post_links_code",
        ("not_asked", "refused"),
        "What POST /v1/links does at a bank that always asks for a code is not stated: nobody could type it there. "
        "The link is made all the same, or the request is refused with `requires_mfa`.",
        POST_LINKS,
    ),
    Switch(
        "deleted_link_intents",
        ("fail", "vanish", "go_on"),
        "What becomes of an intent that runs when its link is deleted is not stated: it fails with "
        "`link_deleted`, or is not found any more, or goes on.",
        EVENTS,
    ),
    Switch(
        "unknown_link",
        ("404", "422"),
        "What a create for a link that does not exist answers is not stated.",
        EVENTS,
    ),
    Switch(
        "deleted_link",
        ("404", "410"),
        "Whether a link that was deleted is answered as one that never was is not stated.",
        EVENTS,
    ),
    Switch(
        "accounts_link_id",
        ("optional", "required"),
        "Whether the list of accounts may be asked for without `link_id` is not stated.",
        ACCOUNTS,
    ),
    Switch(
        "include_removed",
        ("accounts", "movements", "both"),
        "`include_removed=true` keeps showing what belongs to a removed account; on which list is not stated.",
        EVENTS,
    ),
)
