"""All that the catalogue says of the HQ's objects, so that two states of a database can be held side by side."""

from support.database import Database

_SCHEMAS = "('hq'::regnamespace, 'public'::regnamespace)"

_PARTS = {
    "routine": f"""
        select p.oid::regprocedure::text as name,
          concat_ws(e'\\n', pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'),
            (select string_agg(a::text, ' ' order by a::text) from unnest(p.proacl) as a)) as said
        from pg_proc as p where p.pronamespace in {_SCHEMAS} and p.prokind in ('f', 'p')
    """,
    "relation": f"""
        select c.oid::regclass::text as name,
          concat_ws(' ', c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relreplident,
            obj_description(c.oid, 'pg_class'),
            (select string_agg(a::text, ' ' order by a::text) from unnest(c.relacl) as a),
            case c.relkind when 'i' then pg_get_indexdef(c.oid) when 'v' then pg_get_viewdef(c.oid) end,
            (select i.indisvalid from pg_index as i where i.indexrelid = c.oid)) as said
        from pg_class as c where c.relnamespace in {_SCHEMAS}
    """,
    "column": f"""
        select format('%s.%s', a.attrelid::regclass, a.attname) as name,
          concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attacl,
            pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)) as said
        from pg_attribute as a
        join pg_class as c on c.oid = a.attrelid and c.relnamespace in {_SCHEMAS}
        left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attnum > 0 and not a.attisdropped
    """,
    "constraint": f"""
        select format('%s on %s', k.conname, k.conrelid::regclass) as name, pg_get_constraintdef(k.oid) as said
        from pg_constraint as k where k.connamespace in {_SCHEMAS}
    """,
    "trigger": f"""
        select format('%s on %s', t.tgname, t.tgrelid::regclass) as name,
          concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled) as said
        from pg_trigger as t join pg_class as c on c.oid = t.tgrelid and c.relnamespace in {_SCHEMAS}
        where not t.tgisinternal
    """,
    "policy": "select format('%s on %s', policyname, tablename) as name, p::text as said from pg_policies as p",
    "schema": """
        select n.nspname as name, (select string_agg(a::text, ' ' order by a::text) from unnest(n.nspacl) as a) as said
        from pg_namespace as n where n.nspname in ('hq', 'public')
    """,
    "published": "select format('%s.%s', schemaname, tablename) as name, pubname as said from pg_publication_tables",
    "setting": "select key as name, value::text as said from hq.system_config",
}
_CRON = "select jobname as name, concat_ws(' ', schedule, command, active, username) as said from cron.job"


def describe(database: Database) -> dict[tuple[str, str], str]:
    """Describe every object of the HQ: the host's and ours."""
    parts = dict(_PARTS)
    if database.one("select to_regclass('cron.job') is not null as there")["there"]:
        parts["cron job"] = _CRON
    return {(part, row["name"]): row["said"] for part, query in parts.items() for row in database.rows(query)}
