"""What a test can make happen at the emulated Fintoc beyond the face of all emulators, over HTTP.

::

    POST /__emulator/links/{id}/reconnect
    POST /__emulator/links/{id}/change_credentials
    POST /__emulator/links/{id}/refresh_in_background     {"outcome": "succeeds"}
    POST /__emulator/links/{id}/add_account
    POST /__emulator/accounts/{id}/remove
    POST /__emulator/accounts/{id}/set_history            {"movements": 1495, "days": 50}
    POST /__emulator/accounts/{id}/modify_movements       {"count": 1}
    POST /__emulator/accounts/{id}/remove_movements       {"count": 1}
    POST /__emulator/endpoints                            {"url": ..., "events": [...], "secret": ..., "mode": "live"}
    POST /__emulator/connections                          {"token": ..., "institution": ..., "username": ...,
                                                           "password": ..., "webhook_url": ...}
    GET  /__emulator/keys
    POST /__emulator/keys/{name}/expire
    POST /__emulator/keys/{name}/renew
    POST /__emulator/refuse_all                           {"code": "payment_required"}, or null for an end of it
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.routing import BaseRoute

from bankbridge.emulation import Act, WidgetError, control, reading


class Controls(Protocol):
    """The methods that only an emulated Fintoc has."""

    @property
    def keys(self) -> Mapping[str, str]:
        """All API keys."""
        ...

    def connect(
        self, token: str, *, institution: str, username: str, password: str, webhook_url: str | None = None
    ) -> str:
        """Log in at the widget."""
        ...

    def add_endpoint(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        secret: str | None = None,
        mode: str = "test",
    ) -> str:
        """Register a webhook endpoint."""
        ...

    def reconnect(self, link_id: str) -> None:
        """The person connects the link again."""
        ...

    def change_credentials(self, link_id: str) -> None:
        """The person changes the password at the bank."""
        ...

    def refresh_in_background(self, link_id: str, outcome: str = "succeeds") -> None:
        """Fintoc refreshes the link by itself."""
        ...

    def add_account(self, link_id: str) -> str:
        """The bank shows an account more."""
        ...

    def remove_account(self, account_id: str) -> None:
        """The bank shows an account no more."""
        ...

    def set_history(self, account_id: str, movements: int, days: int = ...) -> None:
        """Let an account have had so many movements."""
        ...

    def modify_movements(self, account_id: str, count: int = 1) -> tuple[str, ...]:
        """Change the newest rows of an account."""
        ...

    def remove_movements(self, account_id: str, count: int = 1) -> tuple[str, ...]:
        """Take the newest rows of an account away."""
        ...

    def expire_key(self, name: str) -> None:
        """Let a key be refused from now on."""
        ...

    def renew_key(self, name: str) -> None:
        """Let a key that expired be good again."""
        ...

    def refuse_all(self, code: str | None) -> None:
        """Refuse every request with an error code."""
        ...


def fintoc_routes(emulator: Controls) -> list[BaseRoute]:
    """The routes of this module."""
    return [*_of_links(emulator), *_of_accounts(emulator), *_of_applications(emulator)]


def _of_links(emulator: Controls) -> list[BaseRoute]:
    def refresh(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        emulator.refresh_in_background(ids["id"], **reading.fields(body, {"outcome": reading.text}))
        return {}

    def add_account(ids: Mapping[str, str], _body: dict[str, Any]) -> object:
        return {"account_id": emulator.add_account(ids["id"])}

    acts: Mapping[str, Act] = {
        "reconnect": _done(emulator.reconnect),
        "change_credentials": _done(emulator.change_credentials),
        "refresh_in_background": refresh,
        "add_account": add_account,
    }
    return [control("POST", f"links/{{id}}/{name}", act) for name, act in acts.items()]


def _of_accounts(emulator: Controls) -> list[BaseRoute]:
    counted = {"count": reading.whole}

    def set_history(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        known = {"movements": reading.whole, "days": reading.whole}
        emulator.set_history(ids["id"], **reading.fields(body, known, must=("movements",)))
        return {}

    def modify(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        return {"movement_ids": emulator.modify_movements(ids["id"], **reading.fields(body, counted))}

    def remove(ids: Mapping[str, str], body: dict[str, Any]) -> object:
        return {"movement_ids": emulator.remove_movements(ids["id"], **reading.fields(body, counted))}

    acts: Mapping[str, Act] = {
        "remove": _done(emulator.remove_account),
        "set_history": set_history,
        "modify_movements": modify,
        "remove_movements": remove,
    }
    return [control("POST", f"accounts/{{id}}/{name}", act) for name, act in acts.items()]


def _of_applications(emulator: Controls) -> list[BaseRoute]:
    def add_endpoint(_ids: Mapping[str, str], body: dict[str, Any]) -> object:
        known = {
            "url": reading.text,
            "events": reading.texts,
            "secret": reading.text_or_null,
            "mode": reading.text,
        }
        told = reading.fields(body, known, must=("url",))
        return {"secret": emulator.add_endpoint(told.pop("url"), **told)}

    def connect(_ids: Mapping[str, str], body: dict[str, Any]) -> object:
        must = ("token", "institution", "username", "password")
        told = reading.fields(
            body, {**dict.fromkeys(must, reading.text), "webhook_url": reading.text_or_null}, must=must
        )
        try:
            return {"exchange_token": emulator.connect(told.pop("token"), **told)}
        except WidgetError as error:
            raise reading.BadControlError(str(error)) from error

    def refuse_all(_ids: Mapping[str, str], body: dict[str, Any]) -> object:
        emulator.refuse_all(**reading.fields(body, {"code": reading.text_or_null}, must=("code",)))
        return {}

    return [
        control("POST", "refuse_all", refuse_all),
        control("POST", "endpoints", add_endpoint),
        control("POST", "connections", connect),
        control("GET", "keys", lambda _ids, _body: dict(emulator.keys)),
        control("POST", "keys/{id}/expire", _done(emulator.expire_key)),
        control("POST", "keys/{id}/renew", _done(emulator.renew_key)),
    ]


def _done(call: Callable[[str], None]) -> Act:
    def act(ids: Mapping[str, str], _body: dict[str, Any]) -> object:
        call(ids["id"])
        return {}

    return act
