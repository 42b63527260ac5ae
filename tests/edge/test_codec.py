"""What is written can be read again, what does not fit is said with its path, and no value is ever quoted."""

import json
import re
from datetime import date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bankbridge.codec import configure, decode, encode
from bankbridge.machine.intent import RefreshIntent, Scope
from bankbridge.machine.link import Institution, Link
from bankbridge.store import LogEntry, Parked, StoredDelivery
from bankbridge.webhooks import TOLERANCE, Delivery
from bankbridge.words.errors import ConfigurationError, PayloadError
from bankbridge.words.ids import ConnectionName, LinkId
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.edge import strategies as some
from tests.edge.golden import FOLDER, STORED, written

# --- what is stored comes back


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RefreshIntent, some.intents),
        (Link, some.links),
        (Delivery, some.deliveries),
        (StoredDelivery, some.stored_deliveries),
        (Parked, some.parked),
        (LogEntry, some.log_entries),
    ],
    ids=["intent", "link", "delivery", "stored delivery", "parked", "log entry"],
)
@settings(deadline=None, derandomize=True)
@given(data=st.data())
def test_what_was_encoded_is_decoded(kind, values, data):
    value = data.draw(values)
    text = encode(value)
    assert decode(kind, text) == value
    assert encode(decode(kind, text)) == text


@pytest.mark.parametrize("kind", some.DRAWN)
def test_every_field_takes_part(kind):
    assert some.DRAWN[kind] == {field.name for field in attrs.fields(kind)}


@pytest.mark.parametrize("name", STORED)
def test_what_is_written_today_is_what_was_written_before(name):
    """If a change is meant, ``python -m tests.edge.golden`` writes the files again."""
    assert written(STORED[name]) == (FOLDER / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", STORED)
def test_what_was_written_before_can_be_read(name):
    value = STORED[name]
    assert decode(type(value), (FOLDER / f"{name}.json").read_text("utf-8")) == value


def test_a_time_is_written_in_utc():
    entry = STORED["log_entry"]
    assert isinstance(entry, LogEntry)
    local = attrs.evolve(entry, at=datetime.fromisoformat("2026-03-01T09:00:00-03:00"))
    assert json.loads(encode(local))["at"] == "2026-03-01T12:00:00+00:00"


def test_a_document_is_one_short_line_of_plain_text():
    assert encode(Institution(id="cl", name="Ñuñoa\nBank")) == '{"id":"cl","name":"Ñuñoa\\nBank"}'


# --- documents of other versions


def test_a_field_that_a_document_lacks_takes_its_default():
    least = Link(id=LinkId("link_1"), connection=ConnectionName("rail"))
    assert decode(Link, '{"id": "link_1", "connection": "rail"}') == least


def test_a_field_that_has_no_default_must_be_there():
    with pytest.raises(PayloadError, match=re.escape("Link: $.connection: required field missing")):
        decode(Link, '{"id": "link_1"}')


def test_a_field_too_many_is_an_error_since_it_would_be_lost():
    with pytest.raises(PayloadError, match=re.escape("Link: $.from_the_future: unknown field")):
        decode(Link, '{"id": "link_1", "connection": "rail", "from_the_future": 1}')


# --- what does not fit


def intent_with(**changes: Any) -> str:
    document = json.loads(encode(STORED["intent_requires_mfa"]))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for step in parents:
            place = place[int(step) if step.isdigit() else step]
        place[last] = value
    return json.dumps(document)


A_TIME = "must be an ISO 8601 time with its offset from UTC"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("id", 7, "$.id: must be a string"),
        ("id", None, "$.id: must be a string"),
        ("attended", 1, "$.attended: must be true or false"),
        ("version", True, "$.version: must be a whole number"),
        ("version", 1.0, "$.version: must be a whole number"),
        ("version", "1", "$.version: must be a whole number"),
        ("scope", "HUNTER2", "$.scope: must be one of latest, historical"),
        ("scope", ["HUNTER2"], "$.scope: must be one of latest, historical"),
        ("created_at", "HUNTER2", f"$.created_at: {A_TIME}"),
        ("created_at", 1772366400, f"$.created_at: {A_TIME}"),
        ("created_at", "2026-03-01T12:00:00", f"$.created_at: {A_TIME}"),
        ("created_at", "0001-01-01T00:00:00+14:00", f"$.created_at: {A_TIME}"),
        ("attempt", "HUNTER2", "$.attempt: must be an object"),
        ("attempt", ["HUNTER2"], "$.attempt: must be an object"),
        ("attempt__expected", "HUNTER2", "$.attempt.expected: must be a list"),
        ("attempt__expected", ["acc_1", 2], "$.attempt.expected[1]: must be a string"),
        ("attempt__prompts__0__token", 2, "$.attempt.prompts[0].token: must be a string"),
        ("past__0__end__failure__reason", "HUNTER2", "$.past[0].end.failure.reason: must be one of "),
        ("past__0__end__HUNTER", 2, "$.past[0].end.HUNTER: unknown field"),
    ],
)
def test_what_does_not_fit_is_said_with_its_path_and_not_quoted(path, value, problem):
    with pytest.raises(PayloadError, match=f"^RefreshIntent: {re.escape(problem)}") as raised:
        decode(RefreshIntent, intent_with(**{path: value}))
    assert "HUNTER2" not in str(raised.value)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"HUNTER2"'])
