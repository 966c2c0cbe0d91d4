"""Whether the database is the one that this version needs."""

import random
from datetime import timedelta
from typing import Final

import structlog

from shared.backoff import draw_delay
from shared.errors import BackendError, BackendRejected, BackendUnavailable, ConfigurationError, FunctionMissing
from workers.backend.inspection import SchemaState, SupabaseInspection
from workers.ports import Clock
from workers.schema import read_files

log = structlog.get_logger(__name__)

_RETRY_BASE: Final = timedelta(seconds=1)
_RETRY_CAP: Final = timedelta(seconds=3)
# How long PostgREST may take to read a schema that has just been brought up to date.
_SCHEMA_CACHE_PATIENCE: Final = timedelta(seconds=8)


async def await_schema_state(inspection: SupabaseInspection, clock: Clock) -> SchemaState:
    """Ask until Supabase answers: a machine that starts during an outage must not need a person to restart it.

    Raises: ConfigurationError for what PostgREST refuses; a missing function of ours counts only once it has lasted.
    """
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    failures = 0
    missing_since: float | None = None
    while True:
        try:
            return await inspection.read_schema()
        except FunctionMissing as error:
            now = clock.monotonic()
            missing_since = now if missing_since is None else missing_since
            if now - missing_since >= _SCHEMA_CACHE_PATIENCE.total_seconds():
                raise ConfigurationError(str(error)) from error
            failures = 0
            _log_failure(error)
        except BackendRejected as error:
            raise ConfigurationError(str(error)) from error
        except BackendUnavailable as error:
            missing_since = None
            _log_failure(error)
        failures += 1
        if failures == 1 and missing_since is None:
            log.info("backend.awaited", remedy="This process starts by itself as soon as Supabase answers.")
        await clock.sleep(draw_delay(failures, base=_RETRY_BASE, cap=_RETRY_CAP, rng=rng))


def _log_failure(error: BackendError) -> None:
    log.warning("backend.failed", call="get_hq_schema_state", error_code=error.code, error_message=str(error))


def refuse_older_schema(state: SchemaState) -> None:
    """Refuse a database that lacks something, and log what differs. Raises: ConfigurationError."""
    differing = find_differences(state)
    if differing:
        log.warning("schema.differs", names=differing, remedy="emocare migrate")


def find_differences(state: SchemaState) -> list[str]:
    """Return the names of what is defined differently in the database and here.

    Raises: ConfigurationError where something is missing, naming the command that brings it up to date.
    """
    files = read_files()
    known = state.migrations | state.functions
    missing = [f.name for f in files if f.name not in known]
    if missing:
        raise ConfigurationError(
            f"The database lacks {', '.join(missing)}. Run `emocare migrate`, or paste `emocare sql` in the SQL editor."
        )
    return [f.name for f in files if known[f.name] != f.sha256]
