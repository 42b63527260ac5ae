"""Let every judge have its say, and print what each asked of each endpoint: ``python -m tests.judges [JUDGE ...]``."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pytest

from tests.judges.bench import JUDGES, Hearing, hear

UNHEARD: Final = (pytest.fail.Exception, pytest.skip.Exception)
"""How `tests.needs` says that this machine lacks something."""


def main(names: Sequence[str]) -> int:
    """Print a table for each provider; the number of judges that could not be heard or gave up."""
    heard: dict[str, Hearing] = {}
    for name in names or JUDGES:
        try:
            heard[name] = hear(name)
            print(f"{name}: {JUDGES[name].is_}")  # noqa: T201 (a report is printed)
        except (*UNHEARD, AssertionError) as error:
            print(f"{name}: {JUDGES[name].is_}: not heard: {error}")  # noqa: T201
    for provider in sorted({JUDGES[name].provider for name in heard}):
        of_provider = {name: one for name, one in heard.items() if JUDGES[name].provider == provider}
        print(f"\n{table(of_provider)}")  # noqa: T201
    return len(names or JUDGES) - len(heard)


def table(heard: Mapping[str, Hearing]) -> str:
    """Requests by endpoint and judge; an endpoint that no judge asks for has only dashes."""
    served = next(iter(heard.values())).served
    rows = [["endpoint", *heard]]
    rows += [
        [endpoint, *(str(one.requests.get(endpoint, "-")) for one in heard.values())] for endpoint in served
    ]
    return "\n".join(_aligned(rows))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