def test_a_document_must_be_an_object(text):
    with pytest.raises(PayloadError, match=re.escape("Link: $: must be an object")):
        decode(Link, text)


@pytest.mark.parametrize("text", ["", "{", '{"token": "HUNTER2'])
def test_a_document_must_be_json(text):
    with pytest.raises(PayloadError, match=re.escape("Link: is not JSON (JSONDecodeError)")) as raised:
        decode(Link, text)
    assert "HUNTER2" not in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("body", "HUNTER2", "must be base64"),
        ("body", "ñ", "must be base64"),
        ("body", 3, "must be base64"),
        ("headers", "HUNTER2", "must be an object"),
        ("headers", ["HUNTER2"], "must be an object"),
    ],
)
def test_a_delivery_must_hold_bytes_and_headers(field, value, problem):
    whole = json.loads(encode(STORED["delivery"]))
    whole["delivery"][field] = value
    with pytest.raises(PayloadError, match=re.escape(f"StoredDelivery: $.delivery.{field}: {problem}")):
        decode(StoredDelivery, json.dumps(whole))


def test_a_header_must_be_a_string():
    whole = json.loads(encode(STORED["delivery"]))
    whole["delivery"]["headers"]["x-one"] = 3
    with pytest.raises(PayloadError, match=re.escape("$.delivery.headers[x-one]: must be a string")):
        decode(StoredDelivery, json.dumps(whole))


# --- other kinds of fields: a plugin's settings may have them


def _never(_: object, attribute: object, value: object) -> None:
    raise ValueError


@attrs.frozen(kw_only=True)
class Settings:
    """One field of each kind that no stored value and neither provider has."""

    first_day: date = date(2026, 1, 1)
    wait: timedelta = timedelta(seconds=1.5)
    share: float = 0.5
    institution: Institution | None = None
    scopes: tuple[Scope, ...] = ()
    mute: str = attrs.field(default="", validator=_never)


@settings(deadline=None, derandomize=True)
@given(day=st.dates(), wait=st.timedeltas(min_value=timedelta(days=-9999), max_value=timedelta(days=9999)))
def test_days_and_durations_come_back(day, wait):
    assert decode(Days, encode(Days(day=day, wait=wait))) == Days(day=day, wait=wait)


