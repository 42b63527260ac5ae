"""The face that every emulated provider shows to a test in Python; `bankbridge.emulation.controls` is its HTTP side."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

import attrs
from starlette.applications import Starlette

from bankbridge.emulation.background import PATIENCE
from bankbridge.emulation.clock import Clock
from bankbridge.emulation.faults import NEVER, FaultPlan

WidgetReason: TypeAlias = Literal["token", "expired", "login"]


@attrs.frozen(kw_only=True)
class EmulatedLink:
    """A link that the emulator made; ``link_token`` only where the provider has one."""

    link_id: str
    link_token: str | None = attrs.field(default=None, repr=False)
    account_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class WidgetSession:
    """What a widget that was opened with a token has to show.

    ``kind`` is ``connect`` (choose an institution, log in) or ``code`` (answer the prompt that is open on ``link_id``
    until ``expires_at``). ``institutions`` names those on offer, by id; ``username`` is what to fill in.
    """

    kind: Literal["connect", "code"]
    institutions: Mapping[str, str]
    link_id: str | None = None
    username: str | None = None
    expires_at: datetime | None = None


class UnknownLinkError(LookupError):
    """No such link, or nobody at its widget to act."""


class WidgetError(Exception):
    """The widget cannot go on; the text may be shown to the person.

    ``reason`` says why: the ``token`` is unknown or was used, its time has ``expired``, or the bank refused the
    ``login``.
    """

    def __init__(self, message: str, reason: WidgetReason = "token") -> None:
        super().__init__(message)
        self.reason = reason


class Emulator(Protocol):
    """An emulated provider. `add_link`, `person` and `truth` may be called from any thread, served or not."""

    @property
    def provider(self) -> str:
        """The provider's name, the same as everywhere."""
        ...

    @property
    def clock(self) -> Clock:
        """The virtual time that the emulated provider lives in."""
        ...

    @property
    def app(self) -> Starlette:
        """What to serve; its lifespan must run."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret API key of test mode, the same as ``keys["secret_test"]``."""
        ...

    @property
    def keys(self) -> Mapping[str, str]:
        """All API keys: ``secret_test``, ``publishable_test``, ``secret_live``, ``publishable_live``."""
        ...

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong, and how often; may be changed at any time."""
        ...

    @property
    def switches(self) -> Mapping[str, str]:
        """Every switch with its value."""
        ...

    @property
    def widget_script(self) -> str:
        """The JavaScript that gives a page the same global object as the provider's real widget script."""
        ...

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
        """A new link; ``attempts`` are script words, one per refresh intent on it, the last repeats.

        ``webhooks`` is one of `WEBHOOK_MODES`, ``mode`` is ``test`` or ``live``. With a ``name`` the link's id is
        ``link_NAME`` (and its token, where there is one, ``link_NAME_token``), so that curl can pick it. ``faults``
        are rates that hold for this link instead of the emulator's own. Raises `UnknownWordError` for a word that is
        none, and ValueError for a name that is taken or cannot stand in a URL.
        """
        ...

    def add_endpoint(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        secret: str | None = None,
        mode: str = "test",
    ) -> str:
        """Register a webhook endpoint, as an application does by a request; what its deliveries are signed with.

        ``events`` are the types that are sent there (default: all), from links of that ``mode``. Without a ``secret``
        one is made up. Raises `UnknownWordError` for a type that the provider does not have, or a mode that is none.
        """
        ...

    def widget(self, token: str) -> WidgetSession:
        """What the widget shows for a token. Raises `WidgetError`."""
        ...

    def connect(self, token: str, *, institution: str, username: str, password: str) -> str:
        """Log in at the widget: a link is made (or the token's own one reconnected), and an exchange token returned.

        A user name that is made of script words, separated by commas (``mfa,succeeds``), is the new link's
        ``attempts``; one of them that is misspelt is refused. With any other name they succeed. The password
        ``wrong`` is refused. Raises `WidgetError`.
        """
        ...

    def person(self, link_id: str, act: str) -> None:
        """Act (one of `PERSON_ACTS`) at the widget of the prompt that is open on a link.

        Raises `UnknownWordError`, and `UnknownLinkError` when there is no such link or no open prompt.
        """
        ...

    def settle(self, timeout: timedelta = PATIENCE) -> None:
        """Return when nothing more can happen until the clock moves or somebody asks for something.

        What was due has been done, and every webhook that was due has been answered. For a clock that stands still
        (``speed=0``). Raises TimeoutError after ``timeout`` (real time), and `ServerError` under another server than
        `Server`.
        """
        ...

    def truth(self) -> dict[str, Any]:
        """What really happened, in JSON's types; every time is virtual, ISO 8601, UTC.

        ::

            {"provider": ..., "now": ...,
             "links": {LINK_ID: {
                 "status": ..., "institution": ..., "webhooks": ..., "account_ids": [...],
                 "login_attempts": 1, "refused_logins": 0,
                 "creates": [{"idempotency_key": ..., "status": 201, "intent_id": ..., "at": ...}],
                 "intents": [{"id": ..., "status": ..., "error_code": ..., "accounts": {ACCOUNT_ID: ...},
                              "created_at": ..., "ended_at": ..., "creates": [...], "polls": [at, ...]}]}},
             "requests": {"GET /v1/links": 2},
             "deliveries": [{"id": ..., "type": ..., "endpoint_id": ..., "lost": false, "faults": ["corrupt"],
                             "tries": 1, "statuses": [200], "corrupt_statuses": [401]}],
             "faults": [{"fault": "drop", "on": ..., "at": ...}]}

        ``creates`` holds every request to create, also the replayed and refused ones (``intent_id`` null);
        an intent's own ``creates`` are those answered with it. ``accounts`` is empty at a provider whose
        intents have one result per link. ``statuses`` has null for a try without an answer; a corrupted copy is no
        try of the event.
        """
        ...
