"""Values to JSON and back, and settings to a provider. The only module that knows cattrs.

What is written is read by later versions: a field that a document lacks takes its default, one it has too many is
an error, since it would be lost at the next write.
"""

import base64
import binascii
import enum
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

import attrs
from cattrs import Converter, ForbiddenExtraKeysError
from cattrs.errors import BaseValidationError, ClassValidationError, IterableValidationError

from bankbridge.words.errors import ConfigurationError, PayloadError, did_you_mean

_T = TypeVar("_T")

_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PLAIN: Final = {str: "a string", int: "a whole number", bool: "true or false"}


@cache
def _converter() -> Converter:
    """Built at its first use: building it at import would cost everybody who imports us.

    Every hook has its own words for what does not fit, since those of Python and cattrs quote the value.
    """
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_unstructure_hook(datetime, lambda value: value.astimezone(UTC).isoformat())
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, _day)
    converter.register_unstructure_hook(timedelta, timedelta.total_seconds)
    converter.register_structure_hook(timedelta, _seconds)
    converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode())
    converter.register_structure_hook(bytes, _bytes)
    for plain in _PLAIN:
        converter.register_structure_hook(plain, _plain)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda kind: isinstance(kind, enum.EnumMeta), _member)
    converter.register_structure_hook_factory(_is_optional, _or_none)
    converter.register_unstructure_hook_factory(_is_optional, _or_none_written)
    converter.register_structure_hook_factory(_is_tuple, _items)
    converter.register_structure_hook_factory(_is_mapping, _entries)
    converter.register_structure_hook_factory(attrs.has, _fields)
    return converter


def _moment(value: object, _: type) -> datetime:
    try:
        moment = datetime.fromisoformat(cast("str", value))
        if moment.tzinfo is not None:
            return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    msg = "must be an ISO 8601 time with its offset from UTC"
    raise ValueError(msg)


def _day(value: object, _: type) -> date:
    try:
        return date.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        msg = "must be an ISO 8601 date"
        raise ValueError(msg) from None


def _seconds(value: object, _: type) -> timedelta:
    try:
        if type(value) in (int, float):
            return timedelta(seconds=cast("float", value))
    except (ValueError, OverflowError):
        pass
    msg = "must be a number of seconds"
    raise ValueError(msg)


def _bytes(value: object, _: type) -> bytes:
    try:
        return base64.b64decode(cast("str", value), validate=True)
    except (TypeError, binascii.Error, ValueError):
        msg = "must be base64"
        raise ValueError(msg) from None


def _plain(value: object, kind: type) -> object:
    if type(value) is not kind:
        msg = f"must be {_PLAIN[kind]}"
        raise TypeError(msg)
    return value


def _number(value: object, _: type) -> float:
    try:
        if type(value) in (int, float) and math.isfinite(number := float(cast("float", value))):
            return number
    except OverflowError:
        pass
    msg = "must be a number"
    raise TypeError(msg)


def _member(value: object, kind: type[enum.Enum]) -> enum.Enum:
    try:
        return kind(value)
    except ValueError:
        msg = f"must be one of {', '.join(str(member.value) for member in kind)}"
        raise ValueError(msg) from None


# cattrs asks for each value anew how a type is read; what is below asks once for each type.


def _is_optional(kind: object) -> bool:
    return get_origin(kind) in (Union, UnionType) and len(get_args(kind)) == 2 and NoneType in get_args(kind)


def _some(kind: type) -> type:
    (some,) = (one for one in get_args(kind) if one is not NoneType)
    return cast("type", some)


def _or_none(kind: type, converter: Converter) -> Callable[[object, type], object]:
    some = _some(kind)
    structure: Callable[[object, type], object] = converter.get_structure_hook(some)
    return lambda value, _: None if value is None else structure(value, some)


def _or_none_written(kind: type, converter: Converter) -> Callable[[object], object]:
    unstructure: Callable[[object], object] = converter.get_unstructure_hook(_some(kind))
    return lambda value: None if value is None else unstructure(value)


def _is_tuple(kind: object) -> bool:
    return get_origin(kind) is tuple


