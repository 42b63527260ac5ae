"""How a bank is connected: link intents, the widget, and the exchange of what it brings for a link's token.

https://docs.fintoc.com/guides/movements/overview-data-aggregation/quickstart
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs

from bankbridge.emulation import (
    Script,
    UnknownLinkError,
    UnknownWordError,
    WidgetError,
    WidgetSession,
    attempts_of,
)
from bankbridge_fintoc.emulator import background, events, refreshing, seeds
from bankbridge_fintoc.emulator.bank import ENDINGS, WORDS, WRONG_CODE
from bankbridge_fintoc.emulator.limits import CONNECTIONS
from bankbridge_fintoc.emulator.objects import Link, LinkIntent
from bankbridge_fintoc.emulator.world import World, prompt_is_alive

# https://docs.fintoc.com/guides/movements/data-aggregation-test-your-integration; the password there is jonsnow.
TEST_USERNAME: Final = "41614850-3"
REFUSED: Final = frozenset({"wrong"})
"""The passwords that every bank refuses."""
USUAL_ACCOUNTS: Final = 3


@attrs.frozen(kw_only=True)
class Person:
    """Who connects a bank."""

    institution: str
    username: str
    password: str = attrs.field(repr=False)


def new_link_intent(world: World, mode: str, *, country: str, holder_type: str, product: str) -> LinkIntent:
    """A client's wish to have a bank connected."""
    now, number = world.clock.now(), world.number(f"link intent {mode}")
    intent_id = world.ids.make("li_", mode, number)
    made = LinkIntent(
        id=intent_id,
        mode=mode,
        country=country,
        holder_type=holder_type,
        product=product,
        created_at=now,
        widget_token=world.ids.make(f"{intent_id}_sec_", intent_id, size=24),
        widget_expires_at=now + world.timings.link_intent_life,
    )
    world.add_link_intent(made)
    if world.chose("link_intent_exchange_token", "present"):
        _offer_exchange(world, made, now)
    return made


def look(world: World, token: str, public_keys: Mapping[str, str], now: datetime) -> WidgetSession:
    """What the widget shows for a token, or for a public key in the older flow."""
    if (prompt := world.prompt(token)) is not None:
        link, intent = prompt
        if intent.prompt != "open":
            raise WidgetError("this code is not asked for any more: try again")
        if not prompt_is_alive(intent, now):
            raise WidgetError("the time for the code is over: try again", "expired")
        return WidgetSession(
            kind="code",
            institutions={link.institution["id"]: link.institution["name"]},
            link_id=link.id,
            expires_at=intent.prompt_expires_at,
        )
    if token not in public_keys:
        _open_connection(world, token, now)
    return WidgetSession(kind="connect", institutions=seeds.INSTITUTIONS, username=TEST_USERNAME)


def connect(
    world: World,
    token: str,
    person: Person,
    *,
    public_keys: Mapping[str, str],
    webhook_url: str | None,
    now: datetime,
) -> str:
    """Log in at the widget; an exchange token."""
    if world.prompt(token) is not None:
        raise WidgetError("this token is for a code, not to connect a bank")
    if person.institution not in seeds.INSTITUTIONS:
        raise WidgetError("the institution is not on offer: choose another", "login")
    _count(world, now)
    # Before the login: a person may try again with the same token.
    connection = None if token in public_keys else _open_connection(world, token, now)
    if person.password in REFUSED:
        raise WidgetError("the bank refused the username or the password: try again", "login")
    try:
        attempts = attempts_of(person.username, WORDS)
    except UnknownWordError as misspelt:
        raise WidgetError(str(misspelt), "login") from misspelt
    if connection is None:
        # The older flow, in which a page opens the widget with a public key alone.
        mode = public_keys[token]
        connection = new_link_intent(world, mode, country="cl", holder_type="individual", product="movements")
    link = _reconnected(world, connection.mode, person) or _connected(
        world, connection, person, attempts, now
    )
    connection.link_id = link.id
    if connection.exchange_token is None:
        _offer_exchange(world, connection, now)
    events.tell_created(world, link, webhook_url, now)
    return str(connection.exchange_token)


