"""The emulated Fintoc is the same again, keeps its secrets, and can be served twice."""

import json
from datetime import timedelta

from bankbridge.emulation import Clock, Emulator, Server
from bankbridge_fintoc.emulator import SWITCHES, WORDS, Timings, create_emulator
from tests.fintoc.served import NOON, OUTCOMES, client_of


def test_has_the_face_of_every_emulator():
    emulator: Emulator = create_emulator(Clock(start=NOON, speed=0))
    assert (emulator.provider, emulator.clock.now()) == ("fintoc", NOON)
    assert emulator.secret_key not in repr(emulator)


def test_every_switch_has_a_source_and_every_word_a_meaning():
    assert all(switch.source and switch.says and switch.default for switch in SWITCHES.values())
    assert all(WORDS.values())


def test_the_same_seed_tells_the_same_story():
    def tell(seed: int) -> dict:
        emulator = create_emulator(Clock(start=NOON, speed=0), seed=seed)
        emulator.add_link(accounts=2)
        return emulator.truth()

    assert tell(1) == tell(1)
    assert tell(1) != tell(2)


def test_no_secret_is_in_the_truth_or_a_repr(fintoc, receiver):
    endpoint = fintoc.subscribe(receiver)
    link = fintoc.emulator.add_link(attempts=["mfa"])
    token = fintoc.create(link).json()["requires_mfa"]["widget_token"]
    told = json.dumps(fintoc.emulator.truth()) + repr(link) + repr(fintoc.emulator)
    assert not [secret for secret in (link.link_token, token, endpoint["secret"]) if secret in told]


def test_time_can_run_by_itself_and_the_app_can_be_served_twice(receiver):
    timings = Timings(first_report=timedelta(seconds=60), between_reports=timedelta(seconds=1))
    emulator = create_emulator(Clock(speed=1000), timings=timings)
    headers = {"Authorization": emulator.secret_key}
    link = emulator.add_link(attempts=["fails"])
    with Server(emulator.app) as server, client_of(server, headers) as client:
        body = {"url": receiver.url, "enabled_events": OUTCOMES}
        client.post("/v1/webhook_endpoints", json=body)
    for _ in range(2):
        with Server(emulator.app) as server, client_of(server, headers) as client:
            created = client.post("/v1/refresh_intents", params={"link_token": link.link_token})
            assert created.status_code == 201
            assert len(receiver.events(3)) == 3
