"""What can be said of a provider's emulator before one is made, to somebody who does not know the provider."""

from collections.abc import Mapping
from string import Template

import attrs

from bankbridge.emulation.switches import Switch


@attrs.frozen(kw_only=True)
class EmulatorKind:
    """An emulator's switches, script words (with what each does) and timings (an attrs class of durations).

    ``port`` is where ``bankbridge emulate`` serves it unless told otherwise. ``example`` is a command line that
    creates a refresh, with ``$url``, ``$key``, ``$link_id`` and ``$link_token`` to be filled in. ``controls`` shows, in
    a literal block, the routes under ``/__emulator/`` that only this emulator has.
    """

    switches: Mapping[str, Switch]
    words: Mapping[str, str]
    timings: type
    port: int
    example: Template
    controls: str
