"""The registry as SQL: its run types and jobs, by which the database validates, counts and plans."""

from collections.abc import Iterable, Iterator

from psycopg import sql

from shared.registry import JOBS, REGISTRY_VERSION, RUN_TYPES

Row = dict[str, object]


def render_registry() -> str:
    """Render the registry's two tables as SQL: insert, update, and delete what the registry no longer has."""
    return _upsert("hq.run_types", _run_type_rows()) + _upsert("hq.scheduled_jobs", _job_rows())


def _run_type_rows() -> Iterator[Row]:
    for run_type in RUN_TYPES.values():
        yield {
            "key": run_type.key,
            "label": run_type.label,
            "agent": run_type.agent.name,
            "agent_role": run_type.agent.name.removesuffix(" Agent"),
            "model": run_type.tier.model,
            "cost_eur": run_type.cost_eur,
            "risk": run_type.risk.value,
            "requires_approval": run_type.requires_approval,
            "auto_executable": run_type.auto_executable,
            "allowed_triggers": [trigger.value for trigger in run_type.allowed_triggers],
            "autopilot_default": run_type.autopilot_default,
            "fills_digest": run_type.fills_digest,
            "registry_version": REGISTRY_VERSION,
        }


def _job_rows() -> Iterator[Row]:
    """Yield each job's defaults from the registry; an operator's own choices are in other columns."""
    for job in JOBS.values():
        yield {
            "key": job.key,
            "name": job.name,
            "default_hours": list(job.calendar.hours),
            "default_weekdays": [int(day) for day in job.calendar.weekdays],
            "run_type": job.run_type,
            "priority": job.priority.value,
            "aliases": list(job.aliases),
            "description": job.description,
            "registry_version": REGISTRY_VERSION,
        }


def _upsert(table: str, rows: Iterable[Row]) -> str:
    rows = list(rows)
    columns = list(rows[0])
    values = ",\n".join(
        f"  ({', '.join(sql.Literal(value).as_string(None) for value in row.values())})" for row in rows
    )
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    # Deleted last: a row that stays keeps its other columns, which belong to the operators.
    return (
        f"insert into {table} ({', '.join(columns)}) values\n{values}\n"
        f"on conflict (key) do update set {updates};\n"
        f"delete from {table} where registry_version <> '{REGISTRY_VERSION}';\n"
    )
