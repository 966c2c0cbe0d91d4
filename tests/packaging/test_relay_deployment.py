"""The relay's lines of the README, run as they stand there by the real Supabase CLI, against a management API here."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.management import PROJECT_REF, TOKEN, ManagementApi

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LINES = re.findall(r"^ *(supabase .*)$", README, re.MULTILINE)
# Instead of linking: each start of the CLI takes half a second.
LINKED = {"SUPABASE_PROJECT_ID": PROJECT_REF}
(DEPLOY,) = (line for line in LINES if line.startswith("supabase functions deploy "))
WORKFLOW = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "supabase" / "functions").glob("*/index.ts"))


@dataclass(frozen=True)
class Checkout:
    """A copy of what the CLI reads, because it writes beside it, and the settings of a person who is signed in."""

    folder: Path
    settings: dict[str, str]

    @property
    def config(self) -> Path:
        return self.folder / "supabase" / "config.toml"

    async def run(self, *lines: str, **settings: str) -> tuple[int, str]:
        """Run lines of a page in one shell; each `…` stands for what the reader fills in."""
        script = "\n".join(lines).replace("--project-ref …", f"--project-ref {PROJECT_REF}").replace("…", "hq.example")
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", script),
            cwd=self.folder,
            env=self.settings | settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await shell.communicate()
        assert shell.returncode is not None
        return shell.returncode, printed.decode()


@pytest.fixture
async def api() -> AsyncIterator[ManagementApi]:
    async with ManagementApi() as running:
        yield running


@pytest.fixture
def checkout(api: ManagementApi, tmp_path: Path) -> Checkout:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "supabase", folder / "supabase", ignore=shutil.ignore_patterns(".temp"))
    (folder / "README.md").write_text(README)
    # The CLI asks GitHub for its newest version, unless it has done so today.
    (folder / "supabase" / ".temp").mkdir()
    (folder / "supabase" / ".temp" / "cli-latest").write_text("v2.117.0")
    profile = {"name": "local", "api_url": api.url, "dashboard_url": api.url, "project_host": "localhost"}
    (tmp_path / "profile.yaml").write_text("\n".join(f"{key}: {value}" for key, value in profile.items()))
    settings = {
        "PATH": f"{ROOT / 'node_modules' / '.bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "DO_NOT_TRACK": "1",
        "SUPABASE_PROFILE": str(tmp_path / "profile.yaml"),
        "SUPABASE_ACCESS_TOKEN": TOKEN,
    }
    return Checkout(folder, settings)


def expected_files(function: str) -> dict[str, str]:
    """Read what a function is made of: its own file and the relay."""
    names = (f"supabase/functions/{function}/index.ts", "supabase/functions/_shared/relay.ts")
    return {name: (ROOT / name).read_text() for name in names}


def assert_all_arrived(api: ManagementApi) -> None:
    assert {slug: upload.files for slug, upload in api.uploads.items()} == {
        function: expected_files(function) for function in FUNCTIONS
    }
    assert [slug for slug, upload in api.uploads.items() if upload.is_checked] == []
    assert sorted(api.published) == FUNCTIONS
    assert api.refused == []


async def test_the_readmes_lines_deploy_every_function_with_the_relay(api: ManagementApi, checkout: Checkout) -> None:
    code, printed = await checkout.run(*LINES)

    assert code == 0, printed
    assert [line.split()[1] for line in LINES] == ["link", "secrets", "functions"]
    assert api.secrets == {
        "WORKERS_URL": "https://emocare-hq-workers.fly.dev",
        "ALLOWED_ORIGIN": "https://hq.example",
    }
    assert_all_arrived(api)


async def test_the_workflow_deploys_the_same(api: ManagementApi, checkout: Checkout) -> None:
    (step,) = re.findall(r"run: \|\n((?: {10}.*\n)*? {10}bash .*functions deploy.*\n)", WORKFLOW)

    code, printed = await checkout.run(step, **LINKED)

    assert code == 0, printed
    assert_all_arrived(api)


async def test_a_function_that_is_not_configured_is_deployed_behind_the_platforms_own_check(
    api: ManagementApi, checkout: Checkout
) -> None:
    """Why `supabase/config.toml` names each function."""
    configured = checkout.config.read_text()
    checkout.config.write_text(configured.replace("[functions.platform-monitor]", "[functions.another]"))

    code, printed = await checkout.run(DEPLOY, **LINKED)

    assert code == 0, printed
    assert [slug for slug, upload in api.uploads.items() if upload.is_checked] == ["platform-monitor"]


async def test_a_refused_token_changes_nothing(api: ManagementApi, checkout: Checkout) -> None:
    code, printed = await checkout.run(*LINES, SUPABASE_ACCESS_TOKEN="sbp_" + "0" * 40)

    assert code == 1
    assert "Unauthorized" in printed
    assert (api.secrets, api.uploads, api.published) == ({}, {}, set())


async def test_after_a_failed_upload_the_others_are_in_place_and_the_same_line_deploys_the_rest(
    api: ManagementApi, checkout: Checkout
) -> None:
    api.faults = {"slug=stripe-kpis": 500}
    code, printed = await checkout.run(DEPLOY, **LINKED)
    first = sorted(api.published)

    api.faults = {}
    api.refused.clear()
    again, printed_again = await checkout.run(DEPLOY, **LINKED)

    assert (code, "unexpected deploy status 500" in printed) == (1, True), printed
    assert first == [function for function in FUNCTIONS if function != "stripe-kpis"]
    assert again == 0, printed_again
    assert_all_arrived(api)


def test_every_page_gives_the_readmes_line() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    given = {
        str(page.relative_to(ROOT)): line.strip()
        for page in pages
        for line in page.read_text().splitlines()
        if line.strip().startswith("supabase functions deploy ")
    }

    assert len(given) == 3
    assert set(given.values()) == {DEPLOY}
