"""What the recipes take for granted: both providers emulated, webhooks that arrive, and a configured bridge."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bankbridge import BankBridge, Outcome
from bankbridge.emulate.known import kind_of
from bankbridge.emulation import Clock, EmulatedLink, Emulator, Server
from bankbridge.registry import plugins


@attrs.define
class Stage:
    """Everything a page's code can be given. ``hook`` takes deliveries: by default, the bridge.

    What ``stack`` is given ends with the stage.
    """

    clock: Clock
    emulators: Mapping[str, Emulator]
    urls: Mapping[str, str]
    secrets: Mapping[str, str]
    stack: ExitStack
    hook: Any = None
    bridge: BankBridge = attrs.field(init=False)
    statuses: list[int] = attrs.field(factory=list)

    def providers(self) -> dict[str, Any]:
        """Every provider, configured for its emulator."""
        return {
            name: plugin.provider(  # type: ignore[call-arg]
                secret_key=self.emulators[name].secret_key,
                webhook_secrets=(self.secrets[name],),
                base_url=self.urls[name],
            )
            for name, plugin in plugins().items()
        }

    def add_link(self, provider: str, *attempts: str, **more: Any) -> EmulatedLink:
        """A link that the emulator made and the bridge knows."""
        link = self.emulators[provider].add_link(attempts=attempts, **more)
        self.bridge.add_link(provider, link.link_id, token=link.link_token)
        return link

    def until(self, intent_id: str, *statuses: str) -> Outcome:
        """The outcome once it has one of the statuses, or is over."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            outcome = self.bridge.outcome(intent_id)
            if outcome.status.value in statuses or outcome.status.terminal:
                return outcome
            self.bridge.wake_due()
        raise TimeoutError(f"{intent_id} is still {outcome.status.value}")


@contextmanager
def staged(*, real_time: bool = False) -> Iterator[Stage]:
    """Start everything, and stop it again. In real time the banks are quick instead."""
    with ExitStack() as stack:
        clock = Clock(speed=1 if real_time else 200)
        emulators: dict[str, Emulator] = {}
        for name, plugin in plugins().items():
            assert plugin.emulator is not None
            quick = {"timings": _quick(name)} if real_time else {}
            emulators[name] = plugin.emulator(clock, **quick)
        urls = {name: stack.enter_context(Server(one.app)).url for name, one in emulators.items()}

        async def take(request: Request) -> Response:
            body = await request.body()
            status, text = await run_in_threadpool(
                stage.hook, request.path_params["connection"], request.headers, body
            )
            stage.statuses.append(status)
            return Response(text, status)

        receiver = stack.enter_context(
            Server(Starlette(routes=[Route("/webhooks/{connection}", take, methods=["POST"])]))
        )
        secrets = {
            name: one.add_endpoint(
                f"{receiver.url}/webhooks/{name}",
                events=sorted(plugins()[name].provider.capabilities.event_types),
            )
            for name, one in emulators.items()
        }
        stage = Stage(clock, emulators, urls, secrets, stack)
        stage.bridge = stack.enter_context(BankBridge(stage.providers(), clock=clock.now))

        def to_bridge(connection: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
            answer = stage.bridge.receive(connection, headers, body)
            return answer.status, answer.body

        stage.hook = to_bridge
        yield stage


def _quick(name: str) -> Any:
    """An emulator's timings, with what takes seconds at a bank done in some hundredths of one."""
    kind: Any = kind_of(name).timings
    short = timedelta(minutes=3)
    usual = {field.name: getattr(kind(), field.name) for field in attrs.fields(kind)}
    return kind(**{name: wait / 500 if wait < short else wait for name, wait in usual.items()})
