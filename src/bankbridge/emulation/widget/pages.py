"""The widget's page as HTML, and its script for an application's page as JavaScript."""

from datetime import datetime
from typing import Any, Final

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bankbridge.emulation.emulator import Emulator, WidgetSession
from bankbridge.emulation.widget.texts import TEXTS

_TEMPLATES: Final = Environment(
    loader=PackageLoader("bankbridge.emulation.widget"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@attrs.frozen(kw_only=True)
class View:
    """What the page shows, by the name of a template, and what the person has to hear about a field.

    ``key`` is the public key that the page was opened with from an application, None when it was opened by hand.
    ``error`` names a text, and ``detail`` is what the emulator says about it, in English.
    """

    name: str
    token: str = attrs.field(default="", repr=False)
    key: str | None = None
    session: WidgetSession | None = None
    error: str | None = None
    invalid: str | None = None
    detail: str | None = None
    exchange_token: str | None = attrs.field(default=None, repr=False)
    username: str = ""
    institution: str = ""


def page(emulator: Emulator, view: View, language: str) -> str:
    """The whole page. Its forms keep the ``language`` in their addresses."""
    provider = emulator.provider.capitalize()
    now, session = emulator.clock.now(), view.session
    expires_at = session.expires_at if session else None

    def text(name: str, **words: str) -> str:
        return TEXTS[language][name].format(provider=provider, **words)

    return _TEMPLATES.get_template(f"{view.name}.html").render(
        **attrs.asdict(view, recurse=False),
        **_clock(now, expires_at, emulator.clock.speed),
        text=text,
        language=language,
        other="en" if language == "es" else "es",
        query=f"?lang={language}",
        bank=_bank(session) or text("your_bank"),
    )


def embed(emulator: Emulator, *, page_url: str) -> str:
    """The script that an application's page loads in place of the provider's own."""
    return _TEMPLATES.get_template("embed.js").render(
        page_url=page_url, provider=emulator.provider, widget_script=emulator.widget_script
    )


def _clock(now: datetime, expires_at: datetime | None, speed: float) -> dict[str, Any]:
    left = max(0, int((expires_at - now).total_seconds())) if expires_at else 0
    return {
        "now": now.isoformat(timespec="milliseconds"),
        "expires_at": expires_at.isoformat(timespec="milliseconds") if expires_at else "",
        "speed": speed,
        "time_left": f"{left // 60}:{left % 60:02}",
    }


def _bank(session: WidgetSession | None) -> str | None:
    """The name of the one bank that a session is about."""
    names = list(session.institutions.values()) if session else []
    return names[0] if len(names) == 1 else None
