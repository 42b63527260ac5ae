"""Readers that tolerate what is extra and are exact about what is missing."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from bankbridge.payload import Payload, payloads
from bankbridge.words.errors import PayloadError


def payload(**fields) -> Payload:
    return Payload(fields)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (None, "null"),
        (True, "true or false"),
        (1, "a number"),
        (1.5, "a number"),
        ("x", "a string"),
        ([], "a list"),
        (b"x", "bytes"),
    ],
)
def test_only_an_object_is_a_payload(raw: object, kind: str):
    with pytest.raises(PayloadError, match=rf"^\$: must be an object, is {kind}$"):
        Payload(raw)


def test_extra_fields_are_kept_and_in_nobodys_way():
    read = payload(id="x", of_tomorrow={"a": 1})
    assert read.text("id") == "x"
    assert read.raw == {"id": "x", "of_tomorrow": {"a": 1}}


READERS: list[tuple[str, object, object, list[object]]] = [
    ("text", "x", "x", [True, 1, 1.5, [], {}]),
    ("integer", 5, 5, [True, 1.0, "5", [], {}]),
    ("flag", False, False, [0, 1.5, "false", [], {}]),
    (
        "moment",
        "2026-06-03T12:00:45-03:00",
        datetime(2026, 6, 3, 15, 0, 45, tzinfo=UTC),
        [True, 1, {}, "soon"],
    ),
    ("day", "2026-06-03", date(2026, 6, 3), [True, 20260603, {}, "yesterday"]),
]


@pytest.mark.parametrize(("name", "raw", "value", "wrong"), READERS, ids=[row[0] for row in READERS])
def test_a_maybe_reader(name: str, raw: object, value: object, wrong: list[object]):
    def read(**fields) -> object:
        reader: Callable[..., object] = getattr(payload(**fields), f"maybe_{name}")
        return reader("key", "other")

    assert read(key=raw) == value
    assert read(other=raw) == value
    assert read(key=None, other=raw) == value
    assert read() is None
    assert read(key=None) is None
    for bad in wrong:
        with pytest.raises(PayloadError, match=r"^\$\.key: must be ") as caught:
            read(key=bad)
        assert caught.value.path == "$.key"
        with pytest.raises(PayloadError, match=r"^\$\.other: must be "):
            read(other=bad)


@pytest.mark.parametrize(
    ("name", "value"), [("text", "x"), ("integer", 0), ("moment", "2026-06-03T15:00:45Z")]
)
def test_a_strict_reader(name: str, value: object):
    assert getattr(payload(key=value), name)("key") is not None
    for fields in ({}, {"key": None}):
        with pytest.raises(PayloadError, match=r"^\$\.key: required field missing$"):
            getattr(payload(**fields), name)("key", "other")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-03T15:00:45Z", datetime(2026, 6, 3, 15, 0, 45, tzinfo=UTC)),
        ("2026-06-03T15:00:45.123Z", datetime(2026, 6, 3, 15, 0, 45, 123000, tzinfo=UTC)),
        ("2026-06-04T00:30:00+09:30", datetime(2026, 6, 3, 15, 0, tzinfo=UTC)),
    ],
)
def test_an_instant_is_aware_utc(text: str, moment: datetime):
    read = payload(at=text).moment("at")
    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "text", ["2026-06-03T15:00:45", "2026-06-03", "0001-01-01T00:00:00+05:00", "", "NaN"]
)
def test_what_is_no_instant(text: str):
    with pytest.raises(PayloadError, match=r"^\$\.at: must "):
        payload(at=text).maybe_moment("at")


@pytest.mark.parametrize(
    "text",
    ["2026-06-03", "2026-06-03T00:00:00Z", "2026-06-03T23:59:59-03:00", "2026-06-03T00:00:00.000+14:00"],
)
def test_a_day_is_never_shifted_by_a_time_zone(text: str):
    assert payload(on=text).maybe_day("on") == date(2026, 6, 3)


@pytest.mark.parametrize("text", ["2026-13-01", "2026-02-30T00:00:00Z", "03/06/2026", ""])
def test_what_is_no_day(text: str):
    with pytest.raises(PayloadError, match=r"^\$\.on: must be an ISO 8601 date$"):
        payload(on=text).maybe_day("on")


def test_paths_lead_to_the_offender():
    read = payload(data={"rows": [{"id": "a"}, {"id": 2}]})
    rows = read.section("data").sections("rows")
    assert rows[0].text("id") == "a"
    with pytest.raises(PayloadError, match=r"^\$\.data\.rows\[1\]\.id: must be a string, is a number$"):
        rows[1].text("id")


def test_sections():
    assert payload().maybe_section("data") is None
    found = payload(other={"id": "x"}).maybe_section("data", "other")
    assert found is not None
    assert found.path == "$.other"
    assert payload().sections("rows") == ()
    with pytest.raises(PayloadError, match=r"^\$\.data: must be an object, is null$"):
        payload().section("data")
    with pytest.raises(PayloadError, match=r"^\$\.rows: must be a list, is an object$"):
        payload(rows={}).sections("rows")
    with pytest.raises(PayloadError, match=r"^\$\[1\]: must be an object, is a string$"):
        payloads([{}, "x"])


@pytest.mark.parametrize("value", ["s3cret-token", "s3cret 2026"])
def test_no_error_shows_the_value(value: str):
    for read in (payload(key=value).maybe_moment, payload(key=value).maybe_day, payload(key=value).integer):
        with pytest.raises(PayloadError) as caught:
            read("key")
        assert "s3cret" not in str(caught.value)


def test_half_a_character_is_no_text():
    """JSON can say it, and nothing can store it."""
    with pytest.raises(PayloadError, match=r"^\$\.key: must be text, holds half a character$"):
        payload(key="\ud83d").text("key")
    assert payload(key="Ñuñoa 🏦").text("key") == "Ñuñoa 🏦"
