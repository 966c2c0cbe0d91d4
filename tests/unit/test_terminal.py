"""What commands print: foreign text is shown, and neither obeyed by the terminal nor read as markup."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from shared.untrusted_text import escape_controls, strip_controls
from workers.cli import terminal

CLI = Path(__file__).parents[2] / "workers" / "cli"

# Each would crash rich's markup, restyle the line, or make the terminal do something.
HOSTILE = [
    "[/x]",
    "[bold red]x",
    "[link=https://example.test]x[/link]",
    ":warning:",
    "\x1b[2J\x1b[31mrouge",
    "\x1b]0;titre\x07",
    "\x1b]8;;https://example.test\x1b\\x\x1b]8;;\x1b\\",
    "\x9b31mrouge\x9c",
    "avant\rapres",
    "a\x7f\x08\x08b",
    "\u202egnorw\u202c \u2066x\u2069 \u200f\u061c",
]
# How this code calls what others wrote.
FOREIGN = {"error", "line", "detail", "check", "difference", "reason", "file", "notice"}
OBEYED = set(map(chr, [*range(9), *range(11, 32), *range(127, 160)])) | set("\u202e\u202c\u2066\u2069\u200f\u061c")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_foreign_text_is_shown_as_it_is_but_for_what_a_terminal_obeys(
    hostile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table(box=None)
    table.add_column("platform")
    table.add_row(hostile)

    terminal.console.print(table)
    terminal.console.print(Text.assemble("run ", (hostile, "bold")))
    terminal.console.print(hostile)
    terminal.errors.print(hostile)
    terminal.print_line(hostile)
    terminal.print_line(hostile, err=True)
    out, err = capsys.readouterr()

    assert not OBEYED & set(out + err)
    assert out.count(strip_controls(hostile)) == 4
    assert err.count(strip_controls(hostile)) == 2


@given(st.text(st.characters(codec="utf-8")))
def test_json_with_escaped_controls_is_read_as_it_was(text: str) -> None:
    written = escape_controls(json.dumps({"text": text}, ensure_ascii=False))

    assert not OBEYED & set(written)
    assert json.loads(written) == {"text": text}


def test_nothing_else_prints_and_nothing_reads_markup() -> None:
    """A console of its own, a markup, or a plain echo of a value would let foreign text past."""
    offenders = [
        f"{path.name}:{node.lineno} {ast.unparse(node)[:80]}"
        for path in sorted(CLI.glob("*.py"))
        if path.name != "terminal.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.expr | ast.stmt) and _lets_past(node)
    ]

    assert offenders == []


def _lets_past(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(module="rich.markup" | "rich.console" as module, names=names):
            return module == "rich.markup" or any(name.name == "Console" for name in names)
        case ast.Call(func=ast.Attribute(attr="from_markup")) | ast.Call(func=ast.Name(id="print")):
            return True
        # What typer echoes elsewhere is ours: the version, the registry, the SQL, the variables.
        case ast.Call(func=ast.Attribute(attr="echo"), args=[value, *_]):
            return any(isinstance(each, ast.Name) and each.id in FOREIGN for each in ast.walk(value))
    return False
