"""The description of the HTTP API is written from what answers there: nothing to keep in step by hand."""

from typing import Any

import httpx
import pytest
from pydantic import BaseModel, Field
from support.openapi import operations

from workers.clock import SystemClock
from workers.web.app import Route, build_app
from workers.web.exchange import Request, Response
from workers.web.openapi import describe


class Order(BaseModel):
    drink: str = Field(json_schema_extra={"enum": ["coffee", "tea"]})
    sugar: int | None = None


async def answer(request: Request) -> Response:
    return Response({"body": request.body.decode()})


ADDRESSES = [
    Route("order", answer, takes=Order, headers=("X-Table",), statuses=(200, 202)),
    Route("open", answer, method="GET", public=True),
]


@pytest.fixture
def document() -> dict[str, Any]:
    return describe(ADDRESSES)


def test_every_address_is_an_operation(document: dict[str, Any]) -> None:
    described = {(path, *item) for path, item in document["paths"].items()}

    assert described == {("/functions/v1/order", "post"), ("/functions/v1/open", "get")}


def test_an_operation_says_what_it_takes_and_how_it_answers(document: dict[str, Any]) -> None:
    operation = document["paths"]["/functions/v1/order"]["post"]

    assert operation["security"] == [{"session": []}]
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "Idempotency-Key",
        "X-Request-Id",
        "X-Table",
    }
    assert set(operation["responses"]) == {"200", "202", "default"}
    assert operation["requestBody"]["required"] is True
    assert document["components"]["schemas"]["Order"]["required"] == ["drink"]


def test_what_is_public_needs_no_session_and_no_body(document: dict[str, Any]) -> None:
    operation = document["paths"]["/functions/v1/open"]["get"]

    assert (operation["security"], operation["parameters"], "requestBody" in operation) == ([], [], False)


def test_others_can_read_the_document(document: dict[str, Any]) -> None:
    assert [operation.label for operation in operations(document)] == [
        "POST /functions/v1/order",
        "GET /functions/v1/open",
    ]


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("OPTIONS", 200), ("POST", 405)])
async def test_the_document_is_for_anybody_who_asks(document: dict[str, Any], method: str, status: int) -> None:
    app = build_app(ADDRESSES, origins=frozenset({"https://page.example"}), clock=SystemClock(), document=document)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://workers") as http:
        answer = await http.request(method, "/openapi.json", headers={"origin": "https://elsewhere.example"})

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")
    assert status != 200 or method == "OPTIONS" or answer.json() == document
