"""What the judges have looked at, all together."""

from pathlib import Path

import pytest

from tests.judges.__main__ import table
from tests.judges.bench import JUDGES, hear

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "judges.md"
PROVIDERS = sorted({judge.provider for judge in JUDGES.values()})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_endpoint_has_a_judge(provider):
    heard = {name: hear(name) for name, judge in JUDGES.items() if judge.provider == provider}
    served = next(iter(heard.values())).served
    asked = {endpoint for one in heard.values() for endpoint in one.requests}
    assert set(served) - asked == set(), table(heard)


def test_the_page_names_every_judge():
    lines = PAGE.read_text("utf-8").splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert named == list(JUDGES)
