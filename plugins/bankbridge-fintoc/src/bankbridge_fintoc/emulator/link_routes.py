"""Fintoc's endpoints for links and institutions: https://docs.fintoc.com/api/movements-api/links."""

from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final

from bankbridge_fintoc.emulator import connecting, render, render_links
from bankbridge_fintoc.emulator.answers import Answered, Route, created
from bankbridge_fintoc.emulator.asking import Ask
from bankbridge_fintoc.emulator.errors import FintocApiError, missing, refusal
from bankbridge_fintoc.emulator.objects import Json, Link
from bankbridge_fintoc.emulator.paging import page, page_of
from bankbridge_fintoc.emulator.seeds import INSTITUTIONS
from bankbridge_fintoc.emulator.world import World

LINK_STATUSES: Final = ("active", "login_required", "inactive")
"""The third is what fintoc-com/fintoc-cli asks for."""

COUNTRIES: Final = ("cl", "mx")
HOLDER_TYPES: Final = ("individual", "business")
OTHER_PRODUCTS: Final = ("payments", "subscription", "invoices")


def create_link_intent(world: World, ask: Ask) -> Answered:
    """The first step to connect a bank; only this answer shows the widget token."""
    product = ask.required("product")
    if product in OTHER_PRODUCTS:
        raise refusal("not_supported_product", f"{product} cannot be connected here.", param="product")
    if product != "movements":
        raise refusal("invalid_product", "product has to be movements.", param="product")
    if ask.required("country") != "cl":
        raise refusal("not_supported_country", "country has to be cl.", param="country")
    holder_type = ask.required("holder_type")
    ask.one_of("holder_type", HOLDER_TYPES, code="invalid_holder_type")
    if ask.mode == "test" and world.chose("link_intent_mode", "live_only"):
        raise refusal("not_supported_mode", "Link intents are for live mode only.")
    made = connecting.new_link_intent(world, ask.mode, country="cl", holder_type=holder_type, product=product)
    return created(world, render.link_intent(ask.look, made, is_new=True))


def exchange(world: World, ask: Ask) -> Answered:
    """The only answer with a link's token: https://docs.fintoc.com/v2023-11-15/api/movements-api/links/exchange."""
    token = ask.required("exchange_token")
    connection = world.connection(token)
    if connection is None or connection.exchange_token != token or connection.mode != ask.mode:
        raise _bad_exchange_token()
    if connection.exchange_expires_at is not None and ask.now >= connection.exchange_expires_at:
        raise refusal("expired_exchange_token", "The exchange token has expired.", param="exchange_token")
    link = connecting.exchange(world, connection)
    if link is None:
        raise _bad_exchange_token()
    return Answered(status=200, body=render_links.link(ask.look, link, accounts=True, token=True))


def list_links(world: World, ask: Ask) -> Answered:
    """Newest first, without accounts and tokens."""
    status, links = ask.one_of("status", LINK_STATUSES), world.connected[ask.mode]

    def write(link: Link) -> Json:
        return render_links.link(ask.look, link, accounts=False)

    def take(start: int, stop: int) -> Iterable[Json]:
        return (write(link) for link in islice(reversed(links.values()), start, stop))

    if status is None:
        return page(ask, len(links), take)
    return page_of(ask, [one for one in reversed(links.values()) if _has(one, status)], write)


def get_link(world: World, ask: Ask) -> Answered:
    """The path takes the token, not the id."""
    return Answered(status=200, body=render_links.link(ask.look, _by_token(world, ask), accounts=True))


def update_link(world: World, ask: Ask) -> Answered:
    """The path takes the token, and the body nothing but `active`."""
    link = _by_token(world, ask)
    link.active = ask.boolean("active", default=None)
    return Answered(status=200, body=render_links.link(ask.look, link, accounts=False))


def delete_link(world: World, ask: Ask) -> Answered:
    """The path takes the id, not the token."""
    link_id = ask.parts["link_id"]
    link = world.connected[ask.mode].get(link_id)
    if link is None:
        raise missing("link", link_id, "link_")
    world.delete(link, ask.now)
    return Answered(status=204)


def list_institutions(_world: World, ask: Ask) -> Answered:
    """Those of Chile: the documents name no others for movements."""
    ask.one_of("country", COUNTRIES)
    shown = [] if ask.text("country") == "mx" else list(INSTITUTIONS.items())
    return page_of(ask, shown, lambda one: render.institution(ask.look, *one))


LINK_ROUTES: Final[Mapping[tuple[str, str], Route]] = MappingProxyType(
    {
        ("POST", "/v1/link_intents"): create_link_intent,
        # Before the path that takes a token in the same place.
        ("GET", "/v1/links/exchange"): exchange,
        ("GET", "/v1/links"): list_links,
        ("GET", "/v1/links/{link_token}"): get_link,
        ("PATCH", "/v1/links/{link_token}"): update_link,
        ("DELETE", "/v1/links/{link_id}"): delete_link,
        ("GET", "/v1/institutions"): list_institutions,
    }
)


def _has(link: Link, status: str) -> bool:
    return not link.active if status == "inactive" else link.active and link.status == status


def _by_token(world: World, ask: Ask) -> Link:
    token = ask.parts["link_token"]
    link = world.link_with_token(token, ask.mode)
    if link is not None:
        return link
    if world.chose("unknown_token_in_path", "invalid_link_token"):
        raise invalid_link_token(world)
    raise missing("link token", token, "link_")


def invalid_link_token(world: World) -> FintocApiError:
    """No link is opened by this token, with this key."""
    status = int(world.switches["invalid_link_token_status"])
    return refusal("invalid_link_token", "Invalid link token.", param="link_token", status=status)


def _bad_exchange_token() -> FintocApiError:
    return refusal("invalid_exchange_token", "Invalid exchange token.", param="exchange_token")
