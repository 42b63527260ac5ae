"""No key, no token, no account number in any log, text, repr or error, whatever happens."""

import logging
import traceback

import httpx
import pytest

from bankbridge import BankBridgeError
from bankbridge.shells.http import discreetly
from bankbridge.wire import Request
from tests.stages import COLOURS, bridged, staged


@pytest.fixture
def logged():
    """Everything that anybody logs, as it would be written."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {self.format(record)}")

    handler, root = Keep(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(before)
    root.removeHandler(handler)


def raised(work):
    with pytest.raises(BankBridgeError) as caught:
        work()
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_nothing_that_is_seen_holds_a_secret(provider, colour, logged):
    seen: list[object] = []
    with staged(provider, colour=colour, on_news=seen.append) as stage:
        bridge, link = stage.bridge, stage.link("mfa", "fails", "response_lost", "succeeds")
        first = bridge.refresh(link.link_id)
        stage.pass_time(20)
        prompt = bridge.outcome(first.id).prompt
        seen += [bridge.outcome(first.id), bridge.explain(first.id)]
        stage.emulator.person(link.link_id, "right_code")
        stage.play([first.id])
        stage.clock.advance(stage.providers[provider].capabilities.first_poll * 20)
        second = bridge.refresh(link.link_id)
        stage.play([second.id])
        accounts = list(bridge.accounts(link.link_id))
        rows = list(bridge.movements(link.account_ids[0]))
        seen += [accounts, rows, bridge.links(), bridge.explain(second.id), bridge.why_not_now(link.link_id)]
        seen += [stage.providers[provider], stage.store, bridge.receive(provider, {}, b"{}")]
        seen += stage.store.transact(lambda tx: [tx.intents(one, limit=9) for one in tx.links()])
        seen += [*stage.store._tables.deliveries.values()]

        elsewhere = {provider: _other(stage.providers[provider])}
        with bridged(colour, elsewhere, clock=stage.clock.now, store=stage.store) as wrong:
            seen.append(raised(lambda: wrong.add_link(provider, link.link_id, token=link.link_token)))
            seen.append(raised(lambda: list(wrong.accounts(link.link_id))))
        unknown = f"link_none_token_{len(seen)}"  # not a word of the source, which a traceback shows
        seen.append(raised(lambda: bridge.add_link(provider, "link_none", token=unknown)))
        secrets = [
            *stage.providers[provider].secrets,
            *elsewhere[provider].secrets,
            unknown,
            prompt.token,
            *(account.number for account in accounts),
            *filter(None, [link.link_token]),
        ]
        stage.settle()
    said = "\n".join([*map(repr, seen), *map(str, seen), *logged])
    assert any("HTTP Request" in line for line in logged), "the HTTP library did log"
    assert any(line.startswith("httpcore") for line in logged)
    for secret in secrets:
        assert secret not in said, said[max(0, said.index(secret) - 300) : said.index(secret)]


def _other(provider):
    """The same provider with another key, which is not let in."""
    return type(provider)(
        secret_key="sk_test_other_" + provider.secret_key[-8:],
        webhook_secrets=provider.webhook_secrets,
        base_url=provider.base_url,
    )


def test_only_what_is_under_way_is_cut_out(logged):
    log, request = logging.getLogger("httpx"), Request(method="GET", path="/", secrets=("sec_1", ""))
    with discreetly(request):
        log.info("asking %s", httpx.URL("http://h/?t=sec_1"))
        with discreetly(Request(method="GET", path="/", secrets=("sec_2",))):
            log.info("sec_2")
        log.info("sec_1")
    log.info("asking %s", "sec_1")
    assert logged == [
        "httpx asking http://h/?t=[secret]",
        "httpx [secret]",
        "httpx [secret]",
        "httpx asking sec_1",
    ]
