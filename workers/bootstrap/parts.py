"""A worker and what it is made of, opened and closed by one stack."""

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

import httpx
import structlog
from supabase import AsyncClient

from shared.findings import Collected
from workers import outbound
from workers.ai_scheduler.launch import Autopilot
from workers.backend.announcements import open_announcer
from workers.backend.client import open_client
from workers.backend.decisions import SupabaseDecisions
from workers.backend.deliveries import SupabaseDeliveries
from workers.backend.finance_history import SupabaseFinanceHistory
from workers.backend.inspection import SupabaseInspection
from workers.backend.journal import SupabaseJournal
from workers.backend.maintenance import SupabaseMaintenance
from workers.backend.periodic_leases import SupabasePeriodicLeases
from workers.backend.plan import SupabasePlan
from workers.backend.reader import SupabaseReader
from workers.backend.report_inputs import choose_reads
from workers.backend.runs import SupabaseRunStore
from workers.backend.site_log import SupabaseSiteLog
from workers.backend.wakeups import RealtimeWakeups
from workers.bootstrap.schema_check import await_schema_state, refuse_older_schema
from workers.bootstrap.tracing import open_traces
from workers.executive_run.execute import ExecutiveRun
from workers.finance.revenue import RevenueService
from workers.finance.stripe import StripeReader
from workers.gateway.chat import ChatGateway
from workers.notifications.channels import open_channels
from workers.notifications.delivery import Notifier
from workers.notifications.webpush import PushSender, open_push_http
from workers.platform_monitor.probe import SiteProbe
from workers.platform_monitor.watch import SiteWatch
from workers.ports import UNOBSERVED, Clock, Collect, Observer, Source, Subject
from workers.runtime.periodic import PeriodicTask, look_at_plan, purge_in_batches
from workers.runtime.worker import Worker
from workers.settings import DatabaseSourceSettings, NotificationSettings, Settings, WorkerSettings
from workers.sources import collect_all
from workers.sources.agents_work import AgentsWorkSource
from workers.sources.audience import AudienceSource
from workers.sources.commercial import CommercialSource
from workers.sources.contacts import ContactsSource
from workers.sources.database import CatalogueSource, OpenMattersSource, RunHistorySource
from workers.sources.decisions import DecisionsSource
from workers.sources.firecrawl import FirecrawlSource
from workers.sources.github import GithubSource
from workers.sources.github_actions import GithubActionsSource
from workers.sources.github_alerts import GithubAlertsSource
from workers.sources.github_api import GithubApi
from workers.sources.perplexity import PerplexitySource
from workers.sources.personal_data import PersonalDataSource
from workers.sources.platforms import PlatformsSource
from workers.sources.stripe import StripeSource

log = structlog.get_logger(__name__)

# A lease ends before the same worker, whose periods are jittered, asks for the next one.
_LEASE_SHARE: Final = 0.8
# A model with a shutdown date is gone on that day, and a new list may name it again.
_MODELS_EVERY: Final = timedelta(hours=6)
_PUSH_TRIGGERS_EVERY: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class Parts:
    """A worker in pieces, to build more on."""

    clock: Clock
    client: AsyncClient
    store: SupabaseRunStore
    gateway: ChatGateway
    wakeups: RealtimeWakeups
    autopilot: Autopilot
    worker: Worker
    revenue: RevenueService
    watch: SiteWatch
    notifier: Notifier


@asynccontextmanager
async def open_parts(settings: Settings, clock: Clock, observer: Observer = UNOBSERVED) -> AsyncIterator[Parts]:
    """Open everything a worker needs. Raises: ConfigurationError."""
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
    async with open_traces(settings.traces, worker_id), AsyncExitStack() as stack:
        enter = stack.enter_async_context
        client = await enter(open_client(settings.supabase, observer=observer))
        refuse_older_schema(await await_schema_state(SupabaseInspection(client), clock))
        http = await enter(outbound.open_http())
        posting = await enter(outbound.open_http(outbound.open_post_transport(max_connections=None)))
        look_every = settings.worker.sweep_every
        announcer = await enter(open_announcer(settings.supabase, client, clock=clock, look_every=look_every))
        reads = choose_reads(settings.database)
        store = SupabaseRunStore(client, worker_id=worker_id, settings=settings.worker, clock=clock, reads=reads)
        journal = SupabaseJournal(client)
        gateway = ChatGateway(posting, settings.gateway, clock=clock, journal=journal, observer=observer)
        wakeups = RealtimeWakeups(settings.supabase, settings.realtime, worker_id=worker_id, clock=clock)
        revenue = _open_revenue(settings, client, http, clock)
        watch = _open_watch(settings, client, http, clock)
        collect = _open_collection(settings, client, http, posting, revenue, clock, observer)
        autopilot = _open_autopilot(settings, client, gateway, clock, observer)
        leases = SupabasePeriodicLeases(client, worker_id=worker_id)
        notifier = await enter(open_notifier(settings.notifications, client, worker_id, clock, observer))
        worker = Worker(
            store=store,
            execute=ExecutiveRun(
                store=store,
                collect=collect,
                gateway=gateway,
                clock=clock,
                settings=settings.worker,
                is_awaited=lambda run_id: worker.waiters.is_awaited(run_id),  # noqa: PLW0108 - it is made below
            ),
            wakeups=wakeups,
            announcer=announcer,
            clock=clock,
            settings=settings.worker,
            worker_id=worker_id,
            periodic_tasks=[
                look_at_plan(SupabasePlan(client), every=settings.worker.plan_every),
                _purge(settings.worker, journal, clock),
                PeriodicTask("autopilot", settings.autopilot.every, autopilot.tick),
                PeriodicTask("models", _MODELS_EVERY, gateway.look_up_models, at_start=True),
                *_leased_tasks(settings, leases, revenue, watch, notifier, SupabaseMaintenance(client)),
            ],
            observer=observer,
            read_traceparents=store.read_traceparents,
        )
        yield Parts(clock, client, store, gateway, wakeups, autopilot, worker, revenue, watch, notifier)


