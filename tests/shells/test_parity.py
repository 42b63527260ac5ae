"""The two faces are twins: the same names, the same arguments, the same stories with the same ends."""

import inspect

import pytest

from bankbridge import AsyncBankBridge, BankBridge, Canceler
from bankbridge.shells.aio import AsyncMovements
from bankbridge.shells.sync import Movements
from tests.stages import COLOURS, staged

# What cannot be the same: what waits, what is told, what makes requests.
COLOURED = {"client", "on_news"}


def public(face: type) -> dict[str, inspect.Signature]:
    named = {name: member for name, member in vars(face).items() if not name.startswith("_")}
    return {
        name: inspect.signature(getattr(face, name))
        for name, member in named.items()
        if callable(member) or isinstance(member, classmethod)
    }


@pytest.mark.parametrize("pair", [(BankBridge, AsyncBankBridge), (Movements, AsyncMovements)])
def test_same_names_same_arguments(pair):
    blocking, awaited = (public(face) | {"__init__": inspect.signature(face)} for face in pair)
    assert blocking.keys() == awaited.keys()
    for name, signature in blocking.items():
        other = awaited[name].parameters
        assert list(signature.parameters) == list(other), name
        for parameter in signature.parameters.values():
            twin = other[parameter.name]
            assert (parameter.kind, parameter.default) == (twin.kind, twin.default), (name, parameter)
            if parameter.name not in COLOURED | {"source"}:
                assert parameter.annotation == twin.annotation, (name, parameter)


def test_same_words():
    for name in public(BankBridge).keys() - {"run"}:  # a thread's matter or a task's
        assert getattr(BankBridge, name).__doc__ == getattr(AsyncBankBridge, name).__doc__, name


def test_every_method_waits_in_one_colour_only():
    for name in public(BankBridge):
        assert not inspect.iscoroutinefunction(getattr(BankBridge, name)), name
    quick = {name for name in public(AsyncBankBridge) if not _waits(getattr(AsyncBankBridge, name))}
    assert quick == {"from_config", "movements", "running", "stop"}


def _waits(method: object) -> bool:
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


def told(colour: str, provider: str) -> list[object]:
    """One long story, and everything that an application sees of it."""
    seen: list[object] = []
    # Without webhooks, which come at once and in any order.
    with staged(
        provider, colour=colour, webhooks=False, on_news=lambda news: seen.append(repr(news))
    ) as stage:
        bridge = stage.bridge
        link = stage.link("mfa", "fails", "succeeds")
        first = bridge.refresh(link.link_id)
        stage.pass_time(20)
        bridge.prompt_answered(first.id)
        stage.emulator.person(link.link_id, "wrong_code")
        seen.append(stage.play([first.id])[first.id])
        seen.append(bridge.reconnected(link.link_id, token=link.link_token))
        second = bridge.retry(first.id)
        seen.append(stage.play([second.id])[second.id])
        third = bridge.refresh(link.link_id)
        seen += [bridge.why_not_now(link.link_id), bridge.retry(third.id), bridge.cancel(third.id)]
        seen.append(bridge.cancel(third.id, by=Canceler.PERSON))
        seen += [bridge.reconcile_link(link.link_id), bridge.links(), list(bridge.accounts(link.link_id))]
        rows = bridge.movements(link.account_ids[0])
        seen += [list(rows), rows.gaps]
        seen += [repr(bridge.explain(intent.id)) for intent in (first, second, third)]
        seen.append(bridge.receive("nobody", {}, b""))
        seen.append(bridge.receive(provider, {}, b"{}"))
        seen.append(bridge.wake_due(limit=1))
    return seen


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_the_same_story_ends_the_same_way(provider):
    blocking, awaited = ([repr(one) for one in told(colour, provider)] for colour in COLOURS)
    assert blocking == awaited


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("who", Canceler)
def test_the_story_says_who_canceled(colour, who):
    with staged("rail", colour=colour) as stage:
        intent = stage.bridge.refresh(stage.link("stuck").link_id)
        stage.bridge.cancel(intent.id, by=who)
        last = next(e for e in stage.bridge.explain(intent.id).entries if e.event == "CancelRequested")
        assert last.said == f"by the {who.value}"
