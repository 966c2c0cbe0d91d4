"""The main job, shown: `python -m devstack.demo` starts a project, lets workers execute runs, and shows what happens.

Everything here is the real thing but the vendors: PostgreSQL, PostgREST, the official client, the worker's own
command. It ends by itself; its exit status says whether all went as it should.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from supabase import AsyncClient, acreate_client

from devstack.mailbox import Mailbox, serve_mailbox
from devstack.processes import ServiceError
from devstack.programs import PostgresError
from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack
from devstack.vendors import VendorsClient
from devstack.worker import emocare, start_worker
from shared.language_models import CANDIDATES
from shared.registry import ModelTier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import Popen

console = Console(width=110)

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.02
# Short leases, so that the rescue after a kill is seen in seconds; in production a lease is 30 s.
_WORKER_SETTINGS = {
    "LEASE_SECONDS": "3",
    "LEASE_RENEW_SECONDS": "1",
    "SWEEP_SECONDS": "1",
    "AUTOPILOT_SECONDS": "1",
    "PLAN_SECONDS": "1",
    "LOG_FORMAT": "json",
}

# Two open issues where there were four. GitHub's answers are cached by their tag.
_CLOSED = {
    "match": "/repos/laeticiamng/nearvity/issues",
    "status": 200,
    "headers": {"etag": 'W/"two"'},
    "body": [
        {"number": number, "title": title, "created_at": "2026-11-01T08:00:00Z"}
        for number, title in ((380, "Ajouter l'export PDF"), (374, "Traduire les messages d'erreur"))
    ],
}
_HOLD_THE_PLAN = "update hq.plan_clock set passed_until = now() + interval '1 day'"
_MOVE_AUDIT_HERE = """
    update hq.scheduled_jobs
    set hours = array[extract(hour from now() at time zone 'Europe/Paris')::integer], weekdays = '{1,2,3,4,5,6,7}'
    where key = 'weekly_security_audit'
"""
_STRIKE_THE_HOUR = "update hq.plan_clock set passed_until = date_trunc('hour', now()) - interval '1 second'"
_SLOT = """
    select to_char(slot_at at time zone 'Europe/Paris', 'HH24:MI'), run_id from hq.plan_slots
    where job_key = 'weekly_security_audit' and outcome = 'fired'
"""


class StoryError(Exception):
    """What should have happened did not."""


def main() -> int:
    """Show the main job; return the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="emocare-demo-") as folder, _started_stack() as stack:
            asyncio.run(_show(stack, Path(folder)))
    except (StoryError, ServiceError, PostgresError) as error:
        console.print(f"[bold red]The demo failed:[/] {error}")
        return 1
    console.print(
        f"\n[green]Done in {time.monotonic() - started:.0f} s; everything was stopped.[/] Next: [bold]make dev[/]"
    )
    return 0


@contextlib.contextmanager
def _started_stack() -> Iterator[Stack]:
    with console.status("Starting Supabase on this machine…"):
        stack = Stack.start(vendors=True)
        emocare(stack, "migrate")
        # Whatever the hour, no slot comes before its chapter.
        with psycopg.connect(stack.database_url, autocommit=True) as operator:
            operator.execute(_HOLD_THE_PLAN)
    with stack:
        postgres = f"PostgreSQL {stack.cluster.version}" + (" with pg_cron" if stack.cluster.has_pg_cron else "")
        console.print(f"[dim]{postgres}, PostgREST, Auth and Realtime at {stack.url}; our migrations are applied.[/]")
        yield stack


async def _show(stack: Stack, folder: Path) -> None:
    owner = await acreate_client(stack.url, stack.publishable_key)
    await owner.auth.sign_in_with_password({"email": OWNER_EMAIL, "password": OWNER_PASSWORD})
    logs = folder / "worker-1.log", folder / "worker-2.log"
    async with VendorsClient(stack.vendors_url or "") as vendors, contextlib.AsyncExitStack() as workers:
        mailbox = workers.enter_context(serve_mailbox(folder / "mailbox", folder / "logs"))
        first = _enter_worker(workers, stack, logs[0], mailbox)
        await _until("the worker's Realtime subscription", lambda: "realtime.subscribed" in logs[0].read_text())
        await _show_main_job(owner)
        await _show_next_brief(owner, vendors)
        await _show_failure(owner, vendors)
        await _show_rescue(owner, vendors, first, lambda: _enter_worker(workers, stack, logs[1], mailbox))
        await _show_plan(owner, vendors, stack)
        await _show_autopilot(owner, vendors)
        await _show_mail(mailbox)
    await owner.auth.sign_out({"scope": "local"})


