"""What is handed to operators names what is there: metrics, panels, parts of the guides."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from support.clock import FakeClock
from support.monitoring import SETS, Readable

from shared.findings import Gap, GapReason
from workers.metrics.page import PATH, Monitoring
from workers.ports import AttemptEnd, BackendCallEnd, ModelCallEnd

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "ops" / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "ops" / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PAGE = (ROOT / "docs" / "monitoring.md").read_text()

_NAME = re.compile(r"\b(?:emocare|process)_[a-z_]+\b")
_ROW = re.compile(r"^\| `((?:emocare|process)_\w+)` \| (\w+) \| ([\w, ]*)\|", re.MULTILINE)


@pytest.fixture
async def families() -> list[Metric]:
    """Scrape a worker to which everything has happened."""
    monitoring = Monitoring(SETS)
    observer = monitoring.observer
    observer.note_attempt("CODE_REVIEW", AttemptEnd.COMPLETED, 1.0, ())
    observer.note_model_call("configured/model", ModelCallEnd.ANSWERED, 1.0)
    observer.note_backend_call("claim_hq_runs", BackendCallEnd.ANSWERED, 1.0)
    observer.note_gaps([Gap(source="github", label="", reason=GapReason.REJECTED, sentence="")])
    app = monitoring.open_page(Readable().readings(), FakeClock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker") as http:
        return list(text_string_to_metric_families((await http.get(PATH)).text))


def _queries() -> Iterator[tuple[str, str]]:
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    yield from ((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"])


def _anchors(page: str) -> set[str]:
    """Return the anchors of a page, as they are made of its headings."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


async def test_every_metric_of_an_alert_and_of_a_panel_exists(families: list[Metric]) -> None:
    names = {sample.name for family in families for sample in family.samples}
    offenders = [(where, name) for where, query in _queries() for name in _NAME.findall(query) if name not in names]

    assert offenders == []


async def test_the_page_lists_every_metric_with_its_type_and_its_labels(families: list[Metric]) -> None:
    listed = sorted((name, kind, tuple(labels.replace(",", "").split())) for name, kind, labels in _ROW.findall(PAGE))
    served = sorted(
        (
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            tuple(sorted({label for sample in family.samples for label in sample.labels} - {"le"})),
        )
        for family in families
    )

    assert listed == served


def test_the_page_lists_every_alert_with_its_severity() -> None:
    listed = re.findall(r"^\| `([A-Z][a-z]\w+)` \| (\w+) \|", PAGE, re.MULTILINE)

    assert listed == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]
    assert {severity for _, severity in listed} == {"critique", "attention", "information"}


def test_every_alert_leads_to_a_part_of_a_guide_and_to_panels_that_exist() -> None:
    titles = {panel["title"] for panel in PANELS}
    offenders = []
    for rule in RULES:
        notes = rule["annotations"]
        page, _, anchor = notes["guide"].partition("#")
        if anchor not in _anchors(page):
            offenders.append((rule["alert"], notes["guide"]))
        quoted = re.findall(r"« ([^»]+) »", notes["description"]) if "tableau de bord" in notes["description"] else []
        offenders += [(rule["alert"], title) for title in quoted if title not in {*titles, "Données manquantes"}]

    assert offenders == []


def test_the_dashboard_can_be_imported_as_it_is() -> None:
    """It asks for a data source instead of naming one, and no panel lies on another."""
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"], variable["name"]) == ("datasource", "prometheus", "datasource")
    assert "id" not in DASHBOARD
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert [panel["title"] for panel in PANELS if panel["datasource"] != source] == []
    assert [target for panel in PANELS for target in panel["targets"] if target["datasource"] != source] == []
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    cells = [cell for panel in DASHBOARD["panels"] for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def test_the_dashboard_names_only_what_grafana_knows() -> None:
    """Of its schema what our panels use, because no Grafana can be had here to import them."""
    assert 8 <= len(DASHBOARD["uid"]) <= 40
    assert isinstance(DASHBOARD["schemaVersion"], int)
    assert not {"__inputs", "__requires"} & DASHBOARD.keys()  # the variable asks in their place
    assert {panel["type"] for panel in DASHBOARD["panels"]} <= {"row", "stat", "timeseries", "table"}
    defaults = {panel["title"]: panel["fieldConfig"]["defaults"] for panel in PANELS}
    units = {title: default["unit"] for title, default in defaults.items()}
    known = {"short", "s", "percentunit", "bytes", "currencyEUR"}
    assert {title: unit for title, unit in units.items() if unit not in known} == {}
    for title, default in defaults.items():
        steps = [step["value"] for step in default.get("thresholds", {"steps": []})["steps"]]
        assert steps[:1] in ([], [None]), title
        assert steps[1:] == sorted(steps[1:]), title
    for panel in PANELS:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]


def test_every_legend_names_a_label_that_its_query_leaves() -> None:
    targets = [target for panel in PANELS for target in panel["targets"]]
    offenders = []
    for target in targets:
        grouped = re.match(r"(?:histogram_quantile\([\d.]+, |topk\(\d+, )?\w+ by \(([\w, ]+)\)", target["expr"])
        left = (
            set(re.split(r", ", grouped[1]))
            if grouped
            else {"instance"}
            if " on (instance) " in target["expr"]
            else set()
        )
        if not set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= left:
            offenders.append((target["expr"], target["legendFormat"]))

    assert offenders == []


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    return [(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])]
