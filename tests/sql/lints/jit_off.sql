-- Where a kind of plan is disabled, JIT is too: where nothing else is left, the penalty of the disabled plan is above
-- jit_above_cost, and PostgreSQL (up to 17) compiles it with each call: 53 ms of CPU instead of 1.
select f.schema_name, f.proname
from pg_temp.our_functions as f
where exists (select from unnest(f.proconfig) as c (setting) where c.setting ~ '^enable_.*=off$')
  and not f.proconfig @> '{jit=off}'
