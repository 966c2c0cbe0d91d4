"""``emocare registry``: read the run types, hand them to a frontend, compare a frontend's table with ours."""

from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shared.errors import UnknownRunType
from shared.registry import (
    REGISTRY_VERSION,
    RUN_TYPES,
    Calendar,
    RunType,
    find_run_type,
    registry_facts,
    render_system_prompt,
)
from workers.cli._typescript import (
    UnreadableTypeScriptError,
    compare_costs,
    evaluate,
    find_costs,
    render_typescript,
)
from workers.cli.context import AsJson, print_json
from workers.cli.terminal import console, print_line

app = typer.Typer(help="The run types: read, export, compare.", no_args_is_help=True)

# Piped output has no width of its own; eighty columns would cut the labels.
_PIPE_COLUMNS = 150
_UNREADABLE = 2


class ExportFormat(StrEnum):
    """What the registry can be exported as."""

    JSON = "json"
    TS = "ts"


@app.command("list")
def list_run_types(*, as_json: AsJson = False) -> None:
    """List every run type."""
    if as_json:
        print_json([entry.facts() for entry in RUN_TYPES.values()])
        return
    table = Table(title=f"{len(RUN_TYPES)} run types, registry {REGISTRY_VERSION}")
    for heading in ("Key", "Label", "Agent", "Tier"):
        table.add_column(heading, no_wrap=heading == "Key")
    table.add_column("Cost €", justify="right", no_wrap=True)
    for heading in ("Risk", "Schedule (Paris)"):
        table.add_column(heading)
    for entry in RUN_TYPES.values():
        table.add_row(
            entry.key,
            entry.label,
            entry.agent.name,
            entry.tier.value,
            str(entry.cost_eur),
            entry.risk.value,
            _describe_calendar(entry.calendar),
        )
    console.print(table, width=None if console.is_terminal else _PIPE_COLUMNS)


@app.command()
def show(key: Annotated[str, typer.Argument(help="Key of the run type.")], *, as_json: AsJson = False) -> None:
    """Show all of one entry, with the system prompt rendered from it."""
    try:
        entry = find_run_type(key)
    except UnknownRunType as unknown:
        near = get_close_matches(key.upper(), RUN_TYPES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise typer.BadParameter(f"{unknown}{hint}") from unknown
    prompt = render_system_prompt(entry)
    if as_json:
        print_json(entry.facts() | {"system_prompt": prompt})
        return
    for name, value in _describe(entry):
        typer.echo(f"{name + ':':<18} {value}")
    typer.echo(f"\n── System prompt ──\n\n{prompt}", nl=False)


@app.command()
def export(
    output: Annotated[ExportFormat, typer.Option("--format", help="json, or ts for a frontend.")],
) -> None:
    """Print the whole registry. The same registry always gives the same bytes."""
    if output is ExportFormat.TS:
        typer.echo(render_typescript(RUN_TYPES), nl=False)
    else:
        print_json({"version": REGISTRY_VERSION, **registry_facts()})


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="TypeScript file that holds run types and costs.")],
) -> None:
    """Compare the keys and costs that a TypeScript file exports with ours.

    Deno evaluates the file, without any permission.
    Exit code: 0 equal, 1 different (each difference on a line of its own), 2 unreadable file.
    """
    try:
        theirs = find_costs(evaluate(file), RUN_TYPES)
    except OSError as error:
        raise _refuse(file, (error.strerror or str(error)).lower()) from error
    except UnicodeDecodeError as error:
        raise _refuse(file, "it is not UTF-8 text") from error
    except UnreadableTypeScriptError as error:
        raise _refuse(file, str(error)) from error
    differences = compare_costs(theirs, RUN_TYPES)
    for difference in differences:
        print_line(difference)
    if differences:
        raise typer.Exit(1)
    ours = [key for key, entry in RUN_TYPES.items() if key not in theirs and not entry.in_frontend_table]
    typer.echo(f"Equal: {len(RUN_TYPES) - len(ours)} run types with the same costs.")
    if ours:
        typer.echo(f"Ours alone, because a screen sends them and no table lists them: {', '.join(ours)}.")


def _refuse(file: Path, reason: str) -> typer.Exit:
    print_line(f"Cannot read run types from {file}: {reason}.", err=True)
    return typer.Exit(_UNREADABLE)


def _describe(entry: RunType) -> list[tuple[str, str]]:
    return [
        ("Key", entry.key),
        ("Label", entry.label),
        ("Agent", f"{entry.agent.emoji} {entry.agent.name}, {entry.agent.role}"),
        ("Purpose", entry.purpose),
        ("Model", f"{entry.tier.model} ({entry.tier.value}), else {entry.tier.fallback_model}"),
        ("Cost", f"{entry.cost_eur} €"),
        ("Risk", entry.risk.value),
        ("Approval", "required" if entry.requires_approval else "not required"),
        ("Autopilot", "allowed" if entry.auto_executable else "never"),
        ("Triggers", ", ".join(entry.allowed_triggers)),
        ("Sources", ", ".join(entry.sources)),
        ("Steps", " → ".join(entry.steps)),
        ("Sections", " · ".join(section.title for section in entry.sections)),
        ("Schedule (Paris)", _describe_schedule(entry)),
        ("At once", "no limit" if entry.max_parallel is None else f"{entry.max_parallel} per worker"),
    ]


def _describe_schedule(entry: RunType) -> str:
    schedule = entry.schedule
    if schedule is None:
        return "none"
    keys = " = ".join((schedule.key, *schedule.aliases))
    return f"{_describe_calendar(schedule.calendar)}, {schedule.priority} priority, job {keys}"


def _describe_calendar(calendar: Calendar | None) -> str:
    if calendar is None:
        return ""
    days = " ".join(day.name[:3].capitalize() for day in calendar.weekdays)
    return f"{days} {', '.join(f'{hour}:00' for hour in calendar.hours)}"
