"""What is generated into the documentation says what the code says now."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bankbridge.machine.status import TABLE
from docs._tools.states import ENDS, WORDS
from docs.generate import FOLDER, generated

SVG = "{http://www.w3.org/2000/svg}"
PAGES = sorted(
    path for path in Path(__file__).parents[2].joinpath("docs").rglob("*.md") if "_build" not in path.parts
)


@pytest.fixture(scope="module")
def files():
    return generated()


def test_it_is_up_to_date(files):
    written = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    stale = sorted(name for name in files.keys() | written.keys() if files.get(name) != written.get(name))
    assert not stale, (
        f"stale in docs/_generated: {', '.join(stale)}: renew with `poe docs-tables`, and commit it"
    )


def test_every_file_of_it_is_shown_on_a_page(files):
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in files if f"_generated/{name}" not in text] == []


def drawn(files):
    """Every arrow in the picture, with the events it names for the machine and the words it shows to a person."""
    for group in ET.fromstring(files["states.svg"]).iter(f"{SVG}g"):  # noqa: S314 (we wrote it)
        if "data-from" in group.attrib:
            shown = [span.text or "" for span in group.iter(f"{SVG}tspan")]
            yield group, frozenset(group.attrib["data-events"].split()), " ".join(shown)


def test_the_state_diagram_has_each_arrow_of_the_table_and_no_other(files):
    table = {
        (here.value, there.value, event.__name__)
        for here, row in TABLE.items()
        for event, targets in row.items()
        for there in targets
    }
    arrows = [
        (group.attrib["data-from"], group.attrib["data-to"], events) for group, events, _ in drawn(files)
    ]
    assert len({(here, there) for here, there, _ in arrows}) == len(arrows)
    assert {(here, there, event) for here, there, events in arrows for event in events} == table


def test_an_arrow_that_leads_elsewhere_is_a_line_with_a_tip_and_the_words_of_its_events(files):
    names = {word: event.__name__ for event, word in WORDS.items()}
    for group, events, shown in drawn(files):
        if group.attrib["data-from"] == group.attrib["data-to"]:
            continue
        assert group.find(f"{SVG}path") is not None
        assert group.find(f"{SVG}path[@class='tip']") is not None
        said = [word for word in (*names, "end") if re.search(rf"(?<![\w]){word}(?![\w])", shown)]
        means = {names[word] for word in said if word != "end"}
        means |= {event.__name__ for event in ENDS} if "end" in said else set()
        assert means == events, group.attrib


def test_what_a_status_is_left_by_is_what_it_shows(files):
    words = {event.__name__: word for event, word in WORDS.items()}
    for group, events, shown in drawn(files):
        here, there = group.attrib["data-from"], group.attrib["data-to"]
        status = next(status for status in TABLE if status.value == here)
        if here == there and not status.terminal:
            leaving = {words[event.__name__] for event in TABLE[status]} - {words[event] for event in events}
            assert set(shown.removeprefix("stays: all but ").split(", ")) == leaving
