"""``bankbridge policy show``, as a person runs it."""

import json

import pytest
from typer.testing import CliRunner

from bankbridge.cli import app
from bankbridge.provider import Provider
from bankbridge.shells.policy_files import read_policies, read_policy
from bankbridge_fintoc import Fintoc
from bankbridge_rail import Rail

FILE = """
[store]
url = { env = "NOT_SET" }

[policy]
refused_logins = 1
retry.provider_error = "never"

[connections.rail]
secret_key = { env = "NOT_SET" }
policy.timing.attempt = "45 min"
policy.institutions.santander.retry.institution_unavailable = { waits = ["30 min"], times = 1 }

[connections.mexico]
provider = "fintoc"
policy.cooldowns.latest = "10 min"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "bankbridge.toml"
    path.write_text(FILE)
    return path


def run(config, *arguments):
    return CliRunner().invoke(app, ["policy", "show", "--config", str(config), *arguments])


def said(config, *arguments):
    result = run(config, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def row(text, name):
    """The cells of the first row that begins so."""
    line = next(line for line in text.splitlines() if line.strip("│ ").startswith(name))
    return [cell.strip() for cell in line.strip("│ ").split("│")]


def test_what_is_in_force_and_what_it_would_be_by_default(config):
    rail = said(config, "--connection", "rail")
    patient = "after 1 min, 5 min, 15 min, 1 h; at most 4 times"
    assert row(rail, "provider_error") == ["provider_error", "never", patient, "RefreshLater", "nobody"]
    assert row(rail, "institution_unavailable")[1:3] == [patient, ""]
    assert row(rail, "credentials_locked")[3:] == ["UnlockAtBank", "bank"]
    assert row(rail, "refused_logins") == ["refused_logins", "1", "2"]
    assert row(rail, "timing.attempt") == ["timing.attempt", "45 min", "20 min"]
    assert row(rail, "timing.longest_poll")[1] == "2 min"
    assert "rail at santander: the numbers" in rail
    assert "mexico" not in rail


def test_at_a_bank(config):
    santander = said(config, "--connection", "rail", "--institution", "santander")
    assert row(santander, "institution_unavailable")[1] == "after 30 min; at most once"
    assert row(santander, "timing.attempt")[1] == "45 min"
    elsewhere = said(config, "--connection", "rail", "--institution", "bci")
    assert row(elsewhere, "institution_unavailable")[1].startswith("after 1 min")


def test_for_a_program(config):
    documents = json.loads(said(config, "--json"))
    assert [(one["connection"], one["institution"]) for one in documents] == [
        ("rail", None),
        ("rail", "santander"),
        ("mexico", None),
    ]
    policy = documents[2]["policy"]
    assert policy["cooldowns"] == {"latest": "10 min", "historical": "1 h"}
    assert policy["retry"]["provider_error"] == "never"
    assert policy["retry"]["rate_limited"] == {
        "waits": ["1 min", "2 min", "5 min", "15 min"],
        "times": "unlimited",
    }


def test_as_toml_it_is_read_again_as_the_same(config, tmp_path):
    """To be changed, and tried out as a policy file of its own."""
    again = tmp_path / "policy.toml"
    again.write_text(said(config, "--toml"))
    providers: dict[str, Provider] = {
        "rail": Rail(secret_key="rail_sk_1", webhook_secrets=("whsec_1",)),
        "mexico": Fintoc(secret_key="sk_1", webhook_secrets=("whsec_1",)),
    }
    assert read_policy(again, providers) == read_policies(config)
    alone = said(config, "--toml", "--connection", "mexico")
    assert alone.startswith("[connections.mexico.policy]")
    assert "rail" not in alone


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--connection", "rial"], 1, "--connection 'rial': not configured, did you mean 'rail'?"),
        (["--toml", "--json"], 2, "--toml"),
        (["--toml", "--institution", "bci"], 2, "--toml"),
    ],
)
def test_what_it_does_not_take(config, arguments, code, says):
    result = run(config, *arguments)
    assert (result.exit_code, says in result.stderr) == (code, True)


def test_what_is_wrong_with_the_file(config, tmp_path):
    config.write_text(FILE.replace("refused_logins = 1", "refused_logins = 9").replace("45 min", "45min"))
    result = run(config)
    assert result.exit_code == 1
    assert "policy.refused_logins: must be from 1 to 2" in result.stderr
    assert "connections.rail.policy.timing.attempt: must be a number, a blank" in result.stderr
    config.write_text("")
    assert "at least one is needed" in run(config).stderr
    assert "cannot be read" in run(tmp_path / "none.toml").stderr
