"""Where the data of a report comes from: one module per place, and the call that asks them all.

A source that fails loses its own data, never the run: what it could not read becomes a named ``Gap``.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog

from shared.errors import BackendError, SourceError
from shared.findings import Collected, GapReason
from workers import traces
from workers.ports import Clock, Source, Subject
from workers.sources.gaps import describe_gap, describe_unreadable, label_of, only_gap

_log = structlog.get_logger()


async def collect_all(
    sources: Iterable[Source],
    subject: Subject,
    *,
    names_wanted: Sequence[str],
    timeout: timedelta,  # noqa: ASYNC109 - a deadline for each source, not for this call
    clock: Clock,
) -> Collected:
    """Ask the wanted sources at the same time, each with its own deadline.

    Shape: findings and gaps in the order of ``names_wanted``; a source that nobody implements is a gap.
    Raises: nothing of its own; a cancellation passes through and stops every source.
    """
    known = {source.name: source for source in sources}
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_collect_one(known.get(name), name, subject, timeout, clock))
            for name in dict.fromkeys(map(str, names_wanted))
        ]
    return sum((task.result() for task in tasks), Collected())


async def _collect_one(
    source: Source | None, name: str, subject: Subject, within: timedelta, clock: Clock
) -> Collected:
    label = label_of(name)
    if source is None:
        sentence = f"La source « {label} » n'est pas encore branchée sur le QG : ses données manquent."
        return only_gap(name, GapReason.NOT_IMPLEMENTED, sentence)
    began = clock.monotonic()
    try:
        async with asyncio.timeout(within.total_seconds()) as deadline:
            with traces.span("source", source=source.name) as reading:
                collected = await source.collect(subject)
                reading.note(gaps=len(collected.gaps))
            return collected
    except SourceError as error:
        return Collected(gaps=(describe_gap(error, source=name, label=label),))
    except BackendError:
        return only_gap(name, GapReason.UNAVAILABLE, describe_unreadable(label))
    except Exception as error:  # noqa: BLE001 - a source must never end a run, whatever is wrong with it
        if isinstance(error, TimeoutError) and deadline.expired():
            sentence = (
                f"La source « {label} » n'a pas répondu en {within.total_seconds():g} s. "
                "Relancez plus tard pour l'inclure."
            )
            return only_gap(name, GapReason.TIMED_OUT, sentence)
        spent_ms = round((clock.monotonic() - began) * 1000)
        _log.exception("source.failed", source=name, error=type(error).__name__, duration_ms=spent_ms)
        sentence = (
            f"La source « {label} » a rencontré une erreur interne. L'équipe technique la trouvera dans les journaux."
        )
        return only_gap(name, GapReason.UNAVAILABLE, sentence)
