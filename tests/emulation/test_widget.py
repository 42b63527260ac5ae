"""The widget's page and script over a real socket, as far as that goes without a browser."""

import json
import logging
import re
import string
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import attrs
import httpx
import pytest

from bankbridge.emulation.widget.texts import TEXTS, choose_language
from tests.browser.application import Application, running

WIDGET = "/__emulator/widget/"
PROVIDERS = ("rail", "fintoc")
RUBBISH = (b"", b"{}", b"\xff\xfe=%ff", b"token=" + b"x" * 100_000, b"&".join([b"a=b"] * 5_000), b"token=%00")


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def application(provider: str) -> Iterator[Application]:
    with running(provider) as application:
        yield application


@attrs.define
class Reader:
    """A person with a browser that knows no JavaScript: reads pages and sends their forms."""

    url: str
    client: httpx.Client
    page: httpx.Response = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.page = self.client.get(self.url)

    @property
    def view(self) -> str:
        return self._found(r'data-view="(\w+)"')

    @property
    def alert(self) -> str:
        return " ".join(unescape(self._found(r'id="error"[^>]*>(.*?)</p>')).split())

    @property
    def text(self) -> str:
        return unescape(self.page.text)

    def send(self, action: str, **fields: str) -> str:
        """Send the form of this page that goes there, with its hidden fields; the view that it brings."""
        address, inside = next(
            (address, inside)
            for address, inside in re.findall(
                r'<form[^>]* action="([^"]+)">(.*?)</form>', self.page.text, re.DOTALL
            )
            if address.partition("?")[0] == action
        )
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', inside))
        self.page = self.client.post(self.page.url.join(address), data=hidden | fields)
        return self.view

    def value(self, field: str) -> str:
        return self._found(rf'id="{field}"[^>]* value="([^"]*)"')

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.page.text, re.DOTALL)
        assert found, f"{pattern} is not in {self.page.text}"
        return found[1]


@pytest.fixture
def reader(application: Application) -> Iterator[Reader]:
    with httpx.Client(trust_env=False) as client:
        yield Reader(application.emulator_url + WIDGET, client)


def bank(reader: Reader) -> str:
    return re.findall(r'<option value="(\w+)"', reader.page.text)[0]


def connected(application: Application, reader: Reader, username: str = "mfa") -> str:
    """A link as the application holds it, after the person has connected a bank."""
    assert reader.send("./", token=application.backend.widget_token()) == "connect"
    fields = {"institution": bank(reader), "username": username, "password": "anything"}
    assert reader.send("connect", **fields) == "connected"
    return application.backend.exchange(reader.value("exchange-token"))


def prompted(application: Application, reader: Reader, link: str) -> tuple[str, str]:
    """A refresh of the link that waits for a code, and its token, opened in the widget."""
    intent = application.backend.refresh(link)
    pass_time(application, seconds=30)
    token = application.backend.intent(intent)["prompt"]
    reader.page = reader.client.get(reader.url)
    assert reader.send("./", token=token) == "code"
    return intent, token


def pass_time(application: Application, **by: float) -> None:
    application.clock.advance(timedelta(**by))
    application.emulator.settle()


def test_a_person_connects_a_bank_and_answers_its_prompt(application, reader):
    link = connected(application, reader)
    intent, _ = prompted(application, reader, link)
    assert reader.send("code", code="1234") == "accepted"
    pass_time(application, minutes=5)
    assert application.backend.intent(intent)["status"] == "succeeded"


def test_a_wrong_code_ends_the_refresh_and_its_token(application, reader):
    intent, token = prompted(application, reader, connected(application, reader))
    assert reader.send("code", code=" 0000 ") == "refused"
    pass_time(application, minutes=5)
    assert application.backend.intent(intent)["status"] in {"failed", "rejected"}
    reader.page = reader.client.post(reader.url, data={"token": token})
    assert (reader.view, reader.page.status_code) == ("stopped", 410)


def test_who_walks_away_leaves_the_refresh_as_it_is(application, reader):
    intent, _ = prompted(application, reader, connected(application, reader))
    before = application.backend.intent(intent)["status"]
    assert reader.send("close") == "left"
    assert application.backend.intent(intent)["status"] == before


