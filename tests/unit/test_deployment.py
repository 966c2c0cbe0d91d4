"""What the platform's configuration says of the workers agrees with what they are."""

import json
import re
import tomllib
from pathlib import Path

import typer.main

from workers.cli import app
from workers.metrics.page import PATH
from workers.settings import AutopilotSettings, HttpSettings, WorkerSettings
from workers.web.app import PREFIX

PROJECT = Path(__file__).parents[2]
FLY = tomllib.loads((PROJECT / "fly.toml").read_text())
FUNCTIONS = PROJECT / "supabase" / "functions"


def default(block: type[AutopilotSettings | HttpSettings | WorkerSettings], name: str) -> float:
    """Return the default of a setting; of a duration, its seconds."""
    value = block.model_fields[name].default
    return float(value.total_seconds() if hasattr(value, "total_seconds") else value)


def test_the_image_and_the_platform_start_the_same_command() -> None:
    lines = (PROJECT / "Dockerfile").read_text().splitlines()
    (command,) = json.loads(next(line for line in lines if line.startswith("CMD ")).removeprefix("CMD "))

    assert FLY["processes"] == {"serve": command}
    assert command in getattr(typer.main.get_command(app), "commands", {})


def test_requests_come_to_the_port_that_is_listened_on() -> None:
    service, check = FLY["http_service"], FLY["checks"]["healthz"]

    assert {service["internal_port"], check["port"]} == {int(default(HttpSettings, "port"))}
    assert check["path"] == f"{PREFIX}/healthz"


def test_metrics_are_scraped_where_they_are_served_and_on_no_public_port() -> None:
    """Fly.io scrapes what listens on 0.0.0.0, and publishes the ports of its services only."""
    assert FLY["metrics"] == {"port": int(FLY["env"]["METRICS_PORT"]), "path": PATH}
    assert FLY["env"]["METRICS_HOST"] == "0.0.0.0"
    assert FLY["metrics"]["port"] != FLY["http_service"]["internal_port"]
    assert "services" not in FLY


def test_a_machine_always_runs() -> None:
    service = FLY["http_service"]

    assert (service["auto_stop_machines"], service["min_machines_running"]) == ("off", 1)


def test_the_platform_is_more_patient_than_the_workers() -> None:
    grace = float(FLY["env"]["SHUTDOWN_GRACE_SECONDS"])

    assert FLY["kill_signal"] == "SIGTERM"
    assert float(FLY["kill_timeout"].removesuffix("s")) >= grace + 10
    assert FLY["http_service"]["http_options"]["idle_timeout"] > default(HttpSettings, "wait")


def test_a_request_is_answered_within_half_an_isolate_of_the_free_plan() -> None:
    """There it lives 150 s; later than half of that it takes no request, so that each has the other half."""
    relay = (FUNCTIONS / "_shared" / "relay.ts").read_text()
    workers, database = (
        int(re.findall(rf"const {name} = ([0-9_]+);", relay)[0]) / 1000
        for name in ("WORKERS_TIMEOUT_MS", "DATABASE_TIMEOUT_MS")
    )

    assert workers + database <= 150 / 2
    assert default(HttpSettings, "wait") < workers
    assert default(AutopilotSettings, "wait") < workers
    assert default(AutopilotSettings, "decision_timeout") < default(AutopilotSettings, "wait")


def test_the_readme_deploys_every_function() -> None:
    functions = {folder.name for folder in FUNCTIONS.iterdir() if (folder / "index.ts").exists()}
    readme = (PROJECT / "README.md").read_text()
    (command,) = (line for line in readme.splitlines() if "supabase functions deploy" in line and "executive" in line)

    names = command.partition("deploy")[2].partition("#")[0].split()
    assert {name for name in names if not name.startswith("--")} == functions
