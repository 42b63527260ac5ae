"""Fields for a provider's settings, checked where they are read: every problem is found at once, with its path."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import attrs


def secret_field(*, wrong: Mapping[str, str] = MappingProxyType({})) -> Any:  # noqa: ANN401 (like attrs.field)
    """A required secret that never shows in a repr.

    ``wrong`` names prefixes of other secrets that people paste by mistake, and what to do about each. No prefix
    is demanded: providers may change theirs without notice.
    """

    def check(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
        if not value.strip() or value != value.strip():
            msg = f"{attribute.name}: must not be empty or have blanks around it"
            raise ValueError(msg)
        for start, problem in wrong.items():
            if value.startswith(start):
                msg = f"{attribute.name}: {problem}"
                raise ValueError(msg)

    return attrs.field(repr=False, validator=check)


def secrets_field() -> Any:  # noqa: ANN401 (like attrs.field)
    """A required list of secrets, none empty; several while one of them is being rotated."""

    def check(_: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: tuple[str, ...]) -> None:
        if not value or not all(secret.strip() for secret in value):
            msg = f"{attribute.name}: must hold at least one secret, and none empty"
            raise ValueError(msg)

    return attrs.field(repr=False, validator=check)


def base_url_field(*, default: str) -> Any:  # noqa: ANN401 (like attrs.field)
    """Where the provider is: ``http(s)://host[:port][/path]``. Credentials, query and fragment are refused."""

    def check(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"{attribute.name}: must be an http or https URL with a host"
            raise ValueError(msg)
        if parts.username or parts.password or parts.query or parts.fragment:
            msg = f"{attribute.name}: must have no credentials, query or fragment"
            raise ValueError(msg)

    return attrs.field(default=default, validator=check, converter=lambda value: value.rstrip("/"))
