"""What an emulator is built from: a virtual clock, a server, webhook delivery, idempotency keys.

Needs the extra ``bankbridge[emulator]``. A plugin's emulator shows the face `Emulator`; `Server` serves it.
"""

from bankbridge.emulation.background import PATIENCE, Background
from bankbridge.emulation.clock import Clock, is_round
from bankbridge.emulation.controls import Act, control, control_routes
from bankbridge.emulation.delivery_faults import Faults, link_rates, webhook_faults
from bankbridge.emulation.emulator import (
    EmulatedLink,
    Emulator,
    UnknownLinkError,
    WidgetError,
    WidgetSession,
)
from bankbridge.emulation.faults import FAULTS, NEVER, Fault, FaultPlan, Strike, read_rates
from bankbridge.emulation.http_faults import Envelope, FaultyHttp, RatesOf
from bankbridge.emulation.idempotency import Answer, IdempotencyConflictError, IdempotencyKeys
from bankbridge.emulation.sender import WebhookSender
from bankbridge.emulation.sending import Delivery, Endpoint, RetrySchedule, Sending
from bankbridge.emulation.server import LostResponse, PortInUseError, Server, ServerError
from bankbridge.emulation.signing import Sign, sign_hmac_v1
from bankbridge.emulation.switches import Switch, read_switches, switch_table
from bankbridge.emulation.words import (
    PERSON_ACTS,
    WEBHOOK_MODES,
    Script,
    UnknownWordError,
    attempts_of,
    check_word,
)

__all__ = [
    "FAULTS",
    "NEVER",
    "PATIENCE",
    "PERSON_ACTS",
    "WEBHOOK_MODES",
    "Act",
    "Answer",
    "Background",
    "Clock",
    "Delivery",
    "EmulatedLink",
    "Emulator",
    "Endpoint",
    "Envelope",
    "Fault",
    "FaultPlan",
    "Faults",
    "FaultyHttp",
    "IdempotencyConflictError",
    "IdempotencyKeys",
    "LostResponse",
    "PortInUseError",
    "RatesOf",
    "RetrySchedule",
    "Script",
    "Sending",
    "Server",
    "ServerError",
    "Sign",
    "Strike",
    "Switch",
    "UnknownLinkError",
    "UnknownWordError",
    "WebhookSender",
    "WidgetError",
    "WidgetSession",
    "attempts_of",
    "check_word",
    "control",
    "control_routes",
    "is_round",
    "link_rates",
    "read_rates",
    "read_switches",
    "sign_hmac_v1",
    "switch_table",
    "webhook_faults",
]
