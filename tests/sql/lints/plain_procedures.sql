-- A procedure of ours commits, which PostgreSQL forbids to one that has settings or runs as its owner; it runs as
-- its caller, so nobody but the owner may be that.
select f.oid::regprocedure
from pg_temp.our_functions as f
where f.prokind = 'p' and (
  f.prosecdef
  or f.proconfig is not null
  or exists (
    select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as grants where grants.grantee <> f.proowner
  )
);
