"""Fields for a provider's settings, checked where they are read: every problem is found at once, with its path."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

_USUAL: Final = "bankbridge.usual"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def secret_field(*, wrong: Mapping[str, str] = _NONE, usual: Mapping[str, str | None] = _NONE) -> Any:  # noqa: ANN401 (like attrs.field)
    """A required secret that never shows in a repr.

    ``wrong`` names prefixes of other secrets that people paste by mistake, and what to do about each. ``usual`` names
    the documented prefixes, and the mode that each tells (``test``, ``live``, ``None`` for none). No prefix is
    demanded: providers may change theirs without notice. `bankbridge doctor` mentions what is not usual.
    """

    def check(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
        if not _is_clean(value):
            msg = f"{attribute.name}: must not be empty or have blanks around it"
            raise ValueError(msg)
        for start, problem in wrong.items():
            if value.startswith(start):
                msg = f"{attribute.name}: {problem}"
                raise ValueError(msg)

    return attrs.field(repr=False, validator=check, metadata={_USUAL: usual})


def secrets_field(*, usual: Mapping[str, str | None] = _NONE) -> Any:  # noqa: ANN401 (like attrs.field)
    """A required list of secrets, each as `secret_field` wants it; several while one of them is being rotated."""

    def check(_: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: tuple[str, ...] | str) -> None:
        # A lone string would be taken for a list of secrets of one letter each.
        if isinstance(value, str) or not value or not all(map(_is_clean, value)):
            msg = f"{attribute.name}: must be a list of at least one secret, none empty or with blanks around it"
            raise ValueError(msg)

    return attrs.field(repr=False, validator=check, metadata={_USUAL: usual})


def usual_prefixes(provider: type) -> Mapping[str, Mapping[str, str | None]]:
    """The documented prefixes of a provider's secrets, longest first, each with the mode it tells, by setting."""
    if not attrs.has(provider):
        return {}
    return {
        field.name: dict(sorted(field.metadata[_USUAL].items(), key=lambda item: -len(item[0])))
        for field in attrs.fields(provider)
        if field.metadata.get(_USUAL)
    }


def _is_clean(secret: str) -> bool:
    return bool(secret) and secret == secret.strip()


def base_url_field(*, default: str) -> Any:  # noqa: ANN401 (like attrs.field)
    """Where the provider is: ``http(s)://host[:port][/path]``. Credentials, query and fragment are refused."""

    def check(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
        if any(sign in value for sign in "@?#"):
            msg = f"{attribute.name}: must have no credentials, query or fragment"
            raise ValueError(msg)
        if not _is_web_address(value):
            msg = f"{attribute.name}: must be an http or https URL with a host"
            raise ValueError(msg)

    return attrs.field(default=default, validator=check, converter=lambda value: value.rstrip("/"))


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        # Reading the port checks it. What urlsplit says about a bad address would quote it, with what is in it.
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return good and value.isprintable() and " " not in value
