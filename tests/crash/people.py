"""The people of a run, and their application's pages: who asks for a refresh, answers a prompt, cancels, asks again."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, cast

import httpx

from bankbridge.emulation import UnknownLinkError
from tests.chaos.play import Living
from tests.crash.plan import Life, Wish
from tests.crash.processes import PATIENCE
from tests.crash.scene import Scene

_LOOK: Final = 0.1
_ANSWERED: Final = (200, 409)


class GaveUpError(AssertionError):
    """Somebody waited far longer than anything can take."""


class People:
    """Everybody at once, each in a thread of their own."""

    def __init__(self, scene: Scene) -> None:
        self.lives: list[Living] = []
        self.failures: list[str] = []
        """What went wrong in the harness itself, or was waited for in vain."""
        self._scene = scene
        self._threads: list[threading.Thread] = []
        self._client = httpx.Client(trust_env=False, timeout=20)
        self._lock = threading.Lock()

    @property
    def busy(self) -> int:
        """How many are not through."""
        return sum(thread.is_alive() for thread in self._threads)

    def begin(self, life: Life) -> None:
        """Let a life begin."""
        thread = threading.Thread(target=self._live, args=(life,), name=life.name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Everybody is through."""
        self._client.close()

    # --- one life ----------------------------------------------------------------------------------------------------

    def _live(self, life: Life) -> None:
        try:
            emulator = self._scene.emulators[life.provider]
            link = emulator.add_link(
                attempts=life.attempts,
                webhooks=life.webhooks,
                accounts=life.accounts,
                institution=life.institution,
            )
            # Another kind of life than the ones it was made for, with the same name and provider.
            living = Living(life=cast(Any, life), link=link, left=[])
            with self._lock:
                self.lives.append(living)
            # Its accounts are older than any refresh.
            self._sleep(timedelta(seconds=1))
            self._ask("add_link", connection=life.provider, link_id=link.link_id, token=link.link_token)
            for wish in life.wishes:
                self._sleep(wish.after)
                self._want(living, wish)
        except Exception as error:  # noqa: BLE001 (a thread of the harness has nobody else to tell)
            self.failures.append(f"{life.name}: {type(error).__name__} {error}")

    def _want(self, living: Living, wish: Wish) -> None:
        intent_id = self._refresh(living, wish)
        since, asked_at = self._scene.ledger.looks, time.monotonic()
        acts, again, cancel = list(wish.acts), wish.again, wish.cancel_after
        give_up_at = asked_at + PATIENCE * 2
        while not self._scene.ledger.is_over(intent_id, since):
            if time.monotonic() > give_up_at:
                raise GaveUpError(f"{intent_id} is not over")
            passed = timedelta(seconds=(time.monotonic() - asked_at) * self._scene.clock.speed)
            if again is not None and passed >= again:
                again = None
                self._refresh(living, wish)
            if cancel is not None and passed >= cancel:
                cancel = None
                living.canceled.setdefault(intent_id, self._scene.clock.now())
                self._ask("cancel", intent_id=intent_id)
            is_there = wish.attended and bool(acts) and passed >= wish.thinks
            if is_there and self._act(living, acts[0]) and acts.pop(0) != "walk_away" and wish.tells:
                self._ask("prompt_answered", intent_id=intent_id)
            time.sleep(_LOOK)

    def _act(self, living: Living, act: str) -> bool:
        """Act at the prompt that is open, if there is one."""
        if act == "nothing":
            return False
        with suppress(UnknownLinkError):
            self._scene.emulators[living.life.provider].person(living.key, act)
            return True
        return False

    def _refresh(self, living: Living, wish: Wish) -> str:
        given: dict[str, Any] = {"intent_id": living.intents[-1]} if wish.is_retry and living.intents else {}
        what, attended = ("retry", True) if given else ("refresh", wish.attended)
        if what == "refresh":
            given = {"link_id": living.key, "scope": wish.scope.value, "attended": attended}

        def heard() -> None:
            living.asked.append((self._scene.clock.now(), attended))

        intent_id = self._ask(what, heard=heard, **given)
        if intent_id not in living.intents:
            living.intents.append(intent_id)
        return intent_id

    def _ask(self, what: str, heard: Callable[[], None] = lambda: None, **given: Any) -> str:
        return press(self._scene, what, heard=heard, client=self._client, **given)

    def _sleep(self, virtual: timedelta) -> None:
        time.sleep(virtual.total_seconds() / self._scene.clock.speed)


def press(
    scene: Scene,
    what: str,
    *,
    answer: str = "id",
    heard: Callable[[], None] = lambda: None,
    client: httpx.Client | None = None,
    **given: Any,
) -> str:
    """Press a button of the application until it is answered: the process behind it may die of it.

    ``heard`` is called before each time.
    """
    if client is None:
        with httpx.Client(trust_env=False, timeout=20) as own:
            return press(scene, what, answer=answer, heard=heard, client=own, **given)
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        heard()
        try:
            got = client.post(f"{scene.url}/ask/{what}", json=given)
        except httpx.HTTPError:
            time.sleep(_LOOK)
            continue
        if got.status_code == httpx.codes.OK:
            return str(got.json()[answer])
        error = got.json()["error"] if got.status_code in _ANSWERED else got.status_code
        scene.errors[f"{what}: {error}"] += 1
        time.sleep(_LOOK)
    raise GaveUpError(f"{what} was never answered")
