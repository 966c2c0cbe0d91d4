-- Row security is the second lock: it holds when somebody grants on a table by mistake.
select t.name
from pg_temp.our_tables as t
join pg_class as c on c.oid = format('hq.%I', t.name)::regclass
where not c.relrowsecurity;
