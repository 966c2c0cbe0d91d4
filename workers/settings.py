"""Environment → frozen models, validated once, before anything opens.

One model per concern; a field's alias is its environment variable. Only the command line reads the environment,
by calling ``read_settings``; everything else receives the model it needs.
"""

import base64
import math
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import ConfigurationError
from shared.language_models import CANDIDATES
from shared.registry import ModelTier

_DAY_SECONDS = 86_400
_VAPID_KEY_CHARS = 43
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SECRET_NAMES = frozenset({"pass", "password", "token", "key"})
_PLACEHOLDERS = ("localhost", "example", "example.com", "example.org", "example.net", "invalid", "test", "local")
_SHORTEST_KEY = 8

_OWN_SITES = {
    "emotionscare": HttpUrl("https://emotionscare.com"),
    "nearvity": HttpUrl("https://pixel-perfect-clone-6574.lovable.app"),
    "system-compass": HttpUrl("https://world-alignment.lovable.app"),
    "growth-copilot": HttpUrl("https://www.agent-growth-automator.com"),
    "med-mng": HttpUrl("https://medmng.com"),
    "swift-care-hub": HttpUrl("https://flow-pulse-assist.lovable.app"),
    "track-triumph-tavern": HttpUrl("https://track-triumph-tavern.lovable.app"),
}
# Where each platform is watched, which is not always where the public finds it.
PLATFORM_SITES = {
    "emotionscare": HttpUrl("https://emotionscare.lovable.app"),
    "nearvity": HttpUrl("https://pixel-perfect-clone-6574.lovable.app"),
    "system-compass": HttpUrl("https://system-compass.lovable.app"),
    "growth-copilot": HttpUrl("https://growth-copilot.lovable.app"),
    "med-mng": HttpUrl("https://med-mng.lovable.app"),
    "swift-care-hub": HttpUrl("https://flow-pulse-assist.lovable.app"),
    "track-triumph-tavern": HttpUrl("https://track-triumph-tavern.lovable.app"),
}

# The public pages of the site, as its own menu names them.
_ROUTES = (
    "/", "/a-propos", "/about", "/auth", "/blog", "/cgu", "/cgv", "/confidentialite", "/contact", "/cookies", "/faq",
    "/hq", "/legal", "/mentions-legales", "/plateformes", "/platforms", "/pricing", "/privacy", "/status", "/statut",
    "/studio", "/tarifs", "/terms", "/trust", "/vision",
)  # fmt: skip


def _seconds(value: object) -> object:
    """Read a bare number as seconds, as every variable name here says."""
    if not isinstance(value, int | float | str):
        return value
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _DAY_SECONDS:
        raise ValueError("give seconds, more than 0 and at most a day")
    return timedelta(seconds=seconds)


def _key(value: SecretStr) -> SecretStr:
    """Take a key as it was pasted, with the line end that often comes along."""
    key = value.get_secret_value().strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("give the key alone, on one line")
    return SecretStr(key)


def _split(value: object) -> object:
    """Read values with commas, or line by line."""
    return [part.strip() for part in re.split(r"[,\n]", value) if part.strip()] if isinstance(value, str) else value


def _pair(value: object) -> object:
    """Read ``name=value`` with commas."""
    if not isinstance(value, str):
        return value
    pairs = [part.split("=", 1) for part in re.split(r"[,\n]", value) if part.strip()]
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004 - a name and a value
        raise ValueError("give platform=address, with commas")
    return {name.strip(): address.strip() for name, address in pairs}


def _watchable(sites: dict[str, HttpUrl]) -> dict[str, HttpUrl]:
    """Take HTTPS only, and this machine's own addresses, for a stack on a developer's machine."""
    if not sites:
        raise ValueError("give at least one site")
    for key, url in sites.items():
        if (url.scheme != "https" and url.host not in {"127.0.0.1", "localhost"}) or url.username or url.password:
            raise ValueError(f"{key}: give an https address without a password")
    return sites


Routes = Annotated[
    tuple[Annotated[str, Field(pattern=r"^/[\w/-]{0,100}$")], ...],
    Field(max_length=100),
    NoDecode,
    BeforeValidator(_split),
]


def _split_words(value: object) -> object:
    """Read values with spaces between them, or line by line: an address may hold a comma."""
    return value.split() if isinstance(value, str) else value


