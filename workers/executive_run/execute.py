"""One claimed run: collect → compose → ask and verify → the report, or the sentence that says why there is none."""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from pydantic import JsonValue

from shared.backoff import draw_delay
from shared.errors import BackendError, GatewayError, LeaseLost, ReportUnusable, RunCrashed, RunTimedOut, WorkersError
from shared.findings import Collected
from shared.registry import RunType, SourceName, Trigger, find_run_type
from shared.runs import Claim, EvidenceRecord, Outcome, RunId, Settlement
from workers import traces
from workers.executive_run.answers import Asking, Deadline, Judged
from workers.executive_run.changes import record_facts
from workers.executive_run.compose import compose
from workers.executive_run.evidence import describe_collected, describe_verification
from workers.executive_run.grounds import find_sections_without_data, ground
from workers.executive_run.memory import record_kept
from workers.executive_run.report import write_report
from workers.executive_run.steps import Step, StepRecorder
from workers.executive_run.verification.model import FaultKind
from workers.logs import redact_text
from workers.ports import Clock, Collect, Gateway, Meter, Platform, RunStore, Subject
from workers.settings import WorkerSettings

log = structlog.get_logger(__name__)

# How the screens name what was read.
_SOURCE_LABELS: Final = {
    SourceName.PLATFORMS: "Base du QG",
    SourceName.GITHUB: "GitHub API",
    SourceName.GITHUB_ACTIONS: "GitHub Actions",
    SourceName.GITHUB_ALERTS: "GitHub Dependabot",
    SourceName.PERPLEXITY: "Perplexity AI",
    SourceName.FIRECRAWL: "Firecrawl",
    SourceName.STRIPE: "Stripe",
    SourceName.OPEN_MATTERS: "Base du QG",
    SourceName.DATABASE_CATALOGUE: "Catalogue de la base",
    SourceName.RUN_HISTORY: "Historique des exécutions",
    SourceName.AGENTS_WORK: "Historique des exécutions",
    SourceName.COMMERCIAL: "Base du QG",
    SourceName.AUDIENCE: "Audience du site",
    SourceName.CONTACTS: "Base du QG",
    SourceName.DECISIONS: "Base du QG",
    SourceName.PERSONAL_DATA: "Catalogue de la base",
}
_MODEL_LABEL: Final = "Lovable AI Gateway"

# Some services ask for a day. Until a run has ended, every later request of its kind gets that same run: tomorrow's
# brief must not be swallowed by today's.
_LONGEST_WAIT: Final = timedelta(hours=1)
# A person gets an answer while still waiting, and can ask again. Where nobody waits, the first pause is meant for a
# hiccup and the second for an outage, which takes minutes: by default a quarter of a minute, then up to four minutes.
_PROMPT_GROWTH: Final = 2.0
_PATIENT_GROWTH: Final = 16.0