def _items(kind: type, converter: Converter) -> Callable[[object, type], tuple[object, ...]]:
    """A list; a lone string is not one, though it could be iterated."""
    items = cast("type", list[get_args(kind)[0]])  # type: ignore[misc]
    structure_items: Callable[[object, type], list[object]] = converter.get_structure_hook(items)

    def structure(value: object, _: type) -> tuple[object, ...]:
        if not isinstance(value, list | tuple):
            msg = "must be a list"
            raise TypeError(msg)
        return tuple(structure_items(cast("object", value), items)) if value else ()

    return structure


def _is_mapping(kind: object) -> bool:
    return get_origin(kind) is Mapping


def _entries(kind: type, converter: Converter) -> Callable[[object, type], object]:
    key, item = get_args(kind)

    def structure(value: object, _: type) -> object:
        if not isinstance(value, Mapping):
            msg = "must be an object"
            raise TypeError(msg)
        return converter.structure(value, dict[key, item])  # type: ignore[valid-type]

    return structure


def _fields(kind: type, converter: Converter) -> Callable[[object, type], object]:
    structure_fields: Callable[[Mapping[str, Any], Any], object] = converter.gen_structure_attrs_fromdict(
        kind
    )

    def structure(value: object, _: type) -> object:
        if not isinstance(value, dict | Mapping):
            msg = "must be an object"
            raise TypeError(msg)
        return structure_fields(cast("Mapping[str, Any]", value), kind)

    return structure


def encode(value: object) -> str:
    """A value as JSON text: compact, keys in the order of the fields, equal for equal values."""
    return _JSON.encode(_converter().unstructure(value))


def decode(kind: type[_T], text: str) -> _T:
    """The value of ``kind`` that was encoded. Raises `PayloadError` with the first path that does not fit."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PayloadError(kind.__name__, f"is not JSON ({type(error).__name__})") from None
    try:
        return _converter().structure(document, kind)
    except (BaseValidationError, TypeError, ValueError) as error:
        raise PayloadError(kind.__name__, problems_of(error, "$")[0]) from None


def configure(kind: type[_T], settings: Mapping[str, Any], *, path: str = "") -> _T:
    """A provider (or another attrs class) from plain settings.

    Raises `ConfigurationError` with every problem at once, each with its path:
    ``connections.rail.secret_key: required field missing``. No value is ever quoted, since it may be a secret.
    """
    fields = {
        field.alias or field.name: field for field in attrs.fields(cast("type[attrs.AttrsInstance]", kind))
    }
    problems = [
        f"{_join(path, name)}: unknown field{did_you_mean(name, fields)}"
        for name in settings.keys() - fields.keys()
    ]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in settings:
            try:
                values[name] = _checked(field, settings[name])
            except (BaseValidationError, TypeError, ValueError) as error:
                problems += problems_of(error, _join(path, name))
        elif field.default is attrs.NOTHING:
            problems.append(f"{_join(path, name)}: required field missing")
    if problems:
        raise ConfigurationError(sorted(problems))
    return kind(**values)


def _checked(field: "attrs.Attribute[Any]", setting: object) -> object:
    value = _converter().structure(setting, cast("type[Any]", field.type))
    if field.validator is not None:
        field.validator(None, field, value)
    return value


def problems_of(error: BaseException, path: str) -> list[str]:
    """What is wrong, one line each, with paths; values are never quoted."""
    match error:
        case ClassValidationError():
            within, outside = error.group_exceptions()
            lines = [line for inner, note in within for line in problems_of(inner, _join(path, note.name))]
            return lines + [line for inner in outside for line in problems_of(inner, path)]
        case IterableValidationError():
            items, _ = error.group_exceptions()
            return [line for inner, note in items for line in problems_of(inner, f"{path}[{note.index}]")]
        case ForbiddenExtraKeysError():
            return [f"{_join(path, name)}: unknown field" for name in sorted(error.extra_fields)]
        case KeyError():
            return [f"{path}: required field missing"]
        case TypeError() | ValueError() if error.args:
            # A validator names its field itself, for those who construct without us.
            field = path.rpartition(".")[2]
            return [f"{path}: {str(error.args[0]).removeprefix(f'{field}: ')}"]
        case _:
            return [f"{path}: does not fit ({type(error).__name__})"]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
