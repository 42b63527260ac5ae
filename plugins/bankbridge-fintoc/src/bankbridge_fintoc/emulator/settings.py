"""What can be chosen about the emulated Fintoc: switches where sources disagree, and how long things take."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import attrs

from bankbridge.emulation import check_word

DOCS: Final = "https://docs.fintoc.com"
ERRORS_PAGE: Final = f"{DOCS}/docs/refresh-intents-errors"


@attrs.frozen(kw_only=True)
class Switch:
    """One point on which Fintoc's sources disagree or are silent. The first value is the default."""

    values: tuple[str, ...]
    about: str
    source: str

    @property
    def default(self) -> str:
        """The value that holds when none is chosen."""
        return self.values[0]


SWITCHES: Final[Mapping[str, Switch]] = MappingProxyType(
    {
        "create_status": Switch(
            values=("201", "200"),
            about="HTTP status of an answered create",
            source=f"undocumented; examples show 200 for reads: {DOCS}/api/movements-api/refresh-intents",
        ),
        "until": Switch(
            values=("exclusive", "inclusive"),
            about="whether `until` takes in its own day",
            source=f"{DOCS}/api/movements-api/movements/movements-list (older page: inclusive)",
        ),
        "invalid_link_token_status": Switch(
            values=("400", "403"),
            about="HTTP status of `invalid_link_token`",
            source="fintoc-com/fintoc-ruby errors.rb (400), fintoc-com/fintoc-zapier authentication.js (403)",
        ),
        "after_rejected": Switch(
            values=("as_scripted", "retry_now", "refuse_1h", "refuse_reconnect"),
            about="what a create gets after a rejected intent; as_scripted: what the script words say",
            source=f"{ERRORS_PAGE} against {DOCS}/docs/refresh-intents-webhook (retry at once)",
        ),
        "cooldown_clock": Switch(
            values=("creation", "success"),
            about="from when the 5 or 60 minutes after a success are counted",
            source=f"{ERRORS_PAGE} (creation); its v2023-11-15 copy (success)",
        ),
        "cooldown_scope": Switch(
            values=("same_type", "any_type"),
            about="whether a success holds back only its own refresh type",
            source=f"undocumented; {DOCS}/api/movements-api/refresh-intents/refresh-intents-create",
        ),
        "public_error_set": Switch(
            values=("2026", "2023"),
            about="which `public_error` values exist; those that do not are null",
            source="OpenAPI v2026-02-01 against v2023-11-15",
        ),
        "event_public_error": Switch(
            values=("present", "absent"),
            about="whether events carry `public_error` at all",
            source=f"{DOCS}/docs/refresh-intents-webhook (2021: absent; newer: present)",
        ),
        "waiting_mfa_blocks": Switch(
            values=("while_token_lives", "always", "never"),
            about="for how long an intent whose widget nobody opens blocks new ones",
            source="undocumented",
        ),
        "intent_rows": Switch(
            values=("link_level", "with_accounts"),
            about="whether GET /v1/refresh_intents lists rows of single accounts too",
            source="undocumented; the v2023-11-15 object example is such a row",
        ),
        "paging": Switch(
            values=("stable", "unstable"),
            about="unstable repeats rows and never returns others, unless the window of dates is narrow",
            source="fintoc-com/fintoc-ruby, cassette get_account_s_movements_with_arguments.yml (2020)",
        ),
        "background_events": Switch(
            values=("all", "succeeded_only", "none"),
            about="which events a background refresh sends",
            source=f"{DOCS}/api/main-resources/events-reference/types-of-events (on-demand only)",
        ),
        "running_status": Switch(
            values=("created", "in_progress"),
            about="`status` of an intent that has not ended",
            source=f"undocumented; the create example shows created: {DOCS}/docs/refresh-intents-creating",
        ),
        "result_status": Switch(
            values=("honoured", "ignored"),
            about="whether `result_status` on a create forces the outcome in test mode",
            source="OpenAPI v2023-11-15; not confirmed for 2026",
        ),
        "test_event_keys": Switch(
            values=("snake_case", "camelCase"),
            about="how the keys of test events are written",
            source=f"{DOCS}/guides/resources/webhooks-walkthrough/webhooks-testing (legacy page: camelCase)",
        ),
    }
)


def read_switches(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """Every switch with its value; raises `UnknownWordError` for a name or value not in `SWITCHES`."""
    chosen = {name: switch.default for name, switch in SWITCHES.items()}
    for name, value in (given or {}).items():
        check_word("switch", name, SWITCHES)
        check_word(f"value of the switch {name!r}", value, SWITCHES[name].values)
        chosen[name] = value
    return MappingProxyType(chosen)


@attrs.frozen(kw_only=True)
class Timings:
    """How long things take, in the clock's (virtual) time."""

    first_report: timedelta = timedelta(seconds=60)
    """From the start of the work to the first account's result; the docs speak of 1 to 3 minutes."""
    between_reports: timedelta = timedelta(seconds=15)
    """From one account's result to the next one's."""
    cooldown_age: timedelta = timedelta(minutes=4, seconds=30)
    """How long ago the success behind the script word `cooldown` was created."""
    running_since: timedelta = timedelta(seconds=20)
    """How long ago somebody else started the intent behind the script word `already_running`."""
    mfa_token_life: timedelta = timedelta(minutes=10)
    """How long a widget token can be used. Undocumented."""
    narrow_window: timedelta = timedelta(days=7)
    """Up to this width of `since`..`until`, pages are stable even where the switch `paging` is unstable."""
