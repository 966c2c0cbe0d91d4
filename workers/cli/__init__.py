"""The command ``emocare``: one clear line per error, and exit codes for scripts.

Exit codes: 0 done · 1 the run failed, or a check found something · 2 wrong usage · 69 Supabase does not answer ·
74 this machine refused to read or write · 77 not allowed, or key refused · 78 configuration.
"""

import sys
from typing import Annotated

import structlog
import typer
from rich.text import Text

from shared.errors import BackendUnavailable, CallerError, ConfigurationError, Forbidden, KeyRefused, WorkersError
from workers.cli import costs, doctor, evaluate, logs, notify, operate, registry, runs, top
from workers.cli.terminal import errors
from workers.logs import redact_text
from workers.version import read_version

app = typer.Typer(
    name="emocare",
    help="Run and operate the EMOCARE HQ workers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("serve")(operate.serve)
app.command("work")(operate.work)
app.command("run")(runs.run)
app.command("runs")(runs.list_runs)
app.command("show")(runs.show)
app.command("cancel")(runs.cancel)
app.command("logs")(logs.logs)
app.command("top")(top.top)
app.command("costs")(costs.costs)
app.command("migrate")(operate.migrate)
app.command("sql")(operate.print_sql)
app.command("env")(operate.print_env)
app.command("doctor")(doctor.doctor)
app.command("notify")(notify.notify)
app.command("vapid")(notify.vapid)
app.command("eval")(evaluate.evaluate)
app.command("dev")(operate.dev)
app.add_typer(registry.app, name="registry", help="The run types, and how the page's copy compares with them.")

_IO_FAILED = 74


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if asked:
        typer.echo(read_version())
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and the commit.")
    ] = False,
) -> None:
    """Run and operate the EMOCARE HQ workers."""


def exit_code(error: WorkersError) -> int:
    """Map an error to its exit code."""
    match error:
        case ConfigurationError():
            return 78
        case Forbidden() | KeyRefused():
            return 77
        case CallerError():
            return 2
        case BackendUnavailable():
            return 69
        case _:
            return 1


def _print_error(error: str) -> None:
    structlog.reset_defaults()
    errors.print(Text.assemble(("error", "bold red"), " ", redact_text(error)), highlight=False)


def main() -> None:
    """Run the command line and leave with its exit code."""
    # A command's output is for its caller, often a script, so logs are kept out of it. serve and work log to stdout.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app(prog_name="emocare")
    except WorkersError as error:
        _print_error(str(error))
        sys.exit(exit_code(error))
    except TimeoutError:
        _print_error("A service did not answer in time: try again.")
        sys.exit(exit_code(BackendUnavailable()))
    except OSError as error:
        _print_error(": ".join(str(part) for part in (error.filename, error.strerror or type(error).__name__) if part))
        sys.exit(_IO_FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
