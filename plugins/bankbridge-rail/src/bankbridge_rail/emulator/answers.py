"""What is said over HTTP: the shapes of answers and errors, and the reading of what a client sent."""

import json
from collections.abc import Collection, Iterable
from typing import Any, cast

import attrs
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bankbridge_rail.emulator.world import ApiKey, Link, Mode, World


class RailError(Exception):
    """Any answer that is not a success. undocumented: the codes, and most statuses."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self, world: World) -> Response:
        """The error as HTTP; a client in production reads ``error.code`` and ``error.message``."""
        said = {"code": self.code, "message": str(self)}
        match world.switches["error_envelope"]:
            case "text":
                return PlainTextResponse(f"{self.code}: {self}", self.status, self.headers)
            case "flat":
                return answer(said, self.status, self.headers)
            case _:
                return answer({"error": said}, self.status, self.headers)


class InvalidError(RailError):
    """A request that is not as it should be; its status is the switch ``invalid_parameter``."""

    def __init__(self, message: str, code: str = "invalid_parameter") -> None:
        super().__init__(400, code, message)

    def response(self, world: World) -> Response:
        """The error as HTTP."""
        self.status = int(world.switches["invalid_parameter"])
        return super().response(world)


@attrs.frozen(kw_only=True)
class Call:
    """A request that has come past the door: who asks, and what was sent."""

    request: Request
    key: ApiKey
    mode: Mode
    raw: bytes = attrs.field(repr=False)

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent; nothing at all is an empty one. Raises `InvalidError`."""
        try:
            body: object = json.loads(self.raw or b"{}")
        except (ValueError, RecursionError):
            raise InvalidError("the body is not JSON", "invalid_json") from None
        if not isinstance(body, dict):
            raise InvalidError("the body is not a JSON object", "invalid_json")
        return cast(dict[str, Any], body)

    def flag(self, name: str) -> bool:
        """A query parameter that is ``true`` or, the default, ``false``. Raises `InvalidError`."""
        value = self.request.query_params.get(name, "false")
        if value not in {"true", "false"}:
            raise InvalidError(f"{name} must be true or false")
        return value == "true"

    def number(self, name: str, default: int, most: int = 999_999_999) -> int:
        """A query parameter that is a number, from 1. Raises `InvalidError`."""
        value = self.request.query_params.get(name, str(default))
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= most):
            raise InvalidError(f"{name} must be a number, from 1 to {most}")
        return int(value)


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response, in ASCII: what a client sent may come back in it."""
    return Response(json.dumps(body), status, headers, media_type="application/json")


def listed(world: World, rows: Iterable[object]) -> Response:
    """A list in the shape that the switch ``list_shape`` says."""
    shape = list(rows)
    return answer({"data": shape} if world.switches["list_shape"] == "data" else shape)


def deleted(world: World, kind: str, object_id: str) -> Response:
    """What a DELETE is answered, as the switch ``delete_status`` says."""
    status = int(world.switches["delete_status"])
    if status == 204:
        return Response(status_code=204)
    return answer({"object": kind, "id": object_id, "deleted": True}, status)


def text(body: dict[str, Any], name: str, default: str | None = None) -> str:
    """A field that must be a string with something in it. Raises `InvalidError`."""
    value: object = body.get(name, default)
    if not isinstance(value, str) or not value or not _is_unicode(value):
        raise InvalidError(f"{name} must be a non-empty string")
    return value


def maybe_text(body: dict[str, Any], name: str) -> str | None:
    """A field that may be missing or null. Raises `InvalidError`."""
    return None if body.get(name) is None else text(body, name)


def choice(body: dict[str, Any], name: str, values: Collection[str], default: str | None = None) -> str:
    """A field that must be one of some values. Raises `InvalidError`."""
    value: object = body.get(name, default)
    if not isinstance(value, str) or value not in values:
        raise InvalidError(f"{name} must be one of {', '.join(values)}")
    return value


def texts(body: dict[str, Any], name: str) -> tuple[str, ...]:
    """A field that must be a list of strings, or is missing. Raises `InvalidError`."""
    given: object = body.get(name, [])
    if isinstance(given, list):
        values = [
            value for value in cast(list[object], given) if isinstance(value, str) and _is_unicode(value)
        ]
        if len(values) == len(cast(list[object], given)):
            return tuple(values)
    raise InvalidError(f"{name} must be a list of strings")


def find_link(world: World, mode: Mode, link_id: str) -> Link:
    """A link that the API shows. Raises `RailError` (404, or 410 for one that was deleted)."""
    link = mode.links.get(link_id)
    if link is None:
        raise RailError(404, "not_found", "there is no such link")
    if link.status == "deleted":
        raise RailError(int(world.switches["deleted_link"]), "link_deleted", "the link was deleted")
    return link


def _is_unicode(value: str) -> bool:
    """Half a surrogate pair, which JSON can say, is no text that anything could be done with."""
    return not any(0xD800 <= ord(letter) <= 0xDFFF for letter in value)