def _vapid_key(value: SecretStr) -> SecretStr:
    """Take a P-256 private key as 32 bytes in base64url, as `emocare vapid` prints it."""
    text = value.get_secret_value()
    if len(text) != _VAPID_KEY_CHARS or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("give the key that emocare vapid prints")
    if not 0 < int.from_bytes(base64.urlsafe_b64decode(f"{text}=")) < _P256_ORDER:
        raise ValueError("this is no private key of P-256: give the one that emocare vapid prints")
    return value


def _vapid_subject(value: str) -> str:
    """Take an address at which a push service finds a person: Apple refuses every message with a placeholder."""
    host = value.rpartition("@")[2] if value.startswith("mailto:") else (urlsplit(value).hostname or "")
    ends = tuple(f".{name}" for name in _PLACEHOLDERS)
    if not re.fullmatch(r"mailto:[^@\s]+@[\w.-]+\.\w+|https://[^\s/@]+\.\w+[^\s]*", value) or f".{host}".endswith(ends):
        raise ValueError("give mailto: with a real address, or an https address")
    return value


def _push_service(value: str) -> str:
    """Take a host of which every https address may be called, or one whole origin."""
    if not re.fullmatch(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+|https?://[a-z0-9.-]+(?::\d{1,5})?", value):
        raise ValueError("give hosts, such as push.example.org or *.example.org, or origins, such as https://host:8443")
    return value


Pages = Annotated[tuple[HttpUrl, ...], NoDecode, BeforeValidator(_split)]
Models = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[\w./:@-]{1,100}$")], ...],
    Field(min_length=1),
    NoDecode,
    BeforeValidator(_split),
]
Sites = Annotated[dict[str, HttpUrl], NoDecode, BeforeValidator(_pair)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
WatchedSites = Annotated[dict[str, HttpUrl], NoDecode, BeforeValidator(_pair), AfterValidator(_watchable)]
Key = Annotated[SecretStr, AfterValidator(_key)]
VapidKey = Annotated[SecretStr, AfterValidator(_key), AfterValidator(_vapid_key)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_words)]
PushServices = Annotated[tuple[Annotated[str, AfterValidator(_push_service)], ...], NoDecode, BeforeValidator(_split)]


class _Block(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True, case_sensitive=True
    )


class SupabaseSettings(_Block):
    """Where the database's API is, and the key that opens it."""

    url: HttpUrl = Field(alias="SUPABASE_URL", description="Project URL, e.g. https://abc.supabase.co")
    service_key: Key = Field(alias="SUPABASE_SERVICE_ROLE_KEY", description="Service key: legacy JWT or sb_secret_…")
    timeout: Seconds = Field(timedelta(seconds=10), alias="SUPABASE_TIMEOUT_SECONDS", description="Per call.")


class WorkerSettings(_Block):
    """How one worker process works."""

    concurrency: int = Field(8, ge=1, le=1000, alias="WORKER_CONCURRENCY", description="Runs at once.")
    lease: Seconds = Field(
        timedelta(seconds=30),
        alias="LEASE_SECONDS",
        description="A run silent for longer is given to another worker.",
    )
    renew_every: Seconds = Field(
        timedelta(seconds=10), alias="LEASE_RENEW_SECONDS", description="Heartbeat, all runs in one call."
    )
    cancel_poll: Seconds = Field(
        timedelta(seconds=1.5),
        alias="CANCEL_POLL_SECONDS",
        description="Heartbeat while Realtime is down, so that a cancellation is still noticed within 2 s.",
    )
    sweep_every: Seconds = Field(
        timedelta(seconds=3.5),
        alias="SWEEP_SECONDS",
        description="Look for work without a hint, jittered.",
    )
    plan_every: Seconds = Field(
        timedelta(seconds=30),
        alias="PLAN_SECONDS",
        description="Look at the plan, as a net for pg_cron, which does so every minute.",
    )
    purge_every: Seconds = Field(
        timedelta(hours=1),
        alias="PURGE_SECONDS",
        description="Ask whether pg_cron has purged old logs, and do so in its place where it has not for a day.",
    )
    run_timeout: Seconds = Field(
        timedelta(minutes=10), alias="RUN_TIMEOUT_SECONDS", description="A run may not take longer than this."
    )
    source_timeout: Seconds = Field(
        timedelta(seconds=20), alias="SOURCE_TIMEOUT_SECONDS", description="Deadline of each source."
    )
    grace: Seconds = Field(
        timedelta(seconds=25),
        alias="SHUTDOWN_GRACE_SECONDS",
        description="On SIGTERM, how long running work may take to finish before it is handed back.",
    )
    retry_base: Seconds = Field(
        timedelta(seconds=15), alias="RETRY_BASE_SECONDS", description="First delay between two attempts."
    )
    retry_cap: Seconds = Field(
        timedelta(minutes=15), alias="RETRY_CAP_SECONDS", description="Longest delay between two attempts."
    )

    @model_validator(mode="after")
    def _renew_in_time(self) -> Self:
        if 2 * self.renew_every > self.lease:
            raise ValueError("LEASE_RENEW_SECONDS must be at most half of LEASE_SECONDS")
        return self


