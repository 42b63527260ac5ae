"""Scenarios that are served: what an application meets, and the same again from the same seed."""

import asyncio
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import attrs
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bankbridge.emulate import EndpointPlan, LinkPlan, ProviderPlan, Scenario, emulated
from bankbridge.emulation import Clock, PortInUseError, Server
from bankbridge.webhooks import Delivery, Verified
from bankbridge.words.ids import ConnectionName
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail
from tests.emulation.receiver import Receiver
from tests.stages import AUTHORIZATION

START = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
PROVIDERS = {"rail": Rail, "fintoc": Fintoc}
MINUTE = timedelta(minutes=1)
NOTHING = ProviderPlan()


@contextmanager
def served(name, plan=NOTHING, **options):
    """One provider, on any port, in time that stands still."""
    scenario = Scenario(start=START, speed=0, providers={name: attrs.evolve(plan, port=0)}, **options)
    with emulated(scenario) as providers:
        yield providers[name]


def create(emulator, link):
    """Ask for a refresh, as the provider wants it."""
    name = emulator.emulator.provider
    body = {"link_id": link.link_id} if name == "rail" else {"link_token": link.link_token}
    with httpx.Client(base_url=emulator.url, trust_env=False) as client:
        headers = {"authorization": AUTHORIZATION[name](emulator.secret_key)}
        return client.post("/v1/refresh_intents", headers=headers, json=body)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_scenario_gives_what_it_says(name):
    plan = ProviderPlan(
        switches={"create_status": "200"},
        links=(LinkPlan(name="ana", accounts=2), LinkPlan(attempts=("fails",))),
        faults={"slow": 0.0},
    )
    with served(name, plan) as emulator:
        ana, other = emulator.links
        assert (ana.link_id, len(ana.account_ids)) == ("link_ana", 2)
        assert create(emulator, ana).status_code == 200
        create(emulator, other)
        emulator.pass_time(10 * MINUTE)
        links = emulator.truth()["links"]
        assert links["link_ana"]["intents"][0]["status"] == "succeeded"
        assert links[other.link_id]["intents"][0]["status"] == "failed"
        assert emulator.faults.rates == {"slow": 0.0}
        assert emulator.clock.now() == START + 10 * MINUTE
        assert emulator.keys["secret_test"] == emulator.secret_key


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("secret", [None, "whsec_of_my_own"])
def test_webhooks_go_where_the_scenario_says_signed_with_its_secret(name, secret):
    with Receiver() as receiver:
        plan = ProviderPlan(links=(LinkPlan(),), webhooks=(EndpointPlan(url=receiver.url, secret=secret),))
        with served(name, plan) as emulator:
            create(emulator, emulator.links[0])
            emulator.pass_time(5 * MINUTE)
            (endpoint,) = emulator.endpoints
        assert secret in {None, endpoint.secret}
        assert_genuine(name, endpoint.secret, receiver)


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_endpoint_can_be_registered_at_any_time_for_some_types(name):
    wanted = "refresh_intent.succeeded" if name == "rail" else "account.refresh_intent.succeeded"
    with Receiver() as receiver, served(name, ProviderPlan(links=(LinkPlan(),))) as emulator:
        secret = emulator.register_webhook(receiver.url, events=[wanted])
        create(emulator, emulator.links[0])
        emulator.pass_time(5 * MINUTE)
        assert set(receiver.types()) == {wanted}
        assert_genuine(name, secret, receiver)
        with pytest.raises(ValueError, match="did you mean"):
            emulator.register_webhook(receiver.url, events=[wanted.upper()])


def assert_genuine(name, secret, receiver):
    provider = PROVIDERS[name](secret_key="sk_test_1", webhook_secrets=(secret,), base_url="http://127.0.0.1")
    assert receiver.received
    for one in receiver.received:
        at = datetime.fromtimestamp(int(signature_time(one.headers)), UTC)
        delivery = Delivery(
            connection=ConnectionName(name), headers=one.headers, body=one.body, received_at=at
        )
        assert isinstance(provider.verify(delivery, now=at), Verified)


