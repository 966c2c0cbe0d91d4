"""A completed brief becomes the digest of its day; who signs a report is a known agent."""

from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from support.calls import call, settle, start
from support.database import Connection, Database, Row

REPORT = """Préambule.

## Synthèse

Tout va **bien**.

### Détail
- un

## Alertes critiques
Aucune

## Vide"""
APPENDIX = {"model_used": "google/gemini-2.5-pro", "data_sources": ["Base HQ", "GitHub API"]}


def digests(database: Database) -> list[Row]:
    return database.rows("select * from hq.morning_digests order by digest_date")


def brief(database: Database, summary: str = REPORT, /, *, evidence: Sequence[Row] = (), **params: object) -> Row:
    claimed = start(database, "DAILY_EXECUTIVE_BRIEF", **params)
    settle(database.sql, claimed, summary=summary, appendix=APPENDIX, evidence=[*evidence])
    (run,) = database.rows("select * from hq.runs where id = %s", claimed["run_id"])
    assert run["status"] == "completed"
    return run


def test_the_brief_is_the_digest_of_its_day_in_paris(database: Database, owner: Connection) -> None:
    run = brief(database, trigger="schedule")

    (digest,) = digests(database)
    assert digest["digest_date"] == run["completed_at"].astimezone(ZoneInfo("Europe/Paris")).date()
    assert digest["executive_summary"] == REPORT
    assert digest["sections"] == {
        "Synthèse": "Tout va **bien**.\n\n### Détail\n- un",
        "Alertes critiques": "Aucune",
        "Vide": "",
    }
    assert digest["data_sources"] == APPENDIX["data_sources"]
    assert digest["model_used"] == APPENDIX["model_used"]
    assert digest["generation_duration_ms"] == run["detailed_appendix"]["duration_ms"]
    assert digest["triggered_by"] == "scheduler"
    (read,) = call(owner, "get_hq_morning_digest", date=date(2099, 1, 1))
    assert read["executive_summary"] == REPORT


def test_a_later_brief_of_the_day_replaces_the_earlier(database: Database) -> None:
    brief(database)
    brief(database, "## Synthèse\n\nMieux.", force=True)

    (digest,) = digests(database)
    assert digest["sections"] == {"Synthèse": "Mieux."}
    assert digest["triggered_by"] == "manual"


def _verified(contradicted: object, unverified: object) -> list[Row]:
    data = {"contradicted": contradicted, "unverified": unverified}
    return [{"evidence_type": "verification", "data": data, "source_url": None}]


@pytest.mark.parametrize(
    ("first", "second", "replaced"),
    [
        ((0, 0), (0, 0), True),
        ((0, 1), (0, 0), True),
        ((0, 0), (0, 1), False),
        ((0, 9), (1, 0), False),
        ((1, 0), (0, 9), True),
        ((0, 5), None, False),
        (None, (3, 3), True),
        ((0, 0), ("NaN", None), False),
    ],
)
def test_a_worse_report_never_replaces_the_better_one_of_the_day(
    first: tuple[object, object] | None, second: tuple[object, object] | None, *, replaced: bool, database: Database
) -> None:
    brief(database, "## Un", evidence=_verified(*first) if first else [])
    brief(database, "## Deux", evidence=_verified(*second) if second else [], force=True)

    (digest,) = digests(database)
    assert digest["executive_summary"] == ("## Deux" if replaced else "## Un")


def test_a_report_from_older_data_does_not_replace_a_newer_one_that_is_as_good(database: Database) -> None:
    early = start(database, "DAILY_EXECUTIVE_BRIEF")
    brief(database, "## Récent", force=True)
    database.run("update hq.runs set started_at = now() - interval '5 minutes' where id = %s", early["run_id"])

    settle(database.sql, early, summary="## Ancien", appendix=APPENDIX)

    (digest,) = digests(database)
    assert digest["executive_summary"] == "## Récent"


