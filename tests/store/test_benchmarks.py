"""The store's benchmarks still run; how fast is not for a test to say."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "arguments", [("--calls", "3"), ("--calls", "3", "--links", "4,8")], ids=["ingest", "links"]
)
def test_the_store_can_be_measured(arguments):
    command = [sys.executable, "-m", "tests.benchmarks.store", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("ratio") == {2: 4, 4: 6}[len(arguments)]


def test_draining_can_be_measured():
    command = [sys.executable, "-m", "tests.benchmarks.drain", "--links", "4", "--limit", "7"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("deliveries") == 2
