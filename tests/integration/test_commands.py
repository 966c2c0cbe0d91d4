"""The command line against a real HQ: what people and scripts get from it."""

import json
import subprocess
import sys
from typing import Any

import pytest
from support.extensions import need_extension
from support.hq import Hq

from shared.language_models import CANDIDATES, PRICES


@pytest.fixture
def emocare(hq: Hq) -> Any:
    """Run a command as an operator would; return its output."""

    def run(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "workers", *arguments]
        environment = hq.environment(DATABASE_URL=hq.stack.database_url, COLUMNS="200")
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment, cwd=hq.folder, timeout=30
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stdout if code in {0, 1} else ended.stderr

    return run


async def test_a_run_is_asked_for_followed_shown_and_listed(hq: Hq, emocare: Any) -> None:
    await hq.worker()

    printed = emocare("run", "PLATFORM_STATUS_REVIEW", "--platform", "nearvity", "--wait")
    assert "completed" in printed
    assert "Rapport du modèle" in printed
    assert "GitHub API" in printed

    run = json.loads(emocare("run", "PLATFORM_STATUS_REVIEW", "--context", '{"a": 1}', "--wait", "--json"))
    assert (run["status"], len(run["steps"])) == ("completed", 4)
    assert json.loads(emocare("show", run["run_id"], "--json"))["executive_summary"] == run["executive_summary"]
    assert [line["status"] for line in json.loads(emocare("runs", "--json"))] == ["completed"] * 2
    logs = [json.loads(line) for line in emocare("logs", "--json", "--run", run["run_id"]).splitlines()]
    assert [line["message"] for line in logs] == ["run.started", "run.completed"]
    assert run["run_id"] in emocare("runs")
    assert "## " not in emocare("show", run["run_id"]), "the report is rendered"
    assert "run.completed" in emocare("logs")


def test_a_database_that_gives_up_is_not_called_unreachable(hq: Hq, emocare: Any) -> None:
    database, role = hq.one("select current_database() as database, current_user as role").values()
    hq.database.run(f'alter role "{role}" in database "{database}" set statement_timeout = 1')

    printed = emocare("migrate", code=69)

    assert "57014" in printed
    assert "--database-url" not in printed


def test_who_asks_during_a_pause_is_told_what_ends_it(hq: Hq, emocare: Any) -> None:
    hq.database.run("select hq.pause_runs('travaux')")

    assert "select hq.resume_runs();" in emocare("run", "SEO_AUDIT")


def test_who_waits_for_a_run_that_does_not_start_is_told_where_to_look(hq: Hq) -> None:
    run_id = hq.ask("SEO_AUDIT", force=False)
    hq.database.run("update hq.runs set created_at = now() - interval '1 minute' where id = %s", run_id)
    command = [sys.executable, "-m", "workers", "run", "SEO_AUDIT", "--wait"]

    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=hq.environment(),
        cwd=hq.folder,
    ) as waiting:
        assert waiting.stderr is not None
        try:
            printed = waiting.stderr.readline()
        finally:
            waiting.kill()

    assert "select * from hq.queue" in printed


async def test_a_run_that_fails_makes_the_command_fail(hq: Hq, emocare: Any) -> None:
    await hq.worker()
    await hq.vendors.script("openai", {"status": 402})

    assert "Crédits IA insuffisants" in emocare("run", "PLATFORM_STATUS_REVIEW", "--wait", code=1)


def test_what_sql_refuses_is_told_in_its_words(emocare: Any) -> None:
    printed = emocare("run", "seo_audits", code=2)
    assert "« seo_audits » n'existe pas" in printed
    assert "Did you mean SEO_AUDIT? `emocare registry list`" in printed
    assert "« atlantis » n'est pas connue" in emocare("run", "SEO_AUDIT", "--platform", "atlantis", code=2)
    assert "introuvable" in emocare("show", "00000000-0000-4000-8000-00000000ffff", code=2)


def test_the_same_key_is_the_same_run_and_a_run_is_cancelled_once(emocare: Any) -> None:
    first = json.loads(emocare("run", "SEO_AUDIT", "--key", "k", "--json"))
    again = json.loads(emocare("run", "SEO_AUDIT", "--key", "k", "--json"))

    assert (first["created"], again["created"]) == (True, False)
    assert first["run_id"] == again["run_id"]
    assert json.loads(emocare("cancel", first["run_id"], "--json"))["status"] == "cancelled"
    assert json.loads(emocare("runs", "--status", "cancelled", "--json"))[0]["run_id"] == first["run_id"]


def test_the_doctor_finds_a_migrated_hq_well(emocare: Any) -> None:
    checks = {check["name"]: check["state"] for check in json.loads(emocare("doctor", "--json"))}

    assert "red" not in checks.values()
    assert checks["realtime publication"] == "green"
    assert checks["run types"] == "green"
    assert (checks["auth"], checks["our schema"]) == ("green", "green")
    assert checks["workers"] == "amber"
    assert "up to date" in emocare("migrate")