async def _show_main_job(owner: AsyncClient) -> None:
    console.rule("[bold]1 · A pending row becomes a finished report")
    console.print("The president signs in and asks for her morning brief: one call, [bold]request_hq_run[/].")
    clicked = time.monotonic()
    ticket = await _request(owner, "DAILY_EXECUTIVE_BRIEF", None)
    console.print(f"A row of hq.runs is [yellow]pending[/] after {_ms(clicked)} ms: {ticket['run_id']}")
    again = await _request(owner, "DAILY_EXECUTIVE_BRIEF", None)
    console.print(f"She clicks twice: the second click gets the same run ({again['reason']}).")
    if again["run_id"] != ticket["run_id"]:
        raise StoryError("two clicks made two runs")
    run = await _settled(owner, ticket["run_id"])
    console.print(f"Realtime woke a worker; the run was [green]completed[/] {_ms(clicked)} ms after the click.\n")
    _expect(run["status"] == "completed", f"the run ended {run['status']}: {run['executive_summary']}")
    _print_life(run, await _logs_of(owner, run["run_id"]))
    console.print(Panel(Markdown(_first_parts(run["executive_summary"])), title="the report, as the screens read it"))


async def _show_next_brief(owner: AsyncClient, vendors: VendorsClient) -> None:
    console.rule("[bold]2 · The next brief says what changed, and nothing in it is taken on trust")
    retired, successor, *_ = CANDIDATES[ModelTier.REASONING]
    console.print("Two tickets were closed; the first model of the list was retired; the next one makes figures up.")
    await vendors.script("github", _CLOSED)
    gone = {"match": retired, "status": 404, "body": {"error": {"code": "model_not_found", "message": retired}}}
    await vendors.script("openai", gone, *[{"match": successor, "spoil": "doubted"}] * 2)
    ticket = await _request(owner, "DAILY_EXECUTIVE_BRIEF", None, p_force=True)
    run = await _settled(owner, ticket["run_id"])
    report = str(run["executive_summary"])
    _expect(run["status"] == "completed", f"the run ended {run['status']}: {report}")
    asked = [call["body"]["model"] for call in await vendors.calls("openai")][-3:]
    _expect(asked == [retired, successor, successor], f"{asked} were asked")
    console.print(f"[bold]{retired}[/] is gone (404) and passed over for a day; [bold]{successor}[/] writes.")
    console.print("It was shown the faults of its first answer, and insists. What is stored says so, first of all:")
    console.print(f"  « {report.partition(' : ')[0]} »", highlight=False)
    for what, words in (
        ("changed", "soit -2"),
        ("invented, and marked", "(non vérifié)"),
        ("contradicted, and corrected", "(nos données : "),
    ):
        line = next((line for line in report.splitlines() if words in line), None)
        _expect(line is not None, f"no line of the report holds « {words} »")
        console.print(f"  [dim]{what} ·[/] {line}", highlight=False)
    appendix = run["detailed_appendix"]
    console.print(
        f"[dim]{appendix['figures_checked']} figures checked, {appendix['figures_unverified']} unverified, "
        f"{appendix['figures_contradicted']} contradicted; the faults are in hq.run_evidence.[/]\n"
    )
    await vendors.reset()


async def _show_failure(owner: AsyncClient, vendors: VendorsClient) -> None:
    console.rule("[bold]3 · A failure says what to do")
    console.print("The model's service answers 402: no credit is left.")
    await vendors.script("openai", {"status": 402})
    ticket = await _request(owner, "PLATFORM_STATUS_REVIEW", "nearvity")
    run = await _settled(owner, ticket["run_id"])
    _expect(run["status"] == "failed", f"the run ended {run['status']}")
    console.print(f"The run [red]failed[/] at once, and its row says what to do: « {run['executive_summary']} »")
    appendix = run["detailed_appendix"]
    console.print(f"[dim]error_code {appendix['error_code']}, cost {appendix['cost_estimate']} EUR[/]\n")


