"""A built frontend at the stack's one address: its files, its router's own addresses, and nothing beside the folder."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest
from support.clients import QUICK

from devstack.processes import HOST, ServiceError
from devstack.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from devstack.postgres import PostgresCluster

INDEX = "<!doctype html><title>HQ</title>"
FILES = {
    "index.html": INDEX,
    "assets/index-4f2a.js": "export default 1",
    "assets/index-4f2a.css": "body{}",
    "assets/logo été.svg": "<svg/>",
    "assets/inter.woff2": "font",
    "manifest.webmanifest": "{}",
    "sans-type": "bytes",
    ".well-known/security.txt": "Contact:",
}


@pytest.fixture(scope="module")
def stack(cluster: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A project with a page, and a secret beside the page's folder."""
    dist = tmp_path_factory.mktemp("page") / "dist"
    for name, text in FILES.items():
        file = dist / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    dist.with_name("dist-secret.txt").write_text("secret")
    (dist / "assets" / "link.txt").symlink_to(dist.with_name("dist-secret.txt"))
    with Stack.start(cluster=cluster, port=None, tuning=QUICK, dist=dist) as running:
        yield running


def ask(stack: Stack, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Send exactly this path, which a polite client would tidy first."""
    connection = http.client.HTTPConnection(HOST, int(stack.url.rpartition(":")[2]), timeout=5)
    connection.putrequest(method, path)
    connection.endheaders()
    answer = connection.getresponse()
    reported = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    connection.close()
    return reported


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", None),
        ("/index.html", "text/html; charset=utf-8"),
        ("/assets/index-4f2a.js", "text/javascript; charset=utf-8"),
        ("/assets/index-4f2a.js?v=1", "text/javascript; charset=utf-8"),
        ("/assets/index-4f2a.css", "text/css; charset=utf-8"),
        ("/assets/logo%20%C3%A9t%C3%A9.svg", "image/svg+xml"),
        ("/assets/inter.woff2", "font/woff2"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/sans-type", "application/octet-stream"),
        ("/.well-known/security.txt", "text/plain; charset=utf-8"),
    ],
)
def test_each_file_comes_with_its_type(stack: Stack, path: str, kind: str | None) -> None:
    status, headers, text = ask(stack, path)

    names = {"/": "index.html", "/assets/logo%20%C3%A9t%C3%A9.svg": "assets/logo été.svg"}
    expected = FILES[names.get(path, path.partition("?")[0].removeprefix("/"))]
    assert (status, text) == (200, expected)
    assert headers["content-type"] == (kind or "text/html; charset=utf-8")
    assert headers["content-length"] == str(len(expected.encode()))


@pytest.mark.parametrize("path", ["/hq", "/hq/agents-monitoring?tab=runs", "/hq/", "/assets", "/restless"])
def test_the_pages_own_addresses_are_its_index(stack: Stack, path: str) -> None:
    status, headers, text = ask(stack, path)

    assert (status, headers["content-type"], text) == (200, "text/html; charset=utf-8", INDEX)


def test_a_missing_file_is_not_the_index(stack: Stack) -> None:
    """A browser that was given HTML for a script would only say that its type is wrong."""
    assert ask(stack, "/assets/index-old.js")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../dist-secret.txt",
        "/assets/../../dist-secret.txt",
        "/%2e%2e/dist-secret.txt",
        "/..%2fdist-secret.txt",
        "/assets/..%2F..%2Fdist-secret.txt",
        "//../dist-secret.txt",
        "/../dist-secret.txt%00.js",
        "/%ff",
        "/assets/link.txt",
        "/../../../../../../../../etc/passwd",
        "/../../../../../../../../etc/hostname.txt",
    ],
)
def test_nothing_beside_the_folder_is_served(stack: Stack, path: str) -> None:
    status, _headers, text = ask(stack, path)

    assert (status, text) in {(400, ""), (404, ""), (200, INDEX)}


def test_the_services_are_at_the_same_address(stack: Stack) -> None:
    assert ask(stack, "/auth/v1/.well-known/jwks.json")[0] == 200
    assert ask(stack, "/rest/v1/user_roles")[0] == 401
    assert ask(stack, "/functions/v1/executive-run", "POST")[0] == 503


def test_a_page_is_only_read(stack: Stack) -> None:
    status, headers, _text = ask(stack, "/hq", "POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")

    status, headers, text = ask(stack, "/hq", "HEAD")
    assert (status, headers["content-length"], text) == (200, str(len(INDEX)), "")


def test_a_folder_without_a_page_is_refused(cluster: PostgresCluster, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"holds no index\.html: build the frontend"):
        Stack.start(cluster=cluster, port=None, dist=tmp_path)


def test_without_a_page_other_addresses_are_unknown(cluster: PostgresCluster) -> None:
    with Stack.start(cluster=cluster, port=None, tuning=QUICK) as stack:
        status, _headers, text = ask(stack, "/hq")

        assert status == 404
        assert "--dist" in json.loads(text)["hint"]
