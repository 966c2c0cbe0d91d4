"""Collecting for the morning brief: every source, seven platforms, against the slowest single call."""

import time
from datetime import timedelta
from typing import Final

import httpx

from bench.figures import Figure, format_ms, percentile
from bench.rig import open_rig

_BRIEFS: Final = 12
_DELAY: Final = timedelta(milliseconds=1000)  # of every vendor's every answer


async def collecting() -> list[Figure]:
    """From the first call of a brief's collection to its last answer, every vendor answering after a second."""
    with open_rig() as rig:
        await rig.vendors.script("openai", default_delay_ms=round(_DELAY.total_seconds() * 1000))
        rig.start_worker(WORKER_CONCURRENCY="1")
        alone = await _call_alone(rig.vendors.base_url)
        rig.rows(
            "select count(r.run_id) from generate_series(1, %s) as n, lateral (select run_id from "
            "public.request_hq_run('DAILY_EXECUTIVE_BRIEF', null, jsonb_build_object('n', n), p_force => true)) as r",
            _BRIEFS,
        )
        await rig.until("select (count(*) = 0)::int from hq.run_queue")
        rows = rig.rows(
            "select extract(epoch from s.completed_at - s.started_at) as took from hq.run_steps as s"
            " join hq.runs as r on r.id = s.run_id where s.name = 'Collecte' and r.status = 'completed'"
        )
    took = [float(row["took"]) for row in rows]
    assert len(took) == _BRIEFS
    slowest = percentile(alone, 0.5)
    over = 100 * (percentile(took, 0.5) / slowest - 1)
    return [
        Figure(
            "collecting for the daily brief: 7 platforms, 22 calls of vendors",
            f"{over:+.1f} % over the slowest call; {format_ms(took)}",
            "≤ +20 %",
            f"one call alone: {format_ms(alone)}; the first brief opens its connections",
        )
    ]


async def _call_alone(vendors_url: str) -> list[float]:
    took = []
    body = {"model": "sonar-pro", "messages": [{"role": "user", "content": "?"}]}
    async with httpx.AsyncClient(headers={"authorization": "Bearer bench"}, timeout=30) as http:
        for _ in range(3):
            started = time.monotonic()
            (await http.post(f"{vendors_url}/perplexity/chat/completions", json=body)).raise_for_status()
            took.append(time.monotonic() - started)
    return took
