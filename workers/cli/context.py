"""What every command shares: where settings come from, and how an asynchronous body is run."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import typer
import uvloop
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigurationError
from workers.cli.terminal import print_as_json
from workers.logs import never_show
from workers.settings import Settings, read_settings, spell_password

T = TypeVar("T")

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        envvar="EMOCARE_ENV_FILE",
        help="File of NAME=value lines; the environment takes precedence.",
        show_default=".env, if it exists",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_DEFAULT_ENV_FILE: Final = Path(".env")


class _Operator(BaseSettings):
    """A setting that only operators have; workers never read it."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, case_sensitive=True)

    database_url: str | None = Field(None, alias="DATABASE_URL")


def settings_from(env_file: Path | None) -> Settings:
    """Read the settings from the environment and the file; their keys are never shown. Raises: ConfigurationError."""
    with _readable(env_file):
        settings = read_settings(_existing(env_file))
    never_show(settings.secrets | _passwords(database_url_from(env_file)))
    return settings


def database_url_from(env_file: Path | None) -> str | None:
    """Read the database's URL, which only an operator has. Raises: ConfigurationError when the file is missing."""
    with _readable(env_file):
        return _Operator(_env_file=_existing(env_file)).database_url


def _passwords(database_url: str | None) -> frozenset[str]:
    try:
        return spell_password(urlsplit(database_url or "").password)
    except ValueError:
        return frozenset()


def _existing(env_file: Path | None) -> Path | None:
    """Find the file: one named explicitly must exist, the usual one may."""
    if env_file is None:
        return _DEFAULT_ENV_FILE if _DEFAULT_ENV_FILE.exists() else None
    if not env_file.exists() or env_file.is_dir():
        raise ConfigurationError(
            f"The file {str(env_file)!r}, named by --env-file or EMOCARE_ENV_FILE, "
            + ("is a folder." if env_file.is_dir() else "does not exist.")
        )
    return env_file


@contextmanager
def _readable(env_file: Path | None) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The file {str(env_file or _DEFAULT_ENV_FILE)!r} is not UTF-8 text.") from error


def run_async(body: Coroutine[Any, Any, T]) -> T:
    """Run the body of a command; Ctrl-C cancels it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(body)


def print_json(value: BaseModel | list[Any] | dict[str, Any]) -> None:
    """Print a value as JSON on stdout."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    print_as_json(json.dumps(plain, ensure_ascii=False, indent=2, default=str))
