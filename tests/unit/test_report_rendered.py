"""A stored report as the page shows it: rendered by its own Markdown renderer, react-markdown without plugins."""

import json
import random
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from devstack.vendors.report import write_report as write_answer
from devstack.vendors.spoiled import SPOILED
from shared.findings import Collected, Finding, Gap, GapReason
from shared.registry import RUN_TYPES, RunType
from workers.executive_run.compose import compose
from workers.executive_run.grounds import ground
from workers.executive_run.report import write_report
from workers.executive_run.verification.verify import verify
from workers.ports import Platform, ReportInputs

RENDERER = Path(__file__).parents[1] / "support" / "markdown.mjs"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
FINDINGS = tuple(
    Finding(
        source="github",
        label=f"GitHub · {name}",
        text=f"{name} : {count} tickets ouverts\nCommits des 7 derniers jours : {count + 3}",
        url=f"https://github.com/laeticiamng/{name.lower()}",
        platform_key=name.lower(),
        read_at=NOW,
    )
    for name, count in (("NEARVITY", 4), ("EmotionsCare", 30))
)
GAP = Gap(source="stripe", label="Stripe · revenus", reason=GapReason.NOT_CONFIGURED, sentence="La clé manque.")
# What a model may write that a renderer takes for something else.
TRAPS = (
    "{0}:",
    "{0}: la suite",
    "{0}(https://evil.example/x)",
    "{0}(https://github.com/laeticiamng/nearvity)",
    "{0}[S2]",
    "![S1]",
    "!{0}",
    "[{0}](https://github.com/laeticiamng/nearvity)",
    "[voir]{0}",
    "\\{0}",
    "`{0}`",
    "**{0}**",
    "{0} [1]: https://evil.example",
    "\n\n{0}: https://evil.example\n\n",
    "\n\n| a | b |\n|---|---|\n| {0} | 2 |\n\n",
    "\n\na | b\n--- | ---\n{0} | 2\n\n",
    "<b>{0}</b>",
    "<script>alert({0})</script>",
    "<!-- {0} -->",
    "<{0}>",
    "&lt;img src=x onerror={0}&gt;",
    "<details><summary>{0}</summary></details>",
)


def store(run_type: RunType, answer: str | None = None) -> str:
    grounds = ground(
        run_type,
        Collected(findings=FINDINGS, gaps=(GAP,)),
        platforms=[Platform(key=f.platform_key or "", name=f.label[9:], status="green") for f in FINDINGS],
        platform_key=None,
        inputs=ReportInputs(),
        context=None,
        now=NOW,
    )
    system, user = compose(grounds, without_data=[], nonce="n0")
    text = write_answer(system.content, user.content) if answer is None else answer
    return write_report(verify(text, grounds), grounds, FINDINGS, ())


def answer_of(run_type: RunType) -> str:
    """The model's own part of a good report."""
    stored = store(run_type)
    return stored[stored.index("## ") : stored.index("\n\n## Sources")]


def render(reports: list[str]) -> list[str]:
    done = subprocess.run(
        ["node", RENDERER], input=json.dumps(reports), capture_output=True, text=True, check=True, timeout=50
    )
    rendered: list[str] = json.loads(done.stdout)
    assert len(rendered) == len(reports)
    return rendered


def trap(run_type: RunType, trap: str) -> str:
    """Write the trap where the answer cites a source."""
    draw = random.Random(trap)
    answer = answer_of(run_type)
    cited = [found.start() for found in re.finditer(r"\[S1\]", answer)] or [len(answer)]
    place = draw.choice(cited)
    return store(run_type, answer[:place] + trap.format("[S1]") + answer[place + 4 :])


@pytest.fixture(scope="module")
def reports() -> list[str]:
    """Stored reports of every type: good ones, spoiled ones, ones with every trap."""
    entries = list(RUN_TYPES.values())
    spoiled = [
        store(entry, spoiling(answer_of(entry), "Données manquantes :\n- x : y"))
        for entry in entries[:4]
        for spoiling in SPOILED.values()
    ]
    trapped = [trap(entry, each) for entry in entries[:6] for each in TRAPS]
    return [*map(store, entries), *spoiled, *trapped]


@pytest.fixture(scope="module")
def pages(reports: list[str]) -> list[LexborHTMLParser]:
    return [LexborHTMLParser(page) for page in render(reports)]


def test_a_citation_is_shown_as_it_is_written_and_never_becomes_a_link(
    reports: list[str], pages: list[LexborHTMLParser]
) -> None:
    for report, page in zip(reports, pages, strict=True):
        shown = page.text()
        links = [node.text() for node in page.css("a")]
        assert [link for link in links if re.search(r"\[?S\d", link)] == [], report
        written = re.findall(r"\[S\d+\]", report)
        assert len(re.findall(r"\[S\d+\]", shown)) == len(written) > 0, report


def test_no_row_of_pipes_and_no_html_is_shown(reports: list[str], pages: list[LexborHTMLParser]) -> None:
    for report, page in zip(reports, pages, strict=True):
        shown = page.text()
        assert not re.search(r"\|.*\||-{3,}\s*\|", shown), report
        assert not re.search(r"</?[a-zA-Z!]|&(?:lt|gt|#\d+);", shown), report
        assert not page.css("table, script, img, details, b, pre"), report


def test_links_lead_only_to_the_sources_that_the_report_names(pages: list[LexborHTMLParser]) -> None:
    targets = {node.attributes["href"] for page in pages for node in page.css("a")}

    assert targets == {finding.url for finding in FINDINGS}


def test_the_parts_of_a_report_are_headings_of_one_level(reports: list[str], pages: list[LexborHTMLParser]) -> None:
    for entry, report, page in zip(RUN_TYPES.values(), reports, pages, strict=False):
        titles = [section.title for section in entry.sections]
        assert [node.text() for node in page.css("h2")] == [*titles, "Sources", "Données manquantes"], report