class RealtimeSettings(_Block):
    """How the wake-up subscription is watched."""

    echo_every: Seconds = Field(
        timedelta(seconds=25),
        alias="REALTIME_ECHO_SECONDS",
        description="A broadcast to itself proves the socket.",
    )
    echoes_missed: int = Field(
        2, ge=1, alias="REALTIME_ECHOES_MISSED", description="Missing echoes before the client is rebuilt."
    )
    subscribe_timeout: Seconds = Field(
        timedelta(seconds=20),
        alias="REALTIME_SUBSCRIBE_SECONDS",
        description="From joining to the server's `system` ok; longer rebuilds the client.",
    )
    retry_base: Seconds = Field(
        timedelta(seconds=0.5),
        alias="REALTIME_RETRY_BASE_SECONDS",
        description="First delay before a rebuild.",
    )
    retry_cap: Seconds = Field(
        timedelta(seconds=4),
        alias="REALTIME_RETRY_CAP_SECONDS",
        description="Longest delay before a rebuild.",
    )


class GatewaySettings(_Block):
    """The model's service: any OpenAI-compatible endpoint."""

    base_url: HttpUrl = Field(HttpUrl("https://ai.gateway.lovable.dev/v1"), alias="LLM_BASE_URL")
    api_key: Key | None = Field(None, alias="LOVABLE_API_KEY", description="Key of the endpoint.")
    call_timeout: Seconds = Field(
        timedelta(seconds=120),
        alias="LLM_TIMEOUT_SECONDS",
        description="One call, from sending to the last byte.",
    )
    retry_budget: Seconds = Field(
        timedelta(seconds=60),
        alias="LLM_RETRY_BUDGET_SECONDS",
        description="Waiting that one question may cost in all; beyond it the run goes back to the queue.",
    )
    max_calls: int = Field(4, ge=1, alias="LLM_MAX_CALLS", description="Calls that one question may cost in all.")
    max_tokens: int = Field(
        3000, ge=1, alias="LLM_MAX_TOKENS", description="Room for the text; what a model thinks has its own."
    )
    models_default: Models = Field(
        CANDIDATES[ModelTier.DEFAULT],
        alias="LLM_MODELS_DEFAULT",
        description="Ids with commas, the preferred one first; likewise the next three.",
    )
    models_reasoning: Models = Field(CANDIDATES[ModelTier.REASONING], alias="LLM_MODELS_REASONING")
    models_summary: Models = Field(CANDIDATES[ModelTier.SUMMARY], alias="LLM_MODELS_SUMMARY")
    models_coding: Models = Field(CANDIDATES[ModelTier.CODING], alias="LLM_MODELS_CODING")
    eur_per_usd: float = Field(0.92, gt=0, alias="EUR_PER_USD", description="For costs that come in dollars.")
    breaker_failures: int = Field(3, ge=1, alias="LLM_BREAKER_FAILURES")
    breaker_window: Seconds = Field(timedelta(minutes=2), alias="LLM_BREAKER_WINDOW_SECONDS")
    breaker_open: Seconds = Field(timedelta(seconds=60), alias="LLM_BREAKER_OPEN_SECONDS")

    @property
    def models(self) -> dict[ModelTier, tuple[str, ...]]:
        """Return the candidates of each tier, the preferred one first."""
        return {
            ModelTier.DEFAULT: self.models_default,
            ModelTier.REASONING: self.models_reasoning,
            ModelTier.SUMMARY: self.models_summary,
            ModelTier.CODING: self.models_coding,
        }


class GithubSettings(_Block):
    """Read access to the managed repositories."""

    base_url: HttpUrl = Field(HttpUrl("https://api.github.com"), alias="GITHUB_API_URL")
    token: Key | None = Field(None, alias="GITHUB_TOKEN", description="Fine-grained, read only.")


