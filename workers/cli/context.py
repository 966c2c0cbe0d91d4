"""What every command shares: where settings come from, and how an asynchronous body is run."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console

from workers.settings import Settings, read_settings

T = TypeVar("T")

# Piped, nobody's window is narrow.
console = Console(width=None if sys.stdout.isatty() else 160)

EnvFile = Annotated[
    Path,
    typer.Option("--env-file", envvar="EMOCARE_ENV_FILE", help="NAME=value lines, below the environment."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

DEFAULT_ENV_FILE = Path(".env")


def settings_from(env_file: Path) -> Settings:
    """Read the settings from the environment and the file, if there is one."""
    return read_settings(env_file if env_file.exists() else None)


def run_async(body: Coroutine[Any, Any, T]) -> T:
    """Run the body of a command; Ctrl-C cancels it."""
    return asyncio.run(body)


def print_json(value: BaseModel | list[Any] | dict[str, Any]) -> None:
    """Print a value as JSON on stdout."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    typer.echo(json.dumps(plain, ensure_ascii=False, indent=2, default=str))
