"""When a part fails: what is tried again, what is not paid for twice, and what the president reads."""

import signal
from datetime import timedelta

import pytest
from support.hq import Hq
from support.runs import REPORT

from shared.language_models import CANDIDATES
from shared.registry import ModelTier


async def test_another_attempt_resumes_after_what_was_done(hq: Hq) -> None:
    await hq.worker()
    await hq.vendors.script("openai", {"status": 503}, {"status": 503})

    run_id = hq.ask()
    run = await hq.settled(run_id)
    collected = len(await hq.vendors.calls("github"))

    assert run["status"] == "completed"
    assert run["detailed_appendix"]["attempt"] == 2
    assert hq.logs(run_id) == ["run.started", "run.retried", "run.started", "run.completed"]
    assert await hq.model_calls() == 3
    await hq.settled(hq.ask())
    assert len(await hq.vendors.calls("github")) == 2 * collected, "the failed attempt's data were read twice"


async def test_without_credit_the_run_fails_at_once_and_says_so(hq: Hq) -> None:
    await hq.worker()
    await hq.vendors.script("openai", {"status": 402}, repeat=True)

    run = await hq.settled(hq.ask())

    assert run["status"] == "failed"
    assert run["executive_summary"] == "Crédits IA insuffisants. Rechargez le compte du service d'IA puis relancez."
    assert run["detailed_appendix"]["error_code"] == "gateway_out_of_credit"
    assert run["detailed_appendix"]["http_status"] == 402
    assert await hq.model_calls() == 1


async def test_a_rate_limit_puts_the_run_back_for_as_long_as_was_asked(hq: Hq) -> None:
    await hq.worker()
    await hq.vendors.script("openai", {"status": 429, "headers": {"retry-after": "3"}})

    run_id = hq.ask()
    (waiting,) = await hq.until(
        "select q.run_at - l.created_at as delay, r.status, r.executive_summary from hq.run_queue as q "
        "join hq.runs as r on r.id = q.run_id "
        "join hq.structured_logs as l on l.run_id = r.id and l.message = 'run.retried'"
    )
    run = await hq.settled(run_id)

    assert waiting["status"] == "pending"
    assert timedelta(seconds=2.9) < waiting["delay"] < timedelta(seconds=3.5)
    assert waiting["executive_summary"].startswith("Limite de requêtes du service d'IA atteinte.")
    assert waiting["executive_summary"].endswith("(2 restantes).")
    assert run["status"] == "completed"


async def test_attempts_come_to_an_end_and_every_one_is_billed(hq: Hq) -> None:
    await hq.worker()
    await hq.vendors.script("openai", {"empty": True}, repeat=True)

    run_id = hq.ask()
    run = await hq.settled(run_id)

    assert run["status"] == "failed"
    assert run["executive_summary"].startswith("Le service d'IA a rendu une réponse vide ou tronquée.")
    assert hq.logs(run_id) == ["run.started", "run.retried"] * 2 + ["run.started", "run.failed"]
    bills = hq.rows("select lease_token, calls, cost_eur from hq.run_costs where run_id = %s", run_id)
    assert len({bill["lease_token"] for bill in bills}) == 3
    assert [bill["calls"] for bill in bills] == [1] * 6, "each attempt asked two models"
    assert all(bill["cost_eur"] > 0 for bill in bills)
    assert run["detailed_appendix"]["cost_estimate"] == pytest.approx(float(sum(bill["cost_eur"] for bill in bills)))


async def test_an_answer_that_the_database_cannot_hold_is_kept_all_the_same(hq: Hq) -> None:
    """PostgreSQL's text has no NUL; untrusted texts, and so a model's answer, may. A report is shown without."""
    await hq.worker()
    text = REPORT.replace("trois tickets", "avant\x00après, quatre tickets")
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    await hq.vendors.script("openai", {"body": body})

    run = await hq.settled(hq.ask())

    assert run["status"] == "completed"
    assert "montrent avantaprès, quatre tickets" in run["executive_summary"]
    assert await hq.model_calls() == 1


@pytest.mark.parametrize("end", ["handed back", "cancelled", "lost"])
async def test_what_an_abandoned_attempt_cost_is_kept(hq: Hq, end: str) -> None:
    """It paid for an answer that was no use, asked again, and then it had to stop."""
    await hq.vendors.script("openai", {"empty": True}, {"delay_ms": 30_000})
    worker = await hq.worker(LLM_RETRY_BUDGET_SECONDS=5, SHUTDOWN_GRACE_SECONDS=0.1)
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=2)

    match end:
        case "handed back":
            worker.signal(signal.SIGTERM)
        case "cancelled":
            hq.rows("select public.cancel_hq_run(%s)", run_id)
        case _:
            hq.rows("update hq.runs set status = 'failed' where id = %s returning id", run_id)

    (bill,) = await hq.until("select * from hq.run_costs where run_id = %s", run_id)
    assert (bill["calls"], bill["model"]) == (1, CANDIDATES[ModelTier.SUMMARY][0])
    assert bill["cost_eur"] > 0
