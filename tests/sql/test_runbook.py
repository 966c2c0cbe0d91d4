"""The runbook: every statement in it works as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
from support.calls import settle, start
from support.database import Database
from support.extensions import has_extension

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()

_BLOCK = re.compile(r"^( *)```sql(?: cron)?\n(.*?)^\1```$|`(select [^`]*;)`", re.MULTILINE | re.DOTALL)
STATEMENTS = [
    statement.strip()
    for _, block, inline in _BLOCK.findall(RUNBOOK)
    for statement in (block or inline).split(";")
    if statement.strip()
]


def test_every_statement_of_the_runbook_works(clone: Callable[[str], Database]) -> None:
    hq = clone("head_hq")
    failed = start(hq, "CODE_REVIEW")
    settle(hq.sql, failed, "failed", summary="Clé refusée.", appendix={"error_code": "gateway_rejected"})
    refused = []

    for statement in STATEMENTS:
        if "cron." in statement and not has_extension(hq.cluster, "pg_cron"):
            continue
        try:
            hq.run(statement.replace("'…'", f"'{failed['run_id']}'"))
        except psycopg.Error as error:
            refused.append(f"{statement}\n{error}")

    assert len(STATEMENTS) > 10
    assert refused == []
