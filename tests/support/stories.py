"""The journal as a whole: every start of a run has its end."""

import asyncio
import time

from support.hq import Hq

_ENDS = ("run.completed", "run.failed", "run.retried", "run.rescued", "run.released", "run.cancelled", "run.dropped")
_UNFINISHED = """
select r.id, r.status, array_agg(l.message order by l.created_at) as story
from hq.runs as r
left join hq.structured_logs as l on l.run_id = r.id
group by r.id
having r.status not in ('completed', 'failed', 'cancelled')
  or count(*) filter (where l.message = 'run.started') <> count(*) filter (where l.message = any(%s))
"""


async def every_story_ends(hq: Hq, *, within: float = 20) -> int:
    """Wait until every run has ended and each start has its end in the log; return how many runs there are."""
    deadline = time.monotonic() + within
    while unfinished := hq.rows(_UNFINISHED, list(_ENDS)):
        assert time.monotonic() < deadline, f"{unfinished}\n{hq.explain()}"
        await asyncio.sleep(0.05)
    assert not hq.rows("select from hq.run_queue")
    return len(hq.rows("select from hq.runs"))
