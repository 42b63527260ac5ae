"""The jobs of a link: add it, look at it again, connect it again, read its accounts; and the answers to *why*."""

import attrs

from bankbridge.banking import Account, LinkFacts
from bankbridge.machine.intent import RefreshIntent
from bankbridge.machine.link import Blocker, Link, LinkConnected, LinkStatus, blockers_of, observe
from bankbridge.machine.outcome import Outcome, outcome_of
from bankbridge.shells.connections import Core
from bankbridge.shells.jobs import Job, announce, call, transact
from bankbridge.shells.news import LinkChanged, News
from bankbridge.shells.parking import retry_parked
from bankbridge.shells.refreshing import intent_in, link_in
from bankbridge.store import LogEntry, Transaction
from bankbridge.words.errors import UnknownLinkError
from bankbridge.words.ids import AccountId, ConnectionName, IntentId, LinkId
from bankbridge.words.reasons import Failure, Reason


@attrs.frozen(kw_only=True)
class Story:
    """Why an intent is where it is: the outcome, and each thing that was heard or done, in order."""

    intent: RefreshIntent
    outcome: Outcome
    entries: tuple[LogEntry, ...]


def add_link(core: Core, connection: str, link_id: LinkId, token: str | None) -> Job[Link]:
    """Look at a link and its accounts at the provider, and store it. Adding it again renews what is stored."""
    known = core.connection(connection)
    asked = Link(id=link_id, connection=known.name, token=token)
    facts: LinkFacts = yield from call(known, known.provider.link(asked))
    if facts.id != link_id:
        msg = f"link {link_id!r}: the token belongs to link {facts.id!r}"
        raise UnknownLinkError(msg)
    accounts = yield from call(known, known.provider.accounts(asked))
    return (yield from _keep(core, asked, facts, accounts))


def reconcile_link(core: Core, link_id: LinkId, connection: str | None) -> Job[Link]:
    """Look at a stored link again: its status and its accounts."""
    link = yield from transact(lambda tx: link_in(tx, link_id, connection))
    known = core.connection(link.connection)
    facts = yield from call(known, known.provider.link(link))
    accounts = yield from call(known, known.provider.accounts(link))
    return (yield from _keep(core, link, facts, accounts))


def read_accounts(core: Core, link_id: LinkId, connection: str | None) -> Job[tuple[Account, ...]]:
    """Read a link's accounts, and remember which there are."""
    link = yield from transact(lambda tx: link_in(tx, link_id, connection))
    known = core.connection(link.connection)
    accounts = yield from call(known, known.provider.accounts(link))
    yield from _keep(core, link, None, accounts)
    return accounts


def reconnected(core: Core, link_id: LinkId, connection: str | None, token: str | None) -> Job[Link]:
    """The person connected the link again: it is active, with new budgets, and a new token if there is one."""
    now = core.clock()

    def work(tx: Transaction) -> tuple[Link, list[News]]:
        link = observe(link_in(tx, link_id, connection), LinkConnected(), now=now)
        link = attrs.evolve(link, token=token or link.token)
        tx.save_link(link)
        return link, [LinkChanged(link=link)]

    link, news = yield from transact(work)
    yield from announce(news)
    return link


def why_not_now(
    core: Core, link_id: LinkId, connection: str | None, *, attended: bool
) -> Job[tuple[Blocker, ...]]:
    """Everything that stands against a refresh of the link now; empty if nothing does."""
    now = core.clock()

    def work(tx: Transaction) -> tuple[Blocker, ...]:
        link = link_in(tx, link_id, connection)
        policy = core.connection(link.connection).policy_of(link)
        blockers = blockers_of(link, attended=attended, now=now, policy=policy)
        running = tx.open_intent(link)
        if running is None:
            return blockers
        busy = Failure(
            reason=Reason.ALREADY_IN_PROGRESS,
            message=f"intent {running.id} is {running.status.value}",
            ours=True,
        )
        return (*blockers, Blocker(failure=busy, until=None if running.wake is None else running.wake.at))

    return (yield from transact(work))


def explain(core: Core, intent_id: IntentId) -> Job[Story]:
    """The story of an intent."""
    del core

    def work(tx: Transaction) -> Story:
        intent, link = intent_in(tx, intent_id)
        return Story(
            intent=intent,
            outcome=outcome_of(intent, link.accounts or ()),
            entries=tuple(tx.log_of(intent_id)),
        )

    return (yield from transact(work))


def link_of_account(core: Core, account_id: AccountId, connection: str | None) -> Job[Link]:
    """The link to read an account through. Raises `UnknownLinkError` when none is known to have it."""
    del core
    name = None if connection is None else ConnectionName(connection)

    def work(tx: Transaction) -> Link:
        link = tx.link_of_account(account_id, name)
        if link is None:
            msg = f"account {account_id!r}: not seen under any stored link: add its link, or read the link's accounts"
            raise UnknownLinkError(msg)
        return link

    return (yield from transact(work))


def _keep(core: Core, asked: Link, facts: LinkFacts | None, accounts: tuple[Account, ...]) -> Job[Link]:
    now = core.clock()
    present = tuple(sorted(account.id for account in accounts if not account.removed))

    def work(tx: Transaction) -> tuple[Link, list[News]]:
        stored = tx.link(asked.id, asked.connection)
        link = asked if stored is None else attrs.evolve(stored, token=asked.token or stored.token)
        link = attrs.evolve(_as_said(link, facts), accounts=present)
        tx.save_link(link)
        news: list[News] = [] if link == stored else [LinkChanged(link=link)]
        news += retry_parked(tx, core.connection(link.connection), link, now=now)
        return link, news

    link, news = yield from transact(work)
    yield from announce(news)
    return link


def _as_said(link: Link, facts: LinkFacts | None) -> Link:
    """Believe the provider's status, but for *active* over what a refused login taught us.

    That is cleared by the person, who connects again, or by a success.
    """
    if facts is None:
        return link
    said = facts.status
    if said is LinkStatus.ACTIVE and link.status in (LinkStatus.NEEDS_RECONNECT, LinkStatus.LOCKED):
        said = link.status
    refreshed = max(filter(None, (link.refreshed_at, facts.refreshed_at)), default=None)
    return attrs.evolve(
        link, status=said, institution=facts.institution or link.institution, refreshed_at=refreshed
    )
