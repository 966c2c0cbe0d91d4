"""Our description of the HTTP API, as schemathesis reads it."""

from collections.abc import Iterator, Mapping
from typing import Any

import schemathesis
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation


def operations(document: Mapping[str, Any]) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """Read each operation; one that cannot be read fails the test."""
    for result in schemathesis.openapi.from_dict(dict(document)).get_all_operations():
        assert isinstance(result, Ok), result.err()
        yield result.ok()
