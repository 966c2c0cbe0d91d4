"""The stand-in of Perplexity: ``/perplexity/chat/completions``, with its citations and what the search cost."""

import time
import zlib
from typing import Any

from devstack.vendors.stage import Request, Response, Step

_CHARS_PER_TOKEN = 4
_DOLLARS_PER_TOKEN = {"in": 3e-6, "out": 15e-6}
_DOLLARS_PER_REQUEST = 0.006
_ERRORS = {
    400: ("bad_request", "The request is malformed."),
    401: ("authentication_error", "Invalid API key, or no credit is left."),
    402: ("payment_required", "No credit is left."),
    429: ("rate_limit", "Request rate limit exceeded."),
}


def answer(request: Request, step: Step) -> Response:
    """Answer a request as Perplexity would."""
    if request.path != "/chat/completions":
        return error(404)
    if not request.authorized:
        return error(401)
    question = request.body if isinstance(request.body, dict) else {}
    messages = question.get("messages")
    if not request.model or not isinstance(messages, list) or not messages:
        return error(400)
    return Response(200, _complete(request.model, str(messages[-1]["content"]), str(messages), step))


def error(status: int) -> Response:
    """Say no in Perplexity's words."""
    kind, message = _ERRORS.get(status, ("internal_error", "Something failed."))
    return Response(status, {"error": {"message": message, "type": kind, "code": status}})


def _complete(model: str, query: str, spoken: str, step: Step) -> dict[str, Any]:
    mark = zlib.crc32(query.encode()) % 1_000
    results: list[dict[str, Any]] = [
        {
            "title": f"Étude {mark} du secteur",
            "url": f"https://veille.example/etudes/{mark}",
            "date": "2026-11-12",
        },
        {"title": "Communiqué", "url": f"https://presse.example/{mark}", "date": None},
    ]
    text = step.content
    if text is None:
        text = f"Repère {mark} : le marché suivi progresse de {mark % 17} % sur un an [1]. Un acteur a publié [2]."
    tokens_in, tokens_out = len(spoken) // _CHARS_PER_TOKEN, len(text) // _CHARS_PER_TOKEN
    costs = {
        "input_tokens_cost": tokens_in * _DOLLARS_PER_TOKEN["in"],
        "output_tokens_cost": tokens_out * _DOLLARS_PER_TOKEN["out"],
        "request_cost": _DOLLARS_PER_REQUEST,
    }
    return {
        "id": f"search-{mark}",
        "model": model,
        "created": int(time.time()),
        "object": "chat.completion",
        "citations": [result["url"] for result in results],
        "search_results": results,
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
            "search_context_size": "low",
            "cost": {**costs, "total_cost": round(sum(costs.values()), 6)},
        },
        "choices": [
            {
                "index": 0,
                "finish_reason": step.finish_reason or "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
    }
