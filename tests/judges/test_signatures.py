"""What the emulators sign, before verifiers that are not ours: each says of a delivery what it would in earnest."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge.emulation import Clock, Server
from tests.judges.bench import VERIFIERS, verdicts
from tests.judges.receiver import receiving

EVERYBODY = set(VERIFIERS)
# Who takes each delivery. Fintoc's clients look at the last `v1` only; Python's and Rail's sample let the future pass.
ACCEPTED_BY = {
    "genuine": EVERYBODY,
    "camel_case": EVERYBODY,
    "unknown_field": EVERYBODY,
    "changed": set(),
    "another_secret": set(),
    "corrupt": set(),
    "stale_timestamp": {"openssl"},
    "future_timestamp": {"openssl", "python-sdk", "rail-sample"},
    "two_v1": {"careful"},
}
FAULTS = ("camel_case", "unknown_field", "corrupt", "stale_timestamp", "future_timestamp", "two_v1")
SECRET = "whsec_of_a_test"


class Fintoc:
    header = "fintoc-signature"

    def __init__(self) -> None:
        self.emulator = bankbridge_fintoc.emulator.create_emulator(Clock(speed=0))
        self._link = self.emulator.add_link(accounts=1)

    def tell(self) -> None:
        self.emulator.refresh_in_background(self._link.link_id)


class Rail:
    header = "rail-signature"

    def __init__(self) -> None:
        self.emulator = bankbridge_rail.emulator.create_emulator(Clock(speed=0))
        self._link = self.emulator.add_link(accounts=1)

    def tell(self) -> None:
        self.emulator.add_account(self._link.link_id)


def deliveries(told: Any) -> dict[str, dict[str, str]]:
    """By fault, the first delivery that it struck."""
    found: dict[str, dict[str, str]] = {}
    with ExitStack() as stack:
        stack.enter_context(Server(told.emulator.app))
        receiver = stack.enter_context(receiving(told.header))
        client = stack.enter_context(httpx.Client(base_url=receiver, trust_env=False))
        told.emulator.add_endpoint(f"{receiver}/hook", secret=SECRET)
        before = 0
        for fault in ("genuine", *FAULTS):
            told.emulator.faults.rates = {} if fault == "genuine" else {fault: 1}
            told.tell()
            told.emulator.settle()
            taken = client.get("/deliveries", params={"count": before + 1}).json()
            found[fault], before = taken[before], len(taken)
    return found


@pytest.fixture(scope="module", params=[Fintoc, Rail], ids=lambda one: one.__name__)
def cases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every case as files."""
    folder = tmp_path_factory.mktemp("cases")
    found = deliveries(request.param())
    genuine = found["genuine"]
    found["changed"] = {**genuine, "body": genuine["body"] + " "}
    for name, delivery in found.items():
        write(folder / name, {**delivery, "secret": SECRET})
    write(folder / "another_secret", {**genuine, "secret": "whsec_of_somebody_else"})
    return folder


def write(case: Path, parts: Mapping[str, str]) -> None:
    for end, text in parts.items():
        case.with_suffix(f".{end}").write_bytes(text.encode())


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_others_take_what_is_genuine_and_nothing_else(verifier, cases):
    found = verdicts(verifier, cases)
    accepted = {name for name, verdict in found.items() if verdict == "accepted"}
    assert found.keys() == ACCEPTED_BY.keys()
    assert accepted == {name for name, who in ACCEPTED_BY.items() if verifier in who}
