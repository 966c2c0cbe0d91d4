"""The wheel is complete: installed without the checkout, it does what the checkout does."""

import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from workers import schema

PROJECT = Path(__file__).parents[2]

VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


def test_the_installed_command_prints_our_sql_from_any_folder(installation: Any, tmp_path: Path) -> None:
    printed = installation.run("sql", cwd=tmp_path).stdout
    piped = subprocess.run(
        f"set -o pipefail; '{installation.emocare}' env | head -n 1; '{installation.emocare}' sql | head -n 3",
        check=False,
        capture_output=True,
        text=True,
        shell=True,
        executable="/bin/bash",
        cwd="/",
    )

    assert printed.rstrip("\n") == schema.render().rstrip("\n")
    assert printed.startswith("\n".join(piped.stdout.splitlines()[1:]))
    assert "EMOCARE HQ workers" in piped.stdout
    assert piped.stderr == ""


def test_the_installed_command_names_its_version_and_the_commit_it_was_built_from(
    installation: Any,
    tmp_path: Path,
) -> None:
    assert installation.run("--version", cwd=tmp_path).stdout == f"{VERSION}+c0ffee1\n"
    assert "DAILY_EXECUTIVE_BRIEF" in installation.run("registry", "list", cwd=tmp_path).stdout
    assert "clone the project" in installation.run("dev", cwd=tmp_path, code=78).stderr


def test_the_wheel_holds_every_module_prompt_and_sql_file(installation: Any) -> None:
    held = {name for name in zipfile.ZipFile(installation.wheel).namelist() if ".dist-info/" not in name}

    expected = {
        str(path.relative_to(PROJECT))
        for folder, suffix in (("workers", ".py"), ("shared", ".py"), ("shared/prompts", ".md"))
        for path in (PROJECT / folder).rglob(f"*{suffix}")
    }
    expected |= {
        f"workers/schema/{path.relative_to(PROJECT)}"
        for pattern in ("__init__.py", "*/*.sql")
        for path in (PROJECT / "sql").glob(pattern)
    }
    assert held == expected | {"workers/commit.txt"}


def test_a_worker_that_is_told_of_a_collector_does_not_start_without_the_packages_of_traces(
    installation_without_traces: Any, tmp_path: Path
) -> None:
    nowhere = {"SUPABASE_URL": "http://127.0.0.1:9", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_" + "x" * 30}

    refused = installation_without_traces.run(
        "work", cwd=tmp_path, code=78, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **nowhere
    )

    assert "OTEL_EXPORTER_OTLP_ENDPOINT: the packages that send traces are missing." in refused.stderr
    assert "Install emocare-hq-workers[traces], or unset it." in refused.stderr
