"""Every command that a page gives is one that its program takes, with names that exist here.

`tests/packaging/test_relay_deployment.py` executes those of the Supabase CLI; `tests/sql` executes the SQL.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import typer
import typer.core
import typer.main

from shared.registry import RUN_TYPES
from workers.cli import app
from workers.settings import render_env_example

ROOT: Final = Path(__file__).parents[2]
_TOP: Final = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")]
PAGES: Final = {
    str(path.relative_to(ROOT)): path.read_text() for path in (*_TOP, *sorted((ROOT / "docs").rglob("*.md")))
}
PROGRAMS: Final = ("emocare", "make", "fly", "supabase", "npm", "pytest", "docker", "pip", "git")

_FENCE: Final = re.compile(r"^( *)```(?:sh|bash|shell|console)\b.*\n((?:.*\n)*?)\1```$", re.MULTILINE)
_ANY_FENCE: Final = re.compile(r"^( *)```\w+.*\n(?:.*\n)*?\1```$", re.MULTILINE)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_SUBSTITUTION: Final = re.compile(r"\$\(([^)]*)\)")
_ASSIGNMENT: Final = re.compile(r"[A-Z][A-Z0-9_]*=.*")

_SETTINGS: Final = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", render_env_example(), re.MULTILINE))
_CLI: Final = "\n".join(path.read_text() for path in (ROOT / "workers" / "cli").glob("*.py"))
_OPERATORS: Final = set(re.findall(r'(?:alias|envvar)="([A-Z_]+)"', _CLI))
_RELAY: Final = (ROOT / "supabase" / "functions" / "_shared" / "relay.ts").read_text()
_TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
_FUNCTIONS: Final = {path.parent.name for path in (ROOT / "supabase" / "functions").glob("*/index.ts")}
_FLY: Final = tomllib.loads((ROOT / "fly.toml").read_text())
_DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
# What stands in a page for a name that the reader chooses.
_PLACEHOLDERS: Final = {"NAME", "NOM"}


def _read_commands(text: str) -> Iterator[str]:
    """Find the commands of a page: each line of a shell block, and code in a sentence that starts with a program."""
    for _, block in _FENCE.findall(text):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip())
    for code in _CODE.findall(_ANY_FENCE.sub("", text)):
        program, *arguments = _without_assignments(code.split()) or [""]
        if arguments and program.removeprefix(".venv/bin/") in PROGRAMS:
            yield code


def _without_assignments(words: list[str]) -> list[str]:
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    return words


def find_fault(line: str) -> str | None:
    """Say what is wrong with a command, if anything is."""
    inner = [fault for fault in map(find_fault, _SUBSTITUTION.findall(line)) if fault]
    words = shlex.split(_SUBSTITUTION.sub("value", line), comments=True)
    if inner or not words:
        return inner[0] if inner else None
    if words[0] == "export":
        return _find_unknown(words[1:], _SETTINGS | _OPERATORS)
    command = _without_assignments(words)
    unknown = _find_unknown(words[: len(words) - len(command)], _SETTINGS | _OPERATORS)
    return unknown or _find_fault_of(command[0].removeprefix(".venv/bin/"), command[1:])


def _find_fault_of(program: str, arguments: list[str]) -> str | None:
    match program, arguments:
        case "emocare", _:
            return _parse_emocare(arguments)
        case "fly", _:
            return _find_fault_of_fly(arguments)
        case "supabase", ["secrets", "set", _, *_]:
            return _find_unknown(arguments[2:], set(re.findall(r"[A-Z][A-Z_]+", _RELAY)))
        case "supabase", ["link", "--project-ref", "…"]:
            pass
        case "supabase", ["functions", "deploy", *names, "--use-api"] if set(names) == _FUNCTIONS:
            pass
        case "make", [_, *_] if {word for word in arguments if not re.fullmatch(r"PG=\d+", word)} <= _TARGETS:
            pass
        case "pytest", ["--hypothesis-profile", profile, path] if (ROOT / path).is_dir():
            hypothesis.settings.get_profile(profile)
        case "~/emocare/bin/pip", ["install", *options]:
            return _find_fault_of_pip(options)
        case ("npm", ["install"] | ["install", "--package-lock-only"]) | (
            ("git", ["rev-parse", "HEAD"]) | ("python3", ["-m", "venv", "~/emocare"])
        ):
            pass
        case _:
            return "not a command that this test knows"
    return None


def _find_fault_of_fly(arguments: list[str]) -> str | None:
    match arguments:
        case ["secrets", "set", _, *_]:
            return _find_unknown(arguments[2:], _SETTINGS | _PLACEHOLDERS)
        case ["launch", "--no-deploy", "--copy-config"] | ["releases", "--image"] | ["logs"] | ["status"] | ["deploy"]:
            pass
        case ["deploy", "--build-arg", argument] if f"ARG {argument.split('=')[0]}=" in _DOCKERFILE:
            pass
        case ["deploy", "--image", image] if image.startswith(f"registry.fly.io/{_FLY['app']}:"):
            pass
        case ["deploy", "--strategy", "rolling" | "immediate" | "canary" | "bluegreen"]:
            pass
        case ["scale", "count" | "memory", number] if number.isdecimal():
            pass
        case _:
            return "not what fly.toml, the Dockerfile and the settings allow"
    return None


def _find_fault_of_pip(options: list[str]) -> str | None:
    match options:
        case ["--require-hashes", "-r", lock] if (ROOT / lock).is_file():
            return None
        case ["--no-deps", "dist/*.whl"]:
            return None
        case _:
            return "neither the locked requirements nor the wheel"


def _find_unknown(assignments: list[str], known: set[str]) -> str | None:
    names = [assignment.partition("=")[0] for assignment in assignments]
    unknown = [name for name in names if name not in known]
    return f"unknown: {', '.join(unknown)}" if unknown else None


def _parse_emocare(arguments: list[str]) -> str | None:
    """Let the command line's own parser take the arguments, without starting anything."""
    command, name = typer.main.get_command(app), "emocare"
    context = None
    try:
        while True:
            context = command.make_context(name, list(arguments), parent=context)
            if not isinstance(command, typer.core.TyperGroup):
                break
            found, child, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
            assert child is not None
            command, name = child, found or ""
    except typer.Exit:  # --help and --version end here
        return None
    except typer.TyperException as error:
        return error.format_message()
    given = context.params.get("run_type") or ()
    unknown = [run_type for run_type in ([given] if isinstance(given, str) else given) if run_type not in RUN_TYPES]
    return f"unknown run type {unknown[0]}" if unknown else None