def test_who_closes_before_connecting_can_open_it_again(application, reader):
    token = application.backend.widget_token()
    for _ in range(2):
        reader.page = reader.client.get(reader.url)
        assert reader.send("./", token=token) == "connect"
        assert reader.send("close") == "left"


def test_the_time_left_is_the_emulators(application, reader):
    _, token = prompted(application, reader, connected(application, reader))
    assert "The emulator's clock stands still." in reader.text
    first = reader._found(r'role="timer"[^>]*>(\d+):\d\d<')
    pass_time(application, minutes=2)
    reader.page = reader.client.post(reader.url, data={"token": token})
    assert int(reader._found(r'role="timer"[^>]*>(\d+):\d\d<')) == int(first) - 2
    pass_time(application, minutes=10)
    reader.page = reader.client.post(reader.url, data={"token": token})
    assert (reader.view, reader.page.status_code) == ("expired", 410)


def test_a_fast_clock_is_said(provider):
    with running(provider, speed=120) as application, httpx.Client(trust_env=False) as client:
        reader = Reader(application.emulator_url + WIDGET, client)
        link = connected(application, reader)
        intent = application.backend.refresh(link)
        while (token := application.backend.intent(intent)["prompt"]) is None:
            application.clock.advance(timedelta(seconds=1))
        reader.page = client.post(reader.url, data={"token": token})
        assert "runs 120 times as fast" in reader.text


def test_what_is_missing_is_asked_for_and_what_was_typed_is_kept(application, reader):
    assert reader.send("./") == "start"
    assert reader.alert == "The token is missing: paste it into the field."
    reader.send("./", token=application.backend.widget_token())
    typed: dict[str, str] = {"institution": bank(reader)}
    for given, asked in (
        ({"institution": "nowhere"}, "Choose a bank from the list."),
        (typed, "Type a user name: any will do."),
        ({"username": "mfa"}, "Type a password: any will do."),
    ):
        assert reader.send("connect", **(typed | given)) == "connect"
        assert (reader.alert, reader.page.status_code) == (asked, 422)
        typed |= given if "nowhere" not in given.values() else {}
    assert reader.send("connect", **typed, password="wrong") == "connect"
    assert reader.alert.startswith("The bank refused the login.")
    assert (reader.value("username"), bank_chosen(reader)) == ("mfa", typed["institution"])
    assert 'wrong"' not in reader.page.text
    assert reader.send("connect", **typed, password="right") == "connected"


def bank_chosen(reader: Reader) -> str:
    return reader._found(r'<option value="(\w+)" selected')


def test_the_address_may_lack_its_slash(application):
    sent_on = httpx.get(application.emulator_url + WIDGET.removesuffix("/") + "?lang=es")
    assert sent_on.status_code == 307
    assert sent_on.headers["location"].endswith(WIDGET + "?lang=es")


def test_no_code_is_not_a_wrong_code(application, reader):
    prompted(application, reader, connected(application, reader))
    assert reader.send("code", code=" ") == "code"
    assert reader.alert.startswith("Type a code")
    assert reader.send("code", code="1") == "accepted"


def test_a_token_that_opens_nothing_is_said_plainly(application, reader):
    assert reader.send("./", token="<script>alert(1)</script>") == "stopped"
    assert reader.page.status_code == 410
    assert reader.alert.startswith("The token does not exist, was used, or has expired.")
    assert "<script>alert" not in reader.page.text


def test_a_page_must_open_it_with_a_public_key(application, reader):
    token = application.backend.widget_token()
    for key in ("", application.emulator.secret_key, "pk_test_of_somebody_else"):
        reader.page = reader.client.post(reader.url, data={"token": token, "key": key})
        assert reader.view == "stopped"
        assert "none of this emulator's public keys" in reader.alert
        assert not key or key not in reader.page.text
    key = application.emulator.keys["publishable_test"]
    reader.page = reader.client.post(reader.url, data={"token": token, "key": key})
    assert reader.view == "connect"
    assert reader.send("close") == "left"


def test_forms_of_rubbish_are_answered(application, reader):
    for path in ("", "connect", "code", "close"):
        for body in RUBBISH:
            answer = reader.client.post(reader.url + path, content=body)
            assert answer.status_code in {410, 422}, (path, body[:20])


