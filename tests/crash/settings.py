"""What the harness tells a process of the application: in a file, as a deployment would."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from bankbridge.emulation import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class SharedTime:
    """The emulators' virtual time, told by a process that has nothing of theirs but these numbers.

    All processes of a machine share one monotonic clock. ``zero`` is the virtual time, in seconds since 1970, at
    which that clock stood at nothing; ``speed`` the virtual seconds in a real one.
    """

    zero: float
    speed: float

    @classmethod
    def of(cls, clock: Clock) -> "SharedTime":
        """The time of a clock that runs. It must not be advanced any more."""
        now = (clock.now() - _EPOCH).total_seconds()
        return cls(zero=now - time.monotonic() * clock.speed, speed=clock.speed)

    def now(self) -> datetime:
        """The virtual instant."""
        return _EPOCH + timedelta(seconds=self.zero + time.monotonic() * self.speed)

    def real(self, virtual: datetime) -> datetime:
        """When the wall clock will show what, at this virtual time: for whoever sleeps by the wall clock."""
        return datetime.now(UTC) + (virtual - self.now()) / self.speed


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that a process of the application needs. ``folder`` is where its traps and its news are."""

    name: str
    role: str
    database: str
    keys: tuple[str, ...] = attrs.field(repr=False)
    connections: dict[str, dict[str, Any]] = attrs.field(repr=False)
    time: SharedTime
    engine: str
    folder: Path
    port: int

    def write(self) -> Path:
        """Put it into the folder."""
        said = attrs.asdict(self) | {"folder": str(self.folder)}
        path = self.folder / f"{self.name}.json"
        path.write_text(json.dumps(said), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: str) -> "Settings":
        """What `write` wrote."""
        said = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(
            **{
                **said,
                "keys": tuple(said["keys"]),
                "time": SharedTime(**said["time"]),
                "folder": Path(said["folder"]),
            }
        )

    @property
    def is_alone(self) -> bool:
        """Whether the application is all on this machine."""
        return "://" not in self.database

    @property
    def trap(self) -> Path:
        """While this file is there, the process kills itself at the moment that is written in it."""
        return self.folder / f"{self.name}.trap"

    @property
    def ready(self) -> Path:
        """The process makes this file once it works."""
        return self.folder / f"{self.name}.ready"

    @property
    def news(self) -> Path:
        """One line for each thing that any process has announced."""
        return self.folder / "news"