def signature_time(headers):
    (signature,) = (value for header, value in headers.items() if header.endswith("-signature"))
    return signature.split(",")[0].removeprefix("t=")


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_same_scenario_and_seed_give_the_same_truth(name):
    """Ids, keys, secrets, faults and all: only what time it is comes from outside, and here it stands still."""
    plan = ProviderPlan(
        links=tuple(LinkPlan(attempts=(word,), webhooks="twice") for word in ("succeeds", "mfa", "fails")),
        faults={"duplicate": 0.3, "drop": 0.3},
    )

    def played(seed):
        with Receiver() as receiver, served(name, plan, seed=seed) as emulator:
            emulator.register_webhook(receiver.url)
            answers = [create(emulator, link).json() for link in emulator.links]
            emulator.pass_time(20 * MINUTE)
            return {
                "answers": answers,
                "keys": dict(emulator.keys),
                "truth": emulator.truth(),
                "events": sorted(one.body.decode() for one in receiver.received),
            }

    first, again, other = played(7), played(7), played(8)
    assert first["truth"]["deliveries"]
    assert again == first
    assert other != first
    assert other["keys"] != first["keys"]


def test_providers_of_one_scenario_share_its_time():
    plans = {name: ProviderPlan(port=0) for name in PROVIDERS}
    with emulated(Scenario(start=START, speed=0, providers=plans)) as providers:
        rail, fintoc = providers["rail"], providers["fintoc"]
        assert rail.url != fintoc.url
        rail.clock.advance(MINUTE)
        assert fintoc.clock.now() == START + MINUTE


def test_time_can_come_from_outside():
    clock = Clock(start=START, speed=0)
    with emulated(Scenario(providers={"rail": ProviderPlan(port=0)}), clock=clock) as providers:
        assert providers["rail"].clock is clock


def test_time_passes_step_by_step():
    """What comes due on the way happens at its own moment, though time makes a leap."""
    with served("rail", ProviderPlan(links=(LinkPlan(attempts=("mfa",)),))) as emulator:
        create(emulator, emulator.links[0])
        emulator.pass_time(30 * MINUTE)
        (intent,) = emulator.truth()["links"][emulator.links[0].link_id]["intents"]
        assert intent["error_code"] == "requires_mfa_user_timeout"
        ended = datetime.fromisoformat(intent["ended_at"])
        assert ended == START + timedelta(seconds=15) + 10 * MINUTE
        assert emulator.clock.now() == START + 30 * MINUTE


def test_a_taken_port_names_its_provider_and_leaves_nothing_behind():
    before = set(threading.enumerate())
    with served("rail") as taken:
        port = int(taken.url.rpartition(":")[2])
        plans = {"fintoc": ProviderPlan(port=0), "rail": ProviderPlan(port=port)}
        problem = f"rail: port {port} on 127.0.0.1 is in use: choose another, or 0 for any free one"
        with pytest.raises(PortInUseError, match=problem), emulated(Scenario(providers=plans)):
            pytest.fail("it was served")
    assert set(threading.enumerate()) == before


async def test_settling_in_the_loop_that_serves_the_receiver_says_what_to_do(monkeypatch):
    """The emulator waits for an answer that this loop cannot give while it waits."""
    came = asyncio.Event()

    async def take(reader, writer):
        came.set()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with served("rail") as emulator:
            emulator.register_webhook(f"http://127.0.0.1:{port}/")
            emulator.add_link()
            settle = emulator.emulator.settle
            with monkeypatch.context() as patch:
                patch.setattr(type(emulator.emulator), "settle", lambda _: settle(timedelta(milliseconds=1)))
                with pytest.raises(TimeoutError) as raised:
                    emulator.settle()
            assert "await asyncio.to_thread(emulator.settle)" in raised.value.__notes__[0]
            await asyncio.to_thread(emulator.settle)
            assert came.is_set()
            assert [one["statuses"] for one in emulator.truth()["deliveries"]] == [[200]]


def test_a_receiver_that_never_answers_is_no_matter_of_event_loops(monkeypatch):
    gate = threading.Event()

    def hang(_request: Request) -> Response:
        gate.wait()
        return Response()

    with (
        Server(Starlette(routes=[Route("/", hang, methods=["POST"])])) as receiver,
        served("rail") as emulator,
    ):
        emulator.register_webhook(receiver.url)
        emulator.add_link()
        settle = emulator.emulator.settle
        monkeypatch.setattr(type(emulator.emulator), "settle", lambda _: settle(timedelta(milliseconds=1)))
        with pytest.raises(TimeoutError) as raised:
            emulator.settle()
        gate.set()
        assert not hasattr(raised.value, "__notes__")


def test_the_truth_is_json(tmp_path):
    with served("rail", ProviderPlan(links=(LinkPlan(),))) as emulator:
        assert json.loads(json.dumps(emulator.truth())) == emulator.truth()
