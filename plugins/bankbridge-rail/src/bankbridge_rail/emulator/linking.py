"""Links come, change and go: https://docs.rail.cl/quickstart and https://docs.rail.cl/concepts/events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from bankbridge.emulation import NEVER, Script
from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.ledger import ACCOUNT_KINDS, Account
from bankbridge_rail.emulator.stories import Stories
from bankbridge_rail.emulator.syncs import Syncs
from bankbridge_rail.emulator.words import AUTOMATIC_WORDS, LINK_DELETED, WORDS
from bankbridge_rail.emulator.world import Credentials, Link, Mode, World

ACCOUNTS: Final = 3
"""How many accounts a link has, unless a test says otherwise."""


class Links:
    """Makes links, connects them again, and takes them away."""

    def __init__(self, world: World, events: Events, syncs: Syncs, stories: Stories) -> None:
        self._world = world
        self._events = events
        self._syncs = syncs
        self._stories = stories

    def add(
        self,
        mode: Mode,
        link_id: str,
        credentials: Credentials,
        *,
        accounts: int = ACCOUNTS,
        webhooks: str = "normal",
        faults: Mapping[str, float] = NEVER,
        status: str = "active",
    ) -> Link:
        """A new link with its accounts; nothing is said of it yet: see `say_created`."""
        at = self._world.clock.now()
        link = Link(
            id=link_id,
            mode=mode,
            bank_id=credentials.bank_id,
            script=Script(credentials.attempts, WORDS),
            automatic=Script(("succeeds",), AUTOMATIC_WORDS),
            webhooks=webhooks,
            faults=faults,
            holder_type=credentials.holder_type,
            external_user_id=credentials.external_user_id,
            created_at=at,
            last_sync_at=at,
            next_sync_at=at,
            status=status,
        )
        mode.links[link.id] = link
        for _ in range(accounts):
            self.add_account(link, at)
        self._syncs.schedule(link, at)
        return link

    def say_created(self, link: Link, at: datetime) -> None:
        """Emit ``link.created``."""
        self._events.emit(link, "link.created", bodies.link_created(link), at)

    def reconnect(self, link: Link, credentials: Credentials) -> None:
        """Make a link work again after its person logged in anew, as the switch ``reconnect`` says."""
        at = self._world.clock.now()
        link.status, link.failures, link.last_error_code, link.last_sync_at = "active", 0, None, at
        link.script = Script(credentials.attempts, WORDS)
        if self._world.switches["reconnect"] == "new_accounts":
            count = len(link.present_accounts)
            for account_id in tuple(link.accounts):
                del link.accounts[account_id], link.mode.accounts[account_id]
            for _ in range(count):
                self.add_account(link, at)
        self._syncs.schedule(link, at)
        event_type = self._world.switches["reconnect_event"]
        if event_type != "none":
            self._events.emit(link, event_type, bodies.link_created(link), at)

    def activate(self, link: Link, at: datetime) -> None:
        """Let the bank take the credentials of a link that was ``pending``."""
        if link.status == "pending":
            link.status = "active"
            self._syncs.schedule(link, at)
            self.say_posted(link, at)

    def say_posted(self, link: Link, at: datetime) -> None:
        """Emit what follows when a link was made from raw credentials."""
        if self._world.switches["post_links_event"] != "none":
            self.say_created(link, at)

    def delete(self, link: Link) -> None:
        """Delete a link with all it has, and say so."""
        at = self._world.clock.now()
        link.status = "deleted"
        self._syncs.stop(link)
        fate = self._world.switches["deleted_link_intents"]
        for intent in tuple(link.running.values()):
            if fate == "fail":
                self._stories.end(link, intent, LINK_DELETED, at)
            elif fate == "vanish":
                self._stories.vanish(link, intent)
        self._events.emit(link, "link.deleted", bodies.link_deleted(link, at), at)

    def pause(self, link: Link, *, is_paused: bool) -> None:
        """Let Rail sync a link by itself no more, or again."""
        link.is_paused = is_paused

    def follow(self, link: Link, words: Sequence[str]) -> None:
        """Let the automatic syncs of a link follow a script. Raises `UnknownWordError` and ValueError."""
        link.automatic = Script(words, AUTOMATIC_WORDS)

    def add_account(self, link: Link, at: datetime) -> Account:
        """One more account under ``link``, of the next kind."""
        index = link.accounts_made
        link.accounts_made += 1
        account_id = self._world.ids.of("acc", link.id, index)
        account = Account(
            id=account_id,
            link_id=link.id,
            index=index,
            kind=ACCOUNT_KINDS[index % len(ACCOUNT_KINDS)],
            number=str(int(self._world.ids.hex(12, "number", account_id), 16)).zfill(16)[:16],
            created_at=at,
            last_sync_at=at,
        )
        link.accounts[account.id] = link.mode.accounts[account.id] = account
        return account

    def show_account(self, link: Link) -> Account:
        """Let the bank show one more account, and say so."""
        at = self._world.clock.now()
        account = self.add_account(link, at)
        self._events.emit(link, "account.created", bodies.account_created(account), at)
        return account

    def hide_account(self, link: Link, account: Account) -> None:
        """Let an account vanish from the bank, and say so once."""
        if account.removed_at is None:
            account.removed_at = at = self._world.clock.now()
            self._events.emit(link, "account.removed", bodies.account_removed(account, at), at)