@attrs.frozen(kw_only=True)
class Days:
    day: date
    wait: timedelta


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"first_day": "HUNTER2"}, "first_day: must be an ISO 8601 date"),
        ({"first_day": 20260101}, "first_day: must be an ISO 8601 date"),
        ({"wait": "HUNTER2"}, "wait: must be a number of seconds"),
        ({"wait": True}, "wait: must be a number of seconds"),
        ({"wait": float("nan")}, "wait: must be a number of seconds"),
        ({"wait": float("inf")}, "wait: must be a number of seconds"),
        ({"wait": 1e300}, "wait: must be a number of seconds"),
        ({"share": "0.5"}, "share: must be a number"),
        ({"share": True}, "share: must be a number"),
        ({"share": float("nan")}, "share: must be a number"),
        ({"share": 10**400}, "share: must be a number"),
        ({"institution": "HUNTER2"}, "institution: must be an object"),
        ({"institution": {"name": "x"}}, "institution.id: required field missing"),
        ({"institution": {"id": "x", "nmae": "y"}}, "institution.nmae: unknown field"),
        ({"scopes": ["latest", "HUNTER2"]}, "scopes[1]: must be one of latest, historical"),
        ({"mute": "HUNTER2"}, "mute: does not fit (ValueError)"),
    ],
)
def test_each_kind_of_setting_has_words_for_what_does_not_fit(setting, problem):
    with pytest.raises(ConfigurationError) as raised:
        configure(Settings, setting)
    assert raised.value.problems == (problem,)


@attrs.frozen
class Part:
    share: float


def test_a_whole_number_is_a_number_too():
    assert type(configure(Part, {"share": 1}).share) is float


# --- settings

PROVIDERS = [Rail, Fintoc]
KEYS = {Rail: "rail_sk_test_1", Fintoc: "sk_test_1"}


@pytest.fixture(params=PROVIDERS, ids=lambda kind: kind.name)
def kind(request) -> Any:
    return request.param


@pytest.fixture
def good(kind) -> dict[str, Any]:
    return {"secret_key": KEYS[kind], "webhook_secrets": ["whsec_1"]}


def problems(kind, settings, path="connections.mine"):
    with pytest.raises(ConfigurationError) as raised:
        configure(kind, settings, path=path)
    return list(raised.value.problems)


def test_the_least_that_is_needed(kind, good):
    provider = configure(kind, good)
    assert provider == kind(secret_key=KEYS[kind], webhook_secrets=("whsec_1",))
    assert provider.base_url.startswith(f"https://api.{provider.name}.")
    assert provider.signature_tolerance == TOLERANCE


def test_everything_that_can_be_set(kind, good):
    provider = configure(
        kind,
        good
        | {"webhook_secrets": ["a", "b"], "base_url": "http://127.0.0.1:8080/x/", "signature_tolerance": 90},
    )
    assert provider.webhook_secrets == ("a", "b")
    assert provider.base_url == "http://127.0.0.1:8080/x"
    assert provider.signature_tolerance == timedelta(seconds=90)


def test_an_optional_setting_may_be_given_or_left_out():
    good = {"secret_key": "sk_test_1", "webhook_secrets": ["whsec_1"]}
    assert configure(Fintoc, good).api_version is None
    assert configure(Fintoc, good | {"api_version": "2026-02-01"}).api_version == "2026-02-01"


def test_a_configured_provider_shows_no_secret(kind, good):
    assert [secret for secret in (KEYS[kind], "whsec_1") if secret in repr(configure(kind, good))] == []


def test_every_problem_is_said_at_once_in_order(kind):
    assert problems(
        kind,
        {
            "webhook_secret": "HUNTER2",
            "webhook_secrets": "HUNTER2",
            "base_url": "HUNTER2",
            "signature_tolerance": "HUNTER2",
        },
    ) == [
        "connections.mine.base_url: must be an http or https URL with a host",
        "connections.mine.secret_key: required field missing",
        "connections.mine.signature_tolerance: must be a number of seconds",
        "connections.mine.webhook_secret: unknown field, did you mean 'webhook_secrets'?",
        "connections.mine.webhook_secrets: must be a list",
    ]


def test_the_error_reads_as_one_problem_a_line(kind):
    with pytest.raises(ConfigurationError) as raised:
        configure(kind, {}, path="connections.mine")
    assert str(raised.value).splitlines() == [
        "connections.mine.secret_key: required field missing",
        "connections.mine.webhook_secrets: required field missing",
    ]


def test_without_a_path_a_problem_starts_with_its_field(kind):
    assert problems(kind, {}, path="")[0] == "secret_key: required field missing"


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [("secretkey", "secret_key"), ("webhooks_secrets", "webhook_secrets"), ("baseurl", "base_url")],
)
def test_a_misspelt_name_gets_the_nearest(kind, good, written_as, meant):
    assert problems(kind, good | {written_as: "HUNTER2"}) == [
        f"connections.mine.{written_as}: unknown field, did you mean {meant!r}?"
    ]


