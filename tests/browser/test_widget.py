"""A person connects a bank and answers its prompts, in a real browser; the application knows only the provider."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from tests.browser.application import ARGUMENTS, PATIENCE, Application, running
from tests.needs import program

# How the two providers tell an application's page that the person did not succeed.
LEFT: Mapping[str, Mapping[str, list[str]]] = {
    "rail": {
        "closed": ["user_close"],
        "timeout": ["timeout"],
        "refused": ["rejected_credentials"],
        "stopped": ["invalid_token"],
    },
    "fintoc": {"closed": [], "timeout": [], "refused": [], "stopped": []},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = program("chromium", "apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, timeout=PATIENCE)


@pytest.fixture(params=["rail", "fintoc"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def application(provider: str) -> Iterator[Application]:
    with running(provider) as application:
        yield application


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh profile, in which no script may fail."""
    with browser.new_context(locale="en-US") as context:
        context.set_default_timeout(PATIENCE)
        errors: list[Any] = []
        context.on("weberror", lambda error: errors.append(error.error))
        yield context.new_page()
        assert errors == []


def widget(page: Page) -> FrameLocator:
    return page.frame_locator("dialog iframe")


def said(page: Page, *words: Any) -> None:
    expect(page.locator("#said")).to_have_text(json.dumps(list(words), separators=(",", ":")))


def connect(page: Page, username: str) -> None:
    page.get_by_role("button", name="Connect").click()
    form = widget(page)
    form.get_by_label("Bank").select_option(index=1)
    form.get_by_label("User name or RUT").fill(username)
    form.get_by_label("Password").fill("wrong")
    form.get_by_role("button", name="Connect").click()
    expect(form.get_by_role("alert")).to_contain_text("The bank refused the login")
    expect(form.get_by_label("Password")).to_be_focused()
    form.get_by_label("Password").fill("anything else")
    form.get_by_role("button", name="Connect").click()
    said(page, "connected")
    expect(page.locator("dialog")).to_have_count(0)


def prompt(page: Page, application: Application) -> FrameLocator:
    """Refresh until the bank asks for a code, and open the widget."""
    page.get_by_role("button", name="Refresh").click()
    said(page, "refreshing")
    pass_time(application, seconds=30)
    page.get_by_role("button", name="Answer").click()
    frame = widget(page)
    expect(frame.get_by_role("timer")).to_have_text(re.compile(r"^\d+:\d\d$"))
    return frame


def pass_time(application: Application, **by: float) -> None:
    application.clock.advance(timedelta(**by))
    application.emulator.settle()


def ends(page: Page, application: Application, *statuses: str) -> None:
    pass_time(application, minutes=5)
    expect(page.locator("#status")).to_have_text(re.compile("|".join(statuses)))


def test_a_person_connects_a_bank_and_answers_its_prompt(page, application):
    page.goto(application.url)
    connect(page, "mfa")
    frame = prompt(page, application)
    frame.get_by_label("Code").fill("123456")
    frame.get_by_role("button", name="Send the code").click()
    said(page, "answered")
    expect(page.locator("dialog")).to_have_count(0)
    ends(page, application, "succeeded")
    (link,) = application.emulator.truth()["links"].values()
    assert link["refused_logins"] == 0


def test_a_wrong_code_a_closed_widget_and_a_prompt_that_expired(page, application, provider):
    reasons = LEFT[provider]
    page.goto(application.url)
    connect(page, "mfa")

    frame = prompt(page, application)
    frame.get_by_label("Code").fill("0000")
    frame.get_by_role("button", name="Send the code").click()
    expect(frame.get_by_role("heading")).to_have_text("The bank refused the code")
    expect(frame.get_by_role("heading")).to_be_focused()
    said(page, "refreshing")
    frame.get_by_role("button", name="Back to the application").click()
    said(page, "left", *reasons["refused"])
    ends(page, application, "failed", "rejected")

    frame = prompt(page, application)
    page.keyboard.press("Escape")
    said(page, "left", *reasons["closed"])
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("#status")).to_have_text(re.compile("requires_mfa|created"))
    pass_time(application, hours=1)

    frame = prompt(page, application)
    pass_time(application, minutes=9)
    expect(frame.get_by_role("timer")).to_have_text(re.compile(r"^0:\d\d$"))
    expect(frame.locator("[aria-live]")).to_have_text(re.compile("^Time left: "))
    pass_time(application, minutes=5)
    said(page, "left", *reasons["timeout"])
    expect(page.locator("dialog")).to_have_count(0)


def test_the_page_is_read_by_hand_in_spanish_on_a_phone(browser, application):
    token = application.backend.widget_token()
    with browser.new_context(locale="es-CL", viewport={"width": 390, "height": 844}) as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{application.emulator_url}/__emulator/widget/#token={token}")
        expect(page.get_by_role("heading")).to_have_text("Conecta tu banco")
        assert token not in page.url
        page.keyboard.press("Tab")
        expect(page.get_by_label("Banco")).to_be_focused()
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading")).to_have_text("Connect your bank")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.get_by_text("not a bank")).to_be_visible()
        page.get_by_label("Bank").select_option(index=1)
        page.get_by_label("User name or RUT").fill("anybody")
        page.get_by_label("Password").fill("anything")
        page.keyboard.press("Enter")
        given = page.get_by_label("Exchange token").input_value()
        assert application.backend.exchange(given)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(
    ("token", "key", "text"),
    [
        ("li_1_sec_1", None, "The token does not exist"),
        (None, "sk_test_1", "none of this emulator's public keys"),
    ],
)
def test_a_page_with_a_wrong_token_or_a_wrong_key_is_told_so(page, application, provider, token, key, text):
    page.goto(application.url)
    page.evaluate(
        "([token, wrong]) => openToConnect(token, wrong ?? key, say, (...given) => say('left', ...given))",
        [token or application.backend.widget_token(), key],
    )
    expect(widget(page).get_by_role("alert")).to_contain_text(text)
    widget(page).get_by_role("button", name="Back to the application").click()
    said(page, "left", *LEFT[provider]["stopped"])


def test_a_widget_that_the_page_hides_goes_on_where_it_was(page, browser):
    with running("fintoc") as application:
        page.goto(application.url)
        token = application.backend.widget_token()
        page.evaluate(
            "(widgetToken) => { window.widget = Fintoc.create({ widgetToken, publicKey: key }); }", token
        )
        expect(page.locator("dialog")).to_have_count(0)
        page.evaluate("widget.open()")
        widget(page).get_by_label("User name or RUT").fill("half a na")
        for method in ("close", "hide"):
            page.evaluate(f"widget.{method}()")
            expect(page.locator("dialog")).to_be_hidden()
            page.evaluate("widget.open()")
            expect(widget(page).get_by_label("User name or RUT")).to_have_value("half a na")
        page.evaluate("widget.destroy()")
        expect(page.locator("dialog")).to_have_count(0)


def test_a_message_from_anywhere_else_ends_nothing(page, application):
    page.goto(application.url)
    page.get_by_role("button", name="Connect").click()
    expect(widget(page).get_by_label("Bank")).to_be_visible()
    page.evaluate(
        """new Promise((resolve) => {
          window.addEventListener("message", resolve, { once: true });
          window.postMessage({ type: "ended", ended: "succeeded", exchangeToken: "forged" }, "*");
        }).then(() => undefined)"""
    )
    expect(page.locator("dialog")).to_be_visible()
    assert page.locator("#said").text_content() == ""
