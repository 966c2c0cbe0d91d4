-- PUBLIC may execute whatever is not revoked, and the platform opens schema public to anon by habit.
select f.oid::regprocedure
from pg_temp.our_functions as f
where has_function_privilege('anon', f.oid, 'execute')
  or exists (
    select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as grants where grants.grantee = 0
  );
