"""Providers that are there, that are not, and that tell another time."""

from datetime import timedelta

import pytest

from bankbridge.doctor.checks import Check, Verdict, WaitingFor
from bankbridge.doctor.clocks import Reading, judge_clock
from bankbridge.doctor.examine import examine
from tests.doctor.conftest import FINTOC, RAIL
from tests.doctor.sites import answering, nowhere, saying
from tests.stages import START, staged


def at(base_url, text=RAIL):
    return f'{text}base_url = "{base_url}"\n'


@pytest.fixture
def ask(clinic):
    return lambda text: clinic.examine(text, offline=False)


def test_the_emulated_providers_are_there(ask):
    with staged("rail", "fintoc", webhooks=False) as stage:
        said = ask(at(stage.urls["rail"]) + at(stage.urls["fintoc"], FINTOC))
    assert said.problems == []
    assert [verdict for verdict, _ in said.of("reachability")] == [Verdict.OK] * 2
    assert [verdict for verdict, _ in said.of("clock")] == [Verdict.OK] * 2


def test_an_address_that_two_connections_share_is_asked_once(clinic):
    document = {
        "connections": {
            name: {"provider": "rail", "secret_key": f"rail_sk_{name}", "webhook_secrets": [f"whsec_{name}"]}
            for name in ("one", "two")
        }
    }
    path = clinic.write("")
    with answering() as url:
        for connection in document["connections"].values():
            connection["base_url"] = url
        said = list(examine(document, path, environ={}))
    waited = [one.what for one in said if isinstance(one, WaitingFor)]
    assert waited == [f"{url.removeprefix('http://')}, for one, two"]
    assert sum(one.name == "reachability" for one in said if isinstance(one, Check)) == 1


@pytest.mark.parametrize(
    ("seconds", "verdict", "says"),
    [
        (0, Verdict.OK, "agrees with"),
        (-20, Verdict.WARNING, "s ahead of"),
        (20, Verdict.WARNING, "s behind"),
        (-120, Verdict.PROBLEM, "deliveries are refused from 300 s on"),
        (120, Verdict.PROBLEM, "s behind"),
    ],
)
def test_a_clock_that_is_wrong(ask, seconds, verdict, says):
    with answering(ahead=timedelta(seconds=seconds)) as url:
        check = ask(at(url)).one("clock")
    assert check.verdict is verdict
    assert says in check.says
    assert verdict is Verdict.OK or "timedatectl" in (check.remedy or "")


def test_a_cached_answer_has_grown_old(ask):
    with answering(ahead=timedelta(minutes=-10), age=600) as url:
        assert ask(at(url)).one("clock").verdict is Verdict.OK


def test_who_tells_no_time_is_not_held_against_it(ask):
    with answering(dated=False) as url:
        said = ask(at(url))
    assert said.one("reachability").verdict is Verdict.OK
    assert said.one("clock").verdict is Verdict.SKIPPED


def test_a_short_tolerance_is_minded(ask):
    with answering(ahead=timedelta(seconds=-20)) as url:
        check = ask(at(url) + "signature_tolerance = 30\n").one("clock")
    assert check.verdict is Verdict.PROBLEM
    assert check.says.endswith("deliveries are refused from 30 s on")


@pytest.mark.parametrize(
    ("after", "ahead"),
    [(0.0, 0.0), (0.9, 0.0), (1.5, 0.5), (-0.5, -0.5)],
    ids=["same", "in", "later", "earlier"],
)
def test_a_time_in_whole_seconds_is_given_that_second(after, ahead):
    ours = START + timedelta(seconds=after)
    reading = Reading(theirs=START, before=ours, after=ours, coarse=timedelta(seconds=1))
    assert reading.ahead == timedelta(seconds=ahead)


def test_a_slow_answer_makes_no_clock_wrong():
    reading = Reading(theirs=START, before=START - timedelta(seconds=30), after=START + timedelta(seconds=30))
    assert judge_clock(reading, "it", tolerance=timedelta(seconds=300)).verdict is Verdict.OK


# --- who is not there ------------------------------------------------------------------------------------


def one_problem(said):
    check = said.one("reachability")
    assert check.verdict is Verdict.PROBLEM
    assert said.one("clock").verdict is Verdict.SKIPPED
    return check.says.partition(": ")[2]


def test_nothing_listens(ask):
    assert one_problem(ask(at(nowhere()))) == "nothing listens there: the connection is refused"


def test_a_certificate_that_nobody_signed(ask, tmp_path):
    with answering(tls=tmp_path) as url:
        assert one_problem(ask(at(url))) == "its certificate is not good: self-signed certificate"


def test_no_tls_where_it_should_be(ask):
    with answering() as url:
        assert one_problem(ask(at(url.replace("http:", "https:")))) == "it does not speak TLS there"


def test_what_is_no_web_server(ask):
    with saying(b"220 mail.example ESMTP\r\n\r\n") as url:
        assert one_problem(ask(at(url))) == "what answers there does not speak HTTP"


def test_who_says_nothing(ask, monkeypatch):
    monkeypatch.setattr("bankbridge.doctor.examine.PATIENCE", timedelta(milliseconds=200))
    with saying(None) as url:
        assert one_problem(ask(at(url))).startswith("no answer within")


def test_a_key_that_would_travel_in_the_open(ask, monkeypatch):
    """By way of a proxy, since no test leaves this machine."""
    with answering() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        check = ask(at("http://api.rail.invalid")).one("reachability")
    assert (check.verdict, check.remedy) == (Verdict.WARNING, "let base_url begin with https://")


def test_a_proxy_that_lets_nobody_through(ask, monkeypatch):
    with answering() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert one_problem(ask(at("https://api.rail.invalid"))) == "the proxy does not let us through"
