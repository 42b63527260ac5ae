"""The stage: emulators, receiver and bridge on loopback, sharing one clock that runs fast."""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from bankbridge.codec import configure
from bankbridge.emulation import Clock, Emulator, Server
from bankbridge.registry import plugin_for
from bankbridge.server import webhook_app
from bankbridge.shells.news import News
from bankbridge.shells.sync import BankBridge
from bankbridge.store.sql import new_key, sqlite_store


@attrs.frozen(kw_only=True)
class Stage:
    """Everything that runs. Each provider is one connection of the same name."""

    clock: Clock
    bridge: BankBridge
    emulators: Mapping[str, Emulator]


@contextmanager
def staged(
    providers: tuple[str, ...], *, speed: float, seed: int, on_news: Callable[[News], None]
) -> Generator[Stage]:
    """Start everything, and stop it again. ``speed`` is how many seconds pass in one."""
    with ExitStack() as stack:
        clock = Clock(speed=speed)
        folder = stack.enter_context(TemporaryDirectory(prefix="bankbridge-demo-"))
        emulators: dict[str, Emulator] = {}
        urls: dict[str, str] = {}
        for name in providers:
            make = plugin_for(name).emulator
            assert make is not None, f"{name}: its plugin brings no emulator"  # noqa: S101 (both of ours do)
            emulators[name] = make(clock, seed=seed)
            urls[name] = stack.enter_context(Server(emulators[name].app)).url
        # The receiver must listen before the endpoints are registered, and they before the bridge has their secrets.
        hall = _Hall()
        receiver = stack.enter_context(Server(hall))
        configured = {
            name: configure(
                plugin_for(name).provider,
                {
                    "secret_key": emulators[name].secret_key,
                    # For exactly what the plugin translates.
                    "webhook_secrets": [
                        emulators[name].add_endpoint(
                            f"{receiver.url}/webhooks/{name}",
                            events=sorted(plugin_for(name).provider.capabilities.event_types),
                        )
                    ],
                    "base_url": urls[name],
                },
            )
            for name in providers
        }
        store = sqlite_store(Path(folder) / "demo.db", keys=[new_key()])
        bridge = stack.enter_context(BankBridge(configured, store=store, clock=clock.now, on_news=on_news))
        hall.app = webhook_app(bridge)
        yield Stage(clock=clock, bridge=bridge, emulators=emulators)


class _Hall:
    """An ASGI application whose inside is put in later."""

    app: Callable[..., object] | None = None

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        if self.app is not None:
            await self.app(scope, receive, send)  # type: ignore[misc]
