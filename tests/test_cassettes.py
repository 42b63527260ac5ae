"""Conversations with the emulators, kept in ``cassettes/`` and played again with the network shut.

``pytest tests/test_cassettes.py --record-mode=rewrite`` records them anew; ``cassettes/README.md`` says what each is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import attrs
import pytest

from bankbridge import OpenWidget, Reason, Status
from bankbridge.emulation import Clock, EmulatedLink, Server
from bankbridge.words.errors import RefusedError
from tests.conftest import CASSETTES
from tests.stages import COLOURS, EMULATORS, PROVIDERS, START, Stage, bridged

WEBHOOK_SECRET = "whsec_not_used_here"


@attrs.define(kw_only=True)
class Tape(Stage):
    """A stage without webhooks; while a tape plays nobody is behind it, and the emulator only knows the ids."""

    recording: bool

    def settle(self) -> None:
        if self.recording:
            super().settle()

    def person(self, link: EmulatedLink, act: str) -> None:
        if self.recording:
            self.emulator.person(link.link_id, act)


def reads(tape: Tape) -> None:
    link = tape.link(accounts=2)
    (stored,) = tape.bridge.links()
    assert stored.accounts == tuple(sorted(link.account_ids))
    found = list(tape.bridge.accounts(link.link_id))
    assert [one.currency for one in found] == ["CLP", "CLP"]
    rows = list(tape.bridge.movements(link.account_ids[0]))
    assert len(rows) == len({row.id for row in rows}) > 60


def succeeds(tape: Tape) -> None:
    link = tape.link("succeeds")
    outcome = ends(tape, link)
    assert (outcome.status, set(outcome.fresh)) == (Status.SUCCEEDED, set(link.account_ids))


def fails_then_succeeds(tape: Tape) -> None:
    outcome = ends(tape, tape.link("fails", "succeeds"))
    assert (outcome.status, outcome.attempts) == (Status.SUCCEEDED, 2)


def rejects(tape: Tape) -> None:
    outcome = ends(tape, tape.link("rejects"))
    assert (outcome.status, outcome.failure.reason) == (Status.REJECTED, Reason.CREDENTIALS_REJECTED)


def errors_500(tape: Tape) -> None:
    outcome = ends(tape, tape.link("errors_500", "succeeds"))
    # The emulated Rail replays its error for the same key, so only the next attempt gets through.
    assert (outcome.status, outcome.attempts) in {(Status.SUCCEEDED, 1), (Status.SUCCEEDED, 2)}


def wrong_code(tape: Tape) -> None:
    link = tape.link("mfa")
    intent = tape.bridge.refresh(link.link_id, attended=True)
    tape.pass_time(30)
    assert isinstance(tape.bridge.outcome(intent.id).next_step, OpenWidget)
    tape.person(link, "wrong_code")
    outcome = tape.play([intent.id])[intent.id]
    assert outcome.failure.reason is Reason.MFA_REJECTED


def cancels(tape: Tape) -> None:
    link = tape.link("stuck")
    intent = tape.bridge.refresh(link.link_id)
    assert tape.bridge.cancel(intent.id).status is Status.CANCELED


def rate_limited(tape: Tape) -> None:
    outcome = ends(tape, tape.link("rate_limited"))
    assert outcome.status is Status.SUCCEEDED


def mixed(tape: Tape) -> None:
    outcome = ends(tape, tape.link("mixed"))
    assert (outcome.status, len(outcome.fresh), len(outcome.stale)) == (Status.PARTIAL, 2, 1)


def already_running(tape: Tape) -> None:
    link = tape.link("already_running")
    outcome = ends(tape, link)
    assert outcome.status is Status.SUCCEEDED
    assert tape.bridge.explain(outcome.intent_id).intent.attempt.adopted


def cooldown(tape: Tape) -> None:
    outcome = ends(tape, tape.link("cooldown"))
    assert (outcome.status, outcome.attempts) == (Status.SUCCEEDED, 2)


def refused_unconfirmed(tape: Tape) -> None:
    outcome = ends(tape, tape.link("refused_unconfirmed", "succeeds"))
    assert (outcome.status, outcome.attempts) == (Status.SUCCEEDED, 2)


def unknown_link(tape: Tape) -> None:
    with pytest.raises(RefusedError) as caught:
        tape.bridge.add_link(next(iter(tape.emulators)), "link_0", token="link_0_token_0")
    assert caught.value.status in (400, 403, 404)


def ends(tape: Tape, link: EmulatedLink) -> Any:
    intent = tape.bridge.refresh(link.link_id)
    return tape.play([intent.id])[intent.id]


BOTH = (reads, succeeds, fails_then_succeeds, rejects, errors_500, wrong_code, unknown_link)
CONVERSATIONS: Mapping[str, tuple[Callable[[Tape], None], ...]] = {
    "rail": (*BOTH, cancels, rate_limited),
    "fintoc": (*BOTH, mixed, already_running, cooldown, refused_unconfirmed),
}
NAMES = [(provider, one) for provider, all_of_it in CONVERSATIONS.items() for one in all_of_it]


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return f"{request.getfixturevalue('provider')}/{request.getfixturevalue('conversation').__name__}"


@pytest.fixture
def tape(provider: str, colour: str, record_mode: str) -> Iterator[Tape]:
    clock = Clock(start=START, speed=0)
    emulator = EMULATORS[provider](clock)
    recording = record_mode != "none"
    with ExitStack() as stack:
        url = stack.enter_context(Server(emulator.app)).url if recording else "http://127.0.0.1:1"
        configured = PROVIDERS[provider](
            secret_key=emulator.secret_key, webhook_secrets=(WEBHOOK_SECRET,), base_url=url
        )
        numbers = iter(range(1, 100))
        bridge = stack.enter_context(
            bridged(colour, {provider: configured}, clock=clock.now, new_id=lambda: f"rfi_{next(numbers)}")
        )
        face = getattr(bridge, "bridge", bridge)
        yield Tape(
            clock=clock,
            emulators={provider: emulator},
            urls={},
            providers={provider: configured},
            store=face._store,
            bridge=bridge,
            recording=recording,
        )


@pytest.mark.vcr
@pytest.mark.block_network
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("provider", "conversation"), NAMES, ids=lambda value: getattr(value, "__name__", value)
)
def test_conversation(provider, conversation, colour, tape, vcr, record_mode):
    conversation(tape)
    if record_mode == "none":
        assert vcr.all_played


# --- what may be in them ----------------------------------------------------------------------------------


def cassettes() -> dict[str, str]:
    return {
        str(path.relative_to(CASSETTES).with_suffix("")): path.read_text("utf-8")
        for path in sorted(CASSETTES.rglob("*.yaml"))
    }


def test_every_conversation_is_kept_and_says_where_it_is_from():
    table = (CASSETTES / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z0-9_/]+)` \| ([^|]+) \|", table, re.MULTILINE))
    assert set(cassettes()) == set(rows) == {f"{provider}/{one.__name__}" for provider, one in NAMES}
    assert {origin.strip() for origin in rows.values()} <= {
        "recorded from the emulator of bankbridge-rail 0.1.0",
        "recorded from the emulator of bankbridge-fintoc 0.1.0",
    }


SECRET = re.compile(
    r"authorization|bearer|\bsk_|_sk_|whsec|_token_[a-z0-9]|_sec_[a-z0-9]|127\.0\.0\.1|fintoc\.com/v|rail\.cl/v",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", cassettes())
def test_no_cassette_holds_a_secret_or_a_real_host(name):
    found = [line for line in cassettes()[name].splitlines() if SECRET.search(line)]
    assert found == []
    numbers = re.findall(r'\\?"(?:number|last_4)\\?": ?\\?"(.*?)\\?"', cassettes()[name])
    assert set(numbers) <= {"0000"}
