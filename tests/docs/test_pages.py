"""Every piece of Python in the documentation runs, or says that it is only a fragment."""

import queue
import uuid
from collections.abc import Callable, Mapping
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import BrowserType, expect

from bankbridge import BankBridge, FetchMovements
from bankbridge.store.sql import SqlStore, new_key
from tests.browser.application import ARGUMENTS, PATIENCE, running
from tests.databases import database, server
from tests.docs.blocks import blocks_of, run, write_files
from tests.docs.stage import Stage, staged
from tests.needs import program

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    str(page.relative_to(DOCS)): page
    for page in sorted(DOCS.rglob("*.md"))
    if page.relative_to(DOCS).parts[0] not in {"_build", "_generated"}
}
FRAGMENTS = {"explanation/design.md": 1, "how-to/take-webhooks.md": 3}


def _configuring(stage: Stage, patch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    toml = next(block for block in blocks_of(PAGES["how-to/configure.md"]) if block.language == "toml")
    (folder / "bankbridge.toml").write_text(toml.text, "utf-8")
    (folder / "rail_webhook_secret").write_text("whsec_rail\n", "utf-8")
    patch.setenv("BANKBRIDGE_STORE_KEYS", new_key())
    patch.setenv("RAIL_SECRET_KEY", "rail_sk_test_1")
    for name in ("FINTOC_SECRET_KEY", "FINTOC_WEBHOOK_SECRET", "FINTOC_OLD_WEBHOOK_SECRET"):
        patch.setenv(name, name.lower())
    return {}


def _webhooks(stage: Stage, _patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    def response(body: str, status: int) -> tuple[int, str]:
        return status, body

    return {"Response": response, "queue": queue.Queue()}


def _reading(stage: Stage, _patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    account_id = stage.add_link("fintoc", "succeeds").account_ids[0]
    return {"account_id": account_id, "save": lambda *_: None, "warn": pytest.fail}


def _prompting(stage: Stage, _patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    link = stage.add_link("rail", "mfa", institution="santander")

    def show_widget(shown: Mapping[str, Any]) -> None:
        assert shown["widget_token"].startswith("ri_")
        stage.emulators["rail"].person(link.link_id, "wrong_code")

    class Bridge:
        """The bridge, seen by somebody who has the time to wait."""

        def __getattr__(self, name: str) -> Any:
            return getattr(stage.bridge, name)

        def outcome(self, intent_id: str) -> Any:
            return stage.until(intent_id, "requires_mfa")

        def prompt_answered(self, intent_id: str) -> Any:
            stage.bridge.prompt_answered(intent_id)
            return stage.until(intent_id)

    return {"link_id": link.link_id, "show_widget": show_widget, "bridge": Bridge()}


def _connecting(stage: Stage, _patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    link = stage.add_link("fintoc", "rejects", "succeeds")
    intent = stage.bridge.refresh(link.link_id)
    stage.until(intent.id)
    reconnect: Callable[[str], None] = stage.emulators["fintoc"].reconnect  # type: ignore[attr-defined]
    return {"link_id": link.link_id, "intent": intent, "connect_at_the_provider": reconnect}


def _in_a_browser(stage: Stage, patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    chromium = program("chromium", "apt-get install chromium")
    patch.setattr(
        BrowserType, "launch", partialmethod(BrowserType.launch, executable_path=chromium, args=ARGUMENTS)
    )
    expect.set_options(timeout=PATIENCE)
    application = stage.stack.enter_context(running("rail", script="https://widget.rail.cl/v1/embed.js"))
    return {
        "application_url": application.url,
        "rail_url": application.emulator_url,
        "rail": application.emulator,
    }


def _in_postgresql(stage: Stage, patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    running_server = stage.stack.enter_context(server(uuid.uuid4().hex))
    patch.setenv("BANKBRIDGE_STORE_URL", stage.stack.enter_context(database(running_server)))
    patch.setenv("BANKBRIDGE_STORE_KEYS", new_key())
    return {}


def _afterwards_connected(stage: Stage, names: Mapping[str, Any]) -> None:
    assert stage.until(names["intent"].id).status.value == "succeeded"


def _afterwards_prompted(stage: Stage, names: Mapping[str, Any]) -> None:
    assert names["outcome"].status.value == "canceled"
    assert names["intent"].retry_of is not None


def _afterwards_webhook(stage: Stage, names: Mapping[str, Any]) -> None:
    request = SimpleNamespace(headers={}, body=b"{}")
    assert names["webhook"]("rail", request) == (400, "not verified")
    assert names["webhook"]("rial", request) == (404, "no such connection")


def _replaying(stage: Stage, _patch: pytest.MonkeyPatch, _folder: Path) -> dict[str, Any]:
    stage.add_link("fintoc", "succeeds")
    stage.until(stage.bridge.refresh(stage.add_link("rail", "fails").link_id).id, "backing_off")
    return {}


PREPARED: Mapping[str, Callable[[Stage, pytest.MonkeyPatch, Path], dict[str, Any]]] = {
    "how-to/configure.md": _configuring,
    "how-to/take-webhooks.md": _webhooks,
    "how-to/read-movements.md": _reading,
    "how-to/show-a-prompt.md": _prompting,
    "how-to/connect-again.md": _connecting,
    "how-to/answer-a-prompt-in-a-browser.md": _in_a_browser,
    "how-to/store-in-postgresql.md": _in_postgresql,
    "how-to/replay.md": _replaying,
}
AFTERWARDS: Mapping[str, Callable[[Stage, Mapping[str, Any]], None]] = {
    "how-to/connect-again.md": _afterwards_connected,
    "how-to/show-a-prompt.md": _afterwards_prompted,
    "how-to/take-webhooks.md": _afterwards_webhook,
}


def python_of(page: Path) -> list[str]:
    """What each block of Python on a page is marked as."""
    return [block.kind for block in blocks_of(page) if block.language in {"python", "py", "pycon"}]


WITH_PYTHON = [name for name, page in PAGES.items() if "" in python_of(page)]


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_of_a_page_runs_and_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_files(PAGES[name], tmp_path)
    with staged() as stage:
        prepare = PREPARED.get(name, lambda *_: {})
        names: dict[str, Any] = {"bridge": stage.bridge, "providers": stage.providers()}
        names |= prepare(stage, monkeypatch, tmp_path)
        assert run(PAGES[name], names) == python_of(PAGES[name]).count("")
        AFTERWARDS.get(name, lambda *_: None)(stage, names)
        for value in names.values():
            if isinstance(value, BankBridge | SqlStore):
                value.close()


def test_what_does_not_run_is_marked_as_a_fragment():
    kinds = {name: python_of(page) for name, page in PAGES.items()}
    assert {kind for found in kinds.values() for kind in found} <= {"", "fragment", "file"}
    assert {
        name: found.count("fragment") for name, found in kinds.items() if "fragment" in found
    } == FRAGMENTS


def test_pages_are_read_as_people_read_them():
    lesson = [block for block in blocks_of(PAGES["tutorial/first-refresh.md"]) if block.language == "python"]
    assert len(lesson) > 10


def test_the_lesson_prepares_nothing_behind_its_back():
    assert not {name for name in (*PREPARED, *AFTERWARDS) if name.startswith("tutorial")}


def test_the_lesson_goes_the_same_way_at_fintoc(tmp_path):
    """With exactly the replacements that its last paragraph names."""
    text = PAGES["tutorial/first-refresh.md"].read_text("utf-8").replace(":class: output", ":class: fragment")
    for rail, fintoc in (
        ("bankbridge_rail", "bankbridge_fintoc"),
        ("import Rail", "import Fintoc"),
        ("Rail(", "Fintoc("),
        ('"rail"', '"fintoc"'),
        ("link.link_id)\n", "link.link_id, token=link.link_token)\n"),
    ):
        assert rail in text
        text = text.replace(rail, fintoc)
    text = text.replace("refresh(link.link_id, token=link.link_token)", "refresh(link.link_id)")
    page = tmp_path / "lesson.md"
    page.write_text(text, encoding="utf-8")
    names: dict[str, Any] = {}
    run(page, names)
    assert names["link"].link_token is not None
    assert names["outcome"].status.value == "succeeded"
    assert isinstance(names["outcome"].next_step, FetchMovements)
