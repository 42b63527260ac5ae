"""The engine: what is configured, whether it can work, and whether anybody does."""

import sys
import threading
import time

import psycopg
import pytest

from bankbridge import BankBridge
from bankbridge.doctor.checks import Verdict
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.store.sql import postgresql_store
from bankbridge_rail import Rail
from tests.doctor.conftest import KEY, RAIL
from tests.doctor.sites import nowhere

PATIENCE = 60
PROCRASTINATE = "[engine]\nkind = 'procrastinate'\n"


def configured(url):
    return f"[store]\nurl = '{url}'\nkeys = ['{KEY}']\n{PROCRASTINATE}{RAIL}"


@pytest.mark.parametrize("table", ["", "[engine]\nkind = 'embedded'\nevery = 2\n"])
def test_the_embedded_one_needs_nothing(clinic, table):
    check = clinic.examine(table + RAIL).one("engine")
    assert check.verdict is Verdict.OK
    assert check.says.startswith("embedded, ")


@pytest.mark.parametrize("table", ["[engine]\nkind = 'temporal'\n", PROCRASTINATE])
def test_one_that_cannot_be_is_a_problem_of_the_configuration(clinic, table):
    said = clinic.examine(table + RAIL)
    assert said.one("engine").verdict is Verdict.SKIPPED
    assert any(problem.startswith("engine.kind: ") for problem in said.problems)


def test_procrastinate_without_its_tables(clinic, postgresql_url):
    postgresql_store(postgresql_url, keys=[KEY], upgrade=True).close()
    check = clinic.examine(configured(postgresql_url)).one("engine")
    assert (check.verdict, check.remedy) == (Verdict.PROBLEM, "bankbridge store upgrade")
    assert check.says.startswith("procrastinate: the database has no tables for Procrastinate yet")


def test_tables_of_somebody_else(clinic, postgresql_url):
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE procrastinate_jobs (x int)")
    check = clinic.examine(configured(postgresql_url)).one("engine")
    assert check.verdict is Verdict.PROBLEM
    assert check.says == "procrastinate: the database has tables for Procrastinate that are not ours"
    assert (check.remedy or "").startswith("use another database")


def test_a_database_that_does_not_answer(clinic):
    address = nowhere().removeprefix("http://")
    assert clinic.examine(configured(f"postgresql://{address}/x")).one("engine").verdict is Verdict.SKIPPED


def test_without_a_worker_and_with_one(clinic, postgresql_url):
    store = postgresql_store(postgresql_url, keys=[KEY], upgrade=True)
    engine = ProcrastinateEngine(store, upgrade=True)
    check = clinic.examine(configured(postgresql_url)).one("engine")
    assert (check.verdict, check.remedy) == (Verdict.PROBLEM, "bankbridge worker")
    assert check.says.endswith("no worker has said in the last 20 s that it lives")
    rail = Rail(secret_key="rail_sk_test_1", webhook_secrets=("whsec_1",), base_url=nowhere())
    with BankBridge({"rail": rail}, store=store, engine=engine) as bridge:
        thread = threading.Thread(target=bridge.run)
        thread.start()
        try:
            until = time.monotonic() + PATIENCE
            while check.verdict is not Verdict.OK and time.monotonic() < until:
                check = clinic.examine(configured(postgresql_url)).one("engine")
        finally:
            bridge.stop()
            thread.join()
    assert check.says == "procrastinate: 1 worker at work"


def test_a_package_that_is_not_installed(clinic, postgresql_url, monkeypatch):
    for name in list(sys.modules):
        if name.startswith(
            ("bankbridge.doctor.workers", "bankbridge.engine.procrastinate", "procrastinate.")
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    check = clinic.examine(configured(postgresql_url)).one("engine")
    assert (check.verdict, check.remedy) == (Verdict.PROBLEM, "pip install 'bankbridge[procrastinate]'")
