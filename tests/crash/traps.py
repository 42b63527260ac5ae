"""Moments inside a process at which it is killed: by itself, so that nothing comes between, as hard as from outside.

A trap is a file with the moment's name. Whoever falls into it takes it away first, so that it catches once.
"""

import os
import signal
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WRITES: Final = ("UPDATE bankbridge_intents", "INSERT INTO bankbridge_intents")
_OK: Final = 200


class Trap:
    """A file that kills."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def springs(self, moment: str) -> None:
        """End this process, if the trap is set for ``moment``."""
        try:
            if self._path.read_text(encoding="utf-8") != moment:
                return
            self._path.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


class TrappedReceiver:
    """An application that dies when a delivery comes, or when it is about to be answered that it is taken."""

    def __init__(self, app: ASGIApp, trap: Trap) -> None:
        self._app, self._trap = app, trap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/webhooks/"):
            await self._app(scope, receive, send)
            return
        self._trap.springs("delivery came")

        async def answer(message: Message) -> None:
            if message.get("status") == _OK:
                self._trap.springs("delivery stored")
            await send(message)

        await self._app(scope, receive, answer)


def trap_commits(engine: sa.Engine, trap: Trap) -> None:
    """Die at a transaction that has written an intent: before its commit, or when the commit is through."""

    @event.listens_for(engine, "before_cursor_execute")
    def _note(connection: sa.Connection, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith(_WRITES):
            connection.info["wrote"] = True

    @event.listens_for(engine, "commit")
    def _before(connection: sa.Connection) -> None:
        if connection.info.get("wrote"):
            trap.springs("intent written")

    @event.listens_for(engine, "checkin")
    def _after(_driver: object, record: Any) -> None:
        if record.info.pop("wrote", False):
            trap.springs("intent committed")
