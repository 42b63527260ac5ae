"""The pages of Rail's documentation that switches are about."""

from typing import Final

EVENTS: Final = "https://docs.rail.cl/concepts/events"
MFA_GUIDE: Final = "https://docs.rail.cl/guides/mfa-handling"
WEBHOOK_GUIDE: Final = "https://docs.rail.cl/guides/webhooks"
QUICKSTART: Final = "https://docs.rail.cl/quickstart"
ACCOUNTS: Final = "https://docs.rail.cl/concepts/accounts"
BANKS: Final = "https://docs.rail.cl/banks"
POST_LINKS: Final = "https://docs.rail.cl/api-reference/links/crear-link-bancario"
WIDGET_TOKENS: Final = "https://docs.rail.cl/api-reference/widget/crear-widget-token"
API_KEYS: Final = "https://docs.rail.cl/api-reference/api-keys/emitir-nueva-api-key"
