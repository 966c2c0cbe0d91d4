"""The command doctor: everything that must be right before a run can be, one line each."""

from datetime import UTC, datetime
from typing import Annotated, Final

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from shared.errors import BackendError, WorkersError
from shared.registry import REGISTRY_VERSION, RUN_TYPES
from workers import outbound, schema
from workers.backend.client import ask_auth, open_client
from workers.backend.inspection import SchemaState, SupabaseInspection
from workers.backend.wakeups import try_realtime
from workers.bootstrap import find_differences
from workers.cli.context import AsJson, EnvFile, database_url_from, print_json, run_async, settings_from
from workers.cli.terminal import MARKS, console
from workers.clock import SystemClock
from workers.gateway.chat import ChatGateway
from workers.notifications.channels import open_channels
from workers.ports import Check, CheckState
from workers.settings import GatewaySettings, NotificationSettings, Settings, SupabaseSettings, without_user

_SKEW_SECONDS: Final = 5
_PRIVATE_ONLY: Final = (
    "this project admits private channels only: switch on « Allow public access » in its Realtime settings, or runs "
    "start 4 s late and open pages receive no announcement"
)


def doctor(
    as_json: AsJson = False,
    models: Annotated[
        bool, typer.Option("--models", help="Also ask each model for one token; this costs a fraction of a cent.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Check settings, reachability, schema, grants, workers, publication, cron jobs, clock (exit 1 on a red line)."""
    settings = settings_from(env_file)
    checks = [
        _examine_database_url(database_url_from(env_file)),
        *run_async(_examine(settings)),
        *run_async(_examine_models(settings.gateway, ask=models)),
    ]
    if as_json:
        print_json([check.model_dump(mode="json") for check in checks])
    else:
        table = Table(box=None, show_header=False, padding=(0, 1))
        for check in checks:
            table.add_row(Text(*MARKS[check.state]), check.name, check.detail)
        console.print(table)
    if any(check.state == "red" for check in checks):
        raise typer.Exit(1)


def _check(name: str, state: CheckState, detail: str) -> Check:
    return Check(code=name.replace(" ", "_"), name=name, state=state, detail=detail)


async def _examine(settings: Settings) -> list[Check]:
    checks = list(_examine_settings(settings))
    address = without_user(settings.supabase.url)
    async with open_client(settings.supabase) as client:
        inspection = SupabaseInspection(client)
        try:
            state = await inspection.read_schema()
        except BackendError as error:
            return [*checks, _check("supabase", "red", f"{address}: {error}")]
        checks.append(_check("supabase", "green", f"{address} answers"))
        checks.append(await _examine_auth(settings.supabase))
        checks.append(_examine_schema(state))
        checks.append(_examine_clock(state.server_time))
        checks.append(await _examine_realtime(settings))
        try:
            checks += await inspection.check_backend(REGISTRY_VERSION, len(RUN_TYPES))
        except BackendError as error:
            checks.append(_check("database", "red", str(error)))
    return checks


def _examine_settings(settings: Settings) -> list[Check]:
    checks = [
        _examine_key("LOVABLE_API_KEY", settings.gateway.api_key, if_absent="red", why="no report can be written"),
        _examine_key("GITHUB_TOKEN", settings.github.token, if_absent="amber", why="reports name GitHub as missing"),
        _examine_key(
            "STRIPE_SECRET_KEY", settings.stripe.key, if_absent="amber", why="no earnings, on screens or in reports"
        ),
        _examine_key(
            "PERPLEXITY_API_KEY",
            settings.perplexity.key,
            if_absent="amber",
            why="reports name the web search as missing",
        ),
        _examine_key(
            "FIRECRAWL_API_KEY", settings.firecrawl.key, if_absent="amber", why="reports name web pages as missing"
        ),
    ]
    return [
        *checks,
        _check("LLM_BASE_URL", "green", without_user(settings.gateway.base_url)),
        _examine_channels(settings.notifications),
        _examine_key(
            "VAPID_PRIVATE_KEY", settings.notifications.vapid_key, if_absent="amber", why="no device is notified"
        ),
    ]


def _examine_channels(settings: NotificationSettings) -> Check:
    """Read the channels' addresses; whether they answer is what ``emocare notify --test`` tries."""
    channels, unreadable = open_channels(settings.urls, page=None)
    if not settings.urls:
        return _check("NOTIFY_URLS", "amber", "absent: personne n'est prévenu hors des écrans")
    if unreadable:
        places = ", ".join(map(str, unreadable))
        return _check("NOTIFY_URLS", "red", f"not in the form of Apprise: address {places} of {len(settings.urls)}")
    labels = ", ".join(channel.name.label for channel in channels)
    return _check("NOTIFY_URLS", "green", f"{labels}; emocare notify --test tries them")


def _examine_database_url(url: str | None) -> Check:
    name = "DATABASE_URL"
    if url is None:
        detail = f"absent; only emocare migrate needs it: {schema.RIGHT_URLS}"
        return _check(name, "green", detail)
    try:
        parts = conninfo_to_dict(url)
        host, port = str(parts.get("host") or "localhost"), int(str(parts.get("port") or 5432).split(",")[0])
    except (psycopg.ProgrammingError, ValueError):  # they would quote what they cannot read, password included
        return _check(name, "red", f"cannot be read; emocare migrate needs {schema.RIGHT_URLS}")
    if schema.is_transaction_pooler(host, port):
        detail = f"{host}:{port} is the transaction pooler; emocare migrate needs {schema.RIGHT_URLS}"
        return _check(name, "amber", detail)
    return _check(name, "green", f"{host}:{port}, for emocare migrate")


def _examine_key(name: str, key: SecretStr | None, *, if_absent: CheckState, why: str) -> Check:
    return _check(name, "green", "present") if key else _check(name, if_absent, f"absent: {why}")


async def _examine_models(settings: GatewaySettings, *, ask: bool) -> list[Check]:
    """Compare the models of the settings with the gateway's list; ask each for one token if requested."""
    if settings.api_key is None:
        return []
    async with outbound.open_http(outbound.open_post_transport(max_connections=None)) as http:
        gateway = ChatGateway(http, settings, clock=SystemClock())
        listed = await gateway.look_up_models()
        faults = dict.fromkeys(gateway.retired_models(), "the gateway no longer has it")
        if ask:
            faults |= await gateway.try_models()
    if not faults and (listed or ask):
        detail = "each of the settings answers" if ask else "the gateway lists those of the settings"
        return [_check("models", "green", detail)]
    if not faults:
        detail = "the gateway gives no list of its models; emocare doctor --models asks each of them"
        return [_check("models", "amber", detail)]
    advice = "the next one of its list writes instead; take it out of LLM_MODELS_…"
    return [
        Check(code="models", name=f"model {model}", state="amber", detail=f"{fault}: {advice}")
        for model, fault in faults.items()
    ]


async def _examine_auth(settings: SupabaseSettings) -> Check:
    try:
        await ask_auth(settings)
    except BackendError as error:
        return _check("auth", "red", f"callers cannot be identified: {error}")
    return _check("auth", "green", "answers")


async def _examine_realtime(settings: Settings) -> Check:
    """Subscribe once as a worker does."""
    fault = await try_realtime(settings.supabase, settings.realtime, clock=SystemClock())
    if fault is None:
        return _check("realtime", "green", "a subscription to hq.runs is confirmed")
    meaning = _PRIVATE_ONLY if fault.code == "PrivateOnly" else "runs start 4 s late"
    return _check("realtime", "amber", f"{fault.reason}: {meaning}")


def _examine_schema(state: SchemaState) -> Check:
    try:
        differing = find_differences(state)
    except WorkersError as error:
        return _check("our schema", "red", str(error))
    if differing:
        detail = f"{', '.join(differing)}: defined differently from this version; run emocare migrate"
        return _check("our schema", "amber", detail)
    return _check("our schema", "green", f"{len(state.migrations)} migrations, all there")


def _examine_clock(server_time: datetime) -> Check:
    skew = abs((datetime.now(UTC) - server_time).total_seconds())
    state: CheckState = "green" if skew < _SKEW_SECONDS else "amber"
    return _check("clock", state, f"{skew:.1f} s from the database's")