async def _show_rescue(
    owner: AsyncClient, vendors: VendorsClient, worker: Popen[bytes], start_another: Callable[[], object]
) -> None:
    console.rule("[bold]4 · A worker dies, the run does not")
    await vendors.reset()
    await vendors.script("openai", {"delay_ms": 60_000})
    # A step that took time is checkpointed: GitHub is as slow here as it can be in production.
    await vendors.script("github", default_delay_ms=400)
    ticket = await _request(owner, "CODE_REVIEW", "emotionscare")
    await vendors.wait_for("openai", calls=1)
    asked = len(await vendors.calls("github"))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    console.print("The worker was killed (kill -9) while the model was writing. Another one starts…")
    killed = time.monotonic()
    start_another()
    run = await _settled(owner, ticket["run_id"])
    _expect(run["status"] == "completed", f"the run ended {run['status']}: {run['executive_summary']}")
    console.print(
        f"[green]Completed[/] {_ms(killed) / 1000:.1f} s later, on attempt {run['detailed_appendix']['attempt']} "
        "(the lease is 3 s here, 30 s in production)."
    )
    _expect(len(await vendors.calls("github")) == asked, "GitHub was asked again")
    console.print("The data that the first worker had collected was kept: GitHub was not asked again.\n")
    _print_logs(await _logs_of(owner, run["run_id"]))


async def _show_plan(owner: AsyncClient, vendors: VendorsClient, stack: Stack) -> None:
    console.rule("[bold]5 · The plan fires on time, once, whatever triggers it")
    await vendors.reset()
    console.print("In the table editor, an operator moves the weekly audit to this hour of Paris; the hour strikes.")
    with psycopg.connect(stack.database_url, autocommit=True) as operator:
        operator.execute(_MOVE_AUDIT_HERE)
        operator.execute(_STRIKE_THE_HOUR)
        await _until("the slot of the audit", lambda: operator.execute(_SLOT).fetchone() is not None)
        local, run_id = operator.execute(_SLOT).fetchone() or ("", "")
        # Whichever comes first fires it: pg_cron, any worker, or this call.
        again = operator.execute("select * from public.enqueue_due_hq_runs()").fetchall()
        slots = operator.execute(
            "select count(*) from hq.plan_slots where job_key = 'weekly_security_audit'"
        ).fetchone()
    _expect(again == [] and slots == (1,), "a slot was fired twice")
    run = await _settled(owner, str(run_id))
    _expect(run["status"] == "completed" and not run["owner_requested"], f"the planned run ended {run['status']}")
    (line,) = [line for line in await _logs_of(owner, str(run_id)) if line["message"] == "plan.slot_fired"]
    console.print(
        f"The slot of {local} was fired once: [bold]{run['run_type']}[/], trigger {run['trigger']}, "
        f"now [green]{run['status']}[/]. The journal says:"
    )
    console.print(f"  {line['level']} [bold]{line['message']}[/] · {line['metadata']['job_key']}\n", highlight=False)


async def _show_autopilot(owner: AsyncClient, vendors: VendorsClient) -> None:
    console.rule("[bold]6 · The autopilot adds one report, and says why")
    await vendors.reset()
    console.print("No page is open. The president has switched the autopilot on; a run failed a moment ago (3).")
    config: dict[str, Any] = {"enabled": True, "low_risk_auto_execute": True}
    await owner.rpc("update_hq_system_config", {"p_key": "autopilot", "p_value": config}).execute()
    decision = await _first_decision(owner)
    _expect(len(decision["run_ids"]) == 1, f"the autopilot launched {decision['jobs_to_run']}")
    run = await _settled(owner, decision["run_ids"][0])
    _expect(run["status"] == "completed" and not run["owner_requested"], f"the added run ended {run['status']}")
    await owner.rpc("update_hq_system_config", {"p_key": "autopilot", "p_value": {"enabled": False}}).execute()
    console.print(
        f"A worker asked the model once ({decision['cost_eur']} EUR), which chose among what the rules allow: "
        f"[bold]{decision['jobs_to_run'][0]}[/], now [green]{run['status']}[/]. The journal says:"
    )
    console.print(f"  decided by {decision['decided_by']} · « {decision['reasoning']} »", highlight=False)
    for refusal in decision["skipped"]:
        console.print(f"  [dim]left out · {refusal}[/]", highlight=False)
    console.print()


async def _show_mail(mailbox: Mailbox) -> None:
    await _until("a message about the failure", lambda: bool(mailbox.read()))
    subject = mailbox.read()[0]["subject"]
    said = f"Nobody was answered, so the failure (3) also went by e-mail: « {subject} »\n"
    console.print(said, highlight=False, soft_wrap=True)