class PerplexitySettings(_Block):
    """Searches of the web."""

    base_url: HttpUrl = Field(HttpUrl("https://api.perplexity.ai"), alias="PERPLEXITY_API_URL")
    key: Key | None = Field(None, alias="PERPLEXITY_API_KEY")
    model: str = Field("sonar-pro", alias="PERPLEXITY_MODEL")


class FirecrawlSettings(_Block):
    """Web pages that reports read."""

    base_url: HttpUrl = Field(
        HttpUrl("https://api.firecrawl.dev/v2"), alias="FIRECRAWL_API_URL", description="With its version: v1 or v2."
    )
    key: Key | None = Field(None, alias="FIRECRAWL_API_KEY")
    competitors: Pages = Field(
        (), alias="COMPETITOR_PAGES", description="Addresses with commas, for analyses of competitors."
    )
    tech_watch: Pages = Field((), alias="TECH_WATCH_PAGES", description="Addresses with commas, for technology watch.")
    own_sites: Sites = Field(
        _OWN_SITES, alias="OWN_SITES", description="platform=address with commas, for search-engine audits."
    )


class DatabaseSourceSettings(_Block):
    """What reports may say of the database itself."""

    audit_catalogue: bool = Field(
        default=True,
        alias="AUDIT_CATALOGUE",
        description="Whether security audits show the model the names of tables, policies and open functions.",
    )
    personal_data: bool = Field(
        default=True,
        alias="READ_PERSONAL_DATA",
        description="Whether RGPD reports are shown which tables hold personal data, by the names of their columns.",
    )
    commercial: bool = Field(
        default=True,
        alias="READ_COMMERCIAL",
        description="Whether reports count deals, opportunities and the business tables: never a name or a text.",
    )
    audience: bool = Field(
        default=True, alias="READ_AUDIENCE", description="Whether reports count the visits of the public site."
    )
    audience_routes: Routes = Field(
        _ROUTES, alias="AUDIENCE_ROUTES", description="The site's routes with commas; any other counts as other."
    )
    contacts: bool = Field(
        default=True, alias="READ_CONTACTS", description="Whether reports count the messages of the contact form."
    )
    decisions: bool = Field(
        default=True, alias="READ_DECISIONS", description="Whether reports count what the presidency decided."
    )
    decision_titles: bool = Field(
        default=False,
        alias="READ_DECISION_TITLES",
        description="Whether they are shown the titles of its journal's decisions, which people typed.",
    )
    agents_work: bool = Field(
        default=True, alias="READ_AGENTS_WORK", description="Whether reports count the runs of each agent."
    )


class StripeSettings(_Block):
    """The company's earnings."""

    base_url: HttpUrl = Field(HttpUrl("https://api.stripe.com"), alias="STRIPE_API_URL")
    key: Key | None = Field(None, alias="STRIPE_SECRET_KEY", description="Restricted, read only.")
    timeout: Seconds = Field(
        timedelta(seconds=15),
        alias="STRIPE_TIMEOUT_SECONDS",
        description="Reading all accounts while somebody waits; the reading for the history may take longer.",
    )
    fresh: Seconds = Field(
        timedelta(minutes=5),
        alias="STRIPE_FRESH_SECONDS",
        description="Figures this old are shown as they are.",
    )
    read_every: Seconds = Field(
        timedelta(hours=1),
        alias="STRIPE_READ_SECONDS",
        description="One worker reads the accounts so often, for the history.",
    )


class PlatformSettings(_Block):
    """The watch over the platforms' sites."""

    urls: WatchedSites = Field(
        PLATFORM_SITES, alias="PLATFORM_URLS", description="platform=address with commas, instead of these."
    )
    check_every: Seconds = Field(
        timedelta(minutes=5), alias="PLATFORM_CHECK_SECONDS", description="One worker looks at all sites so often."
    )


class HttpSettings(_Block):
    """The HTTP API (`emocare serve`)."""

    host: str = Field("0.0.0.0", alias="HTTP_HOST", description="Address to listen on.")  # noqa: S104 - in a container
    port: int = Field(8080, ge=0, le=65535, alias="PORT", description="Port to listen on; 0 takes a free one.")
    allowed_origin: str = Field("*", alias="ALLOWED_ORIGIN", description="Origins of pages, with commas; * is any.")
    wait: Seconds = Field(
        timedelta(seconds=50),
        alias="RUN_WAIT_SECONDS",
        description="An executive run that takes longer is answered 202 and goes on; below the relay's 60 s.",
    )
    cron_secret: Key | None = Field(
        None, alias="CRON_SECRET", description="Of X-Cron-Secret; without it nobody can trigger jobs by HTTP."
    )

    @property
    def origins(self) -> frozenset[str]:
        """Return the allowed origins, one by one."""
        return frozenset(origin.strip().rstrip("/") for origin in self.allowed_origin.split(",") if origin.strip())