class ExecutiveRun:
    """Executes claims. One instance serves every run of the process; a run's state lives in its call."""

    def __init__(
        self,
        *,
        store: RunStore,
        collect: Collect,
        gateway: Gateway,
        clock: Clock,
        settings: WorkerSettings,
        is_awaited: Callable[[RunId], bool] = lambda _: False,
    ) -> None:
        self._store = store
        self._collect = collect
        self._gateway = gateway
        self._clock = clock
        self._settings = settings
        self._is_awaited = is_awaited
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    async def __call__(self, claim: Claim, meter: Meter) -> Settlement:
        """Execute the claim and return how the attempt ends.

        Raises: LeaseLost when another worker owns the run now.
        """
        steps = StepRecorder(claim, store=self._store, clock=self._clock, meter=meter)
        deadline = Deadline(self._clock, self._settings.run_timeout, lambda: self._is_awaited(claim.run_id))
        try:
            async with asyncio.timeout(self._settings.run_timeout.total_seconds()):
                return await self._report(claim, steps, meter, deadline)
        except LeaseLost:
            raise
        except WorkersError as error:
            return self._end_badly(claim, steps, error)
        except TimeoutError:
            return self._end_badly(claim, steps, RunTimedOut())
        except Exception as error:
            log.exception("run.crashed", run_id=str(claim.run_id))
            return self._end_badly(claim, steps, RunCrashed(f"{type(error).__name__} in a worker."))

    async def _report(self, claim: Claim, steps: StepRecorder, meter: Meter, deadline: Deadline) -> Settlement:
        run_type = find_run_type(claim.run_type)
        platforms, inputs = await self._store.read_inputs(claim)
        subject = Subject(
            run_type=run_type, platforms=platforms, platform_key=claim.platform_key, inputs=inputs, meter=meter
        )
        collected = await steps.do(Step.COLLECT, Collected, lambda: self._collect(subject))

        composing = self._clock.now()
        grounds = ground(
            run_type,
            collected,
            platforms=platforms,
            platform_key=claim.platform_key,
            inputs=inputs,
            context=claim.context,
            now=composing,
        )
        without_data = find_sections_without_data(run_type, collected)
        messages = compose(grounds, without_data=without_data, nonce=secrets.token_hex(8))
        steps.note(Step.COMPOSE, composing)

        asking = Asking(gateway=self._gateway, steps=steps, grounds=grounds, meter=meter, deadline=deadline)
        judged = await asking.ask(messages)
        best = judged[0]
        evidence = describe_verification(best.verification, answers=len(judged))
        if not best.verification.is_usable:
            return self._end_badly(claim, steps, ReportUnusable(_name_faults(judged)), evidence=(evidence,))
        _log_doubts(claim, best)

        steps.note(Step.SETTLE, self._clock.now())
        report = write_report(best.verification, grounds, collected.findings, without_data)
        return Settlement(
            outcome=Outcome.COMPLETED,
            summary=report,
            appendix=self._appendix(claim, run_type, collected, best, meter),
            steps=steps.unwritten(),
            evidence=(
                *describe_collected(collected),
                *_record_facts(collected, platforms, claim),
                *record_kept(run_type, report, best.verification.faults),
                evidence,
            ),
        )

    def _appendix(
        self, claim: Claim, run_type: RunType, collected: Collected, best: Judged, meter: Meter
    ) -> dict[str, JsonValue]:
        answer, found = best.answer, best.verification
        # Flat, because the screens print each value as text. Cost, duration and attempt are added by SQL.
        return {
            "model_used": answer.model,
            "fallback_used": answer.fallback_used,
            "breaker_state": self._gateway.breaker_states().get(answer.model, "CLOSED"),
            "data_sources": [*_sources_read(collected), _MODEL_LABEL],
            "missing_data": [f"{gap.label} : {gap.sentence}" for gap in collected.gaps],
            "figures_checked": found.figures,
            "figures_unverified": found.count(FaultKind.UNVERIFIED),
            "figures_contradicted": found.count(FaultKind.CONTRADICTED),
            "steps": list(run_type.steps),
            "trigger": claim.trigger,
            "tokens_in": meter.total.tokens_in,
            "tokens_out": meter.total.tokens_out,
            **traces.describe_trace(),
        }

    def _end_badly(
        self, claim: Claim, steps: StepRecorder, error: WorkersError, *, evidence: tuple[EvidenceRecord, ...] = ()
    ) -> Settlement:
        # A refusal by the backend in mid-run may come from a restart: the attempts bound the retries anyway.
        again = (error.retryable or isinstance(error, BackendError)) and claim.attempt < claim.max_attempts
        log.warning(
            "run.attempt_failed",
            run_id=str(claim.run_id),
            error_code=error.code,
            error_message=str(error),
            retry=again,
        )
        return Settlement(
            outcome=Outcome.RETRY if again else Outcome.FAILED,
            summary=_format_retry(claim, error) if again else error.sentence,
            appendix={
                "error_code": error.code,
                "error_message": redact_text(str(error)),
                "http_status": error.http_status,
                "trigger": claim.trigger,
                "max_attempts": claim.max_attempts,
                **traces.describe_trace(),
            },
            steps=steps.unwritten(),
            evidence=evidence,
            retry_in=self._retry_delay(claim, error),
        )

    def _retry_delay(self, claim: Claim, error: WorkersError) -> timedelta:
        asked = error.retry_after if isinstance(error, GatewayError) else None
        drawn = draw_delay(
            claim.attempt,
            base=self._settings.retry_base,
            cap=self._settings.retry_cap,
            rng=self._random,
            growth=_PROMPT_GROWTH if claim.trigger == Trigger.MANUAL else _PATIENT_GROWTH,
        )
        return drawn if asked is None else min(max(asked, drawn), _LONGEST_WAIT)


def _format_retry(claim: Claim, error: WorkersError) -> str:
    left = claim.max_attempts - claim.attempt
    plural = "s" if left > 1 else ""
    return f"{error.what_happened} Une nouvelle tentative est prévue automatiquement ({left} restante{plural})."


def _sources_read(collected: Collected) -> list[str]:
    return list(dict.fromkeys(_SOURCE_LABELS[SourceName(finding.source)] for finding in collected.findings))


def _record_facts(collected: Collected, platforms: Sequence[Platform], claim: Claim) -> tuple[EvidenceRecord, ...]:
    keys = [platform.key for platform in platforms]
    record = record_facts(collected.facts, platform_keys=keys, platform_key=claim.platform_key)
    return () if record is None else (record,)


def _name_faults(judged: Sequence[Judged]) -> str:
    kinds = dict.fromkeys(fault.kind.value for one in judged for fault in one.verification.faults if fault.is_hard)
    return f"none of {len(judged)} answers may be stored: {', '.join(kinds)}"


def _log_doubts(claim: Claim, best: Judged) -> None:
    found = best.verification
    if found.faults:
        log.warning(
            "report.doubted",
            run_id=str(claim.run_id),
            model=best.answer.model,
            figures=found.figures,
            unverified=found.count(FaultKind.UNVERIFIED),
            contradicted=found.count(FaultKind.CONTRADICTED),
            faults=len(found.faults),
        )
