"""The pictures of `emocare top` and `emocare costs` in the documentation: the same renderers, over made-up data."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from workers.cli.costs import group_costs, render_costs
from workers.cli.live import View
from workers.cli.overview import render_overview
from workers.ports import CostLine, HealthLine, MonthCost, Overview, OverviewQueue, QueuedRun, WorkerLine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

DOCS: Final = Path(__file__).parents[1] / "docs"

_WIDTH: Final = 100
_NOW: Final = datetime(2026, 11, 23, 7, 4, 12, tzinfo=UTC)
# Without the fonts that rich would have the reader's browser fetch from elsewhere.
_FORMAT: Final = re.sub(r"\n    @font-face \{\{.*?\n    \}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def sample_overview() -> Overview:
    """Return an overview with something of everything."""
    return Overview(
        at=_NOW,
        queue=OverviewQueue(waiting=7, running=3, oldest_due_seconds=2.4, is_paused=False),
        runs=tuple(
            QueuedRun(
                run_id=f"00000000-0000-4000-8000-00000000000{number}",
                run_type=run_type,
                platform_key=platform,
                state=state,
                attempt=attempt,
                age_seconds=age,
                reason="",
                worker_id="worker-1" if state == "en cours" else None,
                trigger="schedule",
            )
            for number, (run_type, platform, state, attempt, age) in enumerate(
                (
                    ("DAILY_EXECUTIVE_BRIEF", None, "en cours", "1/3", 34),
                    ("SECURITY_AUDIT_RLS", "nearvity", "en cours", "1/3", 12),
                    ("SEO_AUDIT", "growth-copilot", "en cours", "2/3", 151),
                    ("FINANCIAL_REPORT", None, "en attente", "1/3", 2),
                    ("CODE_REVIEW", "emotionscare", "nouvel essai", "2/3", 96),
                    ("RGPD_AUDIT", "med-mng", "en attente", "1/3", 1),
                )
            )
        ),
        workers=tuple(
            WorkerLine(
                worker_id=name,
                is_alive=seen < 60,
                hears_realtime=live,
                running=running,
                concurrency=10,
                seen_seconds=seen,
                version="0.2.0+3f9c2ab",
            )
            for name, live, running, seen in (
                ("worker-1", True, 3, 1),
                ("worker-2", False, 0, 4),
                ("worker-3", True, 0, 5210),
            )
        ),
        workers_known=3,
        workers_alive=2,
        workers_deaf=1,
        month=MonthCost(
            month_cost_eur=Decimal("123.4567"),
            target_eur=Decimal(200),
            threshold_pct=Decimal(80),
            pct_used=Decimal("61.73"),
            is_warned=False,
            is_exhausted=False,
        ),
        health=(
            HealthLine(
                name="Realtime",
                state="amber",
                detail="worker-2 degraded",
                sentence="Un ouvrier n'écoute plus en direct : ses exécutions démarrent en 4 s. "
                "Rien à faire, il se rebranche seul.",
            ),
            HealthLine(
                name="Échecs",
                state="amber",
                detail="1",
                sentence="Des exécutions ont échoué depuis 24 h : select * from hq.failures; dit pourquoi.",
            ),
            *(
                HealthLine(name=f"Contrôle {number}", state="green", sentence="Tout va bien.", detail=None)
                for number in range(19)
            ),
        ),
    )


def sample_costs() -> list[CostLine]:
    """Return the costs of a month."""
    rows = (
        ("total", "", 1_204, "123.4567", "3.2000", "131.40"),
        ("platform", "global", 402, "58.2011", "1.1000", "60.10"),
        ("platform", "nearvity", 240, "24.9120", "0.8000", "25.20"),
        ("platform", "growth-copilot", 198, "17.0400", "0.6000", "18.30"),
        ("platform", "emotionscare", 204, "14.3036", "0.4000", "15.60"),
        ("platform", "med-mng", 160, "9.0000", "0.3000", "12.20"),
        ("type", "FINANCIAL_REPORT", 130, "39.8010", "0.9000", "41.00"),
        ("type", "DAILY_EXECUTIVE_BRIEF", 23, "31.0557", "0.7000", "32.40"),
        ("type", "SECURITY_AUDIT_RLS", 312, "28.6000", "0.8000", "30.00"),
        ("type", "SEO_AUDIT", 739, "24.0000", "0.8000", "28.00"),
        ("model", "google/gemini-3.1-pro", 465, "71.3000", "0", "0"),
        ("model", "google/gemini-3.8-flash", 739, "40.1567", "3.2000", "0"),
        ("model", "recherche web", 512, "12.0000", "0", "0"),
    )
    return [
        CostLine(
            scope=scope,
            key=key,
            runs=runs,
            listed_eur=Decimal(listed),
            billed_eur=Decimal(billed),
            estimated_eur=Decimal(estimated),
            mean_eur=round(Decimal(billed) / runs, 6),
        )
        for scope, key, runs, billed, estimated, listed in rows
    ]


def render_screens() -> Mapping[Path, str]:
    """Render the pictures, by the file that each belongs in."""
    overview = View(now=_NOW, data=sample_overview(), read_at=_NOW)
    costs = View(now=_NOW, data=group_costs("2026-11", sample_costs()), read_at=_NOW)
    return {
        DOCS / "top.svg": _draw("emocare top", render_overview(overview, width=_WIDTH)),
        DOCS / "costs.svg": _draw("emocare costs --month 2026-11", render_costs(costs, width=_WIDTH)),
    }


def _draw(title: str, screen: RenderableType) -> str:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(
            record=True,
            width=_WIDTH,
            file=nowhere,
            force_terminal=True,
            color_system="truecolor",
            markup=False,
            legacy_windows=False,
        )
        console.print(screen)
        name = title.split()[1]
        return console.export_svg(title=title, code_format=_FORMAT, unique_id=f"emocare-{name}")
