"""What a judge finds: an emulator with links for every story, and somebody who takes its webhooks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, Final

import attrs
import httpx

import bankbridge_fintoc.emulator
import bankbridge_rail.emulator
from bankbridge.emulation import Clock, Server
from tests.judges.receiver import receiving

WINDOW: Final = timedelta(days=20)
WHOLE_FINTOC: Final = {"movements_path": "links_too", "rate_limit": "100_per_second"}
"""Fintoc with the path that only its changelog knows, and with the limit of requests that its newest guide has."""
STRICT_RAIL: Final = {"undocumented_routes": "absent", "rate_limit": "on"}
"""Nothing but what Rail documents, and its limit of requests, as an application meets it."""


@attrs.frozen(kw_only=True)
class Scene:
    """A provider under way. ``brief`` is what a judge is told; ``look`` reads for a test what a judge has to find."""

    emulator: Any
    brief: Mapping[str, str] = attrs.field(repr=False)
    look: Callable[[], dict[str, Any]]


@contextmanager
def fintoc() -> Iterator[Scene]:
    """Fintoc at the present time, which stands still until a judge moves it."""
    emulator = bankbridge_fintoc.emulator.create_emulator(Clock(speed=0), switches=WHOLE_FINTOC)
    spare = emulator.add_link(accounts=1)
    fresh = emulator.add_link(accounts=2)
    refused = emulator.add_link(attempts=("rejects", "refused_confirmed"), accounts=2)
    mfa = emulator.add_link(attempts=("mfa",), accounts=2)
    broken = emulator.add_link(attempts=("errors_500", "bank_unavailable"), accounts=1)
    read = emulator.add_link(accounts=35, institution="cl_banco_itau")
    today = emulator.clock.now().date()
    with Server(emulator.app) as server, receiving("fintoc-signature") as receiver:
        brief = {
            "url": server.url,
            "key": emulator.keys["secret_test"],
            "live_key": emulator.keys["secret_live"],
            "public_key": emulator.keys["publishable_test"],
            "receiver": receiver,
            "token": str(read.link_token),
            "account": read.account_ids[0],
            "since": str(today - WINDOW),
            "until": str(today - WINDOW / 2),
            "fresh_token": str(fresh.link_token),
            "fresh_link": fresh.link_id,
            "refused_token": str(refused.link_token),
            "mfa_token": str(mfa.link_token),
            "mfa_link": mfa.link_id,
            "broken_token": str(broken.link_token),
            "spare_token": str(spare.link_token),
            "spare_link": spare.link_id,
        }
        yield Scene(emulator=emulator, brief=brief, look=lambda: _look_at_fintoc(emulator, brief))


def _look_at_fintoc(emulator: Any, brief: Mapping[str, str]) -> dict[str, Any]:
    """What there is to be found, asked for as plainly as possible."""
    here = {"Authorization": brief["key"]}
    with httpx.Client(base_url=brief["url"], headers=here, trust_env=False) as client:
        path = f"/v1/accounts/{brief['account']}"
        where = {"link_token": brief["token"], "per_page": "300"}
        rows = client.get(f"{path}/movements", params={**where, "confirmed_only": "false"}).json()
        window = {**where, "since": brief["since"], "until": brief["until"]}
        within = client.get(f"{path}/movements", params=window).json()
        return {
            "links": list(emulator.truth()["links"])[::-1],
            "link": client.get(f"/v1/links/{brief['token']}").json(),
            "account": client.get(path, params=where).json(),
            "movements": rows,
            "window": within,
        }


@contextmanager
def rail() -> Iterator[Scene]:
    """Rail at the present time, which stands still until a judge moves it."""
    emulator = bankbridge_rail.emulator.create_emulator(Clock(speed=0), switches=STRICT_RAIL)
    links = {
        name: emulator.add_link(attempts=(word,)).link_id
        for name, word in (("fresh", "succeeds"), ("refused", "rejects"), ("down", "fails"), ("mfa", "mfa"))
    }
    with Server(emulator.app) as server, receiving("rail-signature") as receiver:
        brief = {
            "url": server.url,
            "key": emulator.keys["secret_test"],
            "receiver": receiver,
            **{f"{name}_link": link_id for name, link_id in links.items()},
        }
        yield Scene(emulator=emulator, brief=brief, look=lambda: _look_at_rail(emulator, brief))


def _look_at_rail(emulator: Any, brief: Mapping[str, str]) -> dict[str, Any]:
    """What there is to be found, asked for as plainly as possible."""
    here = {"Authorization": f"Bearer {brief['key']}"}
    links = emulator.truth()["links"]
    accounts = links[brief["fresh_link"]]["account_ids"]
    rows: list[str] = []
    with httpx.Client(base_url=brief["url"], headers=here, trust_env=False) as client:
        for page in range(1, 10):
            path = f"/v1/accounts/{accounts[0]}/movements"
            rows += [row["id"] for row in client.get(path, params={"page": page}).json()]
    return {"links": list(links), "accounts": accounts, "movements": rows}


SCENES: Final[Mapping[str, Callable[[], AbstractContextManager[Scene]]]] = {
    "fintoc": fintoc,
    "rail": rail,
}
