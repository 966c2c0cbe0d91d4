"""The stand-in of an OpenAI-compatible gateway: ``/openai/v1/chat/completions`` and ``/openai/v1/models``.

It answers whatever model is asked; the list of models is what a gateway of November 2026 resells.
"""

import hashlib
import time
from typing import Any

from devstack.vendors.decision import is_decision, write_decision
from devstack.vendors.report import write_report
from devstack.vendors.spoiled import spoil
from devstack.vendors.stage import Request, Response, Step

LIST_PATH = "/v1/models"
"""Scripted and recorded by itself, as ``openai-models``: a list is no question."""

_CHARS_PER_TOKEN = 4
_MODELS = (
    "google/gemini-3.8-flash",
    "google/gemini-3.7-flash",
    "google/gemini-3.6-flash",
    "google/gemini-3.5-flash-lite",
    "google/gemini-3.1-pro-preview",
    "google/gemini-3.1-flash-lite",
    "google/gemini-3-flash-preview",
    "google/gemini-2.5-pro",
    "google/gemini-2.5-flash",
    "openai/gpt-6-astra",
    "openai/gpt-5.6-terra",
    "openai/gpt-5.2",
)
_DOLLARS_PER_TOKEN = {"in": 1.25e-6, "out": 10e-6}
_ERRORS = {
    400: ("invalid_request_error", "bad_request", "The request is malformed."),
    401: ("invalid_request_error", "invalid_api_key", "No valid API key was given."),
    402: ("insufficient_quota", "payment_required", "No credit is left."),
    404: ("invalid_request_error", "not_found", "There is no such route."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Too many requests."),
}


def answer(request: Request, step: Step) -> Response:
    """Answer a request as the gateway would."""
    if request.path not in {"/v1/chat/completions", LIST_PATH}:
        return error(404)
    if not request.authorized:
        return error(401)
    if request.path == LIST_PATH:
        return Response(200, {"object": "list", "data": [{"id": model, "object": "model"} for model in _MODELS]})
    question = request.body if isinstance(request.body, dict) else {}
    messages = question.get("messages")
    if not request.model or not isinstance(messages, list) or not messages:
        return error(400)
    return Response(200, _complete(request.model, messages, step))


def error(status: int) -> Response:
    """Say no in the gateway's words."""
    usual = ("server_error", "upstream_failure", "The provider failed.")
    kind, code, message = _ERRORS.get(status, usual)
    return Response(status, {"error": {"message": message, "type": kind, "code": code}})


def _complete(model: str, messages: list[Any], step: Step) -> dict[str, Any]:
    spoken = {role: _join(messages, role) for role in ("system", "user")}
    text = _write(spoken["system"], spoken["user"]) if step.content is None else step.content
    if step.spoil is not None:
        text = spoil(text, step.spoil, spoken["user"])
    if step.empty:
        text = ""
    tokens_in = sum(map(len, spoken.values())) // _CHARS_PER_TOKEN
    thoughts = 256 if "-pro" in model else 0
    tokens_out = len(text) // _CHARS_PER_TOKEN + thoughts
    cost = tokens_in * _DOLLARS_PER_TOKEN["in"] + tokens_out * _DOLLARS_PER_TOKEN["out"]
    return {
        "id": f"chatcmpl-{hashlib.sha256(spoken['user'].encode()).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": step.finish_reason or "stop",
            }
        ],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": thoughts},
            "cost": round(cost, 6),
        },
    }


def _write(system: str, user: str) -> str:
    return write_decision(user) if is_decision(system) else write_report(system, user)


def _join(messages: list[Any], role: str) -> str:
    spoken = (m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == role)
    return "\n\n".join(content for content in spoken if isinstance(content, str))
