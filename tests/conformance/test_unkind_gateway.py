"""The gateway's unkind ways, which the hosted platform has too: refused keys, and answers that are no service's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devstack.controls import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from devstack.stack import Stack

ROLES = "/rest/v1/user_roles?select=role"


@pytest.fixture
def strict(stack: Stack) -> Iterator[Stack]:
    yield stack
    stack.gateway.heal()


async def test_a_project_without_legacy_keys_refuses_them_everywhere(strict: Stack, http: httpx.AsyncClient) -> None:
    strict.gateway.refuse_legacy_keys()

    for path in (ROLES, "/auth/v1/health", "/realtime/v1/health"):
        old = await http.get(strict.url + path, headers={"apikey": strict.service_role_key})
        new = await http.get(strict.url + path, headers={"apikey": strict.secret_key})

        assert (old.status_code, old.json()["message"]) == (401, "Legacy API keys are disabled")
        assert new.status_code == 200


async def test_a_strict_gateway_takes_new_keys_in_their_own_header_only(strict: Stack, http: httpx.AsyncClient) -> None:
    key = strict.secret_key
    both = {"apikey": key, "authorization": f"Bearer {key}"}
    assert (await http.get(strict.url + ROLES, headers=both)).status_code == 200

    strict.gateway.refuse_bearer_keys()

    assert (await http.get(strict.url + ROLES, headers=both)).status_code == 401
    assert (await http.get(strict.url + ROLES, headers={"apikey": key})).status_code == 200


@pytest.mark.parametrize("header", [{"sec-fetch-mode": "cors"}, {"user-agent": "Mozilla/5.0 (X11; Linux)"}])
async def test_a_browser_may_not_send_the_secret_key(
    stack: Stack, http: httpx.AsyncClient, header: dict[str, str]
) -> None:
    refused = await http.get(stack.url + ROLES, headers={"apikey": stack.secret_key} | header)
    served = await http.get(stack.url + ROLES, headers={"apikey": stack.publishable_key} | header)

    assert (refused.status_code, served.status_code) == (401, 200)
    assert refused.json()["message"] == "Forbidden use of secret API key in browser"


async def test_auth_wants_a_key_but_for_its_public_addresses(stack: Stack, http: httpx.AsyncClient) -> None:
    paths = ["/auth/v1/health", "/auth/v1/user", "/auth/v1/.well-known/jwks.json", "/auth/v1/userverify"]

    statuses = [(await http.get(stack.url + path)).status_code for path in paths]

    assert statuses == [401, 401, 200, 401]


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_answered_under_its_path_until_it_heals(
    strict: Stack, http: httpx.AsyncClient, name: str
) -> None:
    fault = FAULTS[name]
    strict.gateway.fail("/rest/v1", fault)

    answer = await http.get(strict.url + ROLES, headers={"apikey": strict.anon_key})
    elsewhere = await http.get(f"{strict.url}/auth/v1/health", headers={"apikey": strict.anon_key})
    strict.gateway.heal()
    healed = await http.get(strict.url + ROLES, headers={"apikey": strict.anon_key})

    assert (answer.status_code, answer.text) == (fault.status, fault.body)
    assert (elsewhere.status_code, healed.status_code) == (200, 200)


async def test_nobody_else_changes_the_gateways_ways(stack: Stack, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{stack.url}/_control", json={"faults": []}, headers={"x-control": "guess"})

    assert answer.status_code == 404
