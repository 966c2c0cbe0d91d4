"""The screens of `emocare top` and `emocare costs`: whole at 80x24, cut where there is less, safe with any text."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import RenderableType
from support.clock import FakeClock

from devstack.describe_screens import render_screens, sample_costs, sample_overview
from shared.errors import BackendUnavailable
from workers.cli import terminal
from workers.cli.costs import MonthReport, group_costs, render_costs
from workers.cli.live import View
from workers.cli.overview import render_overview, share_rows
from workers.cli.top import OverviewReader
from workers.ports import CostLine, Overview, QueuedRun, WorkerLine

NOW = datetime(2026, 11, 29, 23, 30, 5, tzinfo=UTC)
HOSTILE = "[/x][bold red]titre :warning: \x1b[2J\x1b]0;t\x07\u202e\r\n漢字" + "é" * 5_000
EMPTY = Overview.model_validate(
    {
        "at": NOW,
        "queue": {"waiting": 0, "running": 0, "oldest_due_seconds": 0, "is_paused": False},
        "runs": [],
        "workers": [],
        "workers_known": 0,
        "workers_alive": 0,
        "workers_deaf": 0,
        "month": {
            "month_cost_eur": 0, "target_eur": 200, "threshold_pct": 80, "pct_used": 0, "is_warned": False,
            "is_exhausted": False,
        },
        "health": [],
    }
)  # fmt: skip


def draw(screen: RenderableType, width: int = 80) -> list[str]:
    """Print what a terminal of this width would show, line by line."""
    console = terminal._PlainConsole(width=width, force_terminal=True, color_system=None)
    with console.capture() as printed:
        console.print(screen)
    return [line.rstrip() for line in printed.get().removesuffix("\n").split("\n")]


def show(data: Overview | None, *, width: int = 80, height: int | None = None, **more: object) -> list[str]:
    view = View(now=NOW, data=data, read_at=None if data is None else NOW, **more)  # type: ignore[arg-type]
    return draw(render_overview(view, width=width, height=height), width)


def show_costs(lines: Sequence[CostLine], *, width: int = 80, height: int | None = None) -> list[str]:
    view = View(now=NOW, data=group_costs("2026-11", lines), read_at=NOW)
    return draw(render_costs(view, width=width, height=height), width)


def cost(scope: Literal["total", "platform", "type", "model"], key: str, billed: str) -> CostLine:
    amount = Decimal(billed)
    return CostLine(
        scope=scope, key=key, runs=1, listed_eur=amount, billed_eur=amount, estimated_eur=amount, mean_eur=amount
    )


def hostile_overview() -> Overview:
    run = QueuedRun(
        run_id=HOSTILE, run_type=HOSTILE, platform_key=HOSTILE, state=HOSTILE, attempt=HOSTILE, age_seconds=-5,
        reason=HOSTILE, worker_id=HOSTILE, trigger=HOSTILE,
    )  # fmt: skip
    worker = WorkerLine(
        worker_id=HOSTILE, is_alive=True, hears_realtime=False, running=1, concurrency=1, seen_seconds=10**10,
        version=HOSTILE,
    )  # fmt: skip
    return sample_overview().model_copy(
        update={"runs": (run,) * 3, "workers": (worker,) * 3, "workers_known": 3, "workers_alive": 3}
    )


def test_everything_stands_in_a_window_of_80_by_24() -> None:
    lines = show(sample_overview(), height=24)

    assert len(lines) <= 24
    text = "\n".join(lines)
    for words in (
        "7 en attente · 3 en cours",
        "123,46 EUR sur 200,00 EUR",
        "2 vivants sur 3",
        "! 2  ✓ 19",
        "q : quitter",
    ):
        assert words in text
    for words in ("DAILY_EXECUTIVE_BRIEF", "nearvity", "2 min 31 s", "worker-3", "muet", "Realtime  Un ouvrier"):
        assert words in text
    (silent,) = [line for line in text.splitlines() if "worker-3" in line]
    assert "muet" in silent
    assert "en direct" not in silent
    assert "… et 5 autres" in text


def test_the_moment_is_that_of_paris() -> None:
    assert "30/11/2026 00:30:05 (Paris)" in show(EMPTY)[0]


def test_a_page_without_an_end_shows_every_row_and_has_no_hint_of_keys() -> None:
    text = "\n".join(show(sample_overview()))

    assert "RGPD_AUDIT" in text
    assert "q : quitter" not in text


def test_an_empty_hq_shows_zeros() -> None:
    lines = show(EMPTY, height=24)

    assert "File          0 en attente · 0 en cours" in lines
    assert any(line.startswith("Ouvriers      0 vivant sur 0") for line in lines)
    assert not any(title in lines for title in ("Exécutions", "Ouvriers", "À regarder"))


def test_an_outage_keeps_the_last_data_and_says_since_when() -> None:
    since = NOW - timedelta(minutes=7)

    lines = show(sample_overview(), height=24, offline_since=since, fault=f"away {HOSTILE}")

    assert lines[1].startswith("hors ligne depuis 00:23:05 · away ")
    assert "DAILY_EXECUTIVE_BRIEF" in "\n".join(lines)
    assert len(lines) <= 24


@pytest.mark.parametrize(("age", "words"), [(30, "! 2  ✓ 19"), (300, "! 2  ✓ 19 · lue il y a 5 min 00 s")])
def test_an_old_health_is_shown_with_its_age(age: int, words: str) -> None:
    data = sample_overview()

    lines = show(data.model_copy(update={"health_at": data.at - timedelta(seconds=age)}), height=24)

    (line,) = [line.replace("\u202f", " ") for line in lines if line.startswith("Santé")]
    assert line.split(maxsplit=1)[1] == words


def test_a_health_that_was_never_read_is_missing_in_words() -> None:
    assert any("pas encore lue" in line for line in show(sample_overview().model_copy(update={"health": None})))


class SlowHealth:
    """A database in which the health takes longer than a call may, while it is slow."""

    def __init__(self) -> None:
        self.asked: list[bool] = []
        self.is_slow = True
        self.at = NOW

    async def read_overview(self, *, with_health: bool) -> Overview:
        self.asked.append(with_health)
        if with_health and self.is_slow:
            raise BackendUnavailable("read_hq_overview: 57014 canceling statement due to statement timeout")
        health = sample_overview().health if with_health else None
        return EMPTY.model_copy(update={"at": self.at, "health": health})


async def test_a_health_that_takes_too_long_costs_itself_alone_and_is_not_asked_at_every_read() -> None:
    clock, database = FakeClock(), SlowHealth()
    reader = OverviewReader(database, clock)

    overviews = []
    for _ in range(10):
        overviews.append(await reader.read())
        clock.advance(timedelta(seconds=2))

    assert {each.health for each in overviews} == {None}
    assert database.asked.count(True) == 2
    assert len(database.asked) == 12

    database.is_slow = False
    clock.advance(timedelta(seconds=15))
    assert (await reader.read()).health
    database.is_slow, database.at = True, NOW + timedelta(minutes=3)
    clock.advance(timedelta(seconds=15))
    last = await reader.read()
    assert (bool(last.health), last.health_at, last.at) == (True, NOW, NOW + timedelta(minutes=3))


def test_without_any_data_yet_the_screen_says_so() -> None:
    assert show(None, offline_since=NOW, fault="away")[-1] == "Aucune donnée pour l'instant."


def test_a_thousand_workers_are_counted_and_not_listed() -> None:
    workers = tuple(
        WorkerLine(
            worker_id=f"worker-{number}", is_alive=True, hears_realtime=True, running=0, concurrency=10,
            seen_seconds=1, version="1",
        )
        for number in range(50)
    )  # fmt: skip
    many = sample_overview().model_copy(
        update={"workers": workers, "workers_known": 1_000, "workers_alive": 1_000, "workers_deaf": 700}
    )

    lines = show(many, height=24)

    assert len(lines) <= 24
    text = "\n".join(lines).replace("\u202f", " ")
    assert "1 000 vivants sur 1 000 · 700 sans Realtime" in text
    assert "autres" in lines[-1]


def test_a_pause_and_an_exhausted_budget_are_said() -> None:
    paused = EMPTY.model_copy(
        update={
            "queue": EMPTY.queue.model_copy(update={"is_paused": True}),
            "month": EMPTY.month.model_copy(update={"pct_used": Decimal("12345.6"), "is_exhausted": True}),
        }
    )

    text = "\n".join(show(paused)).replace("\u202f", " ")

    assert "en pause" in text
    assert "(12 346 %)" in text


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_what_others_wrote_breaks_no_line_and_controls_nothing(width: int) -> None:
    costs = [cost("platform", HOSTILE, "1"), cost("model", HOSTILE, "1"), cost("total", "", "2")]

    for lines in (show(hostile_overview(), width=width), show_costs(costs, width=width)):
        text = "\n".join(lines)
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
        assert len(lines) < 40
    if width == 160:
        assert "[/x][bold red]titre :warning:" in "\n".join(show(hostile_overview(), width=width))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (50, 24), (40, 20), (200, 60), (80, 16)])
def test_nothing_is_wider_or_higher_than_the_window(width: int, height: int) -> None:
    for data in (sample_overview(), hostile_overview(), EMPTY):
        lines = show(data, width=width, height=height)
        assert len(lines) <= height
        assert max(map(cell_len, lines)) <= width
    assert len(show_costs(sample_costs(), width=width, height=height)) <= height


@given(st.lists(st.integers(0, 30), max_size=5), st.integers(-5, 80))
def test_rows_are_shared_so_that_none_is_wasted(wanted: list[int], room: int) -> None:
    given_rows = share_rows(wanted, room)

    assert all(rows <= most for rows, most in zip(given_rows, wanted, strict=True))
    assert sum(given_rows) == max(0, min(room, sum(wanted)))
    short = [rows for rows, most in zip(given_rows, wanted, strict=True) if rows < most]
    assert all(rows <= min(short) + 1 for rows in given_rows if short)


def test_the_costs_of_a_month_are_bars_by_platform_type_and_model() -> None:
    text = "\n".join(show_costs(sample_costs())).replace("\u202f", " ").replace("\xa0", " ")

    assert "Coût de l'IA, novembre 2026 : 123,46 EUR pour 1 204 exécutions" in text
    assert "dont 3,20 EUR estimés · au tarif du registre : 131,40 EUR" in text
    for words in ("Par plateforme", "(toutes)", "Par type", "FINANCIAL_REPORT", "Par modèle", "recherche web"):
        assert words in text
    assert "58,20 EUR  47 %  402 ex." in text


def test_costs_that_have_no_room_are_summed_in_one_line() -> None:
    lines = [line.replace("\u202f", " ").replace("\xa0", " ") for line in show_costs(sample_costs(), height=14)]

    assert len(lines) <= 14
    assert [line for line in lines if line.startswith("… et")] == [
        "… et 4 autres : 65,26 EUR",
        "… et 3 autres : 83,66 EUR",
        "… et 2 autres : 52,16 EUR",
    ]


def test_the_screen_of_the_costs_says_how_to_leave_it_and_when_it_was_read() -> None:
    first, second, *_ = show_costs(sample_costs(), height=24)

    assert first.endswith(" · q : quitter")
    assert second.endswith(" · lu à 00:30:05")
    assert show_costs([], height=24)[0].endswith(" · lu à 00:30:05 · q : quitter")


@pytest.mark.parametrize(
    ("height", "hidden"), [(24, None), (13, "… sans place : Ouvriers"), (12, "… sans place : Exécutions, Ouvriers")]
)
def test_a_list_for_which_a_low_window_has_no_room_is_named(height: int, hidden: str | None) -> None:
    lines = show(sample_overview(), height=height)

    assert len(lines) <= height
    assert [line for line in lines if line.startswith("… sans place")] == ([hidden] if hidden else [])


def test_a_month_without_a_run_says_so() -> None:
    assert show_costs([cost("total", "", "0")]) == ["Coût de l'IA, novembre 2026 : aucune exécution."]


def test_the_costs_of_a_month_have_these_keys_for_scripts() -> None:
    report = group_costs("2026-11", sample_costs())

    assert set(MonthReport.model_fields) == {"month", "total", "platforms", "types", "models"}
    assert report.platforms[0].model_dump(mode="json") == {
        "key": "global", "runs": 402, "billed_eur": "58.2011", "estimated_eur": "1.1000", "listed_eur": "60.10",
        "mean_eur": "0.144779",
    }  # fmt: skip


def test_the_pictures_in_the_documentation_are_what_the_commands_draw() -> None:
    for picture, text in render_screens().items():
        assert picture.read_text() == text, "stale: run `make docs`"
        assert "https://" not in text.replace("https://www.textualize.io", "")


def test_the_documentation_names_every_key_for_scripts() -> None:
    page = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
    models = (*Overview.model_fields, *MonthReport.model_fields)
    nested = (*QueuedRun.model_fields, *WorkerLine.model_fields, *type(EMPTY.month).model_fields)

    assert [key for key in (*models, *nested, *type(EMPTY.queue).model_fields) if f"`{key}`" not in page] == []
