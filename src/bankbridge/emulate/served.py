"""An emulator that is being served, as a test holds it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from bankbridge.emulation import NEVER, Clock, EmulatedLink, Emulator, FaultPlan


@attrs.frozen(kw_only=True)
class MadeEndpoint:
    """A webhook endpoint that a scenario registered, and what its deliveries are signed with."""

    url: str
    secret: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True, eq=False)
class ServedEmulator:
    """A provider, emulated at `url` in a thread of its own. Everything may be called from any thread.

    ``links`` and ``endpoints`` are those that its scenario gave it. What only this provider's emulator can do, such as
    reconnecting a link, is at ``emulator``. `settle` and `pass_time` wait for the receivers of webhooks: where the
    event loop of a test serves one itself, call them in a thread, ``await asyncio.to_thread(emulator.settle)``.
    """

    emulator: Emulator = attrs.field(repr=False)
    url: str
    links: tuple[EmulatedLink, ...] = ()
    endpoints: tuple[MadeEndpoint, ...] = ()

    @property
    def secret_key(self) -> str:
        """The secret API key of test mode."""
        return self.emulator.secret_key

    @property
    def keys(self) -> Mapping[str, str]:
        """All API keys: ``secret_test``, ``publishable_test``, ``secret_live``, ``publishable_live``."""
        return self.emulator.keys

    @property
    def clock(self) -> Clock:
        """The virtual time that the provider lives in."""
        return self.emulator.clock

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong, and how often."""
        return self.emulator.faults

    def add_link(
        self,
        *,
        attempts: Sequence[str] = ("succeeds",),
        webhooks: str = "normal",
        institution: str | None = None,
        accounts: int = 3,
        name: str | None = None,
        mode: str = "test",
        faults: Mapping[str, float] = NEVER,
    ) -> EmulatedLink:
        """A new link; see `bankbridge.emulation.Emulator.add_link`."""
        return self.emulator.add_link(
            attempts=attempts,
            webhooks=webhooks,
            institution=institution,
            accounts=accounts,
            name=name,
            mode=mode,
            faults=faults,
        )

    def person(self, link_id: str, act: str) -> None:
        """Act at the widget; see `bankbridge.emulation.Emulator.person`."""
        self.emulator.person(link_id, act)

    def register_webhook(
        self, url: str, *, events: Sequence[str] | None = None, secret: str | None = None, mode: str = "test"
    ) -> str:
        """Send events (default: all types) of a mode's links to a URL from now on; what they are signed with.

        Without a ``secret`` one is made up. See `bankbridge.emulation.Emulator.add_endpoint`.
        """
        return self.emulator.add_endpoint(url, events=events, secret=secret, mode=mode)

    def truth(self) -> dict[str, Any]:
        """What really happened; see `bankbridge.emulation.Emulator.truth`."""
        return self.emulator.truth()

    def settle(self) -> None:
        """Return when what was due has happened, and every webhook that was due has been answered.

        For a clock that stands still. Raises TimeoutError when a receiver does not answer.
        """
        try:
            self.emulator.settle()
        except TimeoutError as error:
            if _is_in_an_event_loop():
                error.add_note(
                    "called in an event loop, which cannot serve a receiver meanwhile: "
                    "await asyncio.to_thread(emulator.settle)"
                )
            raise

    def pass_time(self, by: timedelta) -> None:
        """Let time pass: what comes due meanwhile happens in its turn, and has happened on return. As `settle`."""
        until = self.clock.now() + by
        self.settle()
        while (next_at := self.clock.next_at()) is not None and next_at < until:
            self.clock.advance(max(next_at - self.clock.now(), timedelta(0)))
            self.settle()
        self.clock.advance(max(until - self.clock.now(), timedelta(0)))
        self.settle()


def _is_in_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
