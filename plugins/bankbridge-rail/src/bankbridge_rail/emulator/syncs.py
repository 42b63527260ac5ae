"""What a sync does to a link, asked for or not: https://docs.rail.cl/concepts/events."""

from datetime import datetime
from typing import Final

from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.data_faults import spoil
from bankbridge_rail.emulator.events import Events
from bankbridge_rail.emulator.words import REJECTED, WORDS, Word
from bankbridge_rail.emulator.world import AutomaticSync, Intent, Link, World

FAILURES_TO_EXPIRE: Final = 3

UNATTENDED_CODE: Final = "requires_mfa"
"""undocumented: how an automatic sync fails at a bank that asks for a code, when it does."""


class Syncs:
    """Successes, failures in a row, and the syncs that come by themselves every four hours."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def schedule(self, link: Link, at: datetime) -> None:
        """Let the next automatic sync come four hours after the last one, whoever asked for that."""
        link.next_sync_at = at + self._world.timings.sync_every
        if link.next_sync is not None:
            link.next_sync.drop()
        if self._world.switches["automatic_sync"] == "on" and link.status == "active":
            link.next_sync = self._world.agenda.add(
                link.next_sync_at, link.id, lambda due_at: self._sync(link, due_at)
            )

    def stop(self, link: Link) -> None:
        """Let no automatic sync come any more."""
        if link.next_sync is not None:
            link.next_sync.drop()

    def succeed(self, link: Link, at: datetime) -> int:
        """Read the bank; how many new movements there were. Says nothing yet: see `tell`."""
        link.syncs += 1
        found = {account.id: account.sync(at) for account in link.present_accounts}
        spoil(self._world, link, found, at)
        link.last_sync_at, link.failures, link.last_error_code = at, 0, None
        self.schedule(link, at)
        return sum(len(numbers) for numbers in found.values())

    def tell(self, link: Link, found: int, at: datetime, intent: Intent | None = None) -> None:
        """Say that a sync has succeeded, unless there is no link any more to say it of."""
        if link.status == "deleted":
            return
        data = bodies.link_refreshed(self._world, link, found)
        self._events.emit(link, "link.refreshed", data, at, intent)
        event_type = self._world.switches["movement_event"]
        if found and event_type != "none":
            data = {"object": "movements", "link_id": link.id, "new_movements_count": found}
            self._events.emit(link, event_type, data, at, intent)

    def fail(self, link: Link, error_code: str, at: datetime) -> None:
        """Count a failure; the third in a row expires the link."""
        link.last_error_code = error_code
        if self._world.switches["failures_that_count"] == "all" or error_code == REJECTED:
            self._count(link, at)

    def expire(self, link: Link, error_code: str, at: datetime) -> None:
        """Give up a link until its person connects it again."""
        link.status, link.last_error_code = "expired", error_code
        self.stop(link)
        self._events.emit(link, "link.expired", bodies.link_expired(link, at), at)

    def decide(self, link: Link, word: Word, *key: str | int) -> Word:
        """The word that a bank follows where it is up to the bank; https://docs.rail.cl/banks."""
        if not word.is_up_to_bank:
            return word
        asks = BANKS[link.bank_id].asks_for_code
        does_ask = asks == "always" or (
            # undocumented: how often "sometimes" is.
            asks == "sometimes" and self._world.faults.draw("asks for a code", link.id, *key) < 0.5
        )
        return WORDS["mfa" if does_ask else "succeeds"]

    def _sync(self, link: Link, at: datetime) -> None:
        """Sync a link of its own accord. undocumented: what a pause does, and what happens while an intent runs."""
        if link.is_paused:
            self.schedule(link, at)
            return
        link.turns += 1
        word = self.decide(link, WORDS[link.automatic.take()], "automatic", link.turns)
        if word.asks_for_code and self._world.switches["automatic_mfa"] == "skipped":
            self.schedule(link, at)
            return
        error_code = UNATTENDED_CODE if word.asks_for_code else word.error_code
        link.automatic_syncs.append(AutomaticSync(at=at, error_code=error_code))
        if error_code is None:
            self.tell(link, self.succeed(link, at), at)
            return
        self.schedule(link, at)
        if not word.asks_for_code:
            self.fail(link, error_code, at)
        elif self._world.switches["automatic_mfa"] == "expires":
            link.last_error_code = error_code
            self._count(link, at)

    def _count(self, link: Link, at: datetime) -> None:
        link.failures += 1
        if link.failures >= FAILURES_TO_EXPIRE and link.status == "active":
            self.expire(link, str(link.last_error_code), at)
