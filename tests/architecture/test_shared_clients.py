"""Nobody signs in on a client that others share: it writes the headers of everybody's next call."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKERS = Path(__file__).parents[2] / "workers"
BANNED = {"auth", "set_auth", "set_session", "sign_up", "refresh_session", "exchange_code_for_session"}


def _sessions_written(tree: ast.AST) -> Iterator[str]:
    """Name the calls that give a client somebody's session, and every way around by the client's own auth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in BANNED or name.startswith("sign_in"):
                yield f"line {node.lineno}: .{name}()"
        elif isinstance(node, ast.Attribute) and node.attr == "auth" and not _is_self(node.value):
            yield f"line {node.lineno}: .auth"


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def test_no_module_writes_a_session_on_a_client() -> None:
    modules = sorted(WORKERS.rglob("*.py"))
    offenders = [
        (str(path.relative_to(WORKERS)), written)
        for path in modules
        for written in _sessions_written(ast.parse(path.read_text()))
    ]

    assert len(modules) > 50
    assert offenders == []


@pytest.mark.parametrize(
    "code",
    [
        "client.postgrest.auth(token)",
        "client.auth.sign_in_with_password(credentials)",
        "auth = client.auth",
        "gotrue.sign_in_anonymously()",
        "client.realtime.set_auth(token)",
        "gotrue.set_session(a, b)",
    ],
)
def test_each_way_to_write_one_is_seen(code: str) -> None:
    assert list(_sessions_written(ast.parse(code)))
