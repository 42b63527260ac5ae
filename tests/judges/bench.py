"""The judges: programs that know nothing of this project but the providers' public documentation."""

import functools
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
from starlette.routing import Route

from tests import needs
from tests.judges import clients
from tests.judges.scenes import SCENES

HERE: Final = Path(__file__).parent
PATIENCE: Final = 120.0

Start = tuple[Sequence[str], Mapping[str, str]]
"""How a program is started: the words before its path, and what its environment needs."""


def _python() -> Start:
    return [str(clients.python()), "-I"], {}


def _node() -> Start:
    return [needs.program("node", "install nodejs")], {"NODE_PATH": str(clients.node_modules())}


def _ruby() -> Start:
    return [needs.program("ruby", "install ruby"), "-w"], {}


def _shell() -> Start:
    for program in ("curl", "openssl"):
        needs.program(program, f"install {program}")
    return ["sh", "-eu"], {}


STARTS: Final[Mapping[str, Callable[[], Start]]] = {
    ".py": _python,
    ".cjs": _node,
    ".rb": _ruby,
    ".sh": _shell,
}


@attrs.frozen(kw_only=True)
class Judge:
    """A program in a folder of its own, and whose client it is."""

    provider: str
    program: str
    is_: str


JUDGES: Final[Mapping[str, Judge]] = {
    "python-sdk": Judge(
        provider="fintoc", program="python/fintoc_sdk.py", is_="Fintoc's own client for Python"
    ),
    "node-sdk": Judge(provider="fintoc", program="node/fintoc_sdk.cjs", is_="Fintoc's own client for Node"),
    "ruby-client": Judge(
        provider="fintoc", program="ruby/fintoc.rb", is_="a Ruby client of our own that talks as the gem does"
    ),
    "careful-reader": Judge(
        provider="fintoc", program="python/careful.py", is_="a reader as PostHog's, on requests and httpx"
    ),
    "fintoc-curl": Judge(
        provider="fintoc", program="sh/fintoc_quickstart.sh", is_="Fintoc's quickstart with curl"
    ),
    "rail-curl": Judge(
        provider="rail", program="sh/rail_quickstart.sh", is_="Rail's quickstart and guide to codes with curl"
    ),
    "rail-app": Judge(
        provider="rail", program="node/rail_app.cjs", is_="an application as Rail's guides sketch it"
    ),
}

VERIFIERS: Final[Mapping[str, str]] = {
    "python-sdk": "python/fintoc_verify.py",
    "node-sdk": "node/fintoc_verify.cjs",
    "rail-sample": "node/rail_verify.cjs",
    "careful": "python/many_v1.py",
    "openssl": "sh/verify.sh",
}
"""Programs that only verify signatures; both providers sign alike, so that each can judge either."""


@attrs.frozen(kw_only=True)
class Hearing:
    """What a judge found, what there was to find, what is served, and what it asked for: requests by endpoint."""

    facts: Mapping[str, Any] = attrs.field(repr=False)
    there: Mapping[str, Any] = attrs.field(repr=False)
    served: Sequence[str] = attrs.field(repr=False)
    truth: Mapping[str, Any] = attrs.field(repr=False)
    brief: Mapping[str, str] = attrs.field(repr=False)

    @property
    def requests(self) -> Mapping[str, int]:
        return self.truth["requests"]


@functools.cache
def hear(name: str) -> Hearing:
    """Let a judge have its say, once in a process."""
    judge = JUDGES[name]
    with SCENES[judge.provider]() as scene:
        facts = _run(judge.program, {f"JUDGE_{key.upper()}": value for key, value in scene.brief.items()})
        truth = scene.emulator.truth()
        served = endpoints(scene.emulator)
        return Hearing(facts=facts, there=scene.look(), served=served, truth=truth, brief=scene.brief)


def endpoints(emulator: Any) -> Sequence[str]:
    """What an emulator serves in its provider's name: method and path."""
    found = {
        f"{method} {route.path.rstrip('/')}"
        for route in emulator.app.routes
        if isinstance(route, Route) and route.path.startswith("/v1/")
        for method in route.methods or ()
        if method != "HEAD"
    }
    return sorted(found, key=lambda one: one.split()[::-1])


def verdicts(verifier: str, cases: Path) -> Mapping[str, str]:
    """What a verifier says of each ``NAME.body`` in a folder, with ``NAME.signature`` and ``NAME.secret`` beside it."""
    return _run(VERIFIERS[verifier], {"JUDGE_CASES": str(cases)})


def _run(program: str, environment: Mapping[str, str]) -> Any:
    """The JSON that a program prints. It gets no more of this process than where other programs are."""
    words, more = STARTS[Path(program).suffix]()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [*words, str(HERE / program)],
        env={**kept, "LANG": "C.UTF-8", **more, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{program} gave up:\n{done.stdout[-2000:]}\n{done.stderr}"
    return json.loads(done.stdout)