def test_a_name_like_no_other_gets_the_known_ones(kind, good):
    [problem] = problems(kind, good | {"colour": "HUNTER2"})
    assert problem.startswith("connections.mine.colour: unknown field (known: secret_key, webhook_secrets, ")


CLEAN = "must not be empty or have blanks around it"
SECRETS = "must be a list of at least one secret, none empty or with blanks around it"
ADDRESS = "must be an http or https URL with a host"
BARE = "must have no credentials, query or fragment"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("secret_key", 7, "secret_key: must be a string"),
        ("secret_key", None, "secret_key: must be a string"),
        ("secret_key", ["HUNTER2"], "secret_key: must be a string"),
        ("secret_key", "", f"secret_key: {CLEAN}"),
        ("secret_key", " ", f"secret_key: {CLEAN}"),
        ("secret_key", "HUNTER2\n", f"secret_key: {CLEAN}"),
        ("webhook_secrets", "HUNTER2", "webhook_secrets: must be a list"),
        ("webhook_secrets", {"HUNTER2": 1}, "webhook_secrets: must be a list"),
        ("webhook_secrets", None, "webhook_secrets: must be a list"),
        ("webhook_secrets", ["HUNTER2", 7], "webhook_secrets[1]: must be a string"),
        ("webhook_secrets", [], f"webhook_secrets: {SECRETS}"),
        ("webhook_secrets", ["HUNTER2", ""], f"webhook_secrets: {SECRETS}"),
        ("webhook_secrets", ["HUNTER2 "], f"webhook_secrets: {SECRETS}"),
        ("base_url", 7, "base_url: must be a string"),
        ("base_url", "", f"base_url: {ADDRESS}"),
        ("base_url", "api.HUNTER2.test", f"base_url: {ADDRESS}"),
        ("base_url", "ftp://HUNTER2.test", f"base_url: {ADDRESS}"),
        ("base_url", "https://", f"base_url: {ADDRESS}"),
        ("base_url", "https://:443", f"base_url: {ADDRESS}"),
        ("base_url", "https://[HUNTER2]", f"base_url: {ADDRESS}"),
        ("base_url", "https://x.test:HUNTER2", f"base_url: {ADDRESS}"),
        ("base_url", "https://x.test:99999", f"base_url: {ADDRESS}"),
        ("base_url", "https://HUNTER2 .test", f"base_url: {ADDRESS}"),
        ("base_url", "https://x.test\n", f"base_url: {ADDRESS}"),
        ("base_url", "https://me:HUNTER2@x.test", f"base_url: {BARE}"),
        ("base_url", "https://x.test?key=HUNTER2", f"base_url: {BARE}"),
        ("base_url", "https://x.test/#HUNTER2", f"base_url: {BARE}"),
        ("base_url", "https://x.test/?", f"base_url: {BARE}"),
        ("signature_tolerance", [300], "signature_tolerance: must be a number of seconds"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_and_not_quoted(kind, good, name, value, problem):
    assert problems(kind, good | {name: value}) == [f"connections.mine.{problem}"]
    assert "HUNTER2" not in problem


def test_a_publishable_key_is_not_the_secret_one():
    secrets = {"webhook_secrets": ["whsec_1"]}
    assert problems(Rail, {"secret_key": "rail_pk_live_HUNTER2", **secrets}, path="connections.rail") == [
        "connections.rail.secret_key: is a publishable key: use the secret key"
    ]
    assert problems(Fintoc, {"secret_key": "pk_live_HUNTER2", **secrets}, path="connections.fintoc") == [
        "connections.fintoc.secret_key: is a public key: use the secret key"
    ]


def test_who_makes_a_provider_without_configuring_is_told_the_same(kind, good):
    with pytest.raises(ValueError, match=f"webhook_secrets: {SECRETS}") as raised:
        kind(secret_key=KEYS[kind], webhook_secrets="HUNTER2")
    assert "HUNTER2" not in str(raised.value)


def test_configuring_leaves_the_settings_as_they_were(kind, good):
    before = json.dumps(good)
    configure(kind, good)
    assert json.dumps(good) == before
