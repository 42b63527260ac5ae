"""The engine through the application's face: it starts and stops inside an application, in both colours."""

import asyncio
import os
import signal
import threading
from datetime import timedelta

import pytest

from bankbridge import AsyncBankBridge, BankBridge
from bankbridge.engine.embedded import Embedded
from bankbridge.engine.procrastinate import ProcrastinateEngine
from bankbridge.shells.engines import engine_settings
from bankbridge.store.memory import MemoryStore
from bankbridge.store.sql import postgresql_store
from bankbridge.words.errors import ConfigurationError, EngineBusyError
from bankbridge_rail import Rail

PATIENCE = 30
PROVIDERS = {
    "rail": Rail(secret_key="rail_sk_test_1", webhook_secrets=("whsec_1",), base_url="http://127.0.0.1:1")
}


def test_a_thread_works_while_the_application_does():
    before = set(threading.enumerate())
    engine = Embedded()
    with BankBridge(PROVIDERS, engine=engine) as bridge:
        for _ in range(2):
            assert not engine.is_at_work
            with bridge.running():
                (thread,) = set(threading.enumerate()) - before
                assert thread.name.startswith("bankbridge")
            assert set(threading.enumerate()) <= before


async def test_a_task_works_while_the_application_does():
    engine = Embedded()
    async with AsyncBankBridge(PROVIDERS, engine=engine) as bridge:
        for _ in range(2):
            async with bridge.running():
                (task,) = asyncio.all_tasks() - {asyncio.current_task()}
                assert task.get_name() == "bankbridge"
            assert not engine.is_at_work


def test_a_signal_handler_may_stop_it():
    with BankBridge(PROVIDERS) as bridge:
        before = signal.signal(signal.SIGUSR1, lambda *_: bridge.stop())
        try:
            signal.raise_signal(
                signal.SIGUSR1
            )  # too early is not too late: the run that comes returns at once
            bridge.run()
            timer = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            bridge.run()
            timer.join(PATIENCE)
        finally:
            signal.signal(signal.SIGUSR1, before)


def test_it_runs_once_at_a_time(caplog):
    engine = Embedded()
    with BankBridge(PROVIDERS, engine=engine) as bridge, bridge.running():
        while not engine.is_at_work:
            pass
        with pytest.raises(EngineBusyError, match="runs already: stop it first"):
            bridge.run()
        with pytest.raises(EngineBusyError), BankBridge(PROVIDERS, engine=engine).running():
            pass
        assert engine.is_at_work
    assert "nothing is woken here any more" in caplog.text


def test_settings_that_cannot_work_are_said():
    with pytest.raises(ConfigurationError) as error:
        Embedded(every=timedelta(0), concurrency=0)
    assert error.value.problems == (
        "engine.every: must be longer than nothing",
        "engine.concurrency: must be at least 1",
    )


def test_the_configuration_may_name_procrastinate(database, the_key):
    settings = engine_settings({"kind": "procrastinate", "concurrency": 3, "look_every": 0.1})
    store = postgresql_store(database, keys=[the_key])
    engine = settings.open(store)
    assert isinstance(engine, ProcrastinateEngine)
    assert (engine._rules.concurrency, engine._rules.look_every) == (3, timedelta(seconds=0.1))
    with BankBridge(PROVIDERS, store=store, engine=engine) as bridge, bridge.running():
        assert engine.is_at_work
    with pytest.raises(ConfigurationError, match="needs a store in PostgreSQL"):
        settings.open(MemoryStore())
