"""Whether each provider can be reached, and agrees with us about the time."""

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import attrs
import httpx

from bankbridge.doctor.checks import Check, Examination, WaitingFor, ok, problem, skipped, warning
from bankbridge.doctor.clocks import Reading, judge_clock

NAME: Final = "reachability"

PATIENCE: Final = timedelta(seconds=5)
"""How long connecting, sending and the answer may take, each."""

_SECOND: Final = timedelta(seconds=1)
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_FIREWALL: Final = "see that base_url is right, and that no firewall or proxy keeps this machine from it"
_CERTIFICATE: Final = (
    "see that base_url and this machine's clock are right; behind a proxy that opens TLS, let SSL_CERT_FILE name a "
    "file with its certificate"
)


@attrs.frozen(kw_only=True)
class Site:
    """A base URL, the connections that use it, and the smallest tolerance of their signatures."""

    base_url: str
    connections: tuple[str, ...]
    tolerance: timedelta

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc


def examine_site(site: Site, client: httpx.Client, clock: Callable[[], datetime]) -> Examination[None]:
    """One read without a key: whatever is answered, the provider is there."""
    yield WaitingFor(what=f"{site.host}, for {', '.join(site.connections)}")
    before = clock()
    try:
        with client.stream("GET", site.base_url, follow_redirects=False) as answer:
            after = clock()
            yield from _answered(site, answer, before, after)
    except httpx.HTTPError as error:
        says, remedy = why_not(error)
        yield problem(NAME, f"{site.host}: {says}", remedy)
        yield skipped("clock", f"{site.host} does not answer")


def _answered(site: Site, answer: httpx.Response, before: datetime, after: datetime) -> Iterator[Check]:
    took = f"{(after - before).total_seconds() * 1000:.0f} ms"
    parts = urlsplit(site.base_url)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        says = f"{site.host} answers, but by plain http: the key can be read on the way"
        yield warning(NAME, says, "let base_url begin with https://")
    else:
        yield ok(NAME, f"{site.host} answers in {took} (HTTP {answer.status_code})")
    theirs = _time_of(answer)
    if theirs is None:
        yield skipped("clock", f"{site.host} does not tell the time")
        return
    reading = Reading(theirs=theirs, before=before, after=after, coarse=_SECOND)
    yield judge_clock(reading, site.host, tolerance=site.tolerance)


def _time_of(answer: httpx.Response) -> datetime | None:
    """The time of the answer; a cached one has grown old by ``Age``. https://www.rfc-editor.org/rfc/rfc9110#field.date"""
    try:
        date = parsedate_to_datetime(answer.headers["date"])
        age = int(answer.headers.get("age", "0"))
    except (KeyError, ValueError):
        return None
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)) + timedelta(seconds=age)


def why_not(error: httpx.HTTPError) -> tuple[str, str]:
    """Why there was no answer, in plain words, and what to do about it."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not good: {cause.verify_message}", _CERTIFICATE
            case ssl.SSLError():
                return (
                    "it does not speak TLS there",
                    "see that base_url has the right port, and https only for TLS",
                )
            case socket.gaierror():
                return (
                    "its name is not known",
                    "see that base_url is right and this machine has a name server",
                )
            case ConnectionRefusedError():
                return "nothing listens there: the connection is refused", _FIREWALL
            case httpx.ProxyError():
                return "the proxy does not let us through", "see HTTPS_PROXY and NO_PROXY where this runs"
            case httpx.TimeoutException():
                return f"no answer within {PATIENCE.total_seconds():.0f} s", _FIREWALL
            case httpx.ProtocolError():
                return "what answers there does not speak HTTP", "see that base_url has the right port"
            case _:
                pass
    return f"no answer ({type(error).__name__})", _FIREWALL


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The errors behind an error, the first cause first."""
    chain: list[BaseException] = []
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__
    yield from reversed(chain)
