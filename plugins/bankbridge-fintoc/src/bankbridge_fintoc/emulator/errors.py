"""Fintoc's error envelope: which code goes with which HTTP status and type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

DOC_URL: Final = "https://docs.fintoc.com/reference/errors"

Envelope: TypeAlias = dict[str, dict[str, str | None]]

# code -> HTTP status. The statuses are those of fintoc-com/fintoc-ruby `lib/fintoc/errors.rb`; the docs
# (https://docs.fintoc.com/api/fintoc-api/errors) rarely state them.
STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "missing_parameter": 400,
        "invalid_date": 400,
        "invalid_link_token": 400,
        "invalid_refresh_type": 400,
        "invalid_holder_type": 400,
        "invalid_product": 400,
        "invalid_enum": 400,
        "invalid_integer": 400,
        "invalid_positive_integer": 400,
        "invalid_boolean": 400,
        "invalid_string": 400,
        "invalid_string_size": 400,
        "invalid_array": 400,
        "invalid_hash": 400,
        "invalid_json": 400,
        "invalid_params": 400,
        "invalid_on_demand_link": 400,
        "invalid_webhook_subscription": 400,
        "invalid_api_key": 401,
        "expired_api_key": 401,
        "invalid_api_key_mode": 401,
        "expired_exchange_token": 401,
        "invalid_exchange_token": 401,
        "payment_required": 402,
        "product_access_required": 403,
        "forbidden_request": 403,
        "invalid_api_version": 403,
        "missing_allowed_cidr_blocks": 403,
        "allowed_cidr_blocks_does_not_contain_ip": 403,
        "missing_resource": 404,
        "invalid_url": 404,
        "operation_not_allowed": 405,
        "institution_credentials_invalid": 406,
        "locked_credentials": 406,
        "unavailable_institution": 406,
        "refresh_intent_in_progress": 422,
        "rejected_refresh_intent": 422,
        "on_demand_policy_required": 422,
        "on_demand_refresh_unavailable": 422,
        "not_supported_country": 422,
        "not_supported_mode": 422,
        "not_supported_product": 422,
        "rate_limit_exceeded": 429,
        "internal_server_error": 500,
    }
)

# code -> type, where it is not `invalid_request_error`.
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "invalid_api_key": "authentication_error",
        "expired_api_key": "authentication_error",
        "invalid_api_key_mode": "authentication_error",
        "institution_credentials_invalid": "link_error",
        "locked_credentials": "link_error",
        "unavailable_institution": "institution_error",
        "rejected_refresh_intent": "link_error",
        "internal_server_error": "api_error",
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

    def body(self, *, bare: bool = False) -> Envelope:
        """The envelope, ``bare`` where the switch `error_fields` says so."""
        error: dict[str, str | None] = {
            "type": TYPES.get(self.code, "invalid_request_error"),
            "message": self.message,
            "code": self.code,
        }
        if not (self.bare or bare):
            error |= {"param": self.param, "doc_url": DOC_URL}
        return {"error": error}


def refusal(
    code: str, message: str, *, param: str | None = None, status: int | None = None, bare: bool = False
) -> FintocApiError:
    """The error of this code, with the status that goes with it unless another is given."""
    found = STATUSES[code] if status is None else status
    return FintocApiError(code=code, message=message, param=param, status=found, bare=bare)


def missing(kind: str, object_id: str, prefix: str) -> FintocApiError:
    """A 404 in Fintoc's style: it names the id, and the prefix that such an object has.

    Who sends a token in an id's place is not told it back: it would be in every log.
    """
    shown, cut, _ = object_id.partition("_token")
    hidden = f"{cut}_…" if cut else ""
    return refusal(
        "missing_resource", f"No such {kind}: {shown}{hidden}. The id of a {kind} starts with {prefix}."
    )
