"""One typed function per function of ours that PostgREST serves; ``sql/rpc`` holds their definitions.

All are POST: the postgrest client repeats GET and HEAD by itself, and nothing may be repeated behind our back.
"""

from workers.backend.rpc.reading import (
    SchemaState,
    get_hq_queue_state,
    get_hq_run,
    get_hq_schema_state,
    inspect_hq_backend,
    list_hq_last_runs,
    list_hq_logs,
    list_hq_runs,
    purge_hq_expired,
    read_hq_platforms,
    take_hq_announcements,
    write_hq_log,
)
from workers.backend.rpc.runs import (
    Checkpoint,
    End,
    cancel_hq_run,
    checkpoint_hq_step,
    checkpoint_hq_steps,
    claim_hq_runs,
    release_hq_runs,
    renew_hq_leases,
    request_and_claim_hq_run,
    request_hq_run,
    rescue_hq_runs,
    settle_hq_run,
    settle_hq_runs,
)

__all__ = [
    "Checkpoint",
    "End",
    "SchemaState",
    "cancel_hq_run",
    "checkpoint_hq_step",
    "checkpoint_hq_steps",
    "claim_hq_runs",
    "get_hq_queue_state",
    "get_hq_run",
    "get_hq_schema_state",
    "inspect_hq_backend",
    "list_hq_last_runs",
    "list_hq_logs",
    "list_hq_runs",
    "purge_hq_expired",
    "read_hq_platforms",
    "release_hq_runs",
    "renew_hq_leases",
    "request_and_claim_hq_run",
    "request_hq_run",
    "rescue_hq_runs",
    "settle_hq_run",
    "settle_hq_runs",
    "take_hq_announcements",
    "write_hq_log",
]
