"""The one server of all stand-ins: routes a request to its vendor, and misbehaves as scripted."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from starlette import requests, responses
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from devstack.vendors import firecrawl, github, hook, openai, perplexity, push, sites, stripe
from devstack.vendors.stage import Plan, Request, Response, Stage, Step

Handler = Callable[[Request, Step], Response]
VENDORS: Mapping[str, tuple[Handler, Callable[[int], Response]]] = {
    "openai": (openai.answer, openai.error),
    "github": (github.answer, github.error),
    "perplexity": (perplexity.answer, perplexity.error),
    "firecrawl": (firecrawl.answer, firecrawl.error),
    "stripe": (stripe.answer, stripe.error),
    "sites": (sites.answer, sites.error),
    "hook": (hook.answer, hook.error),
    "push": (push.answer, push.error),
}
_SECRET_HEADERS = frozenset({"authorization", "cookie", "x-api-key"})


class OpenProtocol(H11Protocol):
    """Uvicorn's HTTP, with the connection within the application's reach, so that it can be cut."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the connection where the application finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class CutResponse(responses.Response):
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

    async def script(incoming: requests.Request) -> responses.Response:
        try:
            stage.follow(Plan.model_validate_json(await incoming.body()))
        except ValidationError as error:
            return responses.JSONResponse({"error": str(error)}, 422)
        return responses.Response(status_code=204)

    async def calls(incoming: requests.Request) -> responses.Response:
        query = incoming.query_params
        calls, aborted = int(query.get("calls", "0")), int(query.get("aborted", "0"))
        try:
            count, received = await stage.look(query["vendor"], calls=calls, aborted=aborted)
        except TimeoutError:
            return responses.JSONResponse({"error": "that many calls did not come"}, 504)
        return responses.JSONResponse({"count": count, "calls": [asdict(request) for request in received]})

    async def reset(_: requests.Request) -> responses.Response:
        stage.reset()
        return responses.Response(status_code=204)

    async def perform(incoming: requests.Request) -> responses.Response:
        vendor = incoming.path_params["vendor"]
        if vendor not in VENDORS:
            return responses.JSONResponse({"error": f"no vendor is called {vendor}"}, 404)
        return await _perform(stage, vendor, incoming)

    return Starlette(
        routes=[
            Route("/_health", lambda _: responses.Response(status_code=204)),
            Route("/_script", script, methods=["POST"]),
            Route("/_calls", calls),
            Route("/_reset", reset, methods=["POST"]),
            Route("/{vendor}/{path:path}", perform, methods=["GET", "POST"]),
        ]
    )


async def _perform(stage: Stage, vendor: str, incoming: requests.Request) -> responses.Response:
    request = await _receive(incoming)
    part = f"{vendor}-models" if (vendor, request.path) == ("openai", openai.LIST_PATH) else vendor
    await stage.record(part, request)
    step = stage.next_step(part, request)
    delay_ms = stage.default_delay_ms if step.delay_ms is None else step.delay_ms
    if delay_ms and await _waits_in_vain(incoming.receive, delay_ms / 1000):
        request.aborted = True
        await stage.announce()
        return responses.Response(status_code=499)
    if step.close:
        return CutResponse()
    response = _follow(step, vendor, request)
    request.status = response.status
    content = b"" if response.body is None else json.dumps(response.body, ensure_ascii=False).encode()
    if step.malformed:
        content = content[: len(content) // 2]
    kind = CutResponse if step.cut else responses.Response
    return kind(content, response.status, response.headers, media_type="application/json")


def _follow(step: Step, vendor: str, request: Request) -> Response:
    """Make the response: the vendor's usual one, where the step does not say otherwise."""
    answer, error = VENDORS[vendor]
    response = answer(request, step) if step.status in {None, 200} else error(step.status or 500)
    if isinstance(response.body, dict):
        response.body |= step.merge
    if step.body is not None:
        response.body = step.body
    return Response(step.status or response.status, response.body, response.headers | step.headers)


async def _receive(incoming: requests.Request) -> Request:
    raw = await incoming.body()
    is_encrypted = incoming.headers.get("content-encoding") == "aes128gcm"
    try:
        body: Any = base64.b64encode(raw).decode() if is_encrypted else json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode(errors="replace")
    bearer = incoming.headers.get("authorization", "")
    # A VAPID token is good for one service and half a day, and what it says is what is checked.
    kept = {"authorization": bearer} if bearer.startswith("vapid ") else {}
    return Request(
        method=incoming.method,
        path="/" + incoming.path_params["path"],
        query=dict(incoming.query_params),
        headers=kept | {name: value for name, value in incoming.headers.items() if name not in _SECRET_HEADERS},
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
