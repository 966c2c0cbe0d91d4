"""Write `docs/database.md` from the catalogue of a migrated database: `python -m devstack.describe`, or `make docs`.

The page on what feeds the sections of reports, and the pictures of the commands, are written with it.

What a function promises comes from the head of its file, because the catalogue keeps only the French comment that
operators read. Nothing here depends on the version of PostgreSQL: no expression is printed as the server prints it.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from psycopg.rows import dict_row

from devstack.baseline import apply_baseline
from devstack.cron import install_stand_in
from devstack.describe_screens import render_screens
from devstack.describe_sections import SECTIONS_PAGE, render_sections
from devstack.postgres import SUPERUSER, PostgresCluster
from workers import schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

PAGE: Final = Path(__file__).parents[1] / "docs" / "database.md"

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

_HEAD: Final = """\
# The database

Written by `make docs` from the catalogue of a migrated database; do not edit it.
A test compares it with the catalogue and fails when it is stale.

This page describes what the workers add to the HQ's database.
The tables of the application that was there before (`hq.runs`, `hq.platforms`, …) are the application's own.
Comments in the catalogue are French, because operators read them in the SQL editor.
What a function promises is in English: it is the head of its file in `sql/rpc`.
No role is granted anything on our tables, and they have row security: programs call functions, operators read views.
"""

_COLUMNS: Final[LiteralString] = """
select
  c.relname as relation,
  a.attname as name,
  format_type(a.atttypid, a.atttypmod) as type,
  t.typname as short_type,
  a.attnotnull as is_required,
  coalesce(col_description(c.oid, a.attnum), '') as comment,
  exists (
    select from pg_constraint as k where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any (k.conkey)
  ) as is_primary,
  exists (
    select from pg_constraint as k where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey)
  ) as is_foreign
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_type as t on t.oid = a.atttypid
where c.relnamespace = 'hq'::regnamespace and c.relname = any (%s) and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum
"""

_COMMENTS: Final[LiteralString] = """
select c.relname as name, coalesce(obj_description(c.oid, 'pg_class'), '') as comment
from pg_class as c
where c.relnamespace = 'hq'::regnamespace and c.relname = any (%s)
"""

_REFERENCES: Final[LiteralString] = """
select
  c.relname as child,
  p.relname as parent,
  (select a.attname from pg_attribute as a where a.attrelid = k.conrelid and a.attnum = k.conkey[1]) as columns,
  exists (
    select from pg_constraint as u
    where u.conrelid = k.conrelid and u.contype in ('p', 'u') and u.conkey <@ k.conkey
  ) as is_unique
