"""The command line: help for everything, one clear line per error, and exit codes for scripts."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer.main
from support.clock import FakeClock
from support.scripted_server import ScriptedServer, answer

from shared import errors
from workers.cli import app, exit_code, main
from workers.cli.reconnect import RetryWhileAway
from workers.ports import LogLine

PROJECT = Path(__file__).parents[2]
RUN = str(uuid4())


def commands(command: Any = None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Find every command and group by its path."""
    command = command or typer.main.get_command(app)
    found = {path: command}
    for name, child in getattr(command, "commands", {}).items():
        found |= commands(child, (*path, name))
    return found


COMMANDS = commands()


@dataclass
class Result:
    code: int
    out: str
    err: str


Emocare = Callable[..., Result]


@pytest.fixture
def emocare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Emocare:
    """Run the command line in this process, against a Supabase where nobody answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "a-key")
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DATABASE_URL", raising=False)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["emocare", *arguments])
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        else:
            code = 0
        return Result(code, *capsys.readouterr())

    return run


def assert_one_line(result: Result, *words: str) -> None:
    """Assert that an error is one line, without the place in the code where it was raised."""
    assert result.out == ""
    assert result.err.startswith("error ")
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err


def test_every_command_has_help_that_says_what_it_does(emocare: Emocare) -> None:
    shown = {path: emocare(*path, "--help") for path in COMMANDS}

    assert {path for path, result in shown.items() if result.code or "Usage: emocare" not in result.out} == set()
    assert {path for path, command in COMMANDS.items() if not command.help} == set()
    assert {
        (path, option.name) for path, command in COMMANDS.items() for option in command.params if not option.help
    } == set()


def test_the_documentation_names_every_command() -> None:
    """That every command in the documentation exists is seen in ``architecture/test_documented_commands.py``."""
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    named = {match for page in pages for match in re.findall(r"\bemocare ([a-z]+(?: [a-z]+)?)", page.read_text())}

    leaves = {" ".join(path) for path, command in COMMANDS.items() if not hasattr(command, "commands")}
    assert {leaf for leaf in leaves if not any(f"{words} ".startswith(f"{leaf} ") for words in named)} == set()


def test_without_a_command_the_help_is_shown(emocare: Emocare) -> None:
    assert "Usage: emocare" in emocare().out


def test_the_version_and_the_commit_are_printed(emocare: Emocare) -> None:
    number = re.escape(metadata.version("emocare-hq-workers"))
    assert re.fullmatch(rf"{number}\+[0-9a-f]{{7}}\n", emocare("--version").out)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "SEO_AUDIT"],
        ["run", "SEO_AUDIT", "--wait", "--json"],
        ["runs"],
        ["show", RUN],
        ["cancel", RUN],
        ["logs"],
    ],
)
def test_an_unreachable_supabase_is_one_line_and_code_69(emocare: Emocare, command: list[str]) -> None:
    result = emocare(*command)

    assert result.code == 69
    assert_one_line(result, "Supabase did not answer")
    assert "SUPABASE_URL" in result.err


@pytest.mark.parametrize("command", [["runs"], ["run", "X"], ["doctor"], ["work"], ["show", RUN]])
def test_a_missing_setting_is_one_line_and_code_78(
    emocare: Emocare, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.delenv("SUPABASE_URL")

    result = emocare(*command)

    assert result.code == 78
    assert_one_line(result, "SUPABASE_URL")


@pytest.mark.parametrize("context", ["{not json", "@missing.json", "@"])
def test_a_context_that_cannot_be_read_is_wrong_usage(emocare: Emocare, context: str) -> None:
    result = emocare("run", "SEO_AUDIT", "--context", context)

    assert result.code == 2
    assert_one_line(result, "--context")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["show", "no-uuid"],
        ["runs", "--limit", "0"],
        ["run"],
        ["logs", "--level", "loud"],
        ["dev", "--port", "0"],
    ],
)
def test_wrong_usage_is_code_2_and_names_the_mistake(emocare: Emocare, arguments: list[str]) -> None:
    result = emocare(*arguments)

    assert result.code == 2
    assert "Usage: emocare" in result.err
    assert "Traceback" not in result.err


def test_a_database_that_does_not_answer_is_one_line_and_code_69(emocare: Emocare) -> None:
    result = emocare("migrate", "--database-url", "postgresql://postgres:hunter2@127.0.0.1:1/hq")

    assert result.code == 69
    assert_one_line(result, "No connection to the database")
    assert "hunter2" not in result.err


def test_a_database_url_that_cannot_be_read_is_not_shown(emocare: Emocare) -> None:
    result = emocare("migrate", "--database-url", "postgresql//postgres:hunter2@host/hq")

    assert result.code == 78
    assert_one_line(result, "--database-url", "postgresql://", "%XX")
    assert "hunter2" not in result.err
    assert "redacted" not in result.err


def test_a_missing_database_url_is_a_missing_setting(emocare: Emocare) -> None:
    result = emocare("migrate")

    assert result.code == 78
    assert_one_line(result, "DATABASE_URL: missing", "--database-url")


def test_the_database_url_is_read_from_the_file_that_the_environment_names(
    emocare: Emocare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "worker.env").write_text("DATABASE_URL=postgresql://postgres@127.0.0.1:1/hq\n")
    monkeypatch.setenv("EMOCARE_ENV_FILE", "worker.env")

    result = emocare("migrate")

    assert result.code == 69
    assert_one_line(result, "No connection to the database")


@pytest.mark.parametrize("command", [["migrate"], ["runs"]])
@pytest.mark.parametrize(("name", "fault"), [("odd.env", "not UTF-8"), (".", "is a folder")])
def test_a_named_file_that_cannot_be_read_is_one_line_and_code_78(
    emocare: Emocare, tmp_path: Path, command: list[str], name: str, fault: str
) -> None:
    (tmp_path / "odd.env").write_bytes(b"SUPABASE_URL=\xff")

    result = emocare(*command, "--env-file", name)

    assert result.code == 78
    assert_one_line(result, name, fault)


def test_a_service_that_does_not_answer_in_time_is_code_69(emocare: Emocare, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(**_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("workers.cli.app", wait)

    result = emocare("runs")

    assert result.code == 69
    assert_one_line(result, "did not answer in time")


@pytest.mark.skipif("CI" not in os.environ and not Path("/dev/full").exists(), reason="no device is always full here")
@pytest.mark.parametrize("command", [["sql"], ["env"], ["registry", "list"]])
def test_a_full_disk_is_one_line_and_code_74(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "workers", *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 74
    assert done.stderr == "error No space left on device\n"


@pytest.mark.parametrize("command", [["migrate"], ["runs"]])
def test_a_named_file_that_does_not_exist_is_one_line_and_code_78(
    emocare: Emocare, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("EMOCARE_ENV_FILE", "missing.env")

    result = emocare(*command)

    assert result.code == 78
    assert_one_line(result, "missing.env", "EMOCARE_ENV_FILE")


async def test_following_survives_an_outage_and_reports_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Exception | int] = [errors.BackendUnavailable("away."), errors.BackendUnavailable("away."), 7]

    async def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await RetryWhileAway(FakeClock(), "Farewell.").ask(read) == 7
    assert capsys.readouterr().err == "away. Still asking, for 120 s at most.\n"


async def test_a_long_outage_ends_with_a_line_about_what_goes_on() -> None:
    async def read() -> int:
        raise errors.BackendUnavailable("away.")

    with pytest.raises(errors.BackendUnavailable, match=r"away\. Run 7 goes on\."):
        await RetryWhileAway(FakeClock(), "Run 7 goes on.").ask(read)


def _line(number: int, seconds: int) -> LogLine:
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return LogLine(
        id=str(number), level="info", source="s", message=f"m{number}", metadata=["any"], run_id=None, created_at=at
    )


def test_a_line_that_is_committed_late_is_followed_too_and_none_is_shown_twice(
    emocare: Emocare, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, old, late, new = _line(0, 12), _line(1, 20), _line(2, 15), _line(3, 21)
    many = [_line(number, 22) for number in range(1_000, 3_000)]
    stored = [[hidden, old], [hidden, old], [old, late], [old, late, new], [old, late, new, *many], [new, *many]]
    asked: list[datetime | None] = []

    async def list_latest(_journal: object, *, limit: int, **_: object) -> list[LogLine]:
        return stored.pop(0)[::-1][:limit]

    async def list_from(
        _journal: object, begin: datetime | None, *, after_id: str | None, **_: object
    ) -> list[LogLine]:
        assert begin is not None
        if after_id is None:
            asked.append(begin)
            if not stored:
                raise KeyboardInterrupt
            reading[:] = sorted(stored.pop(0), key=lambda line: (line.created_at, line.id))
        after = (begin, after_id or "")
        return [line for line in reading if (line.created_at, line.id) > after][:500]

    reading: list[LogLine] = []
    monkeypatch.setattr("workers.cli.logs.SupabaseJournal.list_latest", list_latest)
    monkeypatch.setattr("workers.cli.logs.SupabaseJournal.list_from", list_from)
    monkeypatch.setattr("workers.cli.logs.CLOCK", FakeClock())

    result = emocare("logs", "--follow", "--limit", "1", "--json")

    shown = [json.loads(line)["message"] for line in result.out.splitlines()]
    assert shown == ["m1", "m2", "m3", *(line.message for line in many)]
    assert asked[1] == old.created_at - timedelta(seconds=10)
    assert result.code == 130


def test_the_doctor_reports_what_is_wrong_as_json_too(emocare: Emocare) -> None:
    result = emocare("doctor", "--json")

    assert result.code == 1
    checks = {check["name"]: check for check in json.loads(result.out)}
    assert checks["supabase"]["state"] == "red"
    for name in ("GITHUB_TOKEN", "STRIPE_SECRET_KEY", "PERPLEXITY_API_KEY", "FIRECRAWL_API_KEY"):
        assert {key: checks[name][key] for key in ("code", "name", "state")} == {
            "code": name,
            "name": name,
            "state": "amber",
        }
        assert checks[name]["detail"].startswith("absent: ")
    assert checks["LOVABLE_API_KEY"]["detail"] == "absent: no report can be written"


def test_the_doctor_never_shows_a_key(emocare: Emocare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOVABLE_API_KEY", "my-secret-value")

    result = emocare("doctor")

    assert "present" in result.out
    assert "my-secret-value" not in result.out + result.err


def test_an_error_that_contains_the_value_of_a_key_is_printed_without_it(
    emocare: Emocare, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = max(emocare("runs").err.split(), key=len)
    monkeypatch.setenv("LOVABLE_API_KEY", word)

    result = emocare("runs")

    assert len(word) >= 8
    assert word not in result.err
    assert "[redacted]" in result.err


def test_the_printed_sql_is_what_migrate_applies(emocare: Emocare) -> None:
    result = emocare("sql")

    assert result.code == 0
    assert "create or replace function public.claim_hq_runs" in result.out


def test_the_example_of_the_environment_is_printed(emocare: Emocare) -> None:
    assert "\nSUPABASE_URL=\n" in emocare("env").out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError(), 78),
        (errors.Forbidden(), 77),
        (errors.KeyRefused(), 77),
        (errors.UnknownRunType(), 2),
        (errors.UnknownRun(), 2),
        (errors.BackendUnavailable(), 69),
        (errors.BackendRejected(), 1),
        (errors.WorkersError(), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: errors.WorkersError, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_with_brackets_is_printed_unchanged(emocare: Emocare) -> None:
    result = emocare("run", "SEO_AUDIT", "--context", "@[/bold]")

    assert_one_line(result, "'[/bold]'")


def test_ctrl_c_ends_a_command_quietly(tmp_path: Path) -> None:
    script = "import workers.cli as cli\ndef stop(**_): raise KeyboardInterrupt\ncli.app = stop\ncli.main()"

    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=tmp_path)

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("url", "state", "shown"),
    [
        (
            "",
            "green",
            "absent; only emocare migrate needs it: the direct connection (db.PROJECT.supabase.co, port 5432)",
        ),
        ("postgresql://postgres:hunter2@db.abc.supabase.co:5432/postgres", "green", "db.abc.supabase.co:5432"),
        ("postgresql://postgres.abc:hunter2@aws-0-eu.pooler.supabase.com/postgres", "green", "aws-0-eu.pooler"),
        ("postgresql://postgres.abc:hunter2@aws-0-eu.pooler.supabase.com:6543/postgres", "amber", "session pooler"),
        ("postgresql://postgres:hunter2@db.abc.supabase.co:6543/postgres", "amber", "direct connection"),
        ("postgresql://postgres:hunter2@127.0.0.1:6543/postgres", "green", "127.0.0.1:6543"),
        ("postgresql//postgres:hunter2@host/hq", "red", "cannot be read"),
        ("postgresql://postgres:hunter2@host:port/hq", "red", "cannot be read"),
    ],
)
def test_the_doctor_names_the_address_that_migrates(
    url: str, state: str, shown: str, emocare: Emocare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    result = emocare("doctor", "--json")

    (check,) = [check for check in json.loads(result.out) if check["name"] == "DATABASE_URL"]
    assert check["state"] == state
    assert shown in check["detail"]
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize("name", ["LLM_BASE_URL", "SUPABASE_URL", "DATABASE_URL"])
def test_an_address_is_shown_without_the_password_in_it(
    name: str, emocare: Emocare, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = "postgresql" if name == "DATABASE_URL" else "http"
    monkeypatch.setenv(name, f"{scheme}://somebody:p%40ssword-hunter2@127.0.0.1:1/v1")
    monkeypatch.setenv("LOVABLE_API_KEY", "a-key")  # with it, the address is called

    for result in (emocare("doctor"), emocare("doctor", "--json"), emocare("runs")):
        assert "hunter2" not in result.out + result.err
        assert "somebody" not in result.out + result.err
    assert "127.0.0.1:1" in emocare("doctor").out


def test_an_error_cannot_steer_the_terminal_or_be_read_as_markup(emocare: Emocare) -> None:
    result = emocare("runs", "--env-file", "\x1b[2J[/x]\u202e")

    assert "[/x]" in result.err
    assert not {"\x1b", "\u202e"} & set(result.err)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (200, "a accepté le message"),
        (401, "refuse l'accès : mot de passe ou jeton à corriger (http_401)"),
        (404, "ne connaît pas cette adresse : à corriger (http_404)"),
        (429, "demande d'attendre ; un vrai message serait renvoyé plus tard (http_429)"),
        (302, "renvoie vers une autre adresse, qui n'est pas suivie : à corriger (http_302)"),
        (418, "refuse le message (http_418)"),
        (502, "est en panne ; un vrai message serait renvoyé plus tard (http_502)"),
    ],
)
async def test_notify_says_what_a_channel_answered_and_what_to_mend(
    emocare: Emocare, monkeypatch: pytest.MonkeyPatch, status: int, sentence: str
) -> None:
    async with ScriptedServer() as server:
        server.usual = lambda _: answer(status)
        monkeypatch.setenv("NOTIFY_URLS", f"{server.url.replace('http', 'json')}/a-secret")
        result = await asyncio.to_thread(emocare, "notify", "--test")

    assert (result.code, "a-secret" in result.out + result.err) == (0 if status == 200 else 1, False)
    assert f"json  {sentence}" in result.out.replace("\N{NO-BREAK SPACE}", " ")
