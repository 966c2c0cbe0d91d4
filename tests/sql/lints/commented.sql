-- Operators meet our objects in the dashboard, where the comment is all the documentation there is.
select f.oid::regprocedure::text as name
from pg_temp.our_functions as f
where obj_description(f.oid, 'pg_proc') is null
union all
select t.name
from pg_temp.our_tables as t
where obj_description(format('hq.%I', t.name)::regclass, 'pg_class') is null;