from pg_constraint as k
join pg_class as c on c.oid = k.conrelid
join pg_class as p on p.oid = k.confrelid
where k.contype = 'f' and c.relnamespace = 'hq'::regnamespace and c.relname = any (%s)
order by c.relname, p.relname, k.conname
"""

_FUNCTIONS: Final[LiteralString] = """
select
  n.nspname || '.' || p.proname as name,
  p.prokind = 'p' as is_procedure,
  coalesce(obj_description(p.oid, 'pg_proc'), '') as comment,
  case when p.prokind = 'f' then pg_get_function_result(p.oid) end as result,
  p.pronargs as inputs,
  p.pronargs - p.pronargdefaults as required,
  p.proargnames as names,
  array(
    select format_type(one.type, null)
    from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as one (type, place)
    order by one.place
  ) as types,
  array(
    select r.role from unnest(array['anon', 'authenticated', 'service_role']) as r (role)
    where has_function_privilege(r.role, p.oid, 'execute')
  ) as callers
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname || '.' || p.proname = any (%s)
order by n.nspname, p.proname
"""

_TRIGGERS: Final[LiteralString] = """
select t.tgname as name, c.relname as relation, p.proname as function
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
join pg_proc as p on p.oid = t.tgfoid
where not t.tgisinternal and p.pronamespace = 'hq'::regnamespace and 'hq.' || p.proname = any (%s)
order by c.relname, t.tgname
"""

_CRON: Final[LiteralString] = """
select j.name, j.schedule, j.command, (extract(epoch from j.silent_after) / 60)::integer as silent_minutes
from hq.list_cron_jobs() as j
order by j.name
"""

_TABLES: Final[LiteralString] = "select tablename as name from pg_tables where schemaname = 'hq'"


def render(connection: Connection, tables: Collection[str]) -> str:
    """Render the page; `tables` are those of ours, by name, without their schema.

    Determinism: depends on our own SQL only, not on data, locale or version.
    """
    files = {_qualify(file.name): file.text for file in schema.read_files() if file.kind == "function"}
    views = schema.read_views()
    columns = _group(connection.execute(_COLUMNS, [sorted({*tables, *views})]), "relation")
    comments = {row["name"]: row["comment"] for row in connection.execute(_COMMENTS, [sorted({*tables, *views})])}
    functions = sorted(connection.execute(_FUNCTIONS, [list(files)]), key=lambda row: str(row["name"]))
    references = connection.execute(_REFERENCES, [sorted(tables)]).fetchall()
    sections = [
        [_HEAD.rstrip()],
        _render_contents(),
        _render_diagram(sorted(tables), columns, references),
        ["## Tables"],
        *([f"### `hq.{name}`", comments[name], _render_columns(columns[name])] for name in sorted(tables)),
        ["## Functions that programs call", "Served by PostgREST, in schema `public`."],
        *(_render_function(row, files[row["name"]]) for row in functions if row["name"].startswith("public.")),
        ["## Functions inside", "In schema `hq`: called by the functions above, by pg_cron and by operators."],
        *(_render_function(row, files[row["name"]]) for row in functions if row["name"].startswith("hq.")),
        _render_triggers(connection.execute(_TRIGGERS, [list(files)]).fetchall()),
        ["## Views", "For operators; granted to nobody else, and read by no program."],
        *([f"### `hq.{name}`", comments[name], _render_columns(columns[name])] for name in sorted(views)),
        _render_cron(connection),
        _render_indexes(),
    ]
    return "\n\n".join(part for section in sections for part in section if part) + "\n"


def build() -> str:
    """Migrate a throw-away database at the host's newest schema, and render what it holds.

    Cost: some ten seconds. Raises: PostgresError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="describe-") as folder,
        PostgresCluster.start(Path(folder) / "postgres", ephemeral=True) as cluster,
    ):
        if not cluster.has_pg_cron:
            install_stand_in(cluster.dsn("postgres", SUPERUSER))
        apply_baseline(cluster.dsn("postgres", SUPERUSER), "head")
        url = cluster.dsn("postgres", "postgres")
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            hosts = {row["name"] for row in connection.execute(_TABLES)}
            schema.apply(url)
            ours = {row["name"] for row in connection.execute(_TABLES)} - hosts
            return render(connection, ours)


def _qualify(name: str) -> str:
    return f"hq.{name[1:]}" if name.startswith("_") else f"public.{name}"