class AutopilotSettings(_Block):
    """The autopilot, where the presidency has switched it on."""

    every: Seconds = Field(
        timedelta(minutes=5),
        alias="AUTOPILOT_SECONDS",
        description="How often the workers look for something to add to the plan, all of them together.",
    )
    decision_timeout: Seconds = Field(
        timedelta(seconds=40),
        alias="AUTOPILOT_DECISION_SECONDS",
        description="What the model may take for one decision; then the rules alone decide.",
    )
    wait: Seconds = Field(
        timedelta(seconds=50),
        alias="AI_DECIDE_WAIT_SECONDS",
        description="How long the panel waits for a decision and the reports that it launched; they go on anyhow.",
    )


class NotificationSettings(_Block):
    """Messages that reach people who have no page open."""

    urls: Secrets = Field(
        (),
        alias="NOTIFY_URLS",
        description="Channels as Apprise writes them, with spaces, e.g. mailtos://user:password@host?to=president@host",
    )
    page: HttpUrl | None = Field(
        None, alias="HQ_PAGE_URL", description="Where the HQ's page is; messages then link to what they are about."
    )
    every: Seconds = Field(
        timedelta(seconds=5),
        alias="NOTIFY_SECONDS",
        description="How often the workers look for messages to send, all of them together.",
    )
    vapid_key: VapidKey | None = Field(
        None, alias="VAPID_PRIVATE_KEY", description="Of Web Push, printed by emocare vapid; devices subscribe to it."
    )
    vapid_subject: Annotated[str, AfterValidator(_vapid_subject)] | None = Field(
        None, alias="VAPID_SUBJECT", description="Whom a push service may write to, e.g. mailto:somebody@host"
    )
    push_services: PushServices = Field(
        (), alias="PUSH_SERVICES", description="Push services besides the browsers' own, hosts or origins with commas."
    )

    @model_validator(mode="after")
    def _with_subject(self) -> Self:
        if (self.vapid_key is None) != (self.vapid_subject is None):
            raise ValueError("VAPID_PRIVATE_KEY and VAPID_SUBJECT go together")
        return self


class MetricsSettings(_Block):
    """What Prometheus scrapes: GET /metrics, on a port of its own, which nobody outside should reach."""

    port: int | None = Field(
        None, ge=0, le=65535, alias="METRICS_PORT", description="Without it, nothing is counted; 0 takes a free one."
    )
    host: str = Field(
        "127.0.0.1", alias="METRICS_HOST", description="Address to listen on; Fly.io scrapes 0.0.0.0, privately."
    )


class TracesSettings(_Block):
    """Where spans are sent, by OTLP over HTTP; the names are those of OpenTelemetry."""

    endpoint: HttpUrl | None = Field(
        None,
        alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Address of a collector, without /v1/traces. Without it, nothing is traced.",
    )
    headers: SecretStr | None = Field(
        None,
        alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="What the collector asks for: name=value, with commas.",
    )
    service_name: str = Field("emocare-hq-workers", alias="OTEL_SERVICE_NAME", min_length=1, max_length=100)
    send_every: Seconds = Field(
        timedelta(seconds=2),
        alias="TRACES_SEND_SECONDS",
        description="Between two batches; what was not sent yet is lost with a process that is killed.",
    )

    @model_validator(mode="after")
    def _check_endpoint(self) -> Self:
        if self.endpoint is not None and (self.endpoint.path or "").rstrip("/").endswith("/v1/traces"):
            raise ValueError("OTEL_EXPORTER_OTLP_ENDPOINT: leave out /v1/traces, which is added to it")
        return self

    @model_validator(mode="after")
    def _check_headers(self) -> Self:
        if any(not name or not value for name, value in self.read_headers().items()):
            raise ValueError("OTEL_EXPORTER_OTLP_HEADERS: not name=value, with commas")
        return self

    def read_headers(self) -> dict[str, str]:
        """Return the headers by their names."""
        given = "" if self.headers is None else self.headers.get_secret_value()
        pairs = (pair.partition("=") for pair in given.split(",") if pair.strip())
        return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