async def test_the_doctor_names_the_models_that_are_gone(hq: Hq, emocare: Any) -> None:
    def models(*options: str) -> dict[str, str]:
        checks = json.loads(emocare("doctor", "--json", *options))
        return {check["name"]: check["detail"] for check in checks if check["code"] == "models"}

    assert list(models("--models")) == ["models"]
    asked = await hq.vendors.calls("openai")
    assert {call["body"]["model"] for call in asked} == {model for models in CANDIDATES.values() for model in models}
    await hq.vendors.script("openai", {"match": "gpt-5.2", "status": 404})
    listed = [{"id": model} for model in PRICES if "2.5" not in model]
    await hq.vendors.script("openai-models", {"merge": {"data": listed}})

    gone = models("--models")

    assert sorted(gone) == ["model google/gemini-2.5-flash", "model google/gemini-2.5-pro", "model openai/gpt-5.2"]
    assert "no longer has it" in gone["model google/gemini-2.5-pro"]
    assert "404" in gone["model openai/gpt-5.2"]


def test_the_doctor_joins_realtime_once_and_says_why_it_could_not(hq: Hq, emocare: Any) -> None:
    hq.stack.realtime.tune(public_access=False)
    refused = {check["name"]: check for check in json.loads(emocare("doctor", "--json"))}["realtime"]
    hq.stack.realtime.tune(public_access=True)
    joined = {check["name"]: check for check in json.loads(emocare("doctor", "--json"))}["realtime"]

    assert (refused["state"], joined["state"]) == ("amber", "green")
    assert "PrivateOnly" in refused["detail"]
    assert "« Allow public access »" in refused["detail"]
    assert hq.stack.realtime.statistics()["joins"] == 1


def test_the_doctor_names_what_is_defined_otherwise_and_says_so_in_its_answer_alone(hq: Hq, emocare: Any) -> None:
    hq.rows("update hq.worker_migrations set sha256 = 'older' where name = 'claim_hq_runs' returning 1")

    printed = {check["name"]: check for check in json.loads(emocare("doctor", "--json"))}["our schema"]

    assert printed["state"] == "amber"
    assert printed["detail"].startswith("claim_hq_runs: ")
    assert "emocare migrate" in printed["detail"]


def test_the_doctor_sees_an_auth_that_is_away(hq: Hq, emocare: Any) -> None:
    hq.stack.stop_auth()
    try:
        checks = {check["name"]: check["state"] for check in json.loads(emocare("doctor", "--json", code=1))}
    finally:
        hq.stack.start_auth()

    assert (checks["auth"], checks["our schema"]) == ("red", "green")


def test_a_purge_that_the_host_put_back_is_seen_by_the_doctor_and_replaced_by_a_migration(hq: Hq, emocare: Any) -> None:
    need_extension(hq.database.cluster, "pg_cron")
    hq.rows("select cron.schedule('purge-old-hq-logs', '0 3 * * *', 'select hq.purge_old_logs()')")

    checks = {check["name"]: check for check in json.loads(emocare("doctor", "--json", code=1))}
    printed = emocare("migrate")

    assert checks["cron job purge-old-hq-logs"]["state"] == "red"
    assert "select hq.purge_old_logs()" in checks["cron job purge-old-hq-logs"]["detail"]
    assert "select hq.purge_old_logs()" in printed
    checks = {check["name"]: check for check in json.loads(emocare("doctor", "--json"))}
    assert checks["cron job purge-old-hq-logs"]["state"] == "green"


def test_a_wrong_key_is_told_by_the_name_of_its_variable(hq: Hq) -> None:
    environment = hq.environment(SUPABASE_SERVICE_ROLE_KEY="sb_secret_of_another_project")
    command = [sys.executable, "-m", "workers", "runs"]

    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, cwd=hq.folder, timeout=30
    )

    assert ended.returncode == 77
    assert ended.stderr.startswith("error Supabase answered 401")
    assert "SUPABASE_SERVICE_ROLE_KEY" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_others_wrote_is_shown_and_neither_read_as_markup_nor_obeyed(hq: Hq, emocare: Any) -> None:
    hostile = "[/x] \x1b[2J\u202e"
    hq.database.run("insert into hq.platforms (key, name) values ('[/x]', 'Odd')")
    run_id = hq.one(
        "insert into hq.runs (run_type, platform_key, status, executive_summary) "
        "values (%s, '[/x]', 'completed', %s) returning id",
        hostile,
        f"# {hostile}\n\n[link](https://example.test/) {hostile}",
    )["id"]
    hq.database.run(
        "insert into hq.structured_logs (message, source, metadata, run_id) "
        "values (%s, 'scheduler', jsonb_build_object('note', %s::text), %s)",
        hostile,
        hostile,
        run_id,
    )

    for command in (["runs"], ["show", str(run_id)], ["logs"]):
        printed = emocare(*command)
        assert "[/x]" in printed
        assert not {"\x1b", "\u202e"} & set(printed)
