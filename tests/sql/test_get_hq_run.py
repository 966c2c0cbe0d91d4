"""One run with all that belongs to it, for those who may ask for runs."""

from decimal import Decimal
from uuid import uuid4

import pytest
from support.calls import USAGE, call, claim_one, lease, lose_lease, refused, request, settle, start, step, value
from support.database import OWNER, Connection, Database


def test_a_finished_run_is_told_whole(database: Database, service: Connection) -> None:
    first = start(database, platform_key="nearvity", trigger="retry")
    call(database.sql, "checkpoint_hq_step", **lease(first), step=step(1), usage=USAGE)
    lose_lease(database)
    second = claim_one(database.sql)
    evidence = [{"evidence_type": "github", "data": {"open": 3}, "source_url": "https://github.com/x/y"}]
    settle(database.sql, second, steps=[step(2, "Rapport du modèle")], evidence=evidence, usage=USAGE)

    (run,) = call(service, "get_hq_run", run_id=first["run_id"])

    reported = {name: run[name] for name in ("run_id", "run_type", "platform_key", "status", "trigger", "requester")}
    assert reported == {
        "run_id": first["run_id"],
        "run_type": "SEO_AUDIT",
        "platform_key": "nearvity",
        "status": "completed",
        "trigger": "retry",
        "requester": "sql",
    }
    assert (run["attempt"], run["owner_requested"], run["executive_summary"]) == (2, False, "## Rapport")
    assert [(s["step_order"], s["name"], s["status"]) for s in run["steps"]] == [
        (1, "Collecte", "completed"),
        (2, "Rapport du modèle", "completed"),
    ]
    assert run["evidence"] == evidence
    assert [cost["lease_token"] for cost in run["costs"]] == [first["lease_token"], second["lease_token"]]
    assert run["cost_eur"] == Decimal("0.025")


def test_a_waiting_run_tells_when_it_is_due_and_a_running_one_who_runs_it(
    database: Database, owner: Connection
) -> None:
    run_id = request(owner)["run_id"]

    (waiting,) = call(owner, "get_hq_run", run_id=run_id)
    claim_one(database.sql, "worker-7")
    (running,) = call(owner, "get_hq_run", run_id=run_id)

    assert (waiting["status"], waiting["attempt"], waiting["max_attempts"]) == ("pending", 1, 3)
    assert (waiting["run_at"], waiting["worker_id"]) == (waiting["created_at"], None)
    assert (running["status"], running["worker_id"], running["requester"]) == ("running", "worker-7", str(OWNER))
    assert (running["steps"], running["evidence"], running["costs"], running["cost_eur"]) == ([], [], [], None)


@pytest.mark.parametrize("appendix", [{"attempt": "deux"}, {"attempt": 1.5}, ["attempt"], {"attempt": 10**12}, None])
def test_a_run_of_older_code_is_told_whatever_its_appendix_holds(appendix: object, owner: Connection) -> None:
    run_id = value(owner, "insert_hq_run", run_type="OLD_TYPE", detailed_appendix=appendix)

    (run,) = call(owner, "get_hq_run", run_id=run_id)

    assert (run["run_type"], run["trigger"], run["attempt"]) == ("OLD_TYPE", None, None)


def test_an_unknown_run_is_named_so(database: Database) -> None:
    with refused("HQ006"):
        call(database.sql, "get_hq_run", run_id=uuid4())


def test_a_viewer_learns_nothing_not_even_whether_it_exists(database: Database, viewer: Connection) -> None:
    for run_id in (request(database.sql)["run_id"], uuid4()):
        with refused("HQ001"):
            call(viewer, "get_hq_run", run_id=run_id)
