"""One name per function, three places: its file, the catalogue, and (when PostgREST serves it) its Python caller."""

import ast
import re
from pathlib import Path

import pytest
from support.database import Database

from shared.registry import Risk
from shared.runs import RunStatus
from workers.ports import RunRequest

SQL_FOLDER = Path(__file__).parents[2] / "sql"
RPC_FOLDER = SQL_FOLDER / "rpc"
BACKEND = Path(__file__).parents[2] / "workers" / "backend"
FILES = {path.stem: path.read_text() for path in sorted(RPC_FOLDER.glob("*.sql"))}
SERVED = {name for name in FILES if not name.startswith("_")}
# Served for what is deployed already, and called by nothing here: beside each stands the `_v2` that it hands over to.
DEPRECATED = {name for name in SERVED if "\n-- Deprecated: " in FILES[name]}
PRIVATE = {name.removeprefix("_") for name in FILES if name.startswith("_")}

MAX_COLUMNS = 120
# Merged before lines were measured, and never edited since.
WIDE_MIGRATIONS = 12


def _kind(name: str) -> str:
    return "procedure" if "\ncreate or replace procedure " in FILES[name] else "function"


def _defined(text: str) -> list[str]:
    return re.findall(r"^create (?:or replace )?(?:function|procedure) (\S+?)\(", text, flags=re.MULTILINE)


def _full_name(name: str) -> str:
    return f"hq.{name[1:]}" if name.startswith("_") else f"public.{name}"


def test_both_kinds_of_files_are_found() -> None:
    """An empty folder would satisfy every test below."""
    assert len(SERVED) > 10
    assert len(PRIVATE) > 10


def test_no_line_is_over_120_columns() -> None:
    new = [path for path in (SQL_FOLDER / "migrations").glob("*.sql") if int(path.name[:4]) > WIDE_MIGRATIONS]
    paths = [*new, *(path for folder in ("rpc", "views", "indexes") for path in (SQL_FOLDER / folder).glob("*.sql"))]

    offenders = [
        f"{path.name}:{number} ({len(line)})"
        for path in sorted(paths)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > MAX_COLUMNS
    ]
    assert offenders == []


def test_paris_is_named_in_one_place() -> None:
    places = [
        path.name
        for folder in ("rpc", "views")
        for path in (SQL_FOLDER / folder).glob("*.sql")
        if "Europe/Paris" in path.read_text()
    ]

    assert places == ["_paris_zone.sql"]


def test_a_file_defines_the_one_function_of_its_name() -> None:
    offenders = {name: _defined(text) for name, text in FILES.items() if _defined(text) != [_full_name(name)]}

    assert offenders == {}


def test_a_file_begins_with_purpose_locks_and_errors() -> None:
    headers = {name: text.partition("create ")[0].splitlines() for name, text in FILES.items()}

    assert {name: len(lines) for name, lines in headers.items() if len(lines) < 3} == {}
    assert [(name, line) for name, lines in headers.items() for line in lines if not line.startswith("-- ")] == []
    assert [name for name, lines in headers.items() if not any("Raises " in line for line in lines)] == []


def test_the_errors_raised_are_named() -> None:
    parts = {name: text.partition("create ") for name, text in FILES.items()}
    raised = {name: set(re.findall(r"errcode = '(HQ\d{3})'", body)) for name, (_, _, body) in parts.items()}
    unnamed = {name: sorted(raised[name] - set(re.findall(r"HQ\d{3}", parts[name][0]))) for name in FILES}

    assert any(raised.values())
    assert {name: errors for name, errors in unnamed.items() if errors} == {}


def test_a_file_closes_its_function_and_comments_it() -> None:
    routines = {name: f"{_kind(name) if name[0] == '_' else 'function'} {_full_name(name)}" for name in FILES}
    missing = [
        (name, statement)
        for name, routine in routines.items()
        for statement in (
            f"revoke execute on {routine} from public, anon, authenticated;",
            f"comment on {routine} is '",
        )
        if statement not in " ".join(FILES[name].split())
    ]

    assert missing == []


