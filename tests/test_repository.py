"""What must stay true of the repository as a whole, whoever changes it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {
    *(".ci", ".gitattributes", ".gitignore", "pyproject.toml", "constraints.txt"),
    *("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("src", "plugins", "tests", "cassettes", "docs"),
}
LONGEST_MODULE = 400
HEAVY = {
    *("httpx", "httpx_retries", "cattrs", "sqlalchemy", "starlette", "uvicorn", "pluggy", "typer", "rich"),
    *("jinja2", "pytest"),
}

# Each pattern is written so that it does not match itself.
FORBIDDEN = {
    "a package index": re.compile(r"py[p]i\.org|python[h]osted|registry\.npm[j]s|deb\.deb[i]an"),
    # Not as a part of an address: a provider's documentation has such folders too.
    "a path of one machine": re.compile(
        r"(?<![\w.])/(?:op[t]|wor[k]|far[m]|roo[t]|hom[e]/\w+|User[s]/\w+)/|\.librar[y]/"
    ),
    "a live key": re.compile(r"\b[sp]k_liv[e]_\w{16,}|\bwhsec_liv[e]_\w{16,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVAT[E] KEY"),
}


def files() -> list[Path]:
    """Return the tracked files and those about to be: everything git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    """Return the Python modules that are shipped."""
    return [path for folder in ("src", "plugins") for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    lines = (
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    )
    assert list(lines) == []


def test_top_level_holds_only_what_the_layout_has():
    assert {path.relative_to(ROOT).parts[0] for path in files()} <= TOP_LEVEL


def test_every_module_says_what_it_is_for():
    silent = [path for path in modules() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def test_no_module_is_too_long_to_read():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in modules()}
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_import_bankbridge_is_light():
    command = [sys.executable, "-c", "import sys, bankbridge; print(*sys.modules)"]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert HEAVY.intersection(loaded) == set()
