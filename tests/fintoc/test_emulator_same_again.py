"""The same seed tells the same story, whatever goes wrong and whoever comes first; a thousand links are no burden."""

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.responses import Response

from bankbridge.emulation import FAULTS
from bankbridge_fintoc.emulator.ids import Ids
from tests.fintoc.served import OPT_IN, SUBSCRIBED, Fintoc, Receiver

# `slow` keeps real time, and what cuts the connection would cut short what the test asks for.
PATIENT = {"slow", "reset", "response_lost"}
ALL = {name: 0.1 if fault.side == "http" else 0.3 for name, fault in FAULTS.items() if name not in PATIENT}
WORDS = ["succeeds", "mixed", "rejects", "mfa", "account_appears", "already_running", "fails", "cooldown"]


class Moody(Receiver):
    """A receiver that refuses some events, and some of those again; not by the order in which they come."""

    async def take(self, request):
        body = await request.body()
        self.came.put(({}, body))
        times = len([one for one in self.answers if one == hash_of(body)])
        self.answers.append(hash_of(body))
        return Response(status_code=200 if hash_of(body) % 3 <= times else 503)


def hash_of(body: bytes) -> int:
    return int.from_bytes(hashlib.sha256(body).digest()[:6])


@pytest.fixture
def moody(receivers):
    url, takers = receivers
    path = f"/{len(takers)}"
    return takers.setdefault(path, Moody(url=url + path))


def play(fintoc: Fintoc, receiver) -> dict:
    """Refresh some links again and again, while the receiver is down now and then."""
    receiver.answers.clear()
    fintoc.emulator.add_endpoint(receiver.url, events=[*SUBSCRIBED, *OPT_IN])
    links = [
        fintoc.emulator.add_link(attempts=WORDS[turn:] + WORDS[:turn], mode="test")
        for turn in range(len(WORDS))
    ]
    for minute in range(30):
        if minute % 6 == 0:
            for link in links:
                fintoc.create(link, key=f"{link.link_id} {minute}")
                fintoc.get(link, "/v1/accounts")
        fintoc.emulator.settle()
        fintoc.advance(seconds=60)
    fintoc.emulator.settle()
    return fintoc.emulator.truth()


def test_two_runs_with_every_fault_tell_the_same(serve, moody):
    first, second = (
        play(serve(seed=7, faults=ALL, background_refreshes="scheduled"), moody) for _ in range(2)
    )
    assert first == second
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert len({one["fault"] for one in first["faults"]}) > 12
    assert len(first["deliveries"]) > 50


def test_another_seed_tells_another_story(serve, receiver):
    first, second = (play(serve(seed=seed, faults=ALL), receiver) for seed in (1, 2))
    assert [one["on"] for one in first["faults"]] != [one["on"] for one in second["faults"]]


def test_ids_do_not_depend_on_who_comes_first(serve, receiver):
    def told(order: int) -> dict:
        fintoc = serve()
        fintoc.subscribe(receiver)
        links = [fintoc.emulator.add_link() for _ in range(6)]
        for link in links[::order]:
            fintoc.create(link)
        fintoc.advance(minutes=2)
        fintoc.emulator.settle()
        truth = fintoc.emulator.truth()
        return {"links": truth["links"], "deliveries": truth["deliveries"]}

    assert told(1) == told(-1)


def test_ids_do_not_depend_on_threads(serve):
    def told(workers: int) -> dict:
        fintoc = serve(faults={"late_rows": 0.5, "unstable_paging": 0.5})
        links = [fintoc.emulator.add_link() for _ in range(12)]
        barrier = threading.Barrier(workers)

        def ask(link) -> None:
            barrier.wait()
            fintoc.create(link)
            fintoc.rows(link)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(ask, links))
        fintoc.advance(minutes=2)
        return fintoc.emulator.truth()

    assert told(1) == told(4)


def test_ids_look_like_fintoc_s_and_are_all_different():
    ids = Ids(0)
    made = {ids.make("mov_", "acc_1", position) for position in range(2_000)}
    assert len(made) == 2_000
    assert {len(one) for one in made} == {20}
    assert Ids(0).make("mov_", "acc_1", 3) in made
    assert Ids(1).make("mov_", "acc_1", 3) not in made
    assert len(Ids(0, prefixed=False).make("mov_", "acc_1", 3)) == 16


@pytest.mark.parametrize("count", [1_000])
def test_a_request_is_no_dearer_with_a_thousand_links(fintoc, count, monkeypatch):
    """Not measured in seconds, which differ by machine: nothing that answers one link looks at the others."""
    links = [fintoc.emulator.add_link(accounts=1) for _ in range(count)]
    looked: list[str] = []
    kind = type(fintoc.emulator._world.links[links[0].link_id])

    def watch(self, name):
        looked.append(object.__getattribute__(self, "id"))
        return object.__getattribute__(self, name)

    monkeypatch.setattr(kind, "__getattribute__", watch)
    link = links[500]
    fintoc.create(link)
    fintoc.get(link, f"/v1/accounts/{link.account_ids[0]}")
    fintoc.get(link, f"/v1/accounts/{link.account_ids[0]}/movements")
    fintoc.get(link, "/v1/refresh_intents")
    fintoc.client.get(f"/v1/links/{link.link_token}")
    assert set(looked) == {link.link_id}
    looked.clear()
    assert len(fintoc.client.get("/v1/links").json()) == 30
    assert len(set(looked)) == 30
