"""Spans of what a run went through, for whoever collects traces; without a collector, nothing is made of them.

A span is opened with ``with span(…):`` where the work is done. Its name and its attributes are closed sets, so that no
prompt, no person and no secret can get into one; an error leaves its code or its class, never its text.
The packages of OpenTelemetry are imported only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set (``exporting.py``).
"""

import re
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol, TypedDict, Unpack
from uuid import UUID

SpanName = Literal["http", "request", "claim", "step", "source", "model", "call", "settle"]
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Attributes(TypedDict, total=False):
    """Everything that a span may say."""

    function: str
    method: str
    status: int
    run_id: str
    run_type: str
    attempt: int
    lease_token: int
    trigger: str
    step: str
    source: str
    gaps: int
    host: str
    model: str
    tokens_in: int
    tokens_out: int
    end: str


class Span(Protocol):
    """A span that is open."""

    @property
    def trace_id(self) -> str:
        """Return the id of its trace, in hexadecimal; empty where there is none."""

    def note(self, **attributes: Unpack[Attributes]) -> None:
        """Add what is known by now; a status that is an error marks the span as failed."""

    def fail(self, fault: str) -> None:
        """Mark it as failed, by a code; the first one stays."""


class Tracer(Protocol):
    """Opens spans."""

    def open(
        self, name: SpanName, *, parent: str | None, run: UUID | None, attributes: Attributes
    ) -> AbstractContextManager[Span]:
        """Open a span under its parent: the one that is given, else the one around it unless a run is named."""

    def current_traceparent(self) -> str | None:
        """Return the span around the caller, as W3C Trace Context writes it."""


class _NoSpan:
    trace_id = ""

    def note(self, **attributes: Unpack[Attributes]) -> None: ...

    def fail(self, fault: str) -> None: ...


NOTHING: Final[Span] = _NoSpan()
NO_SPAN: Final[AbstractContextManager[Span]] = nullcontext(NOTHING)
"""The span of what is not traced."""

_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Trace with this tracer from now on; None: not at all."""
    global _tracer  # noqa: PLW0603 - as with logs, where a span is opened nobody knows who collects it
    _tracer = tracer


def is_on() -> bool:
    """Return whether somebody collects traces."""
    return _tracer is not None


def span(
    name: SpanName, *, parent: str | None = None, run: UUID | None = None, **attributes: Unpack[Attributes]
) -> AbstractContextManager[Span]:
    """Open a span until the end of the ``with``: below ``parent``, else as the root of the trace of ``run``, else here.

    ``parent`` is a traceparent, which may come from anybody: one that is not valid is ignored.
    """
    if _tracer is None:
        return NO_SPAN
    return _tracer.open(name, parent=read_traceparent(parent), run=run, attributes=attributes)


def current_traceparent() -> str | None:
    """Return the traceparent of the span around the caller; None where there is none."""
    return None if _tracer is None else _tracer.current_traceparent()


def describe_trace() -> dict[str, str]:
    """Return the field ``trace_id`` of what is written inside a trace; no field outside of one."""
    traceparent = current_traceparent()
    return {} if traceparent is None else {"trace_id": traceparent.split("-")[1]}


def read_traceparent(given: str | None) -> str | None:
    """Return a traceparent if it is one of W3C Trace Context, version 00; anything else is None."""
    return given if given is not None and _TRACEPARENT.fullmatch(given) else None
