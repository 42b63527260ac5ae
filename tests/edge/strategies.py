"""Any value that may be stored, however unlikely. A new field must be added here: a test compares."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from bankbridge.machine.attempt import (
    AccountResult,
    AccountStatus,
    Attempt,
    End,
    EndKind,
    Prompt,
    PromptKind,
    WakePurpose,
)
from bankbridge.machine.intent import RefreshIntent, Scope, WakeUp
from bankbridge.machine.link import Institution, Link, LinkStatus
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.store import LogEntry, Parked, StoredDelivery
from bankbridge.webhooks import Delivery
from bankbridge.words.reasons import Failure, Reason

texts = st.text(max_size=12)
counts = st.integers(min_value=0)
flags = st.booleans()
# A day away from both ends of the calendar, so that every moment has a name in UTC.
moments = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 (Hypothesis adds the zone)
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3)), timezone(timedelta(hours=5, minutes=45))]),
)


DRAWN: dict[type, set[str]] = {}
"""The fields that are drawn, by class."""


def every_field(kind, /, **fields):
    DRAWN[kind] = set(fields)
    return st.builds(kind, **fields)


def maybe(some):
    return st.none() | some


def tuples(some):
    return st.lists(some, max_size=3).map(tuple)


failures = every_field(
    Failure,
    reason=st.sampled_from(Reason),
    code=maybe(texts),
    message=maybe(texts),
    not_before=maybe(moments),
    ours=flags,
    or_wrong_code=flags,
)
prompts = every_field(
    Prompt,
    id=texts,
    kind=st.sampled_from(PromptKind),
    token=texts,
    offered_at=moments,
    expires_at=maybe(moments),
)
results = every_field(
    AccountResult,
    account_id=texts,
    status=st.sampled_from(AccountStatus),
    reported_at=moments,
    failure=maybe(failures),
    new_movements=maybe(counts),
    read=flags,
)
ends = every_field(
    End,
    kind=st.sampled_from(EndKind),
    failure=maybe(failures),
    new_movements=maybe(counts),
)
attempts = every_field(
    Attempt,
    number=counts,
    key=texts,
    asked_at=moments,
    started=flags,
    refresh_id=maybe(texts),
    started_at=maybe(moments),
    adopted=flags,
    expected=maybe(tuples(texts)),
    accounts=tuples(results),
    prompts=tuples(prompts),
    answered=tuples(texts),
    end=maybe(ends),
    refusal=maybe(failures),
    failure=maybe(failures),
    asking=st.booleans(),
    unclear=counts,
    unanswered=counts,
    reads=counts,
    looked_at=maybe(moments),
    read_at=maybe(moments),
)
intents = every_field(
    RefreshIntent,
    id=texts,
    connection=texts,
    link_id=texts,
    scope=st.sampled_from(Scope),
    attended=flags,
    retry_of=maybe(texts),
    created_at=moments,
    status=st.sampled_from(Status),
    attempt=attempts,
    past=st.lists(attempts, max_size=1).map(tuple),
    failure=maybe(failures),
    wake=maybe(every_field(WakeUp, at=moments, purpose=st.sampled_from(WakePurpose), version=counts)),
    ended_at=maybe(moments),
    version=counts,
)
links = every_field(
    Link,
    id=texts,
    connection=texts,
    token=maybe(texts),
    institution=maybe(every_field(Institution, id=texts, name=maybe(texts))),
    status=st.sampled_from(LinkStatus),
    accounts=maybe(tuples(texts)),
    credential_version=counts,
    refused_logins=counts,
    abandoned_prompts=counts,
    cooldown_until=maybe(moments),
    refreshed_at=maybe(moments),
    status_at=maybe(moments),
    counted_at=maybe(moments),
)
deliveries = every_field(
    Delivery,
    connection=texts,
    headers=st.dictionaries(texts, texts, max_size=3),
    body=st.binary(max_size=64),
    received_at=moments,
)
stored_deliveries = every_field(StoredDelivery, id=texts, delivery=deliveries)
parked = every_field(
    Parked,
    delivery_id=texts,
    index=counts,
    connection=texts,
    about=every_field(Subject, refresh_id=maybe(texts), link_id=maybe(texts), account_id=maybe(texts)),
    until=moments,
)
log_entries = every_field(
    LogEntry,
    intent_id=texts,
    at=moments,
    event=texts,
    attempt=counts,
    before=st.sampled_from(Status),
    after=st.sampled_from(Status),
    said=maybe(texts),
    delivery_id=maybe(texts),
    told=maybe(texts),
)
