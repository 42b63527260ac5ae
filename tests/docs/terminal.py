"""The commands of a page, typed one after the other: emulators stay up, and everything else runs beside them."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from tests.docs.blocks import blocks_of, write_files

USUAL: Final = {"Rail": "127.0.0.1:8101", "Fintoc": "127.0.0.1:8102"}
"""Where a page says that the providers are. Here each gets a port that is free."""

NAMES: Final = tuple(title.lower() for title in USUAL)

END: Final = "-- end of output --"


class Terminal:
    """A shell in a folder, and the emulators that were started from it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: dict[str, str] = {}
        self._stack = ExitStack()
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }

    def __enter__(self) -> Self:
        self._shell = self._start("bash", stdin=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def type(self, command: str) -> str:
        """What a command prints. One that serves emulators prints what it does until they are up."""
        if command.startswith("bankbridge emulate") and "--list" not in command:
            return self._as_written(self._emulate(command))
        for written, real in self._where.items():
            command = command.replace(written, real)
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{command}\necho; echo '{END}'\n")
        self._shell.stdin.flush()
        return self._as_written(_read(self._shell.stdout, END))

    def _emulate(self, command: str) -> str:
        words = [f"{word}:0" if word in NAMES else word for word in command.split()]
        if not set(NAMES).intersection(command.split()):
            words += [f"{name}:0" for name in NAMES]
        process = self._start(*words)
        printed = _read(process.stdout, "Ctrl-C stops.", also_the_end=True)
        for title, url in re.findall(r"^(\w+) at http://(\S+)$", printed, re.MULTILINE):
            self._where[USUAL[title]] = url
        return printed

    def _start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        process = self._stack.enter_context(
            subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        self._stack.callback(process.terminate)
        return process

    def _as_written(self, text: str) -> str:
        for written, real in self._where.items():
            text = text.replace(real, written)
        # An emulator's own time runs while it starts; and no page shows what looks like a key to real money.
        text = re.sub(r"^It is \S+ \S+ UTC", "It is 2026-06-03 15:00:00 UTC", text, flags=re.MULTILINE)
        return re.sub(r"([sp]k_live_)\w+", r"\1…", text).strip("\n")


def _read(stream: IO[str] | None, end: str, *, also_the_end: bool = False) -> str:
    """Everything up to the line that ends with ``end``, which belongs to it if it says something itself."""
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        if line.rstrip("\n") == end == END:
            return "".join(lines)
        lines.append(line)
        if line.rstrip("\n").endswith(end):
            return "".join(lines)
    assert also_the_end, f"the shell has ended after {''.join(lines)}"
    return "".join(lines)


def play(page: Path, folder: Path) -> list[tuple[int, str, str]]:
    """Type a page's commands: for each output that it shows, its line, what it shows and what was printed."""
    write_files(page, folder)
    shown: list[tuple[int, str, str]] = []
    printed: str | None = None
    with Terminal(folder) as terminal:
        for block in blocks_of(page):
            if block.language == "shell" and not block.kind:
                printed = terminal.type(block.text.strip("\n"))
            elif block.language == "python":
                printed = None  # what follows is not ours
            elif block.kind == "output" and printed is not None:
                shown.append((block.line, block.text.strip("\n"), printed))
    return shown
