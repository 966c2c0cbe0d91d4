"""Whatever the model answers, what is stored is a report that can be trusted, or nothing, and each answer is paid."""

import pytest
from support.database import Row
from support.hq import Hq

from devstack.vendors.spoiled import SPOILED
from shared.language_models import CANDIDATES
from shared.registry import ModelTier
from workers.executive_run.verification.model import SOFT

RUN_TYPE = "PLATFORM_STATUS_REVIEW"
BRIEF = "DAILY_EXECUTIVE_BRIEF"
FIRST, SECOND, *_ = CANDIDATES[ModelTier.SUMMARY]
DIGEST = "select * from hq.morning_digests"


def verification_of(hq: Hq, run: Row) -> Row:
    query = "select data from hq.run_evidence where run_id = %s and evidence_type = 'verification'"
    return dict(hq.one(query, run["id"])["data"])


def bills_of(hq: Hq, run: Row) -> list[tuple[str, int]]:
    bills = hq.rows("select model, calls from hq.run_costs where run_id = %s order by model", run["id"])
    return [(bill["model"], bill["calls"]) for bill in bills]


async def ask_spoiled(hq: Hq, *spoiled: str, run_type: str = RUN_TYPE, repeat: bool = False) -> Row:
    """Ask for a report of which the first answers are spoiled."""
    await hq.vendors.script("openai", *({"spoil": kind} for kind in spoiled), repeat=repeat)
    return await hq.settled(hq.ask(run_type, platform_key="nearvity" if run_type == RUN_TYPE else None))


async def test_an_answer_of_every_spoiled_kind_is_asked_again_once_and_the_good_one_is_stored(hq: Hq) -> None:
    await hq.worker()

    for kind in SPOILED:
        run = await ask_spoiled(hq, kind)

        assert run["status"] == "completed", (kind, hq.explain())
        found = verification_of(hq, run)
        assert (found["answers"], found["faults"]) == (2, []), kind
        assert bills_of(hq, run) == [(FIRST, 2)], kind
        assert run["detailed_appendix"]["figures_checked"] > 0, kind
        assert run["detailed_appendix"]["fallback_used"] is False, kind


async def test_the_second_question_names_the_faults_of_the_first_answer(hq: Hq) -> None:
    await hq.worker()

    await ask_spoiled(hq, "missing_section")

    first, second = (call["body"]["messages"] for call in await hq.vendors.calls("openai"))
    assert second[:2] == first
    assert [message["role"] for message in second[2:]] == ["assistant", "user"]
    assert "La partie « Recommandations » manque" in second[3]["content"]


async def test_a_report_that_stays_unfit_is_asked_of_the_next_model(hq: Hq) -> None:
    await hq.worker()

    run = await ask_spoiled(hq, "not_a_report", "wrong_language")

    assert run["status"] == "completed"
    assert bills_of(hq, run) == sorted([(FIRST, 2), (SECOND, 1)])
    assert (run["detailed_appendix"]["model_used"], run["detailed_appendix"]["fallback_used"]) == (SECOND, True)
    assert verification_of(hq, run)["answers"] == 3


async def test_a_report_that_no_model_writes_fails_for_good_and_leaves_the_days_digest(hq: Hq) -> None:
    await hq.worker()
    good = await hq.settled(hq.ask(BRIEF))
    digest = hq.one(DIGEST)

    run = await ask_spoiled(hq, "leaked", run_type=BRIEF, repeat=True)

    assert (good["status"], run["status"]) == ("completed", "failed")
    assert run["executive_summary"].startswith("Le rapport rendu par l'IA n'était pas acceptable, même corrigé")
    assert run["detailed_appendix"]["error_code"] == "report_unusable"
    assert run["detailed_appendix"]["error_message"] == "none of 3 answers may be stored: leaked"
    assert hq.logs(run["id"]) == ["run.started", "run.failed"], "it is not tried again"
    assert hq.rows("select from hq.runs_dlq where original_run_id = %s", run["id"]) != []
    assert {fault["kind"] for fault in verification_of(hq, run)["faults"]} == {"leaked"}
    assert await hq.model_calls() == 4
    assert hq.one(DIGEST) == digest


@pytest.mark.parametrize("kind", sorted(SOFT & set(SPOILED)))
async def test_what_the_model_insists_on_is_stored_with_its_marks(hq: Hq, kind: str) -> None:
    worker = await hq.worker()

    run = await ask_spoiled(hq, kind, kind)

    assert run["status"] == "completed"
    found = verification_of(hq, run)
    assert found["answers"] == 2
    assert {fault["kind"] for fault in found["faults"]} == {kind}
    appendix = run["detailed_appendix"]
    counted = {"contradicted": appendix["figures_contradicted"], "unverified": appendix["figures_unverified"]}
    assert {name: count > 0 for name, count in counted.items()} == {name: name == kind for name in counted}
    assert '"event": "report.doubted"' in worker.log()
    if kind == "contradicted":
        assert run["executive_summary"].startswith("Chiffres corrigés · ")
        assert "(nos données : 4)" in run["executive_summary"]
    if kind == "unverified":
        assert run["executive_summary"].startswith("Chiffres à vérifier · ")
        assert run["executive_summary"].count("(non vérifié)") == 3
