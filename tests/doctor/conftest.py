import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path

import attrs
import pytest

from bankbridge.doctor.checks import Check, Verdict
from bankbridge.doctor.examine import examine
from bankbridge.doctor.show import as_json
from bankbridge.shells.core import utc_now
from bankbridge.store.sql import new_key
from tests import databases

KEY = new_key()

RAIL = """
[connections.rail]
secret_key = "rail_sk_test_0123456789"
webhook_secrets = ["whsec_0123456789"]
"""
FINTOC = """
[connections.fintoc]
secret_key = "sk_test_0123456789"
webhook_secrets = ["whsec_9876543210"]
"""


@attrs.frozen
class Examined:
    """What the doctor said, and that none of it holds a secret."""

    checks: tuple[Check, ...]

    def of(self, name: str) -> list[tuple[Verdict, str]]:
        return [(check.verdict, check.says) for check in self.checks if check.name == name]

    def one(self, name: str) -> Check:
        (check,) = [check for check in self.checks if check.name == name]
        return check

    @property
    def problems(self) -> list[str]:
        return [check.says for check in self.checks if check.verdict is Verdict.PROBLEM]


@attrs.frozen
class Clinic:
    """A folder with a configuration file in it."""

    folder: Path

    def write(self, text: str) -> Path:
        path = self.folder / "bankbridge.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def examine(
        self,
        text: str,
        *,
        environ: Mapping[str, str] | None = None,
        offline: bool = True,
        clock: Callable[[], datetime] = utc_now,
        seen_by: AbstractContextManager[None] | None = None,
    ) -> Examined:
        path = self.write(text)
        if seen_by is not None:
            path.chmod(0o644)
        with seen_by or nullcontext():
            said = examine(tomllib.loads(text), path, environ=environ or {}, offline=offline, clock=clock)
            checks = tuple(one for one in said if isinstance(one, Check))
        shown = as_json(checks)
        for secret in ("0123456789", "9876543210", "hunter2", KEY):
            assert secret not in shown
        assert all((check.remedy is not None) == (check.verdict in _ASK) for check in checks), shown
        return Examined(checks)


_ASK = (Verdict.WARNING, Verdict.PROBLEM)


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    """In a folder that everybody may enter, as a machine's are."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Clinic(Path(folder))


@pytest.fixture(scope="session")
def postgresql_server(testrun_uid: str) -> Iterator[str]:
    with databases.server(testrun_uid) as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    with databases.database(postgresql_server) as url:
        yield url
