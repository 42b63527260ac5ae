"""Other people's clients, each installed in an environment of its own: once per machine, shared by all who test."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests import needs

HERE: Final = Path(__file__).parent
STORE: Final = HERE.parents[1] / ".pytest_cache" / "judges"
INSTALL_SECONDS: Final = 300
"""An index that has not answered by then is as good as out of reach."""

_failed: dict[str, str] = {}
"""What could not be installed, and why, so that a test run asks an index only once."""


def python() -> Path:
    """The interpreter of an environment with `python/requirements.txt`; needs pip and its index."""
    wanted = HERE / "python" / "requirements.txt"

    def make(home: Path) -> None:
        _run(sys.executable, "-m", "venv", str(home))
        _run(str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--retries", "1", "-r", str(wanted))

    return _made("python", wanted, sys.version, make) / "bin" / "python"


def node_modules() -> Path:
    """A folder for `NODE_PATH` with what `node/package.json` wants; needs npm and its registry."""
    npm = needs.program("npm", "install npm")
    wanted = HERE / "node" / "package.json"

    def make(home: Path) -> None:
        home.mkdir()
        shutil.copy(wanted, home)
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--fetch-retries=1")
        _run(npm, "install", "--loglevel=error", *quiet, "--prefix", str(home))

    return _made("node", wanted, npm, make) / "node_modules"


def _made(kind: str, wanted: Path, version: str, make: Callable[[Path], None]) -> Path:
    """A folder that was made for exactly these requirements, by whichever process came first."""
    key = hashlib.sha256(version.encode() + wanted.read_bytes()).hexdigest()[:12]
    home = STORE / f"{kind}-{key}"
    done = home / "made"
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() and kind not in _failed:
            shutil.rmtree(home, ignore_errors=True)
            try:
                make(home)
                done.touch()
            except (subprocess.SubprocessError, OSError) as error:
                _failed[kind] = _reason(error)
    if kind in _failed:
        needs.missing(f"what {wanted.name} of the judges wants", f"its package index says: {_failed[kind]}")
    return home


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)


def _reason(error: Exception) -> str:
    """What an installer complained of first."""
    if isinstance(error, subprocess.CalledProcessError):
        said = f"{error.stdout}\n{error.stderr}".splitlines()
        return next(
            (line for line in said if line.lower().startswith(("error", "npm error"))), str(error.returncode)
        )
    return str(error)
