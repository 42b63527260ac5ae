"""What an emulator is built from: a virtual clock, a server, webhook delivery, idempotency keys.

Needs the extra ``bankbridge[emulator]``. A plugin's emulator shows the face `Emulator`; `Server` serves it.
"""

from bankbridge.emulation.background import Background
from bankbridge.emulation.clock import Clock
from bankbridge.emulation.emulator import EmulatedLink, Emulator, UnknownLinkError, control_routes
from bankbridge.emulation.idempotency import Answer, IdempotencyConflictError, IdempotencyKeys
from bankbridge.emulation.sender import (
    Delivery,
    Endpoint,
    Faults,
    RetrySchedule,
    Sending,
    Sign,
    WebhookSender,
    sign_hmac_v1,
)
from bankbridge.emulation.server import LostResponse, PortInUseError, Server, ServerError
from bankbridge.emulation.words import PERSON_ACTS, WEBHOOK_MODES, Script, UnknownWordError, check_word

__all__ = [
    "PERSON_ACTS",
    "WEBHOOK_MODES",
    "Answer",
    "Background",
    "Clock",
    "Delivery",
    "EmulatedLink",
    "Emulator",
    "Endpoint",
    "Faults",
    "IdempotencyConflictError",
    "IdempotencyKeys",
    "LostResponse",
    "PortInUseError",
    "RetrySchedule",
    "Script",
    "Sending",
    "Server",
    "ServerError",
    "Sign",
    "UnknownLinkError",
    "UnknownWordError",
    "WebhookSender",
    "check_word",
    "control_routes",
    "sign_hmac_v1",
]
