"""The host's tables as a test fills them: the studio module, and a canary in every text that a person could type."""

from typing import Final

from psycopg import sql

from support.database import Database, Row

STUDIO: Final = b"""
create table hq.studio_opportunities (
  id uuid primary key default gen_random_uuid(), title text not null, domain text, description text,
  status text not null default 'idea', created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table hq.studio_calls (
  id uuid primary key default gen_random_uuid(), title text not null, call_type text not null, issuer text,
  deadline date, status text not null default 'to_analyze', created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table hq.studio_deals (
  id uuid primary key default gen_random_uuid(), project_name text not null, partner_name text, deal_type text not null,
  cash_component numeric(12, 2), success_fee numeric(12, 2), next_action text, status text not null default 'draft',
  created_at timestamptz not null default now(), updated_at timestamptz not null default now()
);
"""
"""The tables of the host's studio module that reports read, with the columns that matter."""

CANARY: Final = "Canari Zyglothorax"
"""What no prompt may hold: it stands for whatever a person typed into the host's tables."""

# Read as they are, because they are no text of a person: the platforms, and what our own reports hold.
_READ_AS_THEY_ARE: Final = ("platforms", "runs", "run_steps", "run_evidence", "system_config", "agents", "org_roles")

_OURS: Final = (
    "^(run_|report_|scheduled_|plan_|worker_|finance_|platform_|autopilot|ai_|announce|request_)"
    "|^(turns|maintenance|closed_doors|morning_digests|user_roles)$"
)


def plant(database: Database) -> int:
    """Put a row with the canary in every text and document into each table of the host; count the columns."""
    planted = 0
    for table in _hosts_tables(database):
        name = sql.Identifier(table["nspname"], table["relname"])
        for constraint in database.rows(
            "select conname from pg_constraint where conrelid = %s and contype in ('c', 'f')", table["oid"]
        ):
            database.sql.execute(
                sql.SQL("alter table {} drop constraint {} cascade").format(name, sql.Identifier(constraint["conname"]))
            )
        found = database.rows(_VALUES, table["oid"])
        values = {row["attname"]: row["value"] for row in found if row["value"] is not None}
        planted += sum(CANARY in value for value in values.values())
        if not values:
            continue  # nothing in it is needed, and nothing is a text
        database.sql.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                name,
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(sql.SQL(value) for value in values.values()),
            )
        )
    return planted


def _hosts_tables(database: Database) -> list[Row]:
    return database.rows(
        "select c.oid, n.nspname, c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where n.nspname in ('hq', 'public') and c.relkind = 'r' and c.relname <> all (%s)"
        " and c.relname !~ %s",
        list(_READ_AS_THEY_ARE),
        _OURS,
    )


# For each column that a row needs or that holds text, the SQL of a value.
_VALUES: Final = f"""
select a.attname, case
  when a.attidentity <> '' or a.attgenerated <> '' then null
  when t.typcategory = 'S' then '''{CANARY}'''
  when a.atttypid = 'text[]'::regtype then 'array[''{CANARY}'']'
  when a.atttypid in ('jsonb'::regtype, 'json'::regtype) then '''{{"{CANARY}": "{CANARY}"}}'''
  when a.attname = 'created_at' then 'now() - interval ''2 days'''
  when a.atthasdef or not a.attnotnull then null
  when a.atttypid = 'uuid'::regtype then 'gen_random_uuid()'
  when t.typcategory = 'D' then 'now()'
  when t.typcategory = 'B' then 'false'
  when t.typcategory = 'N' then '1'
  when t.typcategory = 'E' then
    (select quote_literal(e.enumlabel) from pg_enum as e where e.enumtypid = t.oid order by e.enumsortorder limit 1)
end as value
from pg_attribute as a
join pg_type as t on t.oid = a.atttypid
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
"""