def test_a_procedure_is_there_to_commit_and_nobody_elses_to_call() -> None:
    """Everything else is a function: those are closed by their own settings, which a commit does not allow."""
    procedures = [name for name in FILES if _kind(name) == "procedure"]

    assert procedures
    assert [name for name in procedures if not re.search(r"^ +commit;$", FILES[name], flags=re.MULTILINE)] == []
    assert [name for name in procedures if "grant execute" in FILES[name]] == []


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


def _callers() -> dict[str, list[str]]:
    """Return the methods that call each function of ours: their source, by the name of the function."""
    callers: dict[str, list[str]] = {}
    for path in BACKEND.glob("*.py"):
        source = path.read_text()
        methods = [
            method
            for owner in ast.walk(ast.parse(source))
            if isinstance(owner, ast.ClassDef)
            for method in owner.body
            if isinstance(method, ast.AsyncFunctionDef)
        ]
        for method in methods:
            for node in ast.walk(method):
                match node:
                    case ast.Call(func=ast.Name(id="call" | "call_void"), args=[_, ast.Constant(value=str(name)), *_]):
                        callers.setdefault(name, []).append(ast.get_source_segment(source, method) or "")
    return callers


CALLERS = _callers()


def test_each_served_function_has_one_method_that_calls_it() -> None:
    assert {name: len(methods) for name, methods in CALLERS.items()} == dict.fromkeys(SERVED - DEPRECATED, 1)


def test_a_deprecated_function_only_hands_over_to_its_successor(database: Database) -> None:
    """Its parameters are the first of its successor's, so that whoever calls the older one gets what it always got."""
    parameters = {
        row["name"]: row["parameters"]
        for row in database.rows(
            "select p.proname as name, pg_get_function_arguments(p.oid) as parameters from pg_proc as p "
            "where p.pronamespace = 'public'::regnamespace and p.proname = any(%s)",
            [*DEPRECATED, *(f"{name}_v2" for name in DEPRECATED)],
        )
    }

    assert DEPRECATED
    assert {name for name in DEPRECATED if f"from public.{name}_v2(" not in FILES[name]} == set()
    assert {name for name in DEPRECATED if not parameters[f"{name}_v2"].startswith(parameters[name])} == set()


def test_what_returns_nothing_is_called_so_and_nothing_else_is() -> None:
    """An answer without a body, read in the shape of anything else, is a failure that did not happen."""
    void = {name for name in SERVED if "\nreturns void\n" in FILES[name]}

    assert void
    assert {name for name, (method,) in CALLERS.items() if "call_void(" in method} == void


def test_nothing_else_calls_the_database() -> None:
    """But for ``has_role``, which is the host's; else a call would escape the test above."""
    calls = {
        (path.name, line.strip())
        for path in (BACKEND.parent).rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\.rpc\(|\.table\(|\bcall\(self\._client, (?!\")", line)
    }
    assert {name for name, _ in calls} == {"rpc.py", "identity.py"}
    assert len(calls) == 2


def test_a_caller_names_the_parameters_of_the_function(database: Database) -> None:
    functions = database.rows(
        "select p.proname as name, coalesce(p.proargnames[1:p.pronargs], '{}') as parameters from pg_proc as p "
        "where p.pronamespace = 'public'::regnamespace and p.proname = any(%s)",
        sorted(SERVED - DEPRECATED),
    )
    # A request is sent field by field; every other caller writes its parameters down.
    fields = {f"p_{field}" for field in RunRequest.model_fields}

    unknown = {
        function["name"]: sorted(names - set(function["parameters"]))
        for function in functions
        for (method,) in [CALLERS[function["name"]]]
        for names in [set(re.findall(r'"(p_\w+)"', method)) | (fields if "RunRequest" in method else set())]
    }
    assert unknown == {name: [] for name in SERVED - DEPRECATED}


@pytest.mark.parametrize(("enum", "name"), [(RunStatus, "hq.run_status"), (Risk, "hq.risk_level")])
def test_an_enum_is_the_databases(enum: type[RunStatus | Risk], name: str, database: Database) -> None:
    values = database.rows("select unnest(enum_range(null::%s))::text as value".replace("%s", name))

    assert [member.value for member in enum] == [row["value"] for row in values]
