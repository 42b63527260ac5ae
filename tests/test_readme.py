"""The README's example is real: it is run here against both emulators, over HTTP, as it stands."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.docs.blocks import blocks_of
from tests.docs.stage import Stage, staged

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

SETTINGS = """
[connections.{name}]
secret_key = "{secret_key}"
webhook_secrets = [{{ env = "WEBHOOK_SECRET_{name}" }}]
base_url = "{base_url}"
"""


class Screen:
    """What the application showed to the person, and the button it put there."""

    def __init__(self) -> None:
        self.shown: list[tuple[Any, ...]] = []

    def widget(self, link_id: str, token: str, *, until: Any) -> None:
        """The provider's widget."""
        self.shown.append(("widget", link_id, token, until))

    def button(self, link_id: str, press: Any) -> None:
        """A button, that may be pressed."""
        self.shown.append(("button", link_id, press))

    def connect(self, link_id: str) -> None:
        """The way to connect again."""
        self.shown.append(("connect", link_id))


@pytest.fixture
def stage(tmp_path, monkeypatch):
    with staged(real_time=True) as stage:
        monkeypatch.chdir(tmp_path)
        settings = ""
        for name, url in stage.urls.items():
            monkeypatch.setenv(f"WEBHOOK_SECRET_{name}", stage.secrets[name])
            settings += SETTINGS.format(name=name, secret_key=stage.emulators[name].secret_key, base_url=url)
        (tmp_path / "bankbridge.toml").write_text(settings, "utf-8")
        yield stage


def example(stage: Stage, screen: Screen) -> dict[str, Any]:
    """Run the example, and let the emulators' webhooks come to its `webhook`."""
    [block] = [block for block in blocks_of(README) if block.language == "python"]
    names: dict[str, Any] = {
        "show_widget": screen.widget,
        "show_button": screen.button,
        "show_connect": screen.connect,
    }
    exec(compile("\n" * (block.line - 1) + block.text, str(README), "exec"), names)  # noqa: S102 (our own page)
    stage.bridge.close()
    stage.bridge = names["bridge"]
    stage.hook = lambda connection, headers, body: names["webhook"](
        connection, SimpleNamespace(headers=headers, body=body)
    )
    return names


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_the_example_does_what_it_says(stage, provider):
    screen = Screen()
    names = example(stage, screen)
    bridge, look = names["bridge"], names["look"]
    with bridge, bridge.running():
        link = stage.add_link(provider, "succeeds")
        intent = bridge.refresh(link.link_id)
        assert stage.until(intent.id).status.value == "succeeded"
        movements = look(intent.id)
        assert {movement.account_id for movement in movements} == set(link.account_ids)

        link = stage.add_link(provider, "mfa", "succeeds")
        intent = bridge.refresh(link.link_id, attended=True)
        stage.until(intent.id, "requires_mfa")
        look(intent.id)
        stage.emulators[provider].person(link.link_id, "wrong_code")
        stage.until(intent.id)
        look(intent.id)
        [(*_, until), (_, _, press)] = screen.shown
        assert until > intent.created_at
        assert stage.until(press().id).status.value == "succeeded"

        screen.shown.clear()
        link = stage.add_link(provider, "rejects")
        intent = bridge.refresh(link.link_id)
        stage.until(intent.id)
        look(intent.id)
        assert screen.shown == [("connect", link.link_id)]
    assert set(stage.statuses) == {200}


def test_the_two_commands_are_one_line_each():
    text = README.read_text("utf-8")
    for marker in ("demo", "tests"):
        [command] = re.findall(
            rf"^<!-- command: {marker} -->\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        )
        assert command.count("\n") == 1


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README.read_text("utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
