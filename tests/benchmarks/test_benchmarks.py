"""Every benchmark still runs; how fast is not for a test to say."""

import subprocess
import sys

import pytest

SMALL = ("--links", "3", "--rate", "30", "--seconds", "0.5")


@pytest.mark.parametrize("provider", ["rail", "fintoc"])
def test_the_emulators_can_be_measured(provider):
    command = [sys.executable, "-m", "tests.benchmarks.emulators", provider, *SMALL]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    # 1 says that it fell behind, which a busy machine makes of any.
    assert ran.returncode in {0, 1}, ran.stderr
    assert "verdict" in ran.stdout, ran.stderr
    assert "'201'" in ran.stdout


def test_an_unknown_provider_is_told():
    command = [sys.executable, "-m", "tests.benchmarks.emulators", "fintok"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "unknown provider fintok: known are rail, fintoc" in ran.stderr


def test_the_whole_way_can_be_measured():
    command = [sys.executable, "-m", "tests.benchmarks.end_to_end", "--links", "40", "--connections", "4"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("every intent as its story says: yes") == 2
