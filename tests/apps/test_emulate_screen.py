"""What a terminal shows of emulators that are up."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from bankbridge.emulate import EndpointPlan, LinkPlan, ProviderPlan, Scenario, emulated
from bankbridge.emulate.show import MOST_LINKS, show_start

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)


def screen(scenario, *, width=80):
    shown = io.StringIO()
    console = Console(file=shown, width=width, highlight=False)
    with emulated(scenario) as providers:
        show_start(console, scenario, providers)
    return shown.getvalue()


def shown(name, *, speed=0.0, **plan):
    plans = {name: ProviderPlan(port=0, **plan)}
    return screen(Scenario(start=START, speed=speed, providers=plans))


@pytest.mark.parametrize(
    ("speed", "pace"),
    [
        (0.0, "time stands still until it is moved: POST /__emulator/clock/advance."),
        (1.0, "time runs as it does here."),
        (60.0, "60 seconds pass in one."),
    ],
)
def test_it_says_how_time_runs(speed, pace):
    assert pace in " ".join(shown("rail", speed=speed).split())


def test_a_provider_without_links_has_no_example():
    text = shown("rail")
    assert "links" not in text
    assert "curl" not in text


def test_webhooks_are_shown_with_what_they_are_signed_with():
    hook = EndpointPlan(url="http://127.0.0.1:3000/webhooks/rail", secret="whsec_mine")
    text = shown("rail", webhooks=(hook,))
    assert "to http://127.0.0.1:3000/webhooks/rail" in text
    assert "secret whsec_mine" in text


def test_the_tokens_of_named_links_are_a_rule_and_those_of_others_a_list():
    assert "the link's id and _token: link_ana_token" in shown("fintoc", links=(LinkPlan(name="ana"),))
    text = shown("fintoc", links=(LinkPlan(name="ana"), LinkPlan()))
    assert "link_ana_token, link_" in text
    assert "_token" not in shown("rail", links=(LinkPlan(name="ana"),))


def test_of_very_many_links_some_are_named():
    text = shown("rail", links=tuple(LinkPlan(name=f"n{number}") for number in range(MOST_LINKS + 3)))
    assert f"link_n{MOST_LINKS - 1} and 3 more" in " ".join(text.split())
    assert f"link_n{MOST_LINKS}" not in text


def test_no_key_or_address_is_broken_however_narrow_the_terminal_is():
    scenario = Scenario(
        start=START, speed=0, providers={"rail": ProviderPlan(port=0, links=(LinkPlan(name="a"),))}
    )
    text = screen(scenario, width=24)
    with emulated(scenario) as providers:
        assert all(key in text for key in providers["rail"].keys.values())
    assert "/__emulator/widget/\n" in text
