"""The pages of decisions have one shape, and the index names them all."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = {path.name: path.read_text() for path in sorted(FOLDER.glob("[0-9]*.md"))}
PARTS = ["Context.", "Choice.", "Price.", "What would change our mind."]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_its_number_its_day_and_four_things(name: str) -> None:
    text = PAGES[name]

    assert re.match(r"# (\d+)\. \S.*\n\n\d{4}-\d\d-\d\d\n\n", text)
    assert text.startswith(f"# {int(name[:4])}. ")
    assert re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE) == PARTS


def test_the_index_names_every_page_once_by_its_title() -> None:
    named = re.findall(r"^- \[(.+)\]\((.+)\)$", (FOLDER / "README.md").read_text(), flags=re.MULTILINE)

    assert sorted(named) == sorted((text.partition("\n")[0].removeprefix("# "), name) for name, text in PAGES.items())
