"""Fintoc's error envelope: which code goes with which HTTP status and type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

DOC_URL: Final = "https://docs.fintoc.com/reference/errors"

# code -> (HTTP status, type). The statuses are those of fintoc-com/fintoc-ruby `lib/fintoc/errors.rb`;
# the docs (https://docs.fintoc.com/api/fintoc-api/errors) rarely state them.
CODES: Final[Mapping[str, tuple[int, str]]] = MappingProxyType(
    {
        "missing_parameter": (400, "invalid_request_error"),
        "invalid_date": (400, "invalid_request_error"),
        "invalid_link_token": (400, "invalid_request_error"),
        "invalid_refresh_type": (400, "invalid_request_error"),
        "invalid_enum": (400, "invalid_request_error"),
        "invalid_integer": (400, "invalid_request_error"),
        "invalid_positive_integer": (400, "invalid_request_error"),
        "invalid_boolean": (400, "invalid_request_error"),
        "invalid_string": (400, "invalid_request_error"),
        "invalid_string_size": (400, "invalid_request_error"),
        "invalid_array": (400, "invalid_request_error"),
        "invalid_hash": (400, "invalid_request_error"),
        "invalid_json": (400, "invalid_request_error"),
        "invalid_params": (400, "invalid_request_error"),
        "invalid_webhook_subscription": (400, "invalid_request_error"),
        "invalid_api_key": (401, "authentication_error"),
        "missing_resource": (404, "invalid_request_error"),
        "invalid_url": (404, "invalid_request_error"),
        "operation_not_allowed": (405, "invalid_request_error"),
        "refresh_intent_in_progress": (422, "invalid_request_error"),
        "rejected_refresh_intent": (422, "link_error"),
        "rate_limit_exceeded": (429, "invalid_request_error"),
        "internal_server_error": (500, "api_error"),
    }
)


@attrs.frozen(kw_only=True)
class FintocApiError(Exception):
    """An answer that is Fintoc's error envelope."""

    code: str
    message: str
    param: str | None = None
    status: int
    bare: bool = False
    """Without `param` and `doc_url`, as the published examples of `rejected_refresh_intent` are."""

    def body(self) -> dict[str, dict[str, str | None]]:
        """The envelope."""
        error: dict[str, str | None] = {
            "type": CODES[self.code][1],
            "message": self.message,
            "code": self.code,
        }
        if not self.bare:
            error |= {"param": self.param, "doc_url": DOC_URL}
        return {"error": error}


def refusal(
    code: str, message: str, *, param: str | None = None, status: int | None = None, bare: bool = False
) -> FintocApiError:
    """The error of this code, with the status that goes with it unless another is given."""
    found = CODES[code][0] if status is None else status
    return FintocApiError(code=code, message=message, param=param, status=found, bare=bare)
