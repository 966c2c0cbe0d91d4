"""The HTTP API: routes, CORS, a request id, size limits, and every error as a status with a French sentence."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import structlog
from pydantic import BaseModel, JsonValue
from starlette import requests, responses, routing
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BackendUnavailable, BodyTooLarge, UnknownRoute, WorkersError, WrongMethod
from workers import traces
from workers.ports import Clock
from workers.web.exchange import Endpoint, Request, Response, render_error

log = structlog.get_logger(__name__)

PREFIX: Final = "/functions/v1"
BODY_BYTES: Final = 256 * 1024
RELAY_CONFIRMS: Final = "x-relay-confirms"
"""By this header the relay promises to confirm that an answer about failed runs arrived."""
UNCONFIRMED_RUNS: Final = "x-unconfirmed-runs"
"""The failed runs of an answer that is to be confirmed."""
_LOGGED_CHARS: Final = 200  # of a path, which may be anything

# What supabase-js sends or may send, and what the relay forwards.
_ALLOWED_HEADERS: Final = (
    "authorization, x-client-info, apikey, content-type, idempotency-key, x-request-id, "
    "x-supabase-client-platform, x-supabase-client-platform-version, "
    "x-supabase-client-runtime, x-supabase-client-runtime-version, "
    "x-region, x-retry-count, traceparent, tracestate, baggage"
)
_REQUEST_ID: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)


@dataclass(frozen=True)
class Route:
    """One function: its name below the prefix, its method, its endpoint; and what it takes, for the documentation."""

    name: str
    endpoint: Endpoint
    method: str = "POST"
    public: bool = False  # any page may read it, whatever the allowed origins
    signed_in: bool = True  # its caller proves who they are; nobody has to where it is public
    takes: type[BaseModel] | None = None  # the fields of its body
    headers: tuple[str, ...] = ()  # that it reads besides the usual ones
    statuses: tuple[int, ...] = (200,)  # with an answer; all others come with an error
    prefix: str = PREFIX

    @property
    def path(self) -> str:
        """Return its full path."""
        return f"{self.prefix}/{self.name}"


def build_app(
    routes: Sequence[Route],
    *,
    origins: frozenset[str],
    clock: Clock,
    document: Mapping[str, JsonValue] | None = None,
) -> ASGIApp:
    """Build the application; ``/openapi.json`` serves the document to anybody."""
    if document is not None:
        answer = Response(document)

        async def serve_document(request: Request) -> Response:
            del request
            return answer

        routes = [*routes, Route("openapi.json", serve_document, method="GET", public=True, prefix="")]
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)
    mounted = [routing.Route(path, _RouteApp(theirs)) for path, theirs in by_path.items()]
    public = frozenset(route.path for route in routes if route.public)
    app = Starlette(routes=mounted, exception_handlers={HTTPException: _answer_unrouted})
    app.router.redirect_slashes = False
    # Every quarter of a minute somebody reads how we are: that is not traced.
    traced = {route.path: route.name for route in routes if route.method == "POST"}
    return _Middleware(app, origins=origins, public=public, traced=traced, clock=clock)


class _RouteApp:
    """The routes of one path as an ASGI application: method, body, answer."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = {route.method: route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = requests.Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return  # in the middle of the request: there is nobody to answer
        await response(scope, receive, send)

    async def _answer(self, request: requests.Request) -> responses.Response:
        if request.method == "OPTIONS":
            return responses.Response()
        route = self._routes.get(request.method)
        if route is None:
            return _render(render_error(WrongMethod()), {"allow": ", ".join([*self._routes, "OPTIONS"])})
        try:
            body = await _read_body(request)
            answer = await route.endpoint(Request(headers=request.headers, body=body))
            return _render(answer, await _note_answer(request, answer))
        except WorkersError as error:
            log.info("http.refused", path=request.url.path, error_code=error.code, error_message=str(error))
            return _render(render_error(error))
        except ClientDisconnect:
            raise
        except asyncio.CancelledError:  # the server ends, and does so alone: whoever asked can ask the next one
            return _render(render_error(BackendUnavailable("This worker stopped before it could answer.")))
        except Exception:
            log.exception("http.crashed", path=request.url.path)
            return _render(render_error(WorkersError()))


async def _note_answer(request: requests.Request, answer: Response) -> dict[str, str]:
    """Note that the caller gets the answer, or leave that to the relay, which sees whether its own caller does."""
    if answer.on_answer is None or not answer.failed_runs:
        return {}
    if request.headers.get(RELAY_CONFIRMS):
        return {UNCONFIRMED_RUNS: ",".join(map(str, answer.failed_runs))}
    if not await request.is_disconnected():
        for run_id in answer.failed_runs:
            answer.on_answer(run_id)
    return {}


async def _read_body(request: requests.Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > BODY_BYTES:
        raise BodyTooLarge(f"The body declares {declared[:20]} bytes.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise BodyTooLarge(f"The body is over {BODY_BYTES} bytes.")
    return bytes(body)


def _render(response: Response, more: Mapping[str, str] | None = None) -> responses.Response:
    # A lone surrogate, which JSON may contain and UTF-8 may not, becomes a question mark.
    content = json.dumps(response.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    headers = {"cache-control": "no-store", **response.headers, **(more or {})}
    return responses.Response(content, response.status, headers, media_type="application/json")


async def _answer_unrouted(_: requests.Request, error: Exception) -> responses.Response:
    assert isinstance(error, HTTPException)
    return _render(render_error(UnknownRoute()))


class _Middleware:
    """Adds CORS headers and a request id to every answer, refusals included; and logs one line."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: frozenset[str],
        public: frozenset[str],
        traced: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._app = app
        self._traced = traced
        self._origins = origins
        self._public = public
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        cors = self._cors(scope["path"], headers.get("origin"))
        started = self._clock.monotonic()
        status = 0

        async def send_decorated(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                decorated = MutableHeaders(scope=message)
                decorated.update({"x-request-id": request_id} | cors)
            await send(message)

        with (
            self._open_span(scope, headers) as span,
            structlog.contextvars.bound_contextvars(request_id=request_id, **traces.describe_trace()),
        ):
            await self._app(scope, receive, send_decorated)
            span.note(status=status)
            log.info(
                "http.answered",
                method=scope["method"],
                path=scope["path"][:_LOGGED_CHARS],
                status=status,
                duration_ms=round((self._clock.monotonic() - started) * 1000),
            )
        return None

    def _open_span(self, scope: Scope, headers: Headers) -> AbstractContextManager[traces.Span]:
        function = self._traced.get(scope["path"])
        if function is None or scope["method"] != "POST":
            return traces.NO_SPAN
        return traces.span("http", parent=headers.get("traceparent"), method="POST", function=function)

    def _cors(self, path: str, origin: str | None) -> dict[str, str]:
        if path in self._public:
            return {
                "access-control-allow-origin": "*",
                "access-control-allow-headers": "content-type",
                "access-control-allow-methods": "GET, OPTIONS",
            }
        cors = {
            "access-control-allow-headers": _ALLOWED_HEADERS,
            "access-control-allow-methods": "GET, POST, OPTIONS",
            "access-control-expose-headers": "x-request-id, retry-after",
        }
        if "*" in self._origins:
            return cors | {"access-control-allow-origin": "*"}
        # A cache must not give one page another page's permission.
        cors["vary"] = "Origin"
        return cors | ({"access-control-allow-origin": origin} if origin in self._origins and origin else {})
