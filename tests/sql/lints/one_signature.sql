-- One name, one signature: PostgREST picks among overloads by the names of the arguments it was sent.
select f.schema_name, f.proname
from pg_temp.our_functions as f
group by f.schema_name, f.proname
having count(*) > 1;
