"""One value of every kind that is stored, as it is written today: ``tests/golden/<name>.json``.

A file that changes means that what older versions wrote is read differently: give a new field a default, and think
twice before renaming one. When the change is meant, write the files again, from the project root, and read the diff::

    python -m tests.edge.golden
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bankbridge.codec import encode
from bankbridge.machine.attempt import (
    AccountResult,
    AccountStatus,
    Attempt,
    End,
    EndKind,
    Prompt,
    WakePurpose,
    prompt_id,
)
from bankbridge.machine.intent import RefreshIntent, Scope, WakeUp, key_of, new_intent
from bankbridge.machine.link import Institution, Link, LinkStatus
from bankbridge.machine.notices import Subject
from bankbridge.machine.status import Status
from bankbridge.store import LogEntry, Parked, StoredDelivery
from bankbridge.webhooks import Delivery
from bankbridge.words.ids import AccountId, ConnectionName, DeliveryId, IntentId, LinkId, RefreshId
from bankbridge.words.reasons import Failure, Reason

FOLDER: Final = Path(__file__).parents[1] / "golden"


def _at(minutes: float) -> datetime:
    return datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC) + timedelta(minutes=minutes)


_FINTOC: Final = ConnectionName("fintoc")
_LINK: Final = LinkId("link_Qs7xV2Kq9wB3rT5m")
_INTENT: Final = IntentId("intent_1")
_ACCOUNTS: Final = (AccountId("acc_1"), AccountId("acc_2"), AccountId("acc_3"))
_UNAVAILABLE: Final = Failure(
    reason=Reason.INSTITUTION_UNAVAILABLE,
    code="institution_unavailable",
    message="El banco no responde: “más tarde”",
)

_PROMPT: Final = Prompt(
    id=prompt_id("widget_token_1"), token="widget_token_1", offered_at=_at(6.5), expires_at=_at(11.5)
)

_FIRST_ATTEMPT: Final = Attempt(
    number=1,
    key=key_of(_INTENT, 1),
    asked_at=_at(0),
    started=True,
    refresh_id=RefreshId("ri_1"),
    started_at=_at(0.1),
    expected=_ACCOUNTS,
    accounts=(
        AccountResult(
            account_id=_ACCOUNTS[0], status=AccountStatus.FAILED, reported_at=_at(1), failure=_UNAVAILABLE
        ),
    ),
    end=End(kind=EndKind.FAILED, failure=_UNAVAILABLE),
    failure=_UNAVAILABLE,
    asking=True,
    unclear=1,
    unanswered=1,
    reads=3,
)

_SECOND_ATTEMPT: Final = Attempt(
    number=2,
    key=key_of(_INTENT, 2),
    asked_at=_at(6),
    started=True,
    refresh_id=RefreshId("ri_2"),
    adopted=True,
    expected=_ACCOUNTS,
    accounts=(
        AccountResult(
            account_id=_ACCOUNTS[0],
            status=AccountStatus.SUCCEEDED,
            reported_at=_at(7),
            new_movements=12,
            read=True,
        ),
    ),
    prompts=(_PROMPT,),
    looked_at=_at(7),
    read_at=_at(8),
)

STORED: Final[Mapping[str, object]] = {
    "intent_requested": new_intent(
        intent_id=_INTENT,
        connection=_FINTOC,
        link_id=_LINK,
        scope=Scope.LATEST,
        attended=False,
        now=_at(0),
    ),
    "intent_requires_mfa": RefreshIntent(
        id=_INTENT,
        connection=_FINTOC,
        link_id=_LINK,
        scope=Scope.HISTORICAL,
        attended=True,
        retry_of=IntentId("intent_0"),
        created_at=_at(0),
        status=Status.REQUIRES_MFA,
        attempt=_SECOND_ATTEMPT,
        past=(_FIRST_ATTEMPT,),
        wake=WakeUp(at=_at(8), purpose=WakePurpose.POLL),
        version=9,
    ),
    "intent_failed": RefreshIntent(
        id=_INTENT,
        connection=_FINTOC,
        link_id=_LINK,
        created_at=_at(0),
        status=Status.FAILED,
        attempt=_FIRST_ATTEMPT,
        failure=_UNAVAILABLE,
        ended_at=_at(2),
        version=4,
    ),
    "link_new": Link(id=_LINK, connection=_FINTOC),
    "link_used": Link(
        id=_LINK,
        connection=_FINTOC,
        token="link_Qs7xV2Kq9wB3rT5m_token_x",
        institution=Institution(id="cl_banco_de_chile", name="Banco de Chile"),
        status=LinkStatus.NEEDS_RECONNECT,
        accounts=_ACCOUNTS,
        credential_version=2,
        refused_logins=1,
        abandoned_prompts=1,
        cooldown_until=_at(5),
        refreshed_at=_at(0),
        status_at=_at(-1),
        counted_at=_at(-2),
    ),
    "delivery": StoredDelivery(
        id=DeliveryId("fintoc:evt_1"),
        delivery=Delivery(
            connection=_FINTOC,
            headers={"Fintoc-Signature": "t=1772366400,v1=ab12", "Content-Type": "application/json"},
            body='{"id": "evt_1", "note": "niño"}'.encode() + b"\x00\xff",
            received_at=_at(1),
        ),
    ),
    "parked": Parked(
        delivery_id=DeliveryId("fintoc:evt_1"),
        index=1,
        connection=_FINTOC,
        about=Subject(link_id=_LINK, account_id=_ACCOUNTS[0]),
        until=_at(60),
    ),
    "log_entry": LogEntry(
        intent_id=_INTENT,
        at=_at(0.1),
        event="RefreshStarted",
        attempt=1,
        before=Status.REQUESTED,
        after=Status.IN_PROGRESS,
        said="created",
        delivery_id=DeliveryId("fintoc:evt_1"),
        told='{"refresh_id":"ri_1","expected":null,"started_at":null,"adopted":true}',
    ),
}


def written(value: object) -> bytes:
    """What a golden file holds."""
    return f"{encode(value)}\n".encode()


if __name__ == "__main__":
    for name, value in STORED.items():
        (FOLDER / f"{name}.json").write_bytes(written(value))
