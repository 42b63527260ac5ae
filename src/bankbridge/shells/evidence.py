"""What came of a conversation about a refresh, also where it came to nothing: evidence for its intent."""

from datetime import datetime

import attrs

from bankbridge.machine.events import CreateRefused, CreateUnclear, Event, ReadFinished
from bankbridge.provider import Evidence
from bankbridge.refusals import failure_of
from bankbridge.shells.connections import Connection
from bankbridge.shells.jobs import Job, call
from bankbridge.wire import Flow
from bankbridge.words.errors import NotSupportedError, PayloadError, RefusedError, TransportError
from bankbridge.words.reasons import Failure, Reason


def created(connection: Connection, flow: Flow[Evidence], now: datetime) -> Job[Evidence]:
    """Ask for a refresh: it started, was refused, or nobody knows."""
    try:
        return (yield from call(connection, flow))
    except TransportError as error:
        return _evidence(CreateUnclear(detail=str(error)), str(error))
    except PayloadError as error:
        return _evidence(CreateUnclear(detail=str(error), answered=True), str(error))
    except RefusedError as error:
        # What is read before the create was refused: nothing has been asked for yet.
        failure = failure_of(error, now=now)
        if failure.reason is Reason.PROVIDER_ERROR:
            return _evidence(CreateUnclear(detail=str(error)), str(error))
        return _evidence(CreateRefused(failure=failure), str(error))
    except NotSupportedError as error:
        failure = Failure(reason=Reason.CONFIGURATION, message=str(error), ours=True)
        return _evidence(CreateRefused(failure=failure), str(error))


def read(connection: Connection, flow: Flow[Evidence], now: datetime) -> Job[Evidence]:
    """Read the provider's side of a refresh; the last event says whether that was possible."""
    try:
        evidence = yield from call(connection, flow, once=True)
    except (TransportError, PayloadError) as error:
        failure = Failure(reason=Reason.PROVIDER_ERROR, message=str(error), ours=True)
        return _evidence(ReadFinished(failure=failure), str(error))
    except RefusedError as error:
        return _evidence(ReadFinished(failure=failure_of(error, now=now)), str(error))
    return attrs.evolve(evidence, events=(*evidence.events, ReadFinished()))


def canceled(connection: Connection, flow: Flow[Evidence]) -> Job[Evidence]:
    """The intent is canceled whatever the provider says to it; what it says is only kept in the log."""
    try:
        return (yield from call(connection, flow))
    except (TransportError, PayloadError, RefusedError) as error:
        return Evidence(events=(), words=str(error))


def _evidence(event: Event, words: str) -> Evidence:
    return Evidence(events=(event,), words=words)
