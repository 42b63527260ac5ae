"""Values to JSON and back, and settings to a provider. The only module that knows cattrs.

What is written is read by later versions: a field that a document lacks takes its default, one it has too many is
an error, since it would be lost at the next write.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

import attrs
from cattrs import Converter, ForbiddenExtraKeysError
from cattrs.cols import is_any_set
from cattrs.errors import BaseValidationError, ClassValidationError, IterableValidationError

from bankbridge.words.errors import ConfigurationError, PayloadError

_T = TypeVar("_T")


@cache
def _converter() -> Converter:
    """Built at its first use: building it at import would cost everybody who imports us."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_unstructure_hook(datetime, lambda value: value.astimezone(UTC).isoformat())
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda value, _: date.fromisoformat(value))
    converter.register_unstructure_hook(timedelta, timedelta.total_seconds)
    converter.register_structure_hook(timedelta, _seconds)
    for plain in (str, int, bool):
        converter.register_structure_hook(plain, _exactly(plain))
    converter.register_unstructure_hook_func(is_any_set, sorted)
    converter.register_structure_hook(tuple[str, ...], _texts)
    return converter


def _moment(value: object, _: type) -> datetime:
    if not isinstance(value, str):
        msg = "must be an ISO 8601 time"
        raise TypeError(msg)
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        msg = "must have an offset from UTC"
        raise ValueError(msg)
    return moment.astimezone(UTC)


def _seconds(value: object, _: type) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "must be a number of seconds"
        raise TypeError(msg)
    return timedelta(seconds=value)


def _exactly(kind: type) -> Any:  # noqa: ANN401 (a structure hook)
    names = {str: "a string", int: "a whole number", bool: "true or false"}

    def structure(value: object, _: type) -> object:
        if type(value) is not kind:
            msg = f"must be {names[kind]}"
            raise TypeError(msg)
        return value

    return structure


def _texts(value: object, _: type) -> tuple[str, ...]:
    """A list of strings; a lone string is not one, though it could be iterated."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        msg = "must be a list of strings"
        raise TypeError(msg)
    return tuple(value)


def encode(value: object) -> str:
    """A value as JSON text: compact, keys in the order of the fields, equal for equal values."""
    return json.dumps(_converter().unstructure(value), ensure_ascii=False, separators=(",", ":"))


def decode(kind: type[_T], text: str) -> _T:
    """The value of ``kind`` that was encoded. Raises `PayloadError` with the first path that does not fit."""
    try:
        return _converter().structure(json.loads(text), kind)
    except ValueError as error:
        raise PayloadError(kind.__name__, f"is not JSON ({type(error).__name__})") from None
    except BaseValidationError as error:
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
        f"{_join(path, name)}: unknown field{_near(name, fields)}" for name in settings.keys() - fields.keys()
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
            return [f"{path}: {str(error.args[0]).removeprefix(f'{path.rpartition(".")[2]}: ')}"]
        case _:
            return [f"{path}: {type(error).__name__}"]


def _near(name: str, known: Iterable[str]) -> str:
    match difflib.get_close_matches(name, known, n=1):
        case [best]:
            return f", did you mean {best!r}?"
        case _:
            return f" (known: {', '.join(known)})"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
