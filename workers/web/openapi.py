"""The routes as an OpenAPI document: generated from them, so that the two cannot drift apart."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from workers.version import read_version
from workers.web.app import BODY_BYTES, Route

_ERROR: Final[dict[str, JsonValue]] = {
    "type": "object",
    "description": "Whatever went wrong: a French sentence for the reader, a code for programs.",
    "required": ["success", "error", "error_code"],
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "minLength": 1},
        "error_code": {"type": "string", "pattern": "^[a-z_]+$"},
        "retryAfter": {"type": "integer", "minimum": 1, "description": "Seconds, as in Retry-After."},
        "run_id": {"type": "string", "format": "uuid"},
        "run_type": {"type": "string"},
    },
}
_REFERENCE: Final = "#/components/schemas/{model}"
# What every call may carry: see `app` for the id, `request_hq_run_v2` for the key.
_USUAL_HEADERS: Final = ("Idempotency-Key", "X-Request-Id")


def describe(routes: Sequence[Route]) -> dict[str, JsonValue]:
    """Describe the routes: one operation each, its body described by the model that reads it."""
    models = {route.takes for route in routes if route.takes is not None}
    _, bodies = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EMOCARE HQ workers",
            "version": read_version(),
            "description": f"Bodies are JSON objects of at most {BODY_BYTES // 1024} KiB; no body is an empty one.",
        },
        "paths": _describe_paths(routes),
        "components": {
            "schemas": {"Error": _ERROR, **bodies["$defs"]},
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _describe_paths(routes: Sequence[Route]) -> dict[str, JsonValue]:
    paths: dict[str, dict[str, JsonValue]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe(route)
    return {path: dict(operations) for path, operations in paths.items()}


def _describe(route: Route) -> dict[str, JsonValue]:
    is_open = route.public or not route.signed_in
    headers = () if is_open else (*_USUAL_HEADERS, *route.headers)
    operation: dict[str, JsonValue] = {
        "operationId": route.name if route.method == "POST" else f"{route.method.lower()}-{route.name}",
        "security": [] if is_open else [{"session": []}],
        "parameters": [{"name": name, "in": "header", "schema": {"type": "string"}} for name in headers],
        "responses": {
            **{str(status): _answer({"type": "object"}) for status in route.statuses},
            "default": _answer({"$ref": "#/components/schemas/Error"}),
        },
    }
    if route.takes is not None:
        operation["requestBody"] = {
            "required": any(field.is_required() for field in route.takes.model_fields.values()),
            "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model=route.takes.__name__)}}},
        }
    return operation


def _answer(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {"description": "An answer.", "content": {"application/json": {"schema": dict(schema)}}}
