"""The command eval: models are asked about a made-up company, and their reports are held against it."""

from datetime import UTC, datetime

import pytest

from devstack.vendors import VendorsClient
from evals.answers import write_answer
from shared.registry import RUN_TYPES, find_run_type
from workers.cli.evaluate import measure
from workers.executive_run.specimen import make_grounds
from workers.executive_run.verification.verify import verify
from workers.settings import GatewaySettings

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)


@pytest.mark.parametrize("answered", [True, False])
def test_a_good_report_about_the_made_up_company_has_no_fault(*, answered: bool) -> None:
    troubled = []
    for run_type in RUN_TYPES.values():
        grounds = make_grounds(run_type, now=NOW, answered=answered)
        troubled += [fault.sentence for fault in verify(write_answer(grounds), grounds).faults]

    assert troubled == []


async def test_each_model_is_scored_on_what_it_wrote(vendors: VendorsClient) -> None:
    settings = GatewaySettings.model_validate({"base_url": f"{vendors.base_url}/openai/v1", "api_key": "key"})

    (score,) = await measure(settings, ["maker/model-1"], [find_run_type("FINANCIAL_REPORT")])

    calls = await vendors.calls("openai")
    assert [call["body"]["model"] for call in calls] == ["maker/model-1"] * 2
    assert (len(score.verified), score.failures) == (2, [])
    assert score.cost_eur > 0
    assert score.seconds > 0
