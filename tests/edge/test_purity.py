"""The core is told the time, and asks nobody for anything."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bankbridge

ROOT = Path(bankbridge.__file__).parent
CORE = sorted([*ROOT.glob("machine/*.py"), *ROOT.glob("words/*.py")])
EDGE = [ROOT / name for name in ("payload.py", "wire.py", "webhooks.py")]
FORBIDDEN = {
    *("time", "random", "secrets", "logging", "warnings", "os", "io", "sys", "socket", "ssl", "select"),
    *("asyncio", "threading", "subprocess", "pathlib", "tempfile", "urllib.request", "http", "sqlite3"),
}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "uuid1", "uuid4", "open", "print", "input"}


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("path", [*CORE, *EDGE], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_clock_no_chance_no_input_no_output(path: Path):
    tree = ast.parse(path.read_text("utf-8"))
    packages = {name.split(".")[0] for name in imports(tree)} | set(imports(tree))
    assert not packages & FORBIDDEN
    assert not set(calls(tree)) & CLOCKS


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_needs_attrs_and_the_standard_library_only(path: Path):
    foreign = {name.split(".")[0] for name in imports(ast.parse(path.read_text("utf-8")))}
    assert foreign - sys.stdlib_module_names <= {"attrs", "bankbridge"}


def test_there_is_something_to_check():
    assert {path.name for path in CORE} >= {"advance.py", "policy.py", "money.py"}
