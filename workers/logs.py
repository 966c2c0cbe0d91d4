"""Structured logs on stdout: JSON, or readable lines on a terminal; nothing secret ever passes."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog

from workers.settings import LogSettings

# Keys of vendors, tokens, bearer headers, passwords in URLs, e-mail addresses.
_SECRETS: Final = re.compile(
    r"""
    eyJ[\w-]{8,}\.[\w-]+\.[\w-]*                        # JWT
    | \b(?:sb_(?:secret|publishable)|sk|pk|rk|ghp|gho|ghs|github_pat|pplx|fc|whsec)[-_][\w-]{8,}
    | (?<=[Bb]earer\s)[\w.~+/=-]{8,}
    | (?<=://)[^\s/:@]+:[^\s/@]+(?=@)                   # user:password@
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+
    """,
    re.VERBOSE,
)
_SECRET_KEYS: Final = re.compile(
    r"(?i)(password|secret|token|authorization|api[-_]?key|service(_role)?_?key|cookie)s?$"
)
_ALLOWED_KEYS: Final = frozenset({"lease_token"})
REDACTED: Final = "[redacted]"


def redact(value: object) -> object:
    """Return the value with everything that looks like a secret replaced, at any depth."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return redact_fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))  # whatever prints it would do the same, unredacted


def redact_fields(fields: Mapping[Any, object]) -> dict[str, object]:
    """Return the fields without secrets: neither what looks like one, nor what stands under the name of one."""
    return {str(key): _redact_entry(str(key), entry) for key, entry in fields.items()}


def redact_text(text: str) -> str:
    """Return the text with everything that looks like a secret replaced."""
    return _SECRETS.sub(REDACTED, text)


def _redact_entry(key: str, value: object) -> object:
    secret = _SECRET_KEYS.search(key) and key not in _ALLOWED_KEYS
    if secret and not isinstance(value, bool | int | float | None):
        return REDACTED
    return redact(value)


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    return redact_fields(event)


def configure_logs(settings: LogSettings) -> None:
    """Configure structlog and the standard library's logging for this process."""
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    # Libraries speak through the standard library: their warnings only, in the same shape.
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # What it says at error level, our watchdog says once and better.
    logging.getLogger("realtime").setLevel(logging.CRITICAL)
