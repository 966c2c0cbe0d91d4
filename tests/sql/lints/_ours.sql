-- What the lints look at: the functions that the ledger names, under all their signatures.
-- The tables of ours, pg_temp.our_tables (name), are given by the test.
create temporary view our_functions as
select n.nspname as schema_name, p.*
from hq.worker_migrations as m
join pg_namespace as n on n.nspname = case when m.name like '\_%' then 'hq' else 'public' end
join pg_proc as p on p.pronamespace = n.oid and p.proname = ltrim(m.name, '_')
where m.kind = 'function';
