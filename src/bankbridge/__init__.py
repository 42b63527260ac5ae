"""Keep people's bank data fresh through any provider: one lifecycle, one outcome, retries that lock nobody out.

`BankBridge` (blocking) and `AsyncBankBridge` are the application's face. Everything else here is a value that goes in
or comes out of them. Importing this package loads no HTTP client, no database and no codec: they come with the first
use of what needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bankbridge.machine.attempt import AccountResult, AccountStatus, Prompt, PromptKind
from bankbridge.machine.events import Canceler
from bankbridge.machine.intent import RefreshIntent, Scope
from bankbridge.machine.link import Blocker, Institution, Link, LinkStatus
from bankbridge.machine.outcome import (
    ActAtBank,
    AskSupport,
    AskToTryAgain,
    FetchMovements,
    MendConfiguration,
    NextStep,
    Nothing,
    OpenWidget,
    Outcome,
    Reconnect,
    RefreshLater,
    UnlockAtBank,
    WaitUntil,
)
from bankbridge.machine.policy import NEVER, RETRY_TABLE, Policy, Rule, Timing
from bankbridge.machine.status import Status
from bankbridge.shells.news import DataArrived, LinkChanged, MovementsChanged, News, OutcomeChanged
from bankbridge.shells.replay import NowUnderstood, Replayed
from bankbridge.words.errors import (
    BankBridgeError,
    ConfigurationError,
    MoneyError,
    MovementsMissingError,
    ProviderError,
    TransportError,
    YoursError,
)
from bankbridge.words.money import Money
from bankbridge.words.reasons import Actor, Failure, Reason

if TYPE_CHECKING:
    from bankbridge.shells.aio import AsyncBankBridge
    from bankbridge.shells.connections import policy_for
    from bankbridge.shells.policy_files import read_policies, read_policy
    from bankbridge.shells.sync import BankBridge

__all__ = [
    "NEVER",
    "RETRY_TABLE",
    "AccountResult",
    "AccountStatus",
    "ActAtBank",
    "Actor",
    "AskSupport",
    "AskToTryAgain",
    "AsyncBankBridge",
    "BankBridge",
    "BankBridgeError",
    "Blocker",
    "Canceler",
    "ConfigurationError",
    "DataArrived",
    "Failure",
    "FetchMovements",
    "Institution",
    "Link",
    "LinkChanged",
    "LinkStatus",
    "MendConfiguration",
    "Money",
    "MoneyError",
    "MovementsChanged",
    "MovementsMissingError",
    "News",
    "NextStep",
    "Nothing",
    "NowUnderstood",
    "OpenWidget",
    "Outcome",
    "OutcomeChanged",
    "Policy",
    "Prompt",
    "PromptKind",
    "ProviderError",
    "Reason",
    "Reconnect",
    "RefreshIntent",
    "RefreshLater",
    "Replayed",
    "Rule",
    "Scope",
    "Status",
    "Timing",
    "TransportError",
    "UnlockAtBank",
    "WaitUntil",
    "YoursError",
    "policy_for",
    "read_policies",
    "read_policy",
]

_LATER = {
    "AsyncBankBridge": "bankbridge.shells.aio",
    "BankBridge": "bankbridge.shells.sync",
    "policy_for": "bankbridge.shells.connections",
    "read_policies": "bankbridge.shells.policy_files",
    "read_policy": "bankbridge.shells.policy_files",
}


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
