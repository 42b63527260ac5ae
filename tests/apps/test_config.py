"""``bankbridge.toml``."""

import re
from pathlib import Path

import pytest

from bankbridge import BankBridge, ConfigurationError
from bankbridge.engine.embedded import Embedded
from bankbridge.shells.config import read_config
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import SqlStore, new_key
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail

GOOD = """
[store]
path = "{folder}/bank.db"
keys = {{ env = "STORE_KEYS" }}

[connections.rail]
secret_key = {{ env = "RAIL_KEY" }}
webhook_secrets = [{{ file = "{folder}/whsec" }}]

[connections.mexico]
provider = "fintoc"
secret_key = {{ env = "FINTOC_KEY" }}
webhook_secrets = [{{ env = "FINTOC_WHSEC" }}, {{ env = "FINTOC_WHSEC_OLD" }}]
base_url = "http://127.0.0.1:9/"
signature_tolerance = 60
"""


def environ() -> dict[str, str]:
    return {
        "STORE_KEYS": f"{new_key()}, {new_key()}",
        "RAIL_KEY": "rail_sk_test_1",
        "FINTOC_KEY": "sk_test_2",
        "FINTOC_WHSEC": "whsec_new",
        "FINTOC_WHSEC_OLD": "whsec_old",
    }


def write(folder: Path, text: str) -> Path:
    path = folder / "bankbridge.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_connections_and_store_with_secrets_from_outside(tmp_path: Path) -> None:
    (tmp_path / "whsec").write_text("whsec_from_a_file\n", encoding="utf-8")
    config = read_config(write(tmp_path, GOOD.format(folder=tmp_path)), environ())
    assert config.providers["rail"] == Rail(
        secret_key="rail_sk_test_1", webhook_secrets=("whsec_from_a_file",)
    )
    mexico = config.providers["mexico"]
    assert isinstance(mexico, Fintoc)
    assert mexico.webhook_secrets == ("whsec_new", "whsec_old")
    assert mexico.base_url == "http://127.0.0.1:9"
    assert mexico.signature_tolerance.total_seconds() == 60
    assert len(config.store.keys) == 2
    store, engine = config.open()
    assert isinstance(store, SqlStore)
    assert isinstance(engine, Embedded)
    store.close()
    for secret in environ().values():
        assert secret not in repr(config)


def test_without_a_store_it_is_kept_in_memory(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[connections.rail]\nsecret_key = "rail_sk_test_1"\nwebhook_secrets = ["whsec_1"]\n'
    )
    assert isinstance(read_config(path, {}).open()[0], MemoryStore)
    with BankBridge.from_config(path) as bridge:
        assert bridge.links() == ()


def test_every_problem_is_answered_at_once_with_its_path(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        connection = 1
        [engine]
        evry = 3
        concurrency = 0
        [store]
        pth = "x"
        [connections.rail]
        webhook_secrets = "whsec_1"
        [connections.fintoc]
        secret_key = { env = "NOT_SET" }
        webhook_secrets = [{ file = "/no/such/file" }]
        [connections.other]
        provider = "fintok"
        """,
    )
    with pytest.raises(ConfigurationError) as error:
        read_config(path, {})
    assert error.value.problems == (
        "connection: unknown table (known: connections, engine, policy, store)",
        "connections.fintoc.secret_key: environment variable NOT_SET is not set",
        "connections.fintoc.webhook_secrets[0]: /no/such/file cannot be read (FileNotFoundError)",
        "connections.other.provider 'fintok': no such plugin is installed; did you mean 'fintoc'?",
        "connections.rail.secret_key: required field missing",
        "connections.rail.webhook_secrets: must be a list",
        "engine.concurrency: must be at least 1",
        "engine.evry: unknown field, did you mean 'every'?",
        "store.pth: unknown field, did you mean 'path'?",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "connections: at least one is needed, for instance [connections.rail]"),
        ("[connections]\nrail = 3\n", "connections.rail: must be a table"),
        ("[connections\n", "is not TOML"),
        ("engine = 1\n", "engine: must be a table"),
        ("[engine]\nkind = 'cron'\n", "engine.kind: unknown engine (known: embedded, procrastinate)"),
        ("[engine]\nevery = 0\n", "engine.every: must be longer than nothing"),
        ("[engine]\nevery = 'often'\n", "engine.every: must be a number of seconds"),
        ("[engine]\nkind = 'procrastinate'\n", "engine.kind: procrastinate needs a store in PostgreSQL"),
        ("[engine]\nkind = 'procrastinate'\nheartbeat = 0\n", "engine.heartbeat: must be longer than"),
    ],
)
def test_a_file_that_says_nothing_useful(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        read_config(write(tmp_path, text), {})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_config(tmp_path / "none.toml", {})
