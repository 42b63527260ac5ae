"""After the end: the rows that the bridge reads are the rows that are there, and nothing secret was seen anywhere."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bankbridge.banking import Movement
from bankbridge.words.errors import BankBridgeError, MovementsMissingError
from tests.chaos.play import Living, Play
from tests.chaos.scene import Scene

_PER_PAGE: Final[Mapping[str, int]] = {"rail": 30, "fintoc": 300}


def rows_that_differ(play: Play) -> Iterator[tuple[Living, str]]:
    """Read every account of every link through the bridge, data faults and all, and hold it against what is there.

    A row may only be missing where the reader says so.
    """
    scene = play.scene
    for living in play.lives:
        accounts = _accounts(play, living)
        for account_id in accounts:
            there = {row["id"]: _essence(row) for row in _rows_there(scene, living, account_id)}
            read = scene.bridge.movements(account_id, connection=living.life.provider)
            here: dict[str, tuple[Any, ...]] = {}
            says_so = False
            try:
                for row in read:
                    if row.id in here:
                        yield living, f"{account_id}: {row.id} came twice"
                    here[str(row.id)] = _essence_of(row)
            except MovementsMissingError:
                says_so = True
            missing = there.keys() - here.keys()
            if missing and not says_so:
                yield (
                    living,
                    f"{account_id}: {len(missing)} of {len(there)} rows are missing, and nobody says so",
                )
            if missing and living.life.provider == "fintoc":
                yield living, f"{account_id}: {len(missing)} rows are missing where dates could be asked for"
            if made_up := here.keys() - there.keys():
                yield living, f"{account_id}: {len(made_up)} rows are not there"
            wrong = [name for name in here.keys() & there.keys() if here[name] != there[name]]
            if wrong:
                yield living, f"{account_id}: {len(wrong)} rows say something else"


def _accounts(play: Play, living: Living) -> list[str]:
    scene = play.scene
    try:
        accounts = list(scene.bridge.accounts(living.key, connection=living.life.provider))
    except BankBridgeError:
        return []  # the link is gone
    scene.numbers.update(one.number for one in accounts if one.number)
    return [one.id for one in accounts if not one.removed]


def _rows_there(scene: Scene, living: Living, account_id: str) -> list[dict[str, Any]]:
    provider = living.life.provider
    rows: list[dict[str, Any]] = []
    params = {"confirmed_only": "false"}
    if living.link.link_token is not None:
        params |= {"link_token": living.link.link_token, "per_page": str(_PER_PAGE[provider])}
    while True:
        page = len(rows) // _PER_PAGE[provider] + 1
        query = {**params, "page": str(page)}
        got = scene.ask(provider, "GET", f"/v1/accounts/{account_id}/movements", params=query)
        rows += got
        if len(got) < _PER_PAGE[provider]:
            return rows


def _essence(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["amount"], row["currency"], row["post_date"][:10], row["status"], row["description"]


def _essence_of(row: Movement) -> tuple[Any, ...]:
    return row.amount.minor, row.amount.currency, str(row.post_date), row.status, row.description


def secrets_seen(secrets: Mapping[str, str], said: Iterable[str], store_file: Path | None) -> Iterator[str]:
    """Where a secret can be read: in what was logged or raised, or in the store's plain bytes."""
    text = "\n".join(said)
    stored = b""
    if store_file is not None:
        files = sorted(store_file.parent.glob(f"{store_file.name}*"))
        stored = b"\n".join(file.read_bytes() for file in files)
    for name, secret in secrets.items():
        if secret in text:
            line = next(line for line in text.splitlines() if secret in line)
            yield f"{name} was said: {line.replace(secret, '<secret>')[:200]}"
        if secret.encode() in stored:
            yield f"{name} is in the store's file"
