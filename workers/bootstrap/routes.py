"""What answers where: every route of the HTTP API with its endpoint."""

from functools import partial

from workers.ai_scheduler.contract import SchedulerRequest
from workers.ai_scheduler.endpoint import AiSchedulerEndpoint, ScheduledRunsEndpoint
from workers.backend.inspection import SupabaseInspection
from workers.backend.journal import SupabaseJournal
from workers.backend.maintenance import SupabaseMaintenance
from workers.backend.plan import SupabasePlan
from workers.bootstrap.parts import Parts
from workers.executive_run.contract import ExecutiveRunRequest
from workers.executive_run.endpoint import ExecutiveRunEndpoint
from workers.maintenance.endpoint import (
    Answer,
    CronEndpoint,
    check_budget,
    check_push_triggers,
    retry_dead_letters,
)
from workers.notifications.contract import PushRequest
from workers.notifications.endpoint import PushEndpoint, PushKeyEndpoint
from workers.platform_monitor.contract import PlatformMonitorRequest
from workers.platform_monitor.endpoint import PlatformMonitorEndpoint
from workers.ports import Identity
from workers.runtime.launcher import RunLauncher
from workers.settings import Settings
from workers.stripe_kpis.endpoint import StripeKpisEndpoint
from workers.web import answers
from workers.web.app import Route
from workers.web.health import ApiStatusEndpoint, HealthEndpoint


def build_routes(settings: Settings, parts: Parts, identity: Identity, launcher: RunLauncher) -> list[Route]:
    """Return every route of the HTTP API, in the order of the documentation."""
    return [
        *_run_routes(settings, parts, identity, launcher),
        Route("stripe-kpis", StripeKpisEndpoint(identity=identity, revenue=parts.revenue)),
        Route(
            "platform-monitor",
            PlatformMonitorEndpoint(identity=identity, watch=parts.watch, clock=parts.clock),
            takes=PlatformMonitorRequest,
        ),
        Route(
            "check-api-status",
            ApiStatusEndpoint(identity=identity, present=_find_keys(settings), clock=parts.clock),
        ),
        Route("send-push-notification", PushKeyEndpoint(parts.notifier), method="GET", signed_in=False),
        Route("send-push-notification", PushEndpoint(identity=identity, notifier=parts.notifier), takes=PushRequest),
        *_cron_routes(settings, parts, identity),
        Route("healthz", _open_health(parts), method="GET", public=True, statuses=(200, 503)),
        Route(
            "answers",
            answers.AnswersEndpoint(identity=identity, launcher=launcher),
            takes=answers.ArrivedAnswer,
            prefix=answers.PREFIX,
        ),
    ]


def _cron_routes(settings: Settings, parts: Parts, identity: Identity) -> list[Route]:
    """Return the routes of the former cron functions."""
    maintenance = SupabaseMaintenance(parts.client)

    def route(name: str, answer: Answer) -> Route:
        endpoint = CronEndpoint(answer, identity=identity, secret=settings.http.cron_secret)
        return Route(name, endpoint, headers=("X-Cron-Secret",))

    return [
        route("retry-dlq-runs", retry_dead_letters),
        route("check-ai-budget", partial(check_budget, maintenance)),
        route("check-push-triggers", partial(check_push_triggers, maintenance)),
    ]


def _run_routes(settings: Settings, parts: Parts, identity: Identity, launcher: RunLauncher) -> list[Route]:
    """Return the routes that launch runs."""
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
    ]


def _find_keys(settings: Settings) -> dict[str, bool]:
    """Return which services have their key set, by the names that the settings page shows."""
    return {
        "github": settings.github.token is not None,
        "stripe": settings.stripe.key is not None,
        "perplexity": settings.perplexity.key is not None,
        "lovable_ai": settings.gateway.api_key is not None,
        "firecrawl": settings.firecrawl.key is not None,
    }


def _open_health(parts: Parts) -> HealthEndpoint:
    return HealthEndpoint(
        read_queue=SupabaseInspection(parts.client).read_queue,
        wakeups=parts.wakeups,
        gateway=parts.gateway,
        clock=parts.clock,
    )