def test_forms_that_do_not_fit_their_token_show_what_does(application, reader):
    token = application.backend.widget_token()
    answer = reader.client.post(reader.url + "code", data={"token": token, "code": "1"})
    assert 'data-view="connect"' in answer.text
    _, prompt = prompted(application, reader, connected(application, reader))
    answer = reader.client.post(reader.url + "connect", data={"token": prompt, "username": "a"})
    assert 'data-view="code"' in answer.text


def test_a_page_of_any_kind_may_be_framed_and_runs_only_its_own_script(application, reader):
    policy = reader.page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors *" in policy
    assert "x-frame-options" not in reader.page.headers
    assert reader.page.headers["cache-control"] == "no-store"
    assert reader.page.headers["referrer-policy"] == "no-referrer"
    assert " style=" not in reader.page.text
    assert " on" + "click=" not in reader.page.text


@pytest.mark.parametrize(("name", "kind"), [("page.js", "text/javascript"), ("page.css", "text/css")])
def test_what_the_page_needs_comes_with_the_package(application, reader, name, kind):
    answer = reader.client.get(f"{reader.url}static/{name}")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert f'static/{name}"' in reader.page.text


def test_the_script_gives_a_page_the_providers_global(application, reader, provider):
    answer = reader.client.get(reader.url + "embed.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert f"const PAGE = {json.dumps(reader.url)};" in answer.text
    assert {"rail": "window.Rail = ", "fintoc": "window.Fintoc = "}[provider] in answer.text


@pytest.mark.parametrize("host", ['x";alert(1)//', "a b", "</script>", "[::1", "x:99999999"])
def test_a_strange_host_header_does_not_get_into_the_script(application, reader, host):
    answer = reader.client.get(reader.url + "embed.js", headers={"host": host})
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        (line,) = (line for line in answer.text.splitlines() if "const PAGE" in line)
        assert re.fullmatch(r'\s*const PAGE = "[^"<>]*";', line)


def test_no_token_code_or_password_is_in_a_log_or_in_the_truth(application, reader, caplog):
    caplog.set_level(logging.DEBUG)
    reader.send("./", token=(first := application.backend.widget_token()))
    fields = {"institution": bank(reader), "username": "mfa", "password": "correct horse"}
    reader.send("connect", **fields)
    exchange_token = reader.value("exchange-token")
    _, second = prompted(application, reader, application.backend.exchange(exchange_token))
    reader.send("code", code="424242")
    # The provider's own addresses may carry a token, the widget's never.
    logged = [message for message in caplog.messages if "/v1/" not in message]
    assert any(WIDGET in message for message in logged)
    kept = json.dumps(application.emulator.truth())
    for secret in (first, exchange_token, second, "424242", "correct horse", "correct+horse"):
        assert not any(secret in message for message in logged)
        assert secret not in kept


@pytest.mark.parametrize(
    ("wanted", "header", "language"),
    [
        (None, "", "en"),
        (None, "es-CL,es;q=0.9,en;q=0.8", "es"),
        (None, "de,en;q=0.5,es;q=0.7", "es"),
        (None, "en;q=0,es;q=0.1", "es"),
        (None, "de", "en"),
        (None, "es;q=nonsense,;;,", "en"),
        ("es", "en", "es"),
        ("xx", "es", "es"),
    ],
)
def test_the_language_is_the_one_asked_for_or_the_browsers(wanted, header, language):
    assert choose_language(wanted, header) == language


def test_the_page_speaks_the_language_and_keeps_it(application, reader):
    reader.page = reader.client.get(reader.url, headers={"accept-language": "es-CL"})
    assert reader.page.headers["content-language"] == "es"
    assert '<html lang="es">' in reader.page.text
    assert "no es un banco" in reader.text
    reader.send("./", token=application.backend.widget_token())
    assert "Conecta tu banco" in reader.text


def test_both_languages_say_the_same_things_with_the_same_words():
    def words(texts: Any) -> dict[str, set[str]]:
        return {
            name: {word for _, word, *_ in string.Formatter().parse(text) if word}
            for name, text in texts.items()
        }

    assert words(TEXTS["es"]) == words(TEXTS["en"])