class LogSettings(_Block):
    """What is printed on stdout."""

    level: str = Field("info", alias="LOG_LEVEL", pattern="^(debug|info|warning|error)$")
    format: str = Field("auto", alias="LOG_FORMAT", pattern="^(auto|json|console)$")


class Settings(BaseModel):
    """Everything a worker process needs."""

    model_config = ConfigDict(frozen=True)

    supabase: SupabaseSettings
    worker: WorkerSettings
    realtime: RealtimeSettings
    gateway: GatewaySettings
    github: GithubSettings
    perplexity: PerplexitySettings
    firecrawl: FirecrawlSettings
    database: DatabaseSourceSettings
    stripe: StripeSettings
    platforms: PlatformSettings
    http: HttpSettings
    autopilot: AutopilotSettings
    notifications: NotificationSettings
    metrics: MetricsSettings
    traces: TracesSettings
    logs: LogSettings

    @property
    def secrets(self) -> frozenset[str]:
        """Return the value of every key, for whoever must keep them out of what is written."""
        values = [value for _, block in self for _, value in block]
        keys = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
        passwords = (spell_password(value.password) for value in values if isinstance(value, HttpUrl))
        channels = (spell_channel(url.get_secret_value()) for url in self.notifications.urls)
        return frozenset(keys).union(*passwords, *channels, self.traces.read_headers().values())


def spell_channel(url: str) -> frozenset[str]:
    """Return what may be secret in a channel's address: all of it, its passwords, each part that looks like a key."""
    rest = url.partition("://")[2]
    user = re.split(r"[/?#]", rest)[0].rpartition("@")[0]
    keys = {part for part in re.split(r"[/?&=:@;,+]", rest) if len(part) >= _SHORTEST_KEY and re.search(r"\d", part)}
    fields = (field.partition("=") for field in rest.partition("?")[2].split("&"))
    passwords = [value for name, _, value in fields if name.lower() in _SECRET_NAMES]
    return frozenset({url} | keys | {unquote(key) for key in keys}).union(
        *map(spell_password, [user.partition(":")[2], *passwords])
    )


def spell_password(password: str | None) -> frozenset[str]:
    """Return the forms of an address's password: as it stands in the address, and decoded."""
    return frozenset({password, unquote(password)}) if password else frozenset()


def without_user(url: HttpUrl) -> str:
    """Write an address without the user, the password and the query that may be in it."""
    return str(HttpUrl.build(scheme=url.scheme, host=url.host or "", port=url.port, path=(url.path or "").lstrip("/")))


def read_settings(env_file: Path | None = None) -> Settings:
    """Read the environment, and below it a file of ``NAME=value`` lines.

    Raises: ConfigurationError naming every variable that is missing or wrong, and never its value.
    """
    blocks = {name: field.annotation for name, field in Settings.model_fields.items()}
    faults: list[str] = []
    read: dict[str, _Block] = {}
    for name, block in blocks.items():
        try:
            read[name] = block(_env_file=env_file)  # type: ignore[misc]
        except ValidationError as error:
            faults += _describe_faults(error)
    if faults:
        raise ConfigurationError(
            f"Settings: {'; '.join(faults)}. They come from the environment, or from the file that --env-file or "
            "EMOCARE_ENV_FILE names (else .env); `emocare env` explains each."
        )
    return Settings.model_validate(read)


# Where pydantic speaks of its parser instead of what to write.
_FAULTS = {
    "missing": "missing",
    "url_parsing": "not an address: write it whole, as in https://host",
    "url_scheme": "not an address that begins with http:// or https://",
}


def _describe_faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_input=False):
        message = _FAULTS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
        yield ": ".join((*map(str, fault["loc"]), message))


def render_env_example() -> str:
    """Render every variable with its default and what it is for; what must be given comes without a comment sign."""
    lines = ["# Every variable of the workers. Written by `emocare env`; a default is shown as it is."]
    for block in (field.annotation for field in Settings.model_fields.values()):
        assert block is not None
        lines += ["", f"# ── {(block.__doc__ or '').splitlines()[0]}"]
        for field in block.model_fields.values():
            sign = "" if field.is_required() else "# "
            lines += [f"# {field.description}"] if field.description else []
            lines.append(f"{sign}{field.alias}={_show_default(field.default)}")
    return "\n".join([*lines, ""])


def _show_default(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    if isinstance(value, dict):
        return ",".join(f"{name}={entry}" for name, entry in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None or value is PydanticUndefined else str(value)
