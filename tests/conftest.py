"""How conversations are recorded: nothing secret, nothing that differs from one machine or day to the next."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

CASSETTES = Path(__file__).parents[1] / "cassettes"

# Where the emulator happened to listen, and what nobody may read.
_WRITTEN_AS = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://emulator.invalid"),
    (re.compile(r"\blink_[A-Za-z0-9]+_token_[A-Za-z0-9]+"), "LINK_TOKEN"),
    (re.compile(r"\bri_[A-Za-z0-9]+_sec_[A-Za-z0-9]+"), "WIDGET_TOKEN"),
    (re.compile(r'("number": ?)"[^"]*"'), r'\1"0000"'),
    (re.compile(r'("last_4": ?)"[^"]*"'), r'\1"0000"'),
)
_KEPT_HEADERS = ("content-type", "link", "retry-after", "x-total-count")


def clean(text: str) -> str:
    """A text of a conversation as it is kept."""
    for pattern, written in _WRITTEN_AS:
        text = pattern.sub(written, text)
    return text


def clean_request(request: Any) -> Any:
    request.uri = clean(request.uri)
    request.headers = {}
    return request


def clean_response(response: dict[str, Any]) -> dict[str, Any]:
    headers: Mapping[str, list[str]] = response["headers"]
    kept = {name.lower(): values for name, values in headers.items() if name.lower() in _KEPT_HEADERS}
    response["headers"] = {name: [clean(value) for value in values] for name, values in kept.items()}
    response["body"] = {"string": clean(response["body"]["string"].decode()).encode()}
    return response


@pytest.fixture(scope="session")
def vcr_config() -> dict[str, Any]:
    return {
        "match_on": ["method", "scheme", "host", "path", "query", "body"],
        "before_record_request": clean_request,
        "before_record_response": clean_response,
        "decode_compressed_response": True,
    }


@pytest.fixture(scope="session")
def vcr_cassette_dir() -> str:
    return str(CASSETTES)
