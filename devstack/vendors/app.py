"""The one server of all stand-ins: routes a call to its vendor, and misbehaves as scripted."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from devstack.vendors import firecrawl, github, openai, perplexity, sites, stripe
from devstack.vendors.stage import Call, Plan, Reply, Stage, Step

Handler = Callable[[Call, Step], Reply]
VENDORS: Mapping[str, tuple[Handler, Callable[[int], Reply]]] = {
    "openai": (openai.answer, openai.error),
    "github": (github.answer, github.error),
    "perplexity": (perplexity.answer, perplexity.error),
    "firecrawl": (firecrawl.answer, firecrawl.error),
    "stripe": (stripe.answer, stripe.error),
    "sites": (sites.answer, sites.error),
}
_SECRET_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})


class OpenProtocol(H11Protocol):
    """Uvicorn's HTTP, with the connection within the application's reach, so that it can be cut."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection where the application finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class CutResponse(Response):
    """Promises a whole body, sends half of it and hangs up; sends nothing at all when the body is empty."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if self.body:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            half = bytes(self.body)[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        scope["state"]["transport"].close()
        await _hung_up(receive)


def make_app(default_delay_ms: int = 0) -> Starlette:
    """Make the server's application."""
    stage = Stage(default_delay_ms)

    async def script(request: Request) -> Response:
        try:
            stage.follow(Plan.model_validate_json(await request.body()))
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 422)
        return Response(status_code=204)

    async def calls(request: Request) -> Response:
        query = request.query_params
        calls, aborted = int(query.get("calls", "0")), int(query.get("aborted", "0"))
        try:
            count, received = await stage.look(query["vendor"], calls=calls, aborted=aborted)
        except TimeoutError:
            return JSONResponse({"error": "that many calls did not come"}, 504)
        return JSONResponse({"count": count, "calls": [asdict(call) for call in received]})

    async def reset(_: Request) -> Response:
        stage.reset()
        return Response(status_code=204)

    async def perform(request: Request) -> Response:
        vendor = request.path_params["vendor"]
        if vendor not in VENDORS:
            return JSONResponse({"error": f"no vendor is called {vendor}"}, 404)
        return await _perform(stage, vendor, request)

    return Starlette(
        routes=[
            Route("/_health", lambda _: Response(status_code=204)),
            Route("/_script", script, methods=["POST"]),
            Route("/_calls", calls),
            Route("/_reset", reset, methods=["POST"]),
            Route("/{vendor}/{path:path}", perform, methods=["GET", "POST"]),
        ]
    )


async def _perform(stage: Stage, vendor: str, request: Request) -> Response:
    call = await _receive(request)
    await stage.record(vendor, call)
    step = stage.next_step(vendor, call)
    delay_ms = stage.default_delay_ms if step.delay_ms is None else step.delay_ms
    if delay_ms and await _waits_in_vain(request.receive, delay_ms / 1000):
        call.aborted = True
        await stage.announce()
        return Response(status_code=499)
    if step.close:
        return CutResponse()
    reply = _follow(step, vendor, call)
    call.status = reply.status
    content = b"" if reply.body is None else json.dumps(reply.body, ensure_ascii=False).encode()
    if step.malformed:
        content = content[: len(content) // 2]
    kind = CutResponse if step.cut else Response
    return kind(content, reply.status, reply.headers, media_type="application/json")


def _follow(step: Step, vendor: str, call: Call) -> Reply:
    """Make the reply: the vendor's usual one, where the step does not say otherwise."""
    answer, error = VENDORS[vendor]
    reply = answer(call, step) if step.status in {None, 200} else error(step.status or 500)
    if isinstance(reply.body, dict):
        reply.body |= step.merge
    if step.body is not None:
        reply.body = step.body
    return Reply(step.status or reply.status, reply.body, reply.headers | step.headers)


async def _receive(request: Request) -> Call:
    raw = await request.body()
    try:
        body: Any = json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode(errors="replace")
    bearer = request.headers.get("authorization", "")
    return Call(
        method=request.method,
        path="/" + request.path_params["path"],
        query=dict(request.query_params),
        headers={name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS},
        authorized=bearer.lower().startswith(("bearer ", "token ")) and len(bearer.split()) > 1,
        body=body,
    )


async def _waits_in_vain(receive: Receive, seconds: float) -> bool:
    """Wait; True when the caller hung up meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            await _hung_up(receive)
    except TimeoutError:
        return False
    return True


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
