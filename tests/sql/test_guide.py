"""The operators' guide: every statement in it works as it stands there, and what it shows is what there is."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb
from support.calls import USAGE, call, request, settle, start
from support.database import Database
from support.extensions import has_extension

from workers import schema

GUIDE = (Path(__file__).parents[2] / "docs" / "exploitation.fr.md").read_text()

_BLOCK = re.compile(
    r"^```sql( head)?\n(.*?)^```$|`((?:select|insert|update|delete|call|with) [^`]*;)`", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"--.*")


def _statements() -> Iterator[tuple[str, bool]]:
    """Take every statement out of the guide, in order; True: for where the host has dead letters."""
    for head, block, inline in _BLOCK.findall(GUIDE):
        for statement in _COMMENT.sub("", block or inline).split(";"):
            if statement.strip():
                yield statement.strip(), bool(head)


STATEMENTS = list(_statements())


def _plant(hq: Database) -> UUID:
    """Make a day's work: a report, a failure to be found, a run that waits, a worker that lives."""
    beat = {"version": "1.0", "concurrency": 8, "realtime": "live", "started_at": "2026-11-22T10:00:00Z"}
    call(hq.sql, "renew_hq_leases", worker_id="worker-1", leases=Jsonb([]), lease_seconds=30, heartbeat=beat)
    settle(hq.sql, start(hq, platform_key="emotionscare"), usage=USAGE)
    failed = start(hq, "CODE_REVIEW")
    settle(hq.sql, failed, "failed", summary="Clé refusée.", appendix={"error_code": "gateway_rejected"}, usage=USAGE)
    request(hq.sql, "MARKETING_WEEK_PLAN")
    run_id: UUID = failed["run_id"]
    return run_id


@pytest.mark.parametrize("template", ["seed_hq", "head_hq"])
def test_every_statement_of_the_guide_works(template: str, clone: Callable[[str], Database]) -> None:
    hq = clone(template)
    failed = _plant(hq)
    answers: dict[str, list[dict[str, object]]] = {}

    for statement, is_for_head in STATEMENTS:
        if is_for_head and template == "seed_hq":
            continue
        if "cron." in statement and not has_extension(hq.cluster, "pg_cron"):
            continue
        try:
            cursor = hq.sql.execute(statement.replace("'…'", f"'{failed}'").encode())
        except psycopg.Error as error:
            pytest.fail(f"{statement}\n{error}")
        answers[statement] = cursor.fetchall() if cursor.description else []

    (failure,) = answers["select * from hq.failures"]
    assert (failure["execution"], failure["code"]) == (failed, "gateway_rejected")
    assert answers["select * from hq.timeline('…')"][-1]["quoi"] == "fin"
    assert answers["select * from hq.queue"]
    assert answers["select * from hq.costs_by_platform"]
    # Requested again by the statement before.
    assert answers["select hq.cancel_run('…')"] == [{"cancel_run": "L'exécution est annulée."}]
    (retried,) = answers["select * from hq.retry_run('…')"]
    assert retried["created"]


def test_the_guide_is_read_whole() -> None:
    """A statement that the test does not see is one that nobody tries."""
    fenced = sum(block.count(";") for block in re.findall(r"(?ms)^```sql.*?\n(.*?)^```$", GUIDE))

    assert len(STATEMENTS) > fenced > 25
    assert not [statement for statement, _ in STATEMENTS if "…" in statement.replace("'…'", "")]


def test_the_guide_speaks_of_every_view_and_every_task() -> None:
    reported = " ".join(statement for statement, _ in STATEMENTS)

    missing = [name for name in schema.read_views() if f"hq.{name}" not in reported]
    tools = ("request_run", "cancel_run", "retry_run", "pause_runs", "resume_runs", "timeline")
    assert missing == []
    assert [name for name in tools if f"hq.{name}(" not in reported] == []


def test_the_guide_and_the_editor_give_the_same_advice(database: Database) -> None:
    codes = database.rows("select * from hq.list_failure_codes()")
    table = "\n".join(f"| `{row['code']}` | {row['ce_qui_s_est_passe']} | {row['que_faire']} |" for row in codes)

    assert table in GUIDE, f"\n{table}"


def test_every_link_of_the_guide_leads_to_a_part_of_it() -> None:
    parts = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#(.*?)\)", GUIDE)) <= parts
