"""More than PostgREST returns in one answer: what is counted is right, and what is listed says that it was cut."""

import re
from datetime import timedelta

import httpx
from support.hq import Hq

from shared.findings import Finding
from shared.registry import find_run_type
from workers.backend.client import open_client
from workers.backend.reader import SupabaseReader
from workers.clock import SystemClock
from workers.ports import Source, Subject
from workers.settings import SupabaseSettings
from workers.sources.database import CatalogueSource, OpenMattersSource, RunHistorySource

MANY = 1200
SUBJECT = Subject(run_type=find_run_type("SECURITY_AUDIT_RLS"), platforms=())


async def _collect(hq: Hq, *kinds: str) -> dict[str, tuple[Finding, ...]]:
    settings = SupabaseSettings.model_validate(
        {"SUPABASE_URL": hq.stack.url, "SUPABASE_SERVICE_ROLE_KEY": hq.stack.service_role_key}
    )
    clock = SystemClock()
    async with open_client(settings) as client:
        reader = SupabaseReader(client)
        sources: dict[str, Source] = {
            "catalogue": CatalogueSource(reader, allowed=True, clock=clock),
            "history": RunHistorySource(reader, clock=clock),
            "matters": OpenMattersSource(reader, clock=clock),
        }
        return {kind: (await sources[kind].collect(SUBJECT)).findings for kind in kinds}


def _make_many(hq: Hq) -> None:
    tables_and_functions = (
        "do $$ begin for n in 1..1200 loop"
        " execute format('create table public.bare_%s (secret int)', n);"
        " execute format('create function public.callable_%s() returns int language sql as $f$ select 1 $f$', n);"
        " end loop; end $$"
    )
    actions = (
        "insert into hq.actions (action_type, title) select 'x', 'Action ' || n from generate_series(1, 1200) as n"
    )
    runs = "insert into hq.runs (run_type, status) select 'OLD_' || n, 'cancelled' from generate_series(1, 1200) as n"
    for statement in (tables_and_functions, actions, runs):
        hq.database.run(statement)


async def test_what_is_counted_does_not_depend_on_what_is_listed(hq: Hq) -> None:
    before = (await _collect(hq, "catalogue"))["catalogue"][0].data
    _make_many(hq)

    found = await _collect(hq, "catalogue", "history", "matters")

    catalogue = "\n".join(finding.text for finding in found["catalogue"])
    data = found["catalogue"][0].data
    for name in ("tables", "without_row_security", "functions_open_to_anon"):
        was = before[name]
        assert isinstance(was, int)
        assert data[name] == was + MANY, name
    assert re.search(r"- et .{1,7} autres tables, moins exposées, qui ne figurent pas dans cette liste", catalogue)
    assert re.search(r"Fonctions appelables par anon : .* et .{1,7} autres$", catalogue)
    (history,) = found["history"]
    assert (history.data["runs"], history.data["cost_eur"]) == (MANY, 0.0)
    assert re.search(r"- et 1\W100 autres types, moins fréquents, qui ne figurent pas", history.text)
    (matters,) = found["matters"]
    assert matters.data["actions"] == MANY
    assert re.search(r"- et 1\W170 autres, qui ne figurent pas", matters.text)


async def test_a_list_of_the_stand_in_is_cut_as_on_a_hosted_project(hq: Hq) -> None:
    hq.database.run("create function public.many() returns setof int language sql as 'select generate_series(1, 1200)'")
    key = hq.stack.service_role_key
    async with httpx.AsyncClient(headers={"apikey": key, "authorization": f"Bearer {key}"}) as http:
        for _ in range(50):
            answer = await http.post(f"{hq.stack.url}/rest/v1/rpc/many")
            if answer.status_code == httpx.codes.OK:
                break
            await SystemClock().sleep(timedelta(milliseconds=100))

    assert len(answer.json()) == 1000
