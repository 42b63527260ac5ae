"""Links, and the ways to them, over HTTP: https://docs.rail.cl/quickstart."""

from typing import Final, TypeVar, cast

from starlette.responses import Response

from bankbridge.emulation import UnknownWordError, attempts_of
from bankbridge_rail.emulator import bodies
from bankbridge_rail.emulator.answers import (
    Call,
    InvalidError,
    RailError,
    answer,
    choice,
    deleted,
    find_link,
    listed,
    maybe_text,
    text,
)
from bankbridge_rail.emulator.banks import BANKS
from bankbridge_rail.emulator.linking import Links
from bankbridge_rail.emulator.movement_bodies import PER_PAGE
from bankbridge_rail.emulator.widget import REFUSED, Widget
from bankbridge_rail.emulator.words import REJECTED, WORDS
from bankbridge_rail.emulator.world import Credentials, Link, Mode, World

T = TypeVar("T")

HOLDER_TYPES: Final = ("individual", "business")
"""https://docs.rail.cl/api-reference/widget/crear-widget-token"""


class LinkRoutes:
    """List, read, make and delete links; widget tokens and exchanges."""

    def __init__(self, world: World, links: Links, widget: Widget) -> None:
        self._world = world
        self._links = links
        self._widget = widget

    async def list(self, call: Call) -> Response:
        """Every link. undocumented: pages, and filters, of which there are none."""
        links = paged(self._world, call, [*call.mode.listed_links()])
        return listed(self._world, (bodies.link_body(self._world, link) for link in links))

    async def read(self, call: Call) -> Response:
        """One link."""
        return answer(bodies.link_body(self._world, find_link(self._world, call.mode, call.param("link_id"))))

    async def delete(self, call: Call) -> Response:
        """Delete a link, its accounts and movements."""
        link = find_link(self._world, call.mode, call.param("link_id"))
        self._links.delete(link)
        return deleted(self._world, "link", link.id)

    async def create(self, call: Call) -> Response:
        """Make a link of raw credentials: https://docs.rail.cl/api-reference/links/crear-link-bancario.

        undocumented: what a refusal looks like.
        """
        body = call.body()
        bank_id, rut, password = choice(body, "bank_id", BANKS), *_credentials(body)
        external_user_id = maybe_text(body, "external_user_id")
        if password == REFUSED:
            raise RailError(422, REJECTED, "the bank refused the credentials")
        is_refused = self._world.switches["post_links_code"] == "refused"
        if is_refused and BANKS[bank_id].asks_for_code == "always":
            raise RailError(422, "requires_mfa", "the bank asks for a code: use the widget")
        try:
            attempts = attempts_of(rut, WORDS)
        except UnknownWordError as misspelt:
            raise InvalidError(str(misspelt)) from misspelt
        credentials = Credentials(bank_id=bank_id, attempts=attempts, external_user_id=external_user_id)
        return answer(bodies.link_body(self._world, self._post(call.mode, credentials)))

    async def create_widget_token(self, call: Call) -> Response:
        """Leave to open the widget: https://docs.rail.cl/api-reference/widget/crear-widget-token."""
        body = call.body()
        bank_id, link_id = self._bank(body), maybe_text(body, "link_id")
        if link_id is not None:
            find_link(self._world, call.mode, link_id)
        maybe_text(body, "product")  # undocumented: its values, and what they do
        token = self._widget.issue(
            call.mode,
            bank_id=bank_id,
            link_id=link_id,
            username=maybe_text(body, "username_prefill"),
            holder_type=choice(body, "holder_type", HOLDER_TYPES, "individual"),
            external_user_id=maybe_text(body, "external_user_id"),
        )
        return answer(
            {"object": "widget_token", "id": token.id, "expires_at": bodies.stamp(token.expires_at)}
        )

    async def exchange(self, call: Call) -> Response:
        """Swap the widget's exchange token for a link: https://docs.rail.cl/quickstart."""
        granted = self._widget.exchange(call.mode, call.param("exchange_token"))
        assert granted.consumed_at is not None  # noqa: S101 (it was just now)
        return answer(
            {
                "object": "exchange_token",
                "link_id": granted.link_id,
                "consumed_at": bodies.stamp(granted.consumed_at),
            },
            int(self._world.switches["create_status"]),
        )

    def _post(self, mode: Mode, credentials: Credentials) -> Link:
        number = self._world.ids.number("posted link", mode.name, credentials.external_user_id or "")
        link_id = self._world.ids.of("link", mode.name, credentials.external_user_id or "", number)
        now = self._world.clock.now()
        if self._world.switches["post_links"] == "at_once":
            link = self._links.add(mode, link_id, credentials)
            self._links.say_posted(link, now)
            return link
        link = self._links.add(mode, link_id, credentials, status="pending")
        at = now + self._world.timings.sync
        self._world.agenda.add(at, link.id, lambda due_at: self._links.activate(link, due_at))
        return link

    def _bank(self, body: dict[str, object]) -> str | None:
        """The bank of a widget token, by one of the two names that two pages give the field."""
        names = ("bank_id", "institution_id")
        wanted = self._world.switches["widget_token_body"]
        for name in names:
            if body.get(name) is not None:
                if wanted not in {"both", name}:
                    raise InvalidError(f"unknown field {name}: send {wanted}")
                return choice(body, name, BANKS)
        return None


def paged(world: World, call: Call, rows: list[T]) -> list[T]:
    """The part of a list that a request gets, where lists come in pages."""
    if world.switches["list_pages"] == "none":
        return rows
    first = (call.number("page", 1) - 1) * PER_PAGE
    return rows[first : first + PER_PAGE]


def _credentials(body: dict[str, object]) -> tuple[str, str]:
    given = body.get("credentials")
    if not isinstance(given, dict):
        raise InvalidError("credentials must be an object with rut and password")
    credentials = cast(dict[str, object], given)
    return text(credentials, "rut"), text(credentials, "password")