async def _first_decision(owner: AsyncClient) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        journal: Any = (await owner.rpc("get_hq_autopilot_journal", {"p_limit": 50}).execute()).data
        if journal:
            return dict(journal[-1])
        await asyncio.sleep(_POLL_SECONDS)
    raise StoryError(f"no worker decided anything within {_PATIENCE_SECONDS:.0f} s")


def _enter_worker(workers: contextlib.AsyncExitStack, stack: Stack, log: Path, mailbox: Mailbox) -> Popen[bytes]:
    worker = start_worker(stack, log, _WORKER_SETTINGS | {"NOTIFY_URLS": mailbox.url, "NOTIFY_SECONDS": "1"})

    def stop() -> None:
        if worker.poll() is None:
            worker.terminate()
            worker.wait()

    workers.callback(stop)
    return worker


async def _request(owner: AsyncClient, run_type: str, platform: str | None, **more: object) -> dict[str, Any]:
    request = {"p_run_type": run_type, "p_platform_key": platform, **more}
    response = await owner.rpc("request_hq_run", request).execute()
    return _first(response.data)


async def _settled(owner: AsyncClient, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run = _first((await owner.rpc("get_hq_run", {"p_run_id": run_id}).execute()).data)
        if run["status"] in {"completed", "failed", "cancelled"}:
            return run
        await asyncio.sleep(_POLL_SECONDS)
    raise StoryError(f"run {run_id} did not end within {_PATIENCE_SECONDS:.0f} s")


async def _logs_of(owner: AsyncClient, run_id: str) -> list[dict[str, Any]]:
    """Read the structured logs as the log viewer does, oldest first."""
    response = await owner.rpc(
        "get_hq_logs", {"limit_count": 50, "level_filter": None, "source_filter": None}
    ).execute()
    lines: Any = response.data
    return [line for line in reversed(lines) if line["run_id"] == run_id]


async def _until(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise StoryError(f"never seen: {what}")
        await asyncio.sleep(_POLL_SECONDS)


def _print_life(run: dict[str, Any], logs: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("what a worker wrote", "where", "content"):
        table.add_column(column)
    for step in run["steps"]:
        table.add_row(f"step {step['step_order']} · {step['name']}", "hq.run_steps", step["description"])
    for evidence in run["evidence"]:
        if "label" not in evidence["data"]:
            continue  # what the next report is written from: figures and items
        label, url = evidence["data"]["label"], evidence["source_url"]
        shown = f"missing: {label}" if evidence["evidence_type"] == "gap" else f"{label} [dim]{url or ''}[/]"
        table.add_row("evidence", "hq.run_evidence", shown)
    table.add_row("provenance", "hq.runs", ", ".join(run["detailed_appendix"]["data_sources"]))
    for cost in run["costs"]:
        tokens = f"{cost['tokens_in']} + {cost['tokens_out']} tokens"
        searched = ", for searching the web" if cost["search_cost_eur"] else ""
        table.add_row("cost", "hq.run_costs", f"{cost['cost_eur']} EUR for {tokens} of {cost['model']}{searched}")
    for line in logs:
        took = f", {line['metadata']['duration_ms']} ms" if line["message"] == "run.completed" else ""
        table.add_row("log", "hq.structured_logs", f"{line['level']} {line['message']}{took}")
    console.print(table)


def _print_logs(logs: list[dict[str, Any]]) -> None:
    for line in logs:
        metadata = line["metadata"]
        shown = metadata.get("error_message") or f"worker {metadata.get('worker_id', '?')}"
        console.print(
            f"  {line['level']:<5} [bold]{line['message']:<14}[/] attempt {metadata['attempt']} · {shown}",
            highlight=False,
        )


def _first_parts(report: str) -> str:
    """Return the first two parts of a report: enough to see that the data flowed."""
    head, *parts = report.split("\n## ")
    return "\n## ".join([head, *parts[:1]]) + "\n\n…"


def _first(rows: Any) -> dict[str, Any]:  # noqa: ANN401 - the client types what PostgREST sends as any JSON
    return dict(rows[0])


def _expect(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence at its calls
    if not condition:
        raise StoryError(otherwise)


def _ms(since: float) -> int:
    return round((time.monotonic() - since) * 1000)


if __name__ == "__main__":
    sys.exit(main())
