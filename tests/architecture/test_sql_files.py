"""One name per function, three places: its file, the catalogue, and (when PostgREST serves it) its Python caller."""

import inspect
import re
from pathlib import Path

import pytest
from support.database import Database

from shared.registry import Risk
from shared.runs import RunStatus
from workers.backend import rpc
from workers.ports import RunRequest

RPC_FOLDER = Path(__file__).parents[2] / "sql" / "rpc"
FILES = {path.stem: path.read_text() for path in sorted(RPC_FOLDER.glob("*.sql"))}
SERVED = {name for name in FILES if not name.startswith("_")}
PRIVATE = {name.removeprefix("_") for name in FILES if name.startswith("_")}


def _kind(name: str) -> str:
    return "procedure" if "\ncreate or replace procedure " in FILES[name] else "function"


def _defined(text: str) -> list[str]:
    return re.findall(r"^create (?:or replace )?(?:function|procedure) (\S+?)\(", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_a_file_defines_the_one_function_of_its_name(name: str) -> None:
    expected = f"hq.{name[1:]}" if name.startswith("_") else f"public.{name}"

    assert _defined(FILES[name]) == [expected]


@pytest.mark.parametrize("name", FILES)
def test_a_file_begins_with_purpose_locks_and_errors(name: str) -> None:
    header = FILES[name].partition("create ")[0]
    lines = header.splitlines()

    assert len(lines) >= 3
    assert all(line.startswith("-- ") for line in lines)
    assert any("Raises " in line for line in lines)


@pytest.mark.parametrize("name", FILES)
def test_the_errors_named_are_the_errors_raised(name: str) -> None:
    header, _, body = FILES[name].partition("create ")
    raised = set(re.findall(r"errcode = '(HQ\d{3})'", body))

    assert raised <= set(re.findall(r"HQ\d{3}", header))


@pytest.mark.parametrize("name", FILES)
def test_a_file_closes_its_function_and_comments_it(name: str) -> None:
    routine = f"{_kind(name)} hq.{name[1:]}" if name.startswith("_") else f"function public.{name}"

    assert f"revoke execute on {routine} from public, anon, authenticated;" in FILES[name]
    assert f"comment on {routine} is '" in FILES[name]


@pytest.mark.parametrize("name", [name for name in FILES if _kind(name) == "procedure"])
def test_a_procedure_is_there_to_commit_and_nobody_elses_to_call(name: str) -> None:
    """Everything else is a function: those are closed by their own settings, which a commit does not allow."""
    assert re.search(r"^ +commit;$", FILES[name], flags=re.MULTILINE)
    assert "grant execute" not in FILES[name]


def test_files_and_catalogue_hold_the_same_functions(database: Database) -> None:
    """Also those that the migrations would have made beside the files."""
    installed = database.rows(
        "select n.nspname || '.' || p.proname as name "
        "from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace "
        "where n.nspname = 'hq' or (n.nspname = 'public' and p.proconfig @> array['search_path=\"\"'])"
    )
    hosts = {"hq.purge_old_logs", "hq.update_updated_at"}

    expected = {f"public.{name}" for name in SERVED} | {f"hq.{name}" for name in PRIVATE}
    assert {row["name"] for row in installed} - hosts == expected


def test_files_and_python_hold_the_same_functions() -> None:
    callers = {name for name, _ in inspect.getmembers(rpc, inspect.iscoroutinefunction) if not name.startswith("_")}

    assert callers == SERVED


@pytest.mark.parametrize("name", sorted(SERVED))
def test_a_caller_names_the_parameters_of_the_function(name: str, database: Database) -> None:
    (function,) = database.rows(
        "select p.proargnames[1:p.pronargs] as names from pg_proc as p "
        "where p.pronamespace = 'public'::regnamespace and p.proname = %s",
        name,
    )
    caller = inspect.getsource(getattr(rpc, name))

    # A request is sent field by field; every other caller writes its parameters down.
    fields = {f"p_{field}" for field in RunRequest.model_fields} if "RunRequest" in caller else set()
    assert f'"{name}"' in caller
    assert set(re.findall(r'"(p_\w+)"', caller)) | fields <= set(function["names"] or ())


@pytest.mark.parametrize(("enum", "name"), [(RunStatus, "hq.run_status"), (Risk, "hq.risk_level")])
def test_an_enum_is_the_databases(enum: type[RunStatus | Risk], name: str, database: Database) -> None:
    values = database.rows("select unnest(enum_range(null::%s))::text as value".replace("%s", name))

    assert [member.value for member in enum] == [row["value"] for row in values]
