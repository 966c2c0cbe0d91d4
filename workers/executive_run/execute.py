"""One claimed run: collect → compose → ask → the report, or the sentence that says why there is none."""

import asyncio
import random
import secrets
from datetime import timedelta
from typing import Final

import structlog
from pydantic import JsonValue, TypeAdapter

from shared.backoff import draw_delay
from shared.errors import BackendError, GatewayError, LeaseLost, RunCrashed, RunTimedOut, WorkersError
from shared.findings import Collected
from shared.registry import RunType, SourceName, Trigger, find_run_type
from shared.runs import Claim, EvidenceRecord, Outcome, Settlement
from shared.sanitise import sanitise
from workers.executive_run.compose import compose
from workers.executive_run.steps import Step, StepRecorder
from workers.logs import redact_text
from workers.ports import Answer, Clock, Collect, Gateway, Meter, Platform, RunStore, Subject
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
}
_PLATFORMS: Final = TypeAdapter(tuple[Platform, ...])
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
        self, *, store: RunStore, collect: Collect, gateway: Gateway, clock: Clock, settings: WorkerSettings
    ) -> None:
        self._store = store
        self._collect = collect
        self._gateway = gateway
        self._clock = clock
        self._settings = settings
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    async def __call__(self, claim: Claim, meter: Meter) -> Settlement:
        """Execute the claim and return how the attempt ends.

        Raises: LeaseLost when another worker owns the run now.
        """
        steps = StepRecorder(claim, store=self._store, clock=self._clock, meter=meter)
        try:
            async with asyncio.timeout(self._settings.run_timeout.total_seconds()):
                return await self._report(claim, steps, meter)
        except LeaseLost:
            raise
        except WorkersError as error:
            return self._end_badly(claim, steps, error)
        except TimeoutError:
            return self._end_badly(claim, steps, RunTimedOut())
        except Exception as error:
            log.exception("run.crashed", run_id=str(claim.run_id))
            return self._end_badly(claim, steps, RunCrashed(f"{type(error).__name__} in a worker."))

    async def _report(self, claim: Claim, steps: StepRecorder, meter: Meter) -> Settlement:
        run_type = find_run_type(claim.run_type)
        platforms = (
            await self._store.read_platforms(claim.platform_key)
            if claim.platforms is None
            else _PLATFORMS.validate_python(claim.platforms)
        )
        subject = Subject(run_type=run_type, platforms=platforms, platform_key=claim.platform_key, meter=meter)
        collected = await steps.do(Step.COLLECT, Collected, lambda: self._collect(subject))

        composing = self._clock.now()
        messages = compose(
            run_type,
            collected,
            platforms=platforms,
            whole_company=claim.platform_key is None,
            context=claim.context,
            now=composing,
            nonce=secrets.token_hex(8),
        )
        steps.note(Step.COMPOSE, composing)

        answer = await steps.do(Step.ASK, Answer, lambda: self._gateway.ask(run_type.tier, messages, meter=meter))

        steps.note(Step.SETTLE, self._clock.now())
        return Settlement(
            outcome=Outcome.COMPLETED,
            summary=sanitise(answer.text, collected.findings),
            appendix=self._appendix(claim, run_type, collected, answer, meter),
            steps=steps.unwritten(),
            evidence=_evidence(collected),
        )

    def _appendix(
        self, claim: Claim, run_type: RunType, collected: Collected, answer: Answer, meter: Meter
    ) -> dict[str, JsonValue]:
        # Flat, because the screens print each value as text. Cost, duration and attempt are added by SQL.
        return {
            "model_used": answer.model,
            "fallback_used": answer.fallback_used,
            "breaker_state": self._gateway.breaker_states().get(answer.model, "CLOSED"),
            "data_sources": [*_sources_read(collected), _MODEL_LABEL],
            "missing_data": [f"{gap.label} : {gap.sentence}" for gap in collected.gaps],
            "steps": list(run_type.steps),
            "trigger": claim.trigger,
            "tokens_in": meter.total.tokens_in,
            "tokens_out": meter.total.tokens_out,
        }

    def _end_badly(self, claim: Claim, steps: StepRecorder, error: WorkersError) -> Settlement:
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
            },
            steps=steps.unwritten(),
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


def _evidence(collected: Collected) -> tuple[EvidenceRecord, ...]:
    """Render the findings and gaps of the sources as rows of evidence."""
    findings = (
        EvidenceRecord(
            evidence_type=finding.source,
            data={"label": finding.label, "read_at": finding.read_at.isoformat(), **finding.data},
            source_url=finding.url,
        )
        for finding in collected.findings
    )
    gaps = (
        EvidenceRecord(
            evidence_type="gap",
            data={
                "source": gap.source,
                "label": gap.label,
                "reason": gap.reason.value,
                "sentence": gap.sentence,
            },
            source_url=None,
        )
        for gap in collected.gaps
    )
    return (*findings, *gaps)