def _purge(settings: WorkerSettings, journal: SupabaseJournal, clock: Clock) -> PeriodicTask:
    return purge_in_batches(journal.purge, every=settings.purge_every, pause=settings.sweep_every, clock=clock)


def _open_autopilot(
    settings: Settings, client: AsyncClient, gateway: ChatGateway, clock: Clock, observer: Observer
) -> Autopilot:
    return Autopilot(
        decisions=SupabaseDecisions(client, clock=clock),
        gateway=gateway,
        clock=clock,
        settings=settings.autopilot,
        observer=observer,
    )


def _open_revenue(settings: Settings, client: AsyncClient, http: httpx.AsyncClient, clock: Clock) -> RevenueService:
    accounts = StripeReader(http, settings.stripe, clock=clock)
    return RevenueService(accounts, SupabaseFinanceHistory(client), settings.stripe, clock=clock)


def _open_watch(settings: Settings, client: AsyncClient, http: httpx.AsyncClient, clock: Clock) -> SiteWatch:
    sites = {key: str(url) for key, url in settings.platforms.urls.items()}
    return SiteWatch(SiteProbe(http, sites, clock=clock), SupabaseSiteLog(client), clock=clock)


def _open_collection(
    settings: Settings,
    client: AsyncClient,
    http: httpx.AsyncClient,
    posting: httpx.AsyncClient,
    revenue: RevenueService,
    clock: Clock,
    observer: Observer,
) -> Collect:
    """Return the function that asks the sources named by a run type."""
    reader = SupabaseReader(client)
    github = GithubApi(http, settings.github, clock=clock)
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
        *_open_tables(settings.database, clock),
    )

    async def collect(subject: Subject) -> Collected:
        collected = await collect_all(
            sources,
            subject,
            names_wanted=subject.run_type.sources,
            timeout=settings.worker.source_timeout,
            clock=clock,
        )
        observer.note_gaps(collected.gaps)
        return collected

    return collect


def _open_tables(settings: DatabaseSourceSettings, clock: Clock) -> tuple[Source, ...]:
    """Return the sources whose data come with the run."""
    return (
        AgentsWorkSource(allowed=settings.agents_work, clock=clock),
        AudienceSource(allowed=settings.audience, clock=clock),
        CommercialSource(allowed=settings.commercial, clock=clock),
        ContactsSource(allowed=settings.contacts, clock=clock),
        DecisionsSource(allowed=settings.decisions, with_titles=settings.decision_titles, clock=clock),
        PersonalDataSource(allowed=settings.personal_data, clock=clock),
    )


@asynccontextmanager
async def open_notifier(
    settings: NotificationSettings,
    client: AsyncClient,
    worker_id: str,
    clock: Clock,
    observer: Observer = UNOBSERVED,
) -> AsyncIterator[Notifier]:
    """Open what sends messages beyond the screens; an address that cannot be read is logged by its position."""
    channels, unreadable = open_channels(settings.urls, page=None if settings.page is None else str(settings.page))
    for position in unreadable:
        log.warning("channel.unreadable", setting="NOTIFY_URLS", position=position)
    deliveries = SupabaseDeliveries(client, worker_id=worker_id, clock=clock)
    async with open_push_http() as http:
        push = None if settings.vapid_key is None else PushSender(http, settings, clock=clock)
        yield Notifier(deliveries, channels, push, clock=clock, look_every=settings.every, observer=observer)


def _leased_tasks(
    settings: Settings,
    leases: SupabasePeriodicLeases,
    revenue: RevenueService,
    watch: SiteWatch,
    notifier: Notifier,
    maintenance: SupabaseMaintenance,
) -> list[PeriodicTask]:
    """Return the tasks that only one worker at a time does periodically: the one that gets the task's lease."""

    def leased(name: str, every: timedelta, do: Callable[[], Awaitable[None]]) -> PeriodicTask:
        async def do_with_lease() -> None:
            if await leases.take(name, every * _LEASE_SHARE):
                await do()

        return PeriodicTask(name, every, do_with_lease)

    tasks = [
        leased("platform-checks", settings.platforms.check_every, watch.patrol),
        leased("push-triggers", _PUSH_TRIGGERS_EVERY, maintenance.look),
    ]
    if notifier.is_configured:
        tasks.append(leased("notifications", settings.notifications.every, notifier.deliver))
    if revenue.configured:
        every = settings.stripe.read_every
        within = max(every / 4, settings.stripe.timeout)  # nobody waits for it: never less than where a caller does
        tasks.append(leased("finance-reading", every, lambda: revenue.keep_history(within)))
    return tasks
