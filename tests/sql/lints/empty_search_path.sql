-- A function that runs as its owner must not resolve names through what its caller put in the way.
select f.oid::regprocedure
from pg_temp.our_functions as f
where f.prokind = 'f' and (not f.prosecdef or not coalesce(f.proconfig, '{}') @> array['search_path=""']);