def _group(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[str(row[key])].append(row)
    return groups


def _render_contents() -> list[str]:
    titles = (
        "Tables",
        "Functions that programs call",
        "Functions inside",
        "Triggers",
        "Views",
        "Jobs of pg_cron",
        "Indexes on tables of the host",
    )
    return ["\n".join(f"- [{title}](#{title.lower().replace(' ', '-')})" for title in titles)]


def _render_diagram(tables: Sequence[str], columns: dict[str, list[Row]], references: list[Row]) -> list[str]:
    """Draw our tables with their keys, and what they refer to."""
    lines = ["```mermaid", "erDiagram"]
    for row in references:
        arrow = "||--o|" if row["is_unique"] else "||--o{"
        lines.append(f'    {row["parent"]} {arrow} {row["child"]} : "{row["columns"]}"')
    for name in tables:
        keys = [row for row in columns[name] if row["is_primary"] or row["is_foreign"]]
        lines.append(f"    {name} {{")
        for row in keys:
            marks = ", ".join(mark for mark, is_so in (("PK", row["is_primary"]), ("FK", row["is_foreign"])) if is_so)
            lines.append(f"        {row['short_type'].lstrip('_')} {row['name']} {marks}")
        lines.append("    }")
    note = "Only keys are shown. `runs`, `platforms` and `incidents` are the application's."
    return ["## Our tables and what they refer to", note, "\n".join([*lines, "```"])]


def _render_columns(columns: list[Row]) -> str:
    lines = ["| column | type | comment |", "|---|---|---|"]
    for row in columns:
        key = " (key)" if row["is_primary"] else ""
        required = ", not null" if row["is_required"] and not row["is_primary"] else ""
        lines.append(f"| `{row['name']}`{key} | {row['type']}{required} | {_cell(row['comment'])} |")
    return "\n".join(lines)


def _render_function(row: Row, text: str) -> list[str]:
    return [
        f"### `{row['name']}`",
        "\n".join(_read_promise(text)),
        f"Who may call it: {_render_callers(row)}. Comment: {row['comment']}",
        "\n".join(["```text", *_render_signature(row), "```"]),
    ]


def _read_promise(text: str) -> Iterator[str]:
    """Read the comment at the head of a function's file."""
    for line in text.splitlines():
        if not line.startswith("--"):
            return
        yield line.removeprefix("--").strip()


def _render_callers(row: Row) -> str:
    if row["result"] == "trigger":
        return "nobody, it is a trigger"
    return ", ".join(f"`{role}`" for role in row["callers"]) or "operators, pg_cron and our own functions"


def _render_signature(row: Row) -> Iterator[str]:
    """Write a function's parameters, and the columns of its answer, one a line."""
    names = row["names"] or []
    arguments = list(zip(names, row["types"], strict=False))
    inputs, outputs = arguments[: row["inputs"]], arguments[row["inputs"] :]
    kind = "procedure " if row["is_procedure"] else ""
    yield f"{kind}{row['name'].partition('.')[2]}({'' if inputs else ')' + _render_result(row, outputs)}"
    for place, (name, type_) in enumerate(inputs):
        optional = "" if place < row["required"] else " (optional)"
        yield f"  {name} {type_}{optional}"
    if inputs:
        yield ")" + _render_result(row, outputs)
    yield from (f"  {name} {type_}" for name, type_ in outputs)


def _render_result(row: Row, outputs: list[tuple[str, str]]) -> str:
    if row["is_procedure"]:
        return ""
    return " → rows of" if outputs else f" → {row['result']}"


def _render_triggers(rows: list[Row]) -> list[str]:
    lines = ["| table | trigger | function |", "|---|---|---|"]
    lines += [f"| `hq.{row['relation']}` | `{row['name']}` | `hq.{row['function']}` |" for row in rows]
    return ["## Triggers", "\n".join(lines)]


def _render_cron(connection: Connection) -> list[str]:
    lines = ["| job | schedule | command | reported as silent after |", "|---|---|---|---|"]
    lines += [
        f"| `{row['name']}` | `{row['schedule']}` | `{row['command']}` | {row['silent_minutes']} minutes |"
        for row in connection.execute(_CRON)
    ]
    return ["## Jobs of pg_cron", "\n".join(lines)]


def _render_indexes() -> list[str]:
    lines = [f"- `hq.{name}`: {' '.join(_read_promise(text))}" for name, text in sorted(schema.read_indexes().items())]
    return ["## Indexes on tables of the host", "\n".join(lines)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(build(), encoding="utf-8")
    SECTIONS_PAGE.write_text(render_sections(), encoding="utf-8")
    for picture, text in render_screens().items():
        picture.write_text(text, encoding="utf-8")
