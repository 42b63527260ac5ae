"""The hands behind the scenes: what a test can do to the emulated Rail beyond the face of every emulator."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from bankbridge.emulation import Background, UnknownLinkError
from bankbridge_rail.emulator.ledger import Account
from bankbridge_rail.emulator.linking import Links
from bankbridge_rail.emulator.movement_bodies import all_movements
from bankbridge_rail.emulator.syncs import Syncs
from bankbridge_rail.emulator.words import REJECTED
from bankbridge_rail.emulator.world import Link, World

T = TypeVar("T")

MOST_MOVEMENTS: Final = 100_000

_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")
_BETWEEN_OLDER: Final = timedelta(minutes=15)


class Hands:
    """May be used from any thread, served or not; raises `UnknownLinkError` for an id that does not exist."""

    def __init__(self, world: World, background: Background, links: Links, syncs: Syncs) -> None:
        self._world = world
        self._background = background
        self._links = links
        self._syncs = syncs

    def auto_sync(self, link_id: str, *words: str) -> None:
        """Let the automatic syncs of a link follow words of `AUTOMATIC_WORDS`, one each; the last repeats.

        Raises `UnknownWordError`, and ValueError without a word.
        """
        self.change(lambda: self._links.follow(self.find_link(link_id), words))

    def pause(self, link_id: str) -> None:
        """Let Rail sync a link by itself no more."""
        self.change(lambda: self._links.pause(self.find_link(link_id), is_paused=True))

    def resume(self, link_id: str) -> None:
        """Let Rail sync a paused link by itself again."""
        self.change(lambda: self._links.pause(self.find_link(link_id), is_paused=False))

    def expire_link(self, link_id: str, error_code: str = REJECTED) -> None:
        """Let Rail give up a link, as after three failures in a row. Raises ValueError for what is no code."""
        if not _CODE.fullmatch(error_code):
            raise ValueError("error_code is no code: give one such as rejected_credentials")
        self.change(lambda: self._syncs.expire(self.find_link(link_id), error_code, self._world.clock.now()))

    def delete_link(self, link_id: str) -> None:
        """Delete a link, as ``DELETE /v1/links/{id}`` does."""
        self.change(lambda: self._links.delete(self.find_link(link_id)))

    def add_account(self, link_id: str) -> str:
        """Let the bank show one more account; its id."""
        return self.change(lambda: self._links.show_account(self.find_link(link_id)).id)

    def remove_account(self, account_id: str) -> None:
        """Let an account vanish from the bank."""

        def remove() -> None:
            account = self._find_account(account_id)
            self._links.hide_account(self.find_link(account.link_id), account)

        self.change(remove)

    def add_movements(self, account_id: str, count: int) -> None:
        """Let the bank show so many older movements of an account; 1,430 more make the recorded 50 pages.

        Raises ValueError for a count that makes no sense.
        """
        if not 1 <= count <= MOST_MOVEMENTS:
            raise ValueError(f"count is {count}: give 1 to {MOST_MOVEMENTS} movements")
        self.change(lambda: self._find_account(account_id).add_older(count, _BETWEEN_OLDER))

    def movements(self, account_id: str) -> list[dict[str, Any]]:
        """Every movement that can be read now, as a careful client ends up with them."""
        return self.change(lambda: all_movements(self._world, self._find_account(account_id)))

    def issued_keys(self) -> list[dict[str, str]]:
        """Every API key with its id, by which it is rotated."""
        return self.change(
            lambda: [
                {"id": key.id, "type": key.type, "mode": key.mode, "key": key.key}
                for key in self._world.keys.values()
            ]
        )

    def change(self, act: Callable[[], T]) -> T:
        """Do something in the emulator's own loop, once all that is due has been done."""

        def do() -> T:
            self._world.agenda.catch_up()
            return act()

        return self._background.call(do)

    def find_link(self, link_id: str) -> Link:
        """A link of either mode that was not deleted."""
        link = self._world.link(link_id)
        if link is None or link.status == "deleted":
            raise UnknownLinkError(f"there is no link {link_id!r}")
        return link

    def _find_account(self, account_id: str) -> Account:
        account = self._world.account(account_id)
        if account is None:
            raise UnknownLinkError(f"there is no account {account_id!r}")
        return account
