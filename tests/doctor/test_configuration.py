"""The configuration, its secrets, and who can read them."""

import pytest

from bankbridge.doctor.checks import Verdict
from tests.doctor.conftest import FINTOC, RAIL

GOOD = RAIL + FINTOC


def test_a_good_file_and_what_is_installed(clinic):
    said = clinic.examine(RAIL)
    assert said.problems == []
    assert said.one("configuration").says.endswith("bankbridge.toml: 1 connection, nothing wrong with it")
    assert said.one("plugins").verdict is Verdict.OK
    assert "rail 0." in said.one("plugins").says
    assert "(not used)" in said.one("plugins").says


def test_each_problem_is_a_line_with_its_remedy_and_hides_no_other_check(clinic):
    said = clinic.examine(
        """
        stor = 1
        [store]
        keys = { env = "NO_KEYS" }
        [connections.rail]
        secret_key = { env = "NO_KEY" }
        webhook_secrets = [{ file = "/no/such/file" }]
        base_url = "https://rail.invalid"
        [connections.fintok]
        [connections.belvo]
        [connections.fintoc]
        secret_key = "pk_live_0123456789"
        webhook_secrets = []
        """,
        environ={},
    )
    found = {check.says: check.remedy for check in said.checks if check.name == "configuration"}
    mend = f"mend it in {clinic.folder}/bankbridge.toml; docs/how-to/configure.md shows a whole one"
    assert {says.partition(":")[0]: remedy.partition(",")[0] for says, remedy in found.items()} == {
        "stor": mend,
        "store.keys": "set NO_KEYS where this runs",
        "connections.rail.secret_key": "set NO_KEY where this runs",
        "connections.rail.webhook_secrets[0]": "see that /no/such/file is there",
        "connections.fintok.provider 'fintok'": "mend the name",
        "connections.belvo.provider 'belvo'": "install its plugin",
        "connections.fintoc.secret_key": mend,
        "connections.fintoc.webhook_secrets": mend,
    }
    assert said.of("webhook secrets") == [(Verdict.SKIPPED, "rail: the configuration must be mended first")]
    assert said.one("store").verdict is Verdict.WARNING
    assert said.of("reachability") == [(Verdict.SKIPPED, "--offline")]


@pytest.mark.parametrize("text", ["connections = 3", "[connections]\nrail = 3", "store = 3\n" + RAIL])
def test_what_is_no_table_is_said(clinic, text):
    assert any("must be a table" in said for said in clinic.examine(text).problems)


def test_a_store_that_nobody_can_tell_is_not_looked_at(clinic):
    for store in ("[store]\npth = 'x'\n", "[store]\nurl = { env = 'NOT_SET' }\n"):
        assert clinic.examine(store + RAIL).one("store").verdict is Verdict.SKIPPED


# --- who can read the secrets ----------------------------------------------------------------------------


def test_files_with_secrets_that_everybody_can_read(clinic):
    inner = clinic.folder / "closed"
    inner.mkdir(mode=0o700)
    files = {clinic.folder / "open": 0o644, clinic.folder / "shut": 0o640, inner / "behind_a_door": 0o644}
    for file, mode in files.items():
        file.write_text("whsec_0123456789")
        file.chmod(mode)
    named = ", ".join(f"{{ file = '{file}' }}" for file in files)
    text = f"[connections.rail]\nsecret_key = {{ env = 'KEY' }}\nwebhook_secrets = [{named}]\n"
    said = clinic.examine(text, environ={"KEY": "rail_sk_test_0123456789"})
    assert said.of("secret files") == [
        (Verdict.WARNING, f"{clinic.folder}/open holds a secret, and every user of this machine can read it")
    ]
    (clinic.folder / "open").chmod(0o600)
    said = clinic.examine(text, environ={"KEY": "rail_sk_test_0123456789"})
    assert said.of("secret files") == [(Verdict.OK, "3 files with secrets, closed to other users")]


def test_a_configuration_file_that_holds_a_secret_itself(clinic):
    said = clinic.examine(RAIL)
    assert said.of("secret files") == [(Verdict.OK, "1 file with secrets, closed to other users")]
    said = clinic.examine(
        "[connections.rail]\nsecret_key = { env = 'KEY' }\nwebhook_secrets = [{ env = 'KEY' }]",
        environ={"KEY": "rail_sk_test_0123456789"},
    )
    assert said.of("secret files") == []


# --- keys and webhook secrets ----------------------------------------------------------------------------


def test_good_secrets(clinic):
    said = clinic.examine(GOOD.replace('["whsec_98', '["whsec_test_1", "whsec_98'))
    assert said.of("webhook secrets") == [
        (Verdict.OK, "rail: 1 secret"),
        (Verdict.OK, "fintoc: 2 secrets, one of them while it is rotated"),
    ]
    assert said.of("keys") == []


def test_a_secret_that_two_connections_share(clinic):
    said = clinic.examine(GOOD.replace("whsec_98", "whsec_0123456789', 'whsec_98").replace("'", '"'))
    assert said.of("webhook secrets")[1] == (
        Verdict.WARNING,
        "fintoc: shares one with rail, so a delivery for one is believed at the other, too",
    )


@pytest.mark.parametrize(
    ("old", "new", "name", "says"),
    [
        ("sk_test_01", "sk_01", "keys", "secret_key does not begin with sk_live_… or sk_test_…, as fintoc"),
        (
            "whsec_98",
            "wh_98",
            "webhook secrets",
            "webhook_secrets does not begin with whsec_…, as fintoc documents it",
        ),
        (
            "whsec_98",
            "whsec_live_98",
            "webhook secrets",
            "secret_key is of test mode, webhook_secrets is of live mode",
        ),
    ],
)
def test_what_does_not_look_as_documented(clinic, old, new, name, says):
    said = clinic.examine(FINTOC.replace(old, new))
    ((verdict, found),) = said.of(name)
    assert verdict is Verdict.WARNING
    assert found.startswith(f"fintoc: {says}")
    assert said.problems == []
