"""Structured logs on stdout: JSON, or readable lines on a terminal; no secret ever gets through."""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import structlog

from shared.untrusted_text import strip_controls
from workers.settings import LogSettings

# E-mail addresses, tokens, keys of vendors, bearer headers, passwords in URLs. Anybody may choose what is read here
# (a path, an error's text), so time is proportional to length: no character is tried again from every start before it.
_SECRETS: Final = re.compile(
    r"""
    (?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+
    | eyJ[\w-]{8,}+(?:\.[\w-]++){0,2}                   # JWT, or its beginning
    | \b(?:sb_(?:secret|publishable)|sk|pk|rk|ghp|gho|ghs|github_pat|pplx|fc|whsec)[-_][\w-]{8,}
    | (?<=[Bb]earer\s)[\w.~+/=-]{8,}
    | (?<=://)[^\s/@]++(?=@)                            # user:password@, token@
    """,
    re.VERBOSE,
)
_SECRET_KEYS: Final = re.compile(
    r"(?i)(password|secret|token|authorization|api[-_]?key|service(_role)?_?key|cookie)s?$"
)
_ALLOWED_KEYS: Final = frozenset({"lease_token"})
REDACTED: Final = "[redacted]"
_SHORTEST_VALUE: Final = 8  # a shorter one would tear holes in ordinary words
_values: Final[list[str]] = []


def never_show(secrets: Iterable[str]) -> None:
    """Redact these values from now on, wherever they occur and whatever their shape; they replace earlier ones."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= _SHORTEST_VALUE
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe=""))
    }
    _values[:] = sorted(forms, key=len, reverse=True)  # one may be the beginning of another


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
    """Return the fields without secrets: neither what looks like one, nor what has a secret's name."""
    return {str(key): _redact_entry(str(key), entry) for key, entry in fields.items()}


def redact_text(text: str) -> str:
    """Return the text with everything that is, or looks like, a secret replaced."""
    for value in _values:
        text = text.replace(value, REDACTED)
    return _SECRETS.sub(REDACTED, text)


@lru_cache(maxsize=256)
def _is_secret(key: str) -> bool:
    return key not in _ALLOWED_KEYS and _SECRET_KEYS.search(key) is not None


def _redact_entry(key: str, value: object) -> object:
    if _is_secret(key) and not isinstance(value, bool | int | float | None):
        return REDACTED
    return redact(value)


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    return redact_fields(event)


def _strip_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401
    return {key: _strip(value) for key, value in event.items()}


def _strip(value: object) -> object:
    if isinstance(value, str):
        return strip_controls(value)
    if isinstance(value, dict):
        return {key: _strip(entry) for key, entry in value.items()}
    return [_strip(entry) for entry in value] if isinstance(value, list) else value


def configure_logs(settings: LogSettings) -> None:
    """Configure structlog and the standard library's logging for this process."""
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
        _strip_event,
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
    # Libraries log through the standard library: only their warnings, in the same shape.
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # What it logs at error level, our watchdog logs once and better.
    logging.getLogger("realtime").setLevel(logging.CRITICAL)