def test_the_better_report_of_another_day_holds_nothing_up(database: Database) -> None:
    earlier = brief(database, "## Hier", evidence=_verified(0, 0))
    database.run(
        # Longer than October's day of 25 hours.
        "update hq.runs set created_at = created_at - interval '26 hours', "
        "completed_at = completed_at - interval '26 hours' where id = %s",
        earlier["id"],
    )

    brief(database, "## Aujourd'hui", evidence=_verified(0, 4), force=True)

    assert digests(database)[-1]["executive_summary"] == "## Aujourd'hui"


def test_the_digest_lists_the_decisions_priorities_and_alerts_that_the_report_leaves(database: Database) -> None:
    kept = {"decisions": ["Approuver"], "priorities": [f"n{n}" * 120 for n in range(20)], "alerts": 3, "other": ["x"]}
    evidence = [{"evidence_type": "kept", "data": kept, "source_url": None}]

    brief(database, evidence=evidence)

    (digest,) = digests(database)
    assert set(digest["sections"]) == {"Synthèse", "Alertes critiques", "Vide", "decisions", "priorities", "alerts"}
    assert (digest["sections"]["decisions"], digest["sections"]["alerts"]) == (["Approuver"], [])
    assert [len(item) for item in digest["sections"]["priorities"]] == [200] * 10


def test_a_brief_on_one_platform_and_other_reports_are_no_digest(database: Database) -> None:
    brief(database, platform_key="nearvity")
    settle(database.sql, start(database, "SEO_AUDIT"), summary=REPORT)
    settle(database.sql, start(database, "DAILY_EXECUTIVE_BRIEF"), "failed", summary="Panne.")

    assert digests(database) == []


@pytest.mark.parametrize("summary", ["", "Aucun titre.", "#Pas un titre\n##Non plus", "## Double\na\n## Double\nb"])
def test_any_text_becomes_a_digest_whose_sections_are_an_object(database: Database, summary: str) -> None:
    brief(database, summary)

    (digest,) = digests(database)
    assert isinstance(digest["sections"], dict)


def test_a_digest_that_cannot_be_written_undoes_nothing(database: Database) -> None:
    database.run("alter table hq.morning_digests add check (executive_summary = 'never')")

    run = brief(database)

    assert digests(database) == []
    logs = database.rows("select message from hq.structured_logs where run_id = %s order by created_at", run["id"])
    assert [log["message"] for log in logs] == ["run.started", "digest.failed", "run.completed"]


def test_the_older_schema_has_no_digests_and_loses_nothing(seed_database: Database) -> None:
    brief(seed_database)

    assert seed_database.rows("select from hq.structured_logs where message = 'digest.failed'") == []


def test_a_report_is_signed_by_the_agent_of_its_role(database: Database) -> None:
    claimed = start(database, "CODE_REVIEW")

    settle(database.sql, claimed)

    (run,) = database.rows(
        "select a.role_key from hq.runs as r join hq.agents as a on a.id = r.director_agent_id where r.id = %s",
        claimed["run_id"],
    )
    assert run["role_key"] == "CTO"


def test_an_agent_who_is_switched_off_does_not_sign(database: Database) -> None:
    database.run("update hq.agents set is_enabled = false where role_key = 'CTO'")
    claimed = start(database, "CODE_REVIEW")

    settle(database.sql, claimed)

    assert database.one("select director_agent_id from hq.runs")["director_agent_id"] is None


def test_a_role_that_the_host_lacks_leaves_the_report_unsigned(database: Database) -> None:
    database.run("delete from hq.agents where role_key = 'CTO'")
    claimed = start(database, "CODE_REVIEW")

    settle(database.sql, claimed)

    (run,) = database.rows("select * from hq.runs where id = %s", claimed["run_id"])
    assert (run["status"], run["director_agent_id"]) == ("completed", None)


def test_who_signs_already_is_kept(database: Database) -> None:
    (other,) = database.rows("select id from hq.agents where role_key <> 'CTO' limit 1")
    claimed = start(database, "CODE_REVIEW")
    database.run("update hq.runs set director_agent_id = %s where id = %s", other["id"], claimed["run_id"])

    settle(database.sql, claimed)

    (run,) = database.rows("select director_agent_id from hq.runs where id = %s", claimed["run_id"])
    assert run["director_agent_id"] == other["id"]
