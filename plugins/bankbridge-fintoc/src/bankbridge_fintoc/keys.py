"""What Fintoc's keys and webhook secrets begin with, and the mode that this tells."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

KEYS: Final[Mapping[str, str | None]] = MappingProxyType(
    # https://docs.fintoc.com/api/fintoc-api/authentication
    {"sk_test_": "test", "sk_live_": "live"}
)

WEBHOOK_SECRETS: Final[Mapping[str, str | None]] = MappingProxyType(
    # Only older examples tell the mode. https://docs.fintoc.com/docs/refresh-intents-webhook
    {"whsec_": None, "whsec_test_": "test", "whsec_live_": "live"}
)
