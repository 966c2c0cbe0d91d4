"""What is deployed: checked by Deno itself, alone on this machine, and as small as it is meant to be."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from devstack.functions import FUNCTIONS, find_deno

SERVER = [FUNCTIONS.parents[1] / "devstack" / name for name in ("functions.ts", "isolate.ts")]
NAMES = sorted(path.name for path in FUNCTIONS.iterdir() if path.is_dir() and not path.name.startswith("_"))


@pytest.mark.parametrize("check", [["check", "--no-remote", "--no-npm", "--no-lock"], ["lint"], ["fmt", "--check"]])
def test_deno_finds_nothing_to_say(check: list[str], tmp_path: Path) -> None:
    config = ["--config", str(FUNCTIONS / "deno.json")]
    own = {"DENO_DIR": str(tmp_path), "DENO_NO_PACKAGE_JSON": "1", "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}

    done = subprocess.run(
        [find_deno(), *check, *config, FUNCTIONS, *SERVER],
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_every_function_is_the_relay_under_its_own_name() -> None:
    expected = 'import {{ relay }} from "../_shared/relay.ts";\n\nDeno.serve(relay("{}"));\n'

    assert [name for name in NAMES if (FUNCTIONS / name / "index.ts").read_text() != expected.format(name)] == []


def test_the_relay_imports_nothing() -> None:
    assert not re.search(r"\bimport\b|\brequire\(", (FUNCTIONS / "_shared" / "relay.ts").read_text())


def test_the_platform_leaves_the_check_of_tokens_to_the_workers() -> None:
    config = tomllib.loads((FUNCTIONS.parent / "config.toml").read_text())

    assert config["functions"] == {name: {"verify_jwt": False} for name in NAMES}
