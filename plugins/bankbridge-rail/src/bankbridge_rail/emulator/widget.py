"""The person's side: what the widget shows, what it does, and what the application gets for it.

https://docs.rail.cl/quickstart (connect) and https://docs.rail.cl/guides/mfa-handling (codes).
"""

from datetime import datetime
from typing import Final

from bankbridge.emulation import UnknownWordError, WidgetError, WidgetSession, attempts_of
from bankbridge_rail.emulator.answers import RailError
from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.linking import Links
from bankbridge_rail.emulator.stories import Stories
from bankbridge_rail.emulator.words import WORDS
from bankbridge_rail.emulator.world import (
    Credentials,
    ExchangeToken,
    Intent,
    Link,
    Mode,
    Prompt,
    WidgetToken,
    World,
)

REFUSED: Final = "wrong"


class Widget:
    """Widget tokens, logins and exchanges."""

    def __init__(self, world: World, links: Links, stories: Stories) -> None:
        self._world = world
        self._links = links
        self._stories = stories

    def issue(
        self,
        mode: Mode,
        *,
        bank_id: str | None = None,
        link_id: str | None = None,
        username: str | None = None,
        holder_type: str = "individual",
        external_user_id: str | None = None,
    ) -> WidgetToken:
        """Leave to open the widget once."""
        owner = ("widget token", mode.name, external_user_id or "", link_id or "")
        number = self._world.ids.number(*owner)
        short, secret = (self._world.ids.hex(length, *owner, number, length) for length in (8, 24))
        token = WidgetToken(
            id=f"wt_{short}_sec_{secret}",
            expires_at=self._world.clock.now() + self._world.timings.widget_token_lasts,
            bank_id=bank_id,
            link_id=link_id,
            username=username,
            holder_type=holder_type,
            external_user_id=external_user_id,
        )
        mode.widget_tokens[token.id] = token
        return token

    def show(self, token: str) -> WidgetSession:
        """What the widget shows for a token. Raises `WidgetError`."""
        if token.startswith("ri_"):
            link, _, prompt = self._prompt(token)
            self._stories.open_widget(prompt)
            return WidgetSession(
                kind="code",
                institutions={link.bank_id: BANKS[link.bank_id].name},
                link_id=link.id,
                expires_at=prompt.expires_at,
            )
        mode, found = self._widget_token(token)
        bank_ids = BANKS if (bank_id := self._bank_of(mode, found)) is None else (bank_id,)
        return WidgetSession(
            kind="connect",
            institutions={bank_id: BANKS[bank_id].name for bank_id in bank_ids},
            link_id=found.link_id,
            username=found.username,
            expires_at=found.expires_at,
        )

    def log_in(self, token: str, institution: str, username: str, password: str) -> str:
        """Log in at the bank; an exchange token. Raises `WidgetError`."""
        if token.startswith("ri_"):
            raise WidgetError("this widget asks for a code, not for a login")
        mode, found = self._widget_token(token)
        bank_id = self._bank_of(mode, found) or institution
        if institution != bank_id or institution not in BANKS:
            raise WidgetError(f"the bank {institution!r} is not on offer here")
        if password == REFUSED:
            raise WidgetError("the bank refused the user name or the password: try again", "login")
        try:
            attempts = attempts_of(username, WORDS)
        except UnknownWordError as misspelt:
            raise WidgetError(str(misspelt), "login") from misspelt
        found.is_used = True
        return self._grant(mode, found, bank_id, attempts)

    def exchange(self, mode: Mode, token: str) -> ExchangeToken:
        """What an exchange token stands for, once. Raises `RailError`."""
        found, now = mode.exchange_tokens.get(token), self._world.clock.now()
        if found is None:
            raise RailError(404, "not_found", "there is no such exchange token")
        if found.consumed_at is not None:
            status = int(self._world.switches["exchange_again"])
            if status == 200:
                return found
            raise RailError(status, "exchange_token_consumed", "the exchange token was used before")
        if now >= found.expires_at:
            status = int(self._world.switches["exchange_expired"])
            raise RailError(status, "exchange_token_expired", "the exchange token is too old: connect again")
        found.link_id = self._link_of(mode, found).id
        found.consumed_at = now
        return found

    def _grant(self, mode: Mode, token: WidgetToken, bank_id: str, attempts: tuple[str, ...]) -> str:
        credentials = Credentials(
            bank_id=bank_id,
            attempts=attempts,
            holder_type=token.holder_type,
            external_user_id=token.external_user_id,
        )
        granted = ExchangeToken(
            id=f"et_{self._world.ids.hex(32, 'exchange token', token.id)}",
            expires_at=self._world.clock.now() + self._world.timings.exchange_token_lasts,
            credentials=credentials,
            reconnects=token.link_id,
        )
        mode.exchange_tokens[granted.id] = granted
        if self._world.switches["link_appears"] == "at_login" and not self._is_in_place(granted):
            granted.link_id = self._make(mode, granted).id
        return granted.id

    def _link_of(self, mode: Mode, granted: ExchangeToken) -> Link:
        """The link of a login: made when it is fetched, unless it was made at the login, or connected again."""
        if granted.reconnects is not None and self._is_in_place(granted):
            link = mode.links[granted.reconnects]
            if link.status == "deleted":
                raise RailError(404, "not_found", "the link was deleted meanwhile")
            self._links.reconnect(link, granted.credentials)
            return link
        link = self._make(mode, granted) if granted.link_id is None else mode.links[granted.link_id]
        self._links.say_created(link, self._world.clock.now())
        return link

    def _make(self, mode: Mode, granted: ExchangeToken) -> Link:
        return self._links.add(mode, self._world.ids.of("link", granted.id), granted.credentials)

    def _is_in_place(self, granted: ExchangeToken) -> bool:
        return granted.reconnects is not None and self._world.switches["reconnect"] != "new_link"

    def _bank_of(self, mode: Mode, token: WidgetToken) -> str | None:
        return token.bank_id if token.link_id is None else mode.links[token.link_id].bank_id

    def _widget_token(self, token: str) -> tuple[Mode, WidgetToken]:
        for mode in self._world.modes.values():
            found = mode.widget_tokens.get(token)
            if found is not None:
                self._check_open(found, self._world.clock.now())
                return mode, found
        raise WidgetError("there is no such widget token: ask for a new one")

    def _check_open(self, token: WidgetToken, now: datetime) -> None:
        if token.is_used:
            raise WidgetError("the widget token was used: ask for a new one")
        if now >= token.expires_at:
            raise WidgetError("the widget token was made too long ago: ask for a new one", "expired")

    def _prompt(self, token: str) -> tuple[Link, Intent, Prompt]:
        """The open prompt that a token is for."""
        intent_id = token.partition("_sec_")[0]
        for mode in self._world.modes.values():
            intent = mode.intents.get(intent_id)
            if intent is not None and intent.prompt is not None and intent.prompt.token == token:
                self._check_asked(intent.prompt)
                return mode.links[intent.link_id], intent, intent.prompt
        raise WidgetError("there is no such widget token: ask for a new one")

    def _check_asked(self, prompt: Prompt) -> None:
        if prompt.act is None and not prompt.is_over:
            return
        if prompt.act is None and self._world.clock.now() >= prompt.expires_at:
            raise WidgetError("the time for the code is over: try again", "expired")
        raise WidgetError("this code is not asked for any more: try again")
