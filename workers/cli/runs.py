"""Commands about runs: request one, follow it, list, show, cancel."""

import difflib
import json
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer
from pydantic import JsonValue
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from shared.errors import InvalidRequest, UnknownRunType
from shared.registry import RUN_TYPES, TIME_ZONE
from shared.runs import RunId, RunStatus
from workers.backend.client import open_client
from workers.backend.run_requests import SupabaseRunRequests
from workers.cli.context import (
    AsJson,
    EnvFile,
    print_json,
    run_async,
    settings_from,
)
from workers.cli.reconnect import RetryWhileAway
from workers.cli.terminal import console
from workers.clock import SystemClock
from workers.executive_run.steps import Step
from workers.ports import Clock, RunDetail, RunLine, RunRequest, RunTicket

CLOCK: Clock = SystemClock()
"""By which commands wait."""

_POLL: Final = timedelta(milliseconds=400)
_SOON: Final = timedelta(seconds=10)
_COLOURS: Final = {
    RunStatus.PENDING: "yellow",
    RunStatus.RUNNING: "cyan",
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "magenta",
}

RunArgument = Annotated[UUID, typer.Argument(metavar="RUN", help="Id of the run.")]


def run(
    run_type: Annotated[str, typer.Argument(metavar="TYPE", help="A run type of `emocare registry list`.")],
    platform: Annotated[str | None, typer.Option("--platform", help="Key of one platform.")] = None,
    context: Annotated[str | None, typer.Option("--context", help="JSON, or @FILE for a file of JSON.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Idempotency key: the same key returns the same run.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Start a new run even if one is in flight.")] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Request a run; with --wait, follow its steps and print the report (exit 1 unless it completed)."""
    request = RunRequest(
        run_type=run_type,
        platform_key=platform,
        context=_read_context(context),
        idempotency_key=key,
        force=force,
    )

    async def body() -> tuple[RunTicket, RunDetail | None]:
        async with open_client(settings_from(env_file).supabase) as client:
            runs = SupabaseRunRequests(client)
            ticket = await _submit(runs, request)
            if not as_json:
                verb = "created" if ticket.created else f"already answers your request ({ticket.reason})"
                pause = (
                    "; runs are paused until somebody executes `select hq.resume_runs();`" if ticket.is_paused else ""
                )
                run_id = (str(ticket.run_id), "bold")
                console.print(Text.assemble("run ", run_id, f" {verb}, ", _status(ticket.status), pause))
            if not wait:
                return ticket, None
            return ticket, await _follow(runs, ticket.run_id, silent=as_json)

    ticket, detail = run_async(body())
    if as_json:
        print_json(detail or ticket)
    elif detail is not None:
        console.print()
        console.print(_render_end(detail))
    if detail is not None and detail.status is not RunStatus.COMPLETED:
        raise typer.Exit(1)


def list_runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many runs to list.")] = 20,
    status: Annotated[RunStatus | None, typer.Option("--status", help="Only runs with this status.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """List the latest runs, newest first."""

    async def body() -> list[RunLine]:
        async with open_client(settings_from(env_file).supabase) as client:
            return await SupabaseRunRequests(client).list_latest(limit, status)

    lines = run_async(body())
    if as_json:
        print_json([line.model_dump(mode="json") for line in lines])
        return
    table = Table(box=None, header_style="bold")
    # The id is meant to be copied, so it is never cut, whatever the width.
    table.add_column("run", no_wrap=True, min_width=36)
    for column in ("created (Paris)", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("type", "platform", "trigger", "try", "took", "EUR"):
        table.add_column(column, justify="right" if column in {"try", "took", "EUR"} else "left")
    for line in lines:
        table.add_row(
            str(line.run_id),
            f"{line.created_at.astimezone(TIME_ZONE):%d/%m %H:%M:%S}",
            _status(line.status),
            line.run_type,
            line.platform_key or "-",
            line.trigger or "-",
            "-" if line.attempt is None else str(line.attempt),
            _duration(line),
            _euros(line.cost_eur),
        )
    console.print(table if lines else "No runs yet: start one with `emocare run DAILY_EXECUTIVE_BRIEF --wait`.")


def show(run_id: RunArgument, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Show one run: request, steps, evidence, cost, report."""

    async def body() -> RunDetail:
        async with open_client(settings_from(env_file).supabase) as client:
            return await SupabaseRunRequests(client).read(RunId(run_id))

    detail = run_async(body())
    if as_json:
        print_json(detail)
        return
    console.print(_render_steps(detail))
    console.print(_render_end(detail))


def cancel(run_id: RunArgument, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Cancel a run that has not ended; one that has ended stays as it is (exit 1)."""

    async def body() -> RunStatus:
        async with open_client(settings_from(env_file).supabase) as client:
            return await SupabaseRunRequests(client).cancel(RunId(run_id))

    status = run_async(body())
    if as_json:
        print_json({"run_id": str(run_id), "status": status.value})
    else:
        console.print(Text.assemble("run ", (str(run_id), "bold"), " is ", _status(status)))
    if status is not RunStatus.CANCELLED:
        raise typer.Exit(1)


async def _submit(runs: SupabaseRunRequests, request: RunRequest) -> RunTicket:
    """Request a run; the database decides which types exist, and a mistyped one gets a suggestion here."""
    try:
        return await runs.submit(request)
    except UnknownRunType as error:
        nearest = difflib.get_close_matches(request.run_type.upper(), RUN_TYPES, n=1)
        guess = f" Did you mean {nearest[0]}?" if nearest else ""
        raise UnknownRunType(f"{error}{guess} `emocare registry list` lists them all.") from error


def _read_context(given: str | None) -> JsonValue:
    if given is None:
        return None
    try:
        text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
        value: JsonValue = json.loads(text)
    except OSError as error:
        raise InvalidRequest(f"--context: cannot read {given[1:]!r}: {error.strerror}.") from error
    except ValueError as error:
        raise InvalidRequest(f"--context: not JSON ({error}). Quote it as one shell word, or pass @FILE.") from error
    return value


async def _follow(runs: SupabaseRunRequests, run_id: RunId, *, silent: bool) -> RunDetail:
    """Show the steps of a run as they come, until it ends."""
    retry = RetryWhileAway(CLOCK, f"Run {run_id} goes on: see it with `emocare show {run_id}`.")
    warned = False

    async def read() -> RunDetail:
        nonlocal warned
        detail = await retry.ask(partial(runs.read, run_id))
        if detail.status is RunStatus.PENDING and not warned and CLOCK.now() - detail.created_at > _SOON:
            typer.echo("Still pending: `emocare doctor`, or select * from hq.queue; shows why.", err=True)
            warned = True
        return detail

    detail = await read()
    if silent or not console.is_terminal:
        while not detail.status.is_final:
            await CLOCK.sleep(_POLL)
            detail = await read()
        if not silent:
            console.print(_render_steps(detail))
        return detail
    with Live(_render_steps(detail), console=console, refresh_per_second=4) as live:
        while not detail.status.is_final:
            await CLOCK.sleep(_POLL)
            detail = await read()
            live.update(_render_steps(detail))
    return detail


def _render_steps(detail: RunDetail) -> RenderableType:
    head = Text.assemble(f"{detail.run_type} · {detail.platform_key or 'all platforms'} · ", _status(detail.status))
    if detail.attempt and detail.attempt > 1:
        head.append(f" · attempt {detail.attempt}")
    written = {step["name"]: step["status"] for step in detail.steps}
    table = Table(box=None, show_header=False, padding=(0, 1))
    current = detail.status is RunStatus.RUNNING
    for step in Step:
        name, description = step.value
        match written.get(name):
            case "completed":
                mark = Text("✓", "green")
            case "failed":
                mark = Text("✗", "red")
            case _ if current:
                mark, current = Text("…", "cyan"), False
            case _:
                mark = Text("·", "dim")
        table.add_row(mark, name, Text(description, "dim"))
    return Group(head, table)


def _render_end(detail: RunDetail) -> RenderableType:
    facts = Table(box=None, show_header=False, padding=(0, 1))
    appendix = detail.detailed_appendix if isinstance(detail.detailed_appendix, dict) else {}
    for label, value in (
        ("model", appendix.get("model_used")),
        ("data", _joined(appendix.get("data_sources"))),
        ("missing", _joined(appendix.get("missing_data"), "\n")),
        ("error", appendix.get("error_code")),
        ("evidence", f"{len(detail.evidence)} rows" if detail.evidence else None),
        ("took", _duration(detail)),
        ("cost", f"{_euros(detail.cost_eur)} EUR" if detail.cost_eur is not None else None),
    ):
        if value not in (None, "", "-"):
            facts.add_row(Text(label, "bold"), str(value))
    return Group(Markdown(detail.executive_summary or "(no report yet)", hyperlinks=False), Text(), facts)


def _status(status: RunStatus) -> Text:
    return Text(status.value, _COLOURS[status])


def _joined(value: JsonValue, separator: str = ", ") -> str:
    return separator.join(map(str, value)) if isinstance(value, list) else ""


def _duration(line: RunLine) -> str:
    if line.started_at is None or line.completed_at is None:
        return "-"
    return f"{(line.completed_at - line.started_at).total_seconds():.1f} s"


def _euros(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:.4f}"
