"""A function of workers/ is read in one look."""

import ast
from collections.abc import Iterator
from pathlib import Path

WORKERS = Path(__file__).parents[2] / "workers"
LINES = 50


def _long_functions(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines >= LINES:
                yield f"{node.name}: {lines} lines"


def test_every_function_of_workers_is_under_50_lines() -> None:
    offenders = [
        f"{path.relative_to(WORKERS)} {function}"
        for path in sorted(WORKERS.rglob("*.py"))
        for function in _long_functions(path.read_text())
    ]

    assert offenders == []


def test_the_lint_counts_the_lines_of_methods_too() -> None:
    body = "\n".join(48 * ["        pass"])

    assert list(_long_functions(f"class A:\n    def f(self):\n{body}")) == []
    assert list(_long_functions(f"class A:\n    async def f(self):\n{body}\n        pass")) == ["f: 50 lines"]