def exchange(world: World, connection: LinkIntent) -> Link | None:
    """The link that an attempt brought; None when it has brought none, or gives it only once."""
    link = None if connection.link_id is None else world.links[connection.link_id]
    is_used_up = connection.is_exchanged and world.chose("exchange_token_use", "once")
    if link is None or link.deleted_at is not None or is_used_up:
        return None
    connection.is_exchanged = True
    return link


def reconnect(link: Link) -> None:
    """Let a link be as it was before its credentials were wrong."""
    link.status, link.must_reconnect, link.refused_until = "active", False, None


def act(world: World, link: Link, what: str, now: datetime) -> None:
    """Let the person act at the prompt that is open on a link; raises `UnknownLinkError` when none is."""
    intent = next((one for one in reversed(link.running.values()) if one.prompt == "open"), None)
    if intent is None:
        raise UnknownLinkError(
            f"no open prompt on {link.id}: create a refresh intent with the script word 'mfa'"
        )
    if not prompt_is_alive(intent, now):
        raise UnknownLinkError(
            f"the prompt of {intent.id} on {link.id} has expired: create a new refresh intent"
        )
    intent.prompt = what
    if what != "walk_away":
        ending = WRONG_CODE if what == "wrong_code" else ENDINGS["succeeds"]
        refreshing.start(world, link, intent, ending, now)


def _open_connection(world: World, token: str, now: datetime) -> LinkIntent:
    connection = world.connection(token)
    if connection is None or connection.widget_token != token:
        raise WidgetError("there is no such widget token: create a link intent for a new one")
    if connection.link_id is not None:
        raise WidgetError("this widget token was used: create a link intent for a new one")
    if now >= connection.widget_expires_at:
        raise WidgetError("the widget token has expired: create a link intent for a new one", "expired")
    return connection


def _count(world: World, now: datetime) -> None:
    """Let one more person in; only one of the documents knows a limit for them."""
    is_limited = world.chose("rate_limit", "100_per_second")
    if is_limited and not world.limiter.lets_through(CONNECTIONS, "widget", now):
        raise WidgetError("too many people connect at the moment: try again later", "login")


def _offer_exchange(world: World, connection: LinkIntent, now: datetime) -> None:
    middle = world.switches["exchange_token_form"]
    token = world.ids.make(f"{connection.id}_{middle}_", connection.id, "exchange", size=32)
    world.offer_exchange(connection, token, now + world.timings.exchange_token_life)


def _reconnected(world: World, mode: str, person: Person) -> Link | None:
    """The person's link that needed it, where a reconnection does not make a new one."""
    rule = world.switches["reconnection"]
    if rule == "new_link":
        return None
    for link in world.connected[mode].values():
        is_theirs = (link.username, link.institution["id"]) == (person.username, person.institution)
        if is_theirs and (link.status == "login_required" or link.must_reconnect):
            reconnect(link)
            link.login_attempts += 1
            if rule == "new_token":
                world.give_token(link, token_of(world, link.id, link.number("token") + 1))
            return link
    return None


def _connected(
    world: World, connection: LinkIntent, person: Person, attempts: tuple[str, ...], now: datetime
) -> Link:
    link_id = world.ids.make("link_", connection.id)
    link = Link(
        id=link_id,
        token=token_of(world, link_id, 1),
        mode=connection.mode,
        institution=seeds.institution(person.institution),
        holder_type=connection.holder_type,
        username=person.username,
        script=Script(attempts, WORDS),
        created_at=now,
        login_attempts=1,
    )
    link.accounts = [seeds.new_account(world, link, now) for _ in range(USUAL_ACCOUNTS)]
    world.add(link)
    background.read_history(world, link, now)
    background.keep_fresh(world, link, now)
    return link


def token_of(world: World, link_id: str, number: int) -> str:
    """The so manieth token of a link."""
    return world.ids.make(f"{link_id}_token_", link_id, "token", number, size=24)
