"""Composition root: settings → a worker, everything opened and closed by one stack."""

import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

import structlog
from starlette.types import ASGIApp
from supabase import AsyncClient

from shared.backoff import draw_delay
from shared.errors import BackendRejected, BackendUnavailable, ConfigurationError
from shared.findings import Collected
from workers import outbound
from workers.ai_scheduler.contract import SchedulerRequest
from workers.ai_scheduler.endpoint import AiSchedulerEndpoint, ScheduledRunsEndpoint
from workers.ai_scheduler.launch import Autopilot
from workers.backend.announcements import open_announcer
from workers.backend.client import open_client
from workers.backend.decisions import SupabaseDecisions
from workers.backend.identity import SupabaseIdentity, open_auth
from workers.backend.inspection import SchemaState, SupabaseInspection
from workers.backend.journal import SupabaseJournal
from workers.backend.plan import SupabasePlan
from workers.backend.reader import SupabaseReader
from workers.backend.runs import SupabaseRunStore
from workers.backend.wakeups import RealtimeWakeups
from workers.backend.watching import SupabaseFinanceHistory, SupabasePeriodicLeases, SupabaseSiteLog
from workers.clock import SystemClock
from workers.executive_run.contract import ExecutiveRunRequest
from workers.executive_run.endpoint import ExecutiveRunEndpoint
from workers.executive_run.execute import ExecutiveRun
from workers.finance.revenue import RevenueService
from workers.finance.stripe import StripeReader
from workers.gateway.chat import ChatGateway
from workers.platform_monitor.contract import PlatformMonitorRequest
from workers.platform_monitor.endpoint import PlatformMonitorEndpoint
from workers.platform_monitor.probe import SiteProbe
from workers.platform_monitor.watch import SiteWatch
from workers.ports import Clock, Identity, Source, Subject
from workers.runtime.launcher import RunLauncher
from workers.runtime.periodic import PeriodicTask, look_at_plan, purge_in_batches
from workers.runtime.worker import Worker
from workers.schema.migrations import read_files
from workers.settings import Settings
from workers.sources import collect_all
from workers.sources.database import CatalogueSource, OpenMattersSource, RunHistorySource
from workers.sources.firecrawl import FirecrawlSource
from workers.sources.github import GithubSource
from workers.sources.github_actions import GithubActionsSource
from workers.sources.github_alerts import GithubAlertsSource
from workers.sources.github_api import GithubApi
from workers.sources.perplexity import PerplexitySource
from workers.sources.platforms import PlatformsSource
from workers.sources.stripe import StripeSource
from workers.stripe_kpis.endpoint import StripeKpisEndpoint
from workers.web.app import Route, build_app
from workers.web.health import ApiStatusEndpoint, HealthEndpoint
from workers.web.openapi import describe

log = structlog.get_logger(__name__)

_RETRY_BASE: Final = timedelta(seconds=1)
_RETRY_CAP: Final = timedelta(seconds=5)
# A turn is over before the same worker, whose looks are jittered, asks for the next one.
_TURN: Final = 0.8


@dataclass(frozen=True)
class _Parts:
    """A worker in pieces, for whoever builds more on them."""

    clock: Clock
    client: AsyncClient
    store: SupabaseRunStore
    gateway: ChatGateway
    wakeups: RealtimeWakeups
    autopilot: Autopilot
    worker: Worker
    revenue: RevenueService
    watch: SiteWatch


@dataclass(frozen=True)
class Service:
    """A worker with its HTTP face."""

    app: ASGIApp
    functions: tuple[str, ...]
    worker: Worker
    launcher: RunLauncher


@asynccontextmanager
async def open_worker(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Worker]:
    """Open everything a worker needs; wait for Supabase as long as it is away.

    Raises: ConfigurationError when Supabase refuses the key, or the database lacks what this version needs.
    """
    async with _open_parts(settings, clock or SystemClock()) as parts:
        yield parts.worker