COMMANDS: Final = [(page, line) for page, text in PAGES.items() for line in _read_commands(text)]


def test_every_command_of_a_page_is_one_that_its_program_takes() -> None:
    found = [(page, line, find_fault(line)) for page, line in COMMANDS]

    assert [fault for fault in found if fault[2]] == []


def test_the_commands_of_the_pages_are_found() -> None:
    """A command that this test does not see is one that nobody tries."""
    readme = [line for page, line in COMMANDS if page == "README.md"]
    firsts = {_without_assignments(line.split())[0].removeprefix(".venv/bin/") for line in readme}

    assert firsts == {"make", "export", "emocare", "fly", "supabase"}
    assert len(readme) >= 20
    assert len([page for page, _ in COMMANDS if page == "docs/runbook.md"]) > 25


@pytest.mark.parametrize(
    "line",
    [
        "emocare run",
        "emocare run DAILY_EXECUTIVE_BRIEF --wait-for-ever",
        "emocare eval --type FINANCIAL_REPORTS",
        "emocare run NOBODYS_BRIEF",
        "emocare migrations",
        "emocare runs --limit many",
        "emocare registry check",
        "SUPABASE_ADDRESS=… emocare runs",
        "export EMOCARE_ENVIRONMENT=.env",
        "make everything",
        "make test-sql MAJOR=17",
        "fly secrets set GITHUB_KEY=…",
        "fly deploy --build-arg COMMIT=$(git rev-parse HEAD)",
        "fly deploy --build-arg EMOCARE_COMMIT=$(git describe)",
        "fly deploy --image registry.fly.io/another:deployment-…",
        "supabase functions deploy executive-run --use-api",
        "supabase secrets set WORKERS_ADDRESS=https://…",
        "curl example.org",
    ],
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    assert find_fault(line)
