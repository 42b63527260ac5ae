"""Write `docs/_generated`: every table and picture of the documentation that follows from the code.

Run from the project's root: ``poe docs-tables``.
"""

from pathlib import Path
from typing import Final

from bankbridge.registry import plugins
from docs._tools import emulators, providers, sequences, states, tables

FOLDER: Final = Path(__file__).parent / "_generated"


def generated() -> dict[str, str]:
    """Every file by its name, as it should be now."""
    known = plugins()
    files = {
        "states.svg": states.diagram(),
        "statuses.md": tables.statuses(),
        "transitions.md": tables.transitions(),
        "events.md": tables.events(),
        "link-events.md": tables.link_events(),
        "notices.md": tables.other_notices(),
        "news.md": tables.announcements(),
        "actors.md": tables.actors(),
        "retries.md": tables.retries(),
        "reasons.md": tables.reasons(known),
        "http-reasons.md": tables.http_reasons(),
        "steps.md": tables.steps(),
        "defaults.md": tables.defaults(),
        "emulator-words.md": emulators.common_words(),
        "emulator-faults.md": emulators.faults(),
        "emulator-controls.md": emulators.controls(),
        "capabilities.md": providers.capabilities(known),
    }
    files |= {f"scenario-{name}.md": emulators.scenario(kind) for name, kind in emulators.SCENARIO.items()}
    for name, plugin in known.items():
        files |= {
            f"{name}-sketch.svg": sequences.sketch(name),
            f"{name}-settings.md": providers.settings(plugin),
            f"{name}-capabilities.md": providers.capabilities({name: plugin}),
            f"{name}-events.md": providers.events(plugin),
            f"{name}-reasons.md": providers.reasons(plugin),
            f"{name}-script-words.md": emulators.script_words(plugin),
            f"{name}-switches.md": emulators.switches(plugin),
            f"{name}-timings.md": emulators.timings(plugin),
            f"{name}-controls.md": emulators.more_controls(plugin),
        }
    return files


def write() -> None:
    """Write them all, and remove what is no longer made."""
    FOLDER.mkdir(exist_ok=True)
    files = generated()
    for old in FOLDER.iterdir():
        if old.name not in files:
            old.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
