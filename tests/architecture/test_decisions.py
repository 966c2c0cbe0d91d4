"""The pages of decisions have one shape and an honest status, and the index names them all."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = {path.name: path.read_text() for path in sorted(FOLDER.glob("[0-9]*.md"))}
PARTS = ["Context.", "Choice.", "Price.", "What would change our mind."]

_TITLE = re.compile(r"# (\d+)\. \S.*\n\n\d{4}-\d\d-\d\d · (.+)\n\n")
_LINK = r"\[(\d+)\]\((.+?\.md)\)"
_STATUS = re.compile(rf"accepted|superseded by {_LINK}|accepted, supersedes {_LINK}(, {_LINK})*")


def _links(kind: str) -> set[tuple[str, str]]:
    """Name the pairs (newer page, older page) that the pages of one kind speak of."""
    pairs = set()
    for name, text in PAGES.items():
        head = _TITLE.match(text)
        status = head[2] if head else ""
        if status.partition(" [")[0].endswith(kind):
            others = [page for _, page in re.findall(_LINK, status)]
            pairs |= {(name, other) if kind == "supersedes" else (other, name) for other in others}
    return pairs


def test_every_page_says_its_number_its_day_its_status_and_four_things() -> None:
    offenders = []
    for name, text in PAGES.items():
        head = _TITLE.match(text)
        parts = re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE)
        if head is None or int(head[1]) != int(name[:4]) or not _STATUS.fullmatch(head[2]) or parts != PARTS:
            offenders.append(name)

    assert offenders == []


def test_a_status_links_to_the_page_of_its_number() -> None:
    links = [(name, *link) for name, text in PAGES.items() for link in re.findall(_LINK, text.partition("**")[0])]

    assert [link for link in links if link[2] not in PAGES or int(link[2][:4]) != int(link[1])] == []


def test_who_supersedes_and_who_is_superseded_agree() -> None:
    assert _links("supersedes") == _links("superseded by")


def test_the_index_names_every_page_once_by_its_title() -> None:
    named = re.findall(r"^- \[(.+)\]\((.+)\)$", (FOLDER / "README.md").read_text(), flags=re.MULTILINE)

    assert sorted(named) == sorted((text.partition("\n")[0].removeprefix("# "), name) for name, text in PAGES.items())