@asynccontextmanager
async def open_service(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Service]:
    """Open a worker and the HTTP face through which the screens reach it. Raises: as ``open_worker``."""
    async with (
        _open_parts(settings, clock or SystemClock()) as parts,
        open_auth(settings.supabase, clock=parts.clock) as auth,
    ):
        identity = SupabaseIdentity(auth, parts.client, clock=parts.clock)
        launcher = RunLauncher(parts.worker, parts.store, clock=parts.clock, wait=settings.http.wait)
        routes = _routes(settings, parts, identity, launcher)
        app = build_app(routes, origins=settings.http.origins, clock=parts.clock, document=describe(routes))
        functions = tuple(route.name for route in routes)
        yield Service(app=app, functions=functions, worker=parts.worker, launcher=launcher)


def _routes(settings: Settings, parts: _Parts, identity: Identity, launcher: RunLauncher) -> list[Route]:
    """Say what answers where."""
    present = {
        "github": settings.github.token is not None,
        "stripe": settings.stripe.key is not None,
        "perplexity": settings.perplexity.key is not None,
        "lovable_ai": settings.gateway.api_key is not None,
        "firecrawl": settings.firecrawl.key is not None,
    }
    health = HealthEndpoint(
        read_queue=SupabaseInspection(parts.client).read_queue,
        wakeups=parts.wakeups,
        gateway=parts.gateway,
        clock=parts.clock,
    )
    plan = SupabasePlan(parts.client)
    return [
        Route(
            "executive-run",
            ExecutiveRunEndpoint(identity=identity, launcher=launcher, journal=SupabaseJournal(parts.client)),
            takes=ExecutiveRunRequest,
            statuses=(200, 202),
        ),
        Route(
            "ai-scheduler",
            AiSchedulerEndpoint(
                identity=identity,
                launcher=launcher,
                database=plan,
                clock=parts.clock,
                autopilot=parts.autopilot,
                wait=settings.autopilot.wait,
            ),
            takes=SchedulerRequest,
            statuses=(200, 202),
        ),
        Route(
            "scheduled-runs",
            ScheduledRunsEndpoint(
                identity=identity,
                launcher=launcher,
                database=plan,
                clock=parts.clock,
                secret=settings.http.cron_secret,
            ),
            takes=SchedulerRequest,
            headers=("X-Cron-Secret",),
            statuses=(200, 202),
        ),
        Route("stripe-kpis", StripeKpisEndpoint(identity=identity, revenue=parts.revenue)),
        Route(
            "platform-monitor",
            PlatformMonitorEndpoint(identity=identity, watch=parts.watch, clock=parts.clock),
            takes=PlatformMonitorRequest,
        ),
        Route("check-api-status", ApiStatusEndpoint(identity=identity, present=present, clock=parts.clock)),
        Route("healthz", health, method="GET", public=True, statuses=(200, 503)),
    ]


