"""`emocare top` and `emocare costs` against a real HQ: in a terminal, in a pipe, through an outage."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from support.calls import USAGE, settle, start
from support.hq import Hq
from support.pseudo_terminal import PseudoTerminal

from shared.registry import TIME_ZONE
from workers.cli.costs import MonthReport
from workers.ports import Overview

HOSTILE = "[/x][bold]\x1b[2J\x1b]0;titre\x07\u202e"


def run(hq: Hq, *arguments: str) -> str:
    """Run a command whose output is no terminal."""
    ended = subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=hq.environment(),
        cwd=hq.folder,
        timeout=30,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr
    return ended.stdout


def open_terminal(hq: Hq, *arguments: str) -> PseudoTerminal:
    return PseudoTerminal(*arguments, environment=hq.environment(), folder=hq.folder)


def test_the_screen_follows_the_queue_through_an_outage_until_q(hq: Hq) -> None:
    hq.ask("SEO_AUDIT")
    with open_terminal(hq, "top", "--every", "0.5") as terminal:
        place = terminal.await_text("1 en attente", "SEO_AUDIT", "Coût du mois", "0 vivant sur 0", "q : quitter")
        hq.ask("CODE_REVIEW")
        place = terminal.await_text("2 en attente", "CODE_REVIEW", since=place)
        hq.stack.stop_postgrest()
        place = terminal.await_text("hors ligne depuis ", "CODE_REVIEW", since=place)
        hq.stack.start_postgrest()
        hq.ask("RGPD_AUDIT")
        place = terminal.await_text("3 en attente", since=place)
        terminal.resize(24, 160)
        terminal.await_text("pourquoi", since=place)

        terminal.press("q")

        assert terminal.await_end() == 0
        assert terminal.is_as_before


@pytest.mark.parametrize(
    "leave",
    [
        lambda terminal: terminal.press("\x03"),
        lambda terminal: terminal.process.send_signal(signal.SIGINT),
        lambda terminal: terminal.process.send_signal(signal.SIGTERM),
    ],
    ids=["Ctrl-C", "SIGINT", "SIGTERM"],
)
def test_every_way_to_leave_is_clean(hq: Hq, leave: Callable[[PseudoTerminal], None]) -> None:
    with open_terminal(hq, "costs") as terminal:
        terminal.await_text("aucune exécution")

        leave(terminal)

        assert terminal.await_end() == 0
        assert terminal.is_as_before


def test_a_key_that_is_refused_ends_the_screen_and_says_so(hq: Hq) -> None:
    environment = hq.environment(SUPABASE_SERVICE_ROLE_KEY="sb_secret_of_another_project")
    with PseudoTerminal("top", environment=environment, folder=hq.folder) as terminal:
        assert terminal.await_end() == 77
        assert "SUPABASE_SERVICE_ROLE_KEY" in terminal.drawn
        assert terminal.is_as_before


def test_who_waits_for_a_supabase_that_is_away_from_the_start_sees_it_come(hq: Hq) -> None:
    hq.stack.stop_postgrest()
    with open_terminal(hq, "top", "--every", "0.5") as terminal:
        place = terminal.await_text("hors ligne depuis ", "Aucune donnée pour l'instant.")
        hq.stack.start_postgrest()
        terminal.await_text("0 en attente", since=place)


async def test_without_a_terminal_each_prints_once_and_json_for_scripts(hq: Hq) -> None:
    settle(hq.database.sql, start(hq.database, "SEO_AUDIT", platform_key="nearvity"), usage=USAGE)
    worker = await hq.worker()

    assert "1 vivant sur 1" in run(hq, "top")
    assert "nearvity" in run(hq, "costs", "--once")
    overview = Overview.model_validate_json(run(hq, "top", "--json"))
    assert [each.is_alive for each in overview.workers] == [True]
    assert overview.health
    assert str(overview.month.month_cost_eur) == USAGE["cost_eur"]
    month = f"{overview.at.astimezone(TIME_ZONE):%Y-%m}"
    report = MonthReport.model_validate_json(run(hq, "costs", "--json"))
    assert [cost.key for cost in report.models] == [USAGE["model"]]
    assert json.loads(run(hq, "costs", "--json", "--month", "2020-02"))["platforms"] == []
    assert (report.month, worker.is_alive) == (month, True)


def test_what_others_wrote_neither_styles_nor_steers_the_terminal(hq: Hq) -> None:
    hq.database.run("insert into hq.runs (run_type, status) values (%s, 'pending')", HOSTILE)

    printed = run(hq, "top")
    parsed = json.loads(run(hq, "top", "--json"))

    assert "[/x][bold]" in printed
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)
    assert [each["run_type"] for each in parsed["runs"]] == [HOSTILE]
