"""The corpus: each report is a Markdown file with a head that says what it was written from.

A report cites its sources by name (``[S:github/nearvity]``); reading it gives them the numbers of its own prompt.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from shared.facts import Fact
from shared.findings import Gap
from shared.registry import find_run_type
from workers.executive_run.verification.model import Conflict, Grounds, NumberedSource
from workers.ports import Platform

HERE: Final = Path(__file__).parent
_HEAD: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_CITATION: Final = re.compile(r"\[S:([a-z_/-]+)\]")
_ALL: Final = "all"


@dataclass(frozen=True)
class Report:
    """An honest report and what it was written from."""

    name: str
    text: str
    grounds: Grounds


def read_corpus() -> Iterator[Report]:
    """Read every report of the corpus."""
    for path in sorted((HERE / "corpus").glob("*.md")):
        yield read_report(path)


def read_report(path: Path) -> Report:
    """Read one report."""
    content = path.read_text(encoding="utf-8")
    found = _HEAD.match(content)
    assert found is not None, f"{path.name} has no head"
    head = dict(line.split(": ", 1) for line in found[1].splitlines())
    names = head.get("sources", _ALL).replace(",", " ").split()
    grounds, numbers = read_grounds(
        head["data"], head["type"], names, platform=head.get("platform"), context=head.get("context", "")
    )
    text = _CITATION.sub(lambda cited: f"[S{numbers[cited[1]]}]", content[found.end() :])
    return Report(path.stem, text, grounds)


def read_grounds(
    data: str, run_type: str, names: list[str], *, platform: str | None = None, context: str = ""
) -> tuple[Grounds, dict[str, int]]:
    """Number the named sources of a data set; return the grounds, and the number of each source by its name."""
    raw = _read_data(data)
    chosen = [each for each in raw["sources"] if _is_chosen(each, names, platform)]
    numbers: dict[str, int] = {}
    sources = []
    for number, each in enumerate(chosen, start=1):
        key = each["source"] + (f"/{each['platform_key']}" if each["platform_key"] else "")
        numbers[key] = number
        sources.append(_number(each, number, raw))
    calculations = _number({"label": "Calculs du QG", "source": "", **raw["calculations"]}, len(sources) + 1, raw)
    numbers["calculs"] = calculations.number
    keys = [each["key"] for each in raw["platforms"]]
    grounds = Grounds(
        run_type=find_run_type(run_type),
        platform_key=platform,
        platforms=tuple(
            Platform(key=each["key"], name=each["name"], status="green")
            for each in raw["platforms"]
            if each["key"] in keys
        ),
        sources=tuple(sources),
        calculations=calculations,
        conflicts=tuple(_conflict(each, raw) for each in raw.get("conflicts", ())),
        gaps=tuple(Gap.model_validate(each) for each in raw["gaps"]),
        context=context,
        now=raw["now"],
    )
    return grounds, numbers


@cache
def _read_data(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / "data" / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def _is_chosen(source: dict[str, Any], names: list[str], platform: str | None) -> bool:
    named = _ALL in names or source["source"] in names
    return named and (platform is None or source["platform_key"] in {None, platform})


def _number(source: dict[str, Any], number: int, raw: dict[str, Any]) -> NumberedSource:
    return NumberedSource(
        number=number,
        source=source["source"],
        label=source["label"],
        text=source["text"],
        facts=tuple(_fact(each, raw) for each in source["facts"]),
        platform_key=source.get("platform_key"),
        read_at=raw["read_at"],
        url=source.get("url"),
    )


def _fact(fact: dict[str, Any], raw: dict[str, Any]) -> Fact:
    return Fact.model_validate({"at": raw["read_at"], **fact})


def _conflict(conflict: dict[str, Any], raw: dict[str, Any]) -> Conflict:
    return Conflict(facts=tuple(_fact(each, raw) for each in conflict["facts"]), sentence=conflict["sentence"])