@asynccontextmanager
async def _open_parts(settings: Settings, clock: Clock) -> AsyncIterator[_Parts]:
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(settings.supabase))
        _refuse_older_schema(await _await_schema_state(SupabaseInspection(client), clock))
        http = await stack.enter_async_context(outbound.open_http())
        posting = outbound.open_http(outbound.open_post_transport(max_connections=None))
        await stack.enter_async_context(posting)
        store = SupabaseRunStore(client, worker_id=worker_id, settings=settings.worker, clock=clock)
        gateway = ChatGateway(posting, settings.gateway, clock=clock)
        wakeups = RealtimeWakeups(settings.supabase, settings.realtime, worker_id=worker_id, clock=clock)
        reader = SupabaseReader(client)
        github = GithubApi(http, settings.github, clock=clock)
        announcer = await stack.enter_async_context(
            open_announcer(settings.supabase, client, clock=clock, look_every=settings.worker.sweep_every)
        )
        accounts = StripeReader(http, settings.stripe, clock=clock)
        revenue = RevenueService(accounts, SupabaseFinanceHistory(client), settings.stripe, clock=clock)
        sites = {key: str(url) for key, url in settings.platforms.urls.items()}
        watch = SiteWatch(SiteProbe(http, sites, clock=clock), SupabaseSiteLog(client), clock=clock)
        sources: tuple[Source, ...] = (
            PlatformsSource(clock=clock),
            GithubSource(github, clock=clock),
            GithubActionsSource(github, clock=clock),
            GithubAlertsSource(github, clock=clock),
            PerplexitySource(posting, settings.perplexity, eur_per_usd=settings.gateway.eur_per_usd, clock=clock),
            FirecrawlSource(posting, settings.firecrawl, clock=clock),
            CatalogueSource(reader, allowed=settings.database.audit_catalogue, clock=clock),
            RunHistorySource(reader, clock=clock),
            OpenMattersSource(reader, clock=clock),
            StripeSource(revenue),
        )

        async def collect(subject: Subject) -> Collected:
            return await collect_all(
                sources,
                subject,
                names_wanted=subject.run_type.sources,
                timeout=settings.worker.source_timeout,
                clock=clock,
            )

        autopilot = Autopilot(
            decisions=SupabaseDecisions(client, clock=clock), gateway=gateway, clock=clock, settings=settings.autopilot
        )
        worker = Worker(
            store=store,
            execute=ExecutiveRun(store=store, collect=collect, gateway=gateway, clock=clock, settings=settings.worker),
            wakeups=wakeups,
            announcer=announcer,
            clock=clock,
            settings=settings.worker,
            worker_id=worker_id,
            periodic_tasks=[
                look_at_plan(SupabasePlan(client), every=settings.worker.plan_every),
                purge_in_batches(SupabaseJournal(client).purge, pause=settings.worker.sweep_every, clock=clock),
                PeriodicTask("autopilot", settings.autopilot.every, autopilot.tick),
                *_leased_tasks(settings, SupabasePeriodicLeases(client, worker_id=worker_id), revenue, watch),
            ],
        )
        yield _Parts(clock, client, store, gateway, wakeups, autopilot, worker, revenue, watch)


def _leased_tasks(
    settings: Settings, turns: SupabasePeriodicLeases, revenue: RevenueService, watch: SiteWatch
) -> list[PeriodicTask]:
    """Say what one worker of all does every so often; the others ask, and find it done."""

    def in_turn(name: str, every: timedelta, do: Callable[[], Awaitable[None]]) -> PeriodicTask:
        async def take() -> None:
            if await turns.take(name, every * _TURN):
                await do()

        return PeriodicTask(name, every, take)

    periodic_tasks = [in_turn("platform-checks", settings.platforms.check_every, watch.patrol)]
    if revenue.configured:
        every = settings.stripe.read_every
        periodic_tasks.append(in_turn("finance-reading", every, lambda: revenue.keep_history(every / 4)))
    return periodic_tasks


async def _await_schema_state(inspection: SupabaseInspection, clock: Clock) -> SchemaState:
    """Ask until Supabase answers: a machine that starts during an outage must not need somebody to start it again."""
    rng = random.Random()  # noqa: S311 - jitter, not a secret
    failures = 0
    while True:
        try:
            return await inspection.read_schema()
        except BackendRejected as error:
            raise ConfigurationError(str(error)) from error
        except BackendUnavailable as error:
            log.warning("backend.failed", call="get_hq_schema_state", error_code=error.code, error_message=str(error))
        failures += 1
        await clock.sleep(draw_delay(failures, base=_RETRY_BASE, cap=_RETRY_CAP, rng=rng))


def _refuse_older_schema(state: SchemaState) -> None:
    differing = find_differences(state)
    if differing:
        log.warning("schema.differs", names=differing, remedy="emocare migrate")


def find_differences(state: SchemaState) -> list[str]:
    """Return the names of what is defined otherwise in the database than here.

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
