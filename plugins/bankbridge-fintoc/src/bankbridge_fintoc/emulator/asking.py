"""A client's request as the routes see it, its parameters checked the way Fintoc words their errors."""

import contextlib
import json
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Final, cast
from urllib.parse import parse_qsl

import attrs
from starlette.requests import Request

from bankbridge.emulation import NEVER
from bankbridge_fintoc.emulator.door import Visitor
from bankbridge_fintoc.emulator.errors import refusal
from bankbridge_fintoc.emulator.objects import Json
from bankbridge_fintoc.emulator.world import Look, World

FORM: Final = "application/x-www-form-urlencoded"
INTEGER: Final = re.compile(r"[+-]?[0-9]{1,9}")
LONGEST_KEY: Final = 255


@attrs.frozen(kw_only=True)
class Ask:
    """One request; `fields` are its query and its JSON body together, the body before the query."""

    method: str
    path: str = attrs.field(repr=False)  # it can hold a link's token
    query: str = attrs.field(repr=False)
    base_url: str
    parts: Mapping[str, str] = attrs.field(repr=False)
    fields: Mapping[str, object] = attrs.field(repr=False)
    idempotency_key: str | None
    mode: str
    look: Look = attrs.field(repr=False)
    now: datetime

    def text(self, name: str) -> str | None:
        """A string, None when it is not there; a string of nothing counts as not there."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise refusal("invalid_string", f"{name} has to be a string.", param=name)
        return value or None

    def required(self, name: str) -> str:
        """A string that has to be there."""
        value = self.text(name)
        if value is None:
            raise refusal("missing_parameter", f"Missing required param: {name}.", param=name)
        return value

    def one_of(self, name: str, choices: Collection[str], *, code: str = "invalid_enum") -> str | None:
        """A string that is among the choices, or None."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise refusal(code, f"{name} has to be one of {', '.join(choices)}.", param=name)
        return value

    def positive(self, name: str, default: int, *, most: int | None = None) -> int:
        """A whole number from 1 on."""
        value = self.fields.get(name, default)
        written = str(value)
        if isinstance(value, bool) or not INTEGER.fullmatch(written):
            raise refusal("invalid_integer", f"{name} has to be an integer.", param=name)
        number = int(written)
        if number < 1:
            raise refusal("invalid_positive_integer", f"{name} has to be a positive integer.", param=name)
        if most is not None and number > most:
            if self.look.chose("per_page_over_300", "cut"):
                return most
            raise refusal("invalid_params", f"{name} has to be at most {most}.", param=name)
        return number

    def boolean(self, name: str, *, default: bool | None) -> bool:
        """JSON's true and false, or the words; without a default it has to be there."""
        value = self.fields.get(name, default)
        if value is None:
            raise refusal("missing_parameter", f"Missing required param: {name}.", param=name)
        if isinstance(value, bool):
            return value
        if value not in ("true", "false"):
            raise refusal("invalid_boolean", f"{name} has to be true or false.", param=name)
        return value == "true"

    def day(self, name: str) -> date | None:
        """A date, also one with a time behind it."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return datetime.fromisoformat(value).date()
        except ValueError as error:
            raise refusal("invalid_date", f"{name} has to be an ISO 8601 date.", param=name) from error

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of strings, None when it is not there."""
        value = self.fields.get(name)
        if value is None:
            return None
        rows = cast(list[object], value) if isinstance(value, list) else [None]
        texts = tuple(row for row in rows if isinstance(row, str))
        if len(texts) < len(rows):
            raise refusal("invalid_array", f"{name} has to be an array of strings.", param=name)
        return texts


def key_of(request: Request) -> str | None:
    """The key under which the answer is kept; raises `FintocApiError` for one too long."""
    key = request.headers.get("idempotency-key")
    if key is not None and len(key) > LONGEST_KEY:
        raise refusal("invalid_string_size", f"Idempotency-Key can have {LONGEST_KEY} characters.")
    return key if request.method == "POST" else None


def read(request: Request, raw: bytes, world: World, visitor: Visitor, now: datetime) -> Ask:
    """What was asked; raises `FintocApiError` for a body that is no JSON object."""
    return Ask(
        method=request.method,
        path=request.url.path,
        query=request.url.query,
        base_url=str(request.base_url).rstrip("/"),
        parts=request.path_params,
        fields=dict(request.query_params) | _body(request, raw, world),
        idempotency_key=key_of(request),
        mode=visitor.mode,
        look=world.look(visitor.version),
        now=now,
    )


def _body(request: Request, raw: bytes, world: World) -> Json:
    if not raw.strip():
        return {}
    if request.headers.get("content-type", "").startswith(FORM) and world.chose("form_bodies", "accepted"):
        return dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise refusal("invalid_json", "The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise refusal("invalid_hash", "The body has to be a JSON object.")
    return cast(Json, body)


def rates_of(world: World, request: Request, raw: bytes) -> Mapping[str, float]:
    """The rates of the link that a request is about, as far as can be seen before it is let in."""
    if not world.has_link_rates:
        return NEVER
    token: object = request.query_params.get("link_token") or request.url.path.rpartition("/")[2]
    if raw.startswith(b"{"):
        with contextlib.suppress(ValueError, RecursionError):
            token = cast(Json, json.loads(raw)).get("link_token", token)
    return world.rates_of(token) if isinstance(token, str) else NEVER
