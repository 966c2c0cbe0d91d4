"""What commands print: untrusted text can neither style a line, nor break one, nor control the terminal.

Anybody who names a platform or writes a log line chooses text that an operator's terminal shows. So nothing printed is
read as rich's markup, and what a terminal would obey rather than show is dropped on output, wherever it comes from.
"""

import sys
from collections.abc import Iterable
from typing import Any, Final

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from shared.untrusted_text import escape_controls, strip_controls
from workers.ports import CheckState

# Output to a pipe has no window width; tables stay readable at this one.
_PIPE_COLUMNS: Final = 160


class _PlainConsole(Console):
    """Reads no markup, and prints nothing that a terminal would obey except its own styles."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - rich's own
        super().__init__(markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else strip_controls(text), style, control)


console: Final = _PlainConsole(width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
errors: Final = _PlainConsole(stderr=True, soft_wrap=True)


def print_line(text: str, *, err: bool = False) -> None:
    """Print plain text, trusted or not."""
    typer.echo(strip_controls(text), err=err)


def print_as_json(text: str) -> None:
    """Print JSON; what a terminal would obey is escaped in it, so that a script reads the same."""
    typer.echo(escape_controls(text))


MARKS: Final = {"green": ("✓", "green"), "amber": ("!", "yellow"), "red": ("✗", "red")}
"""How the state of a check is shown: its sign and its colour."""


def print_marked(state: CheckState, line: str) -> None:
    """Print a line behind the sign of its state."""
    console.print(Text.assemble(MARKS[state], " ", line), highlight=False)
