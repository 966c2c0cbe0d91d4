"""The autopilot's journal, as its owner and the operators read it."""

from support.autopilot import begin, configure, decide
from support.calls import call, refused
from support.database import Connection, Database


def test_the_owner_reads_the_latest_decisions_first(database: Database, owner: Connection, service: Connection) -> None:
    configure(database)
    decide(service, ["CODE_REVIEW"], reasoning="Un échec.")
    decide(service, decided_by="rules", reasoning="Rien à ajouter.", usage={})
    begin(service, fresh_seconds=0)

    journal = call(owner, "get_hq_autopilot_journal", limit=5)

    assert [(line["reasoning"], line["decided_by"]) for line in journal] == [
        ("Rien à ajouter.", "rules"),
        ("Un échec.", "model"),
    ]
    assert (journal[1]["jobs_to_run"], len(journal[1]["run_ids"])) == (["CODE_REVIEW"], 1)
    assert (journal[0]["cost_eur"], journal[1]["model"]) == (0, "google/gemini-2.5-pro")
    assert len(call(owner, "get_hq_autopilot_journal", limit=1)) == 1


def test_a_viewer_does_not(viewer: Connection) -> None:
    with refused("HQ001"):
        call(viewer, "get_hq_autopilot_journal", limit=5)


def test_operators_read_it_in_a_view(database: Database) -> None:
    configure(database)
    decide(database.sql, ["CODE_REVIEW"], reasoning="Un échec.")
    begin(database.sql, fresh_seconds=0)

    lines = database.rows("select * from hq.autopilot_journal")

    assert [(line["decide_par"], line["lancees"]) for line in lines] == [("en cours", []), ("model", ["CODE_REVIEW"])]
