"""Whole stories of refreshes at both providers: what is stored before, what is told of each, and how each must end."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import httpx

from bankbridge import Status, policy_for
from bankbridge.machine.advance import advance
from bankbridge.machine.attempt import WakePurpose
from bankbridge.machine.events import RefreshStarted, WokeUp
from bankbridge.machine.intent import RefreshIntent, Scope, new_intent
from bankbridge.machine.link import Link
from bankbridge.store import Store, Transaction
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId, RefreshId
from bankbridge.words.reasons import Reason
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.deliveries import payload, signed

SECRET: Final = "whsec_0123456789abcdef0123456789abcdef"
PROVIDERS: Final[Mapping[str, Any]] = {
    "rail": Rail(secret_key="rail_sk_test_1", webhook_secrets=(SECRET,)),
    "fintoc": Fintoc(secret_key="sk_test_1", webhook_secrets=(SECRET,)),
}

_ACCOUNTS: Final = 3
_CHUNK: Final = 200
_POLICIES: Final = {name: policy_for(one.capabilities) for name, one in PROVIDERS.items()}


@attrs.frozen(kw_only=True)
class Plot:
    """How a story goes: the payloads told of it in their order, one for each account where ``by_account``."""

    provider: str
    share: int
    told: tuple[str, ...]
    ends: Status
    reason: Reason | None = None
    by_account: bool = False


PLOTS: Final = (
    Plot(
        provider="rail",
        share=6,
        told=("refresh_intent.created", "refresh_intent.succeeded", "link.refreshed"),
        ends=Status.SUCCEEDED,
    ),
    Plot(
        provider="rail",
        share=2,
        told=(
            "refresh_intent.created",
            "refresh_intent.requires_mfa",
            "refresh_intent.succeeded",
            "link.refreshed",
        ),
        ends=Status.SUCCEEDED,
    ),
    Plot(
        provider="rail",
        share=1,
        told=("refresh_intent.created", "refresh_intent.failed.rejected_credentials"),
        ends=Status.REJECTED,
        reason=Reason.CREDENTIALS_REJECTED,
    ),
    Plot(
        provider="rail",
        share=1,
        told=(
            "refresh_intent.created",
            "refresh_intent.requires_mfa",
            "refresh_intent.failed.requires_mfa_user_timeout",
        ),
        ends=Status.FAILED,
        reason=Reason.MFA_EXPIRED,
    ),
    Plot(
        provider="fintoc",
        share=9,
        told=("account.refresh_intent.succeeded.public_error_null",) * _ACCOUNTS,
        ends=Status.SUCCEEDED,
        by_account=True,
    ),
    Plot(
        provider="fintoc",
        share=1,
        told=(
            "account.refresh_intent.succeeded.public_error_null",
            "account.refresh_intent.rejected.invalid_credentials_error",
            "account.refresh_intent.succeeded.public_error_null",
        ),
        ends=Status.PARTIAL,
        reason=Reason.CREDENTIALS_REJECTED,
        by_account=True,
    ),
)


@attrs.frozen(kw_only=True)
class Tale:
    """One link, its refresh that runs since ``began_at``, and its plot."""

    name: str
    plot: Plot
    began_at: datetime

    @property
    def link(self) -> Link:
        """As it is stored."""
        accounts = tuple(AccountId(f"acc_{self.name}_{number}") for number in range(_ACCOUNTS))
        return Link(
            id=LinkId(f"link_{self.name}"),
            connection=ConnectionName(self.plot.provider),
            token=f"link_{self.name}_token_{self.name}" if self.plot.by_account else None,
            accounts=accounts,
        )

    @property
    def intent(self) -> RefreshIntent:
        """In progress, as it is stored."""
        policy, link = _POLICIES[self.plot.provider], self.link
        wish = new_intent(
            intent_id=IntentId(f"rfi_{self.name}"),
            connection=link.connection,
            link_id=link.id,
            scope=Scope.LATEST,
            attended=True,
            now=self.began_at,
        )
        started = RefreshStarted(
            refresh_id=RefreshId(f"ri_{self.name}"),
            expected=link.accounts if self.plot.by_account else None,
            started_at=self.began_at,
        )
        asked = advance(wish, WokeUp(purpose=WakePurpose.CREATE), now=self.began_at, policy=policy).intent
        return advance(asked, started, now=self.began_at, policy=policy).intent

    def bodies(self) -> Iterator[bytes]:
        """What the provider tells, in order."""
        for number, what in enumerate(self.plot.told):
            at = (self.began_at + timedelta(seconds=10 + number)).isoformat()
            event = payload(self.plot.provider, what)
            event |= {"id": f"evt_{self.name}_{number}", "created_at": at}
            data = event["data"]
            if self.plot.by_account:
                data |= {"refreshed_object_id": f"acc_{self.name}_{number}", "created_at": at}
            elif event["type"].startswith("link."):
                data |= {"id": f"link_{self.name}"}
            else:
                data |= {"id": f"ri_{self.name}", "link_id": f"link_{self.name}"}
            if "requires_mfa" in data:
                expires_at = self.began_at + timedelta(minutes=10)
                data["requires_mfa"] |= {
                    "widget_token": f"ri_{self.name}_sec_{number}",
                    "expires_at": expires_at.isoformat(),
                }
            yield json.dumps(event).encode()


def tales(number: int, now: datetime, seed: int) -> list[Tale]:
    """So many stories, in the shares of their plots; ids are scattered, as those that nobody counts up."""
    chance = random.Random(seed)
    plots = chance.choices(PLOTS, weights=[plot.share for plot in PLOTS], k=number)
    return [
        Tale(name=f"{chance.getrandbits(64):016x}", plot=plot, began_at=now - timedelta(minutes=1))
        for plot in plots
    ]


def requests_of(told: Sequence[Tale], now: datetime, seed: int) -> list[bytes]:
    """Every delivery as raw HTTP, signed: each story in its order, all stories mixed, one in fifty sent twice."""
    chance = random.Random(seed)
    timed = [
        (chance.random() * 0.7 + 0.1 * number, _request(tale.plot.provider, body, now))
        for tale in told
        for number, body in enumerate(tale.bodies())
    ]
    timed += [(at + 0.05, request) for at, request in timed if chance.random() < 0.02]
    return [request for _, request in sorted(timed)]


def _request(provider: str, body: bytes, now: datetime) -> bytes:
    headers = {
        "Host": "127.0.0.1",
        "User-Agent": "Webhooks/1.0",
        "Accept": "*/*",
        **signed(f"{provider.capitalize()}-Signature", SECRET, body, now),
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /webhooks/{provider} HTTP/1.1\r\n{head}\r\n".encode() + body


def fill(store: Store, told: Sequence[Tale]) -> None:
    """Store every link, and its intent in progress."""

    for first in range(0, len(told), _CHUNK):
        store.transact(partial(_write, told[first : first + _CHUNK]))


def _write(some: Sequence[Tale], tx: Transaction) -> None:
    for tale in some:
        tx.save_link(tale.link)
        tx.add_intent(tale.intent)


# --- how each must end


def as_told(tale: Tale, intent: RefreshIntent) -> bool:
    """Whether everything that was told of a story is in its intent, before anything is read at the provider."""
    if tale.plot.by_account:
        # What accounts hint at is confirmed by a read, which must be due now.
        due = intent.wake is not None and intent.wake.purpose is WakePurpose.POLL
        return due and len(intent.attempt.accounts) == _ACCOUNTS
    return ended(tale, intent)


def ended(tale: Tale, intent: RefreshIntent) -> bool:
    """Whether an intent has come to the end that its story has."""
    reason = None if intent.failure is None else intent.failure.reason
    return (intent.status, reason) == (tale.plot.ends, tale.plot.reason)


def truth(told: Sequence[Tale]) -> httpx.MockTransport:
    """The providers, which confirm how each story ended."""
    by_refresh = {f"ri_{tale.name}": tale for tale in told}
    by_token = {tale.link.token: tale for tale in told if tale.link.token}

    def answer(request: httpx.Request) -> httpx.Response:
        url = urlsplit(str(request.url))
        if url.path == "/v1/accounts":
            tale = by_token[parse_qs(url.query)["link_token"][0]]
            return httpx.Response(200, json=[_account(tale, number) for number in range(_ACCOUNTS)])
        name = url.path.rpartition("/")[2]
        good = by_refresh[name].plot.ends is Status.SUCCEEDED
        said = {"public_error": None if good else "invalid_credentials_error"}
        return httpx.Response(
            200, json={"id": name, "status": "succeeded" if good else "rejected", **said, "new_movements": 1}
        )

    return httpx.MockTransport(answer)


def _account(tale: Tale, number: int) -> dict[str, Any]:
    fresh = "rejected" not in tale.plot.told[number]
    at = tale.began_at + (timedelta(seconds=10) if fresh else timedelta(days=-1))
    account: dict[str, Any] = payload("fintoc", "rest.account")
    return account | {"id": f"acc_{tale.name}_{number}", "refreshed_at": at.isoformat()}
