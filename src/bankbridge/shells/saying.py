"""What a delivery says, in the words of its plugin; and a plugin that fails over one delivery holds up no other."""

import logging
import traceback
from collections.abc import Sequence
from typing import Final

from bankbridge.machine.notices import Notice, NotUnderstood, Subject
from bankbridge.shells.connections import Connection
from bankbridge.store import StoredDelivery

_log: Final = logging.getLogger("bankbridge")


def notices_of(connection: Connection, stored: StoredDelivery) -> Sequence[Notice]:
    """The delivery, translated.

    Where the plugin fails, which its contract forbids, the delivery is one that was not understood: it is kept, and
    ``bankbridge replay`` finds it when the plugin is mended.
    """
    try:
        return connection.provider.translate(stored.delivery)
    except Exception as error:  # noqa: BLE001 (a plugin is somebody else's code: it can fail in any way)
        # Neither its text nor a traceback with values: both could quote what is secret.
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        _log.error("delivery %s: its plugin failed: %s, %s:%s", stored.id, name, where.filename, where.lineno)
        return [
            Notice(
                type="unknown", about=Subject(), says=NotUnderstood(why=f"the plugin failed ({name})"), raw={}
            )
        ]
