"""The screens' own client, supabase-js on Node, against everything that is served: one test here for each there."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
NAMES = [
    name
    for file in sorted(FOLDER.glob("*.test.mjs"))
    for name in re.findall(r"^test\('([^'\\]+)'", file.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("name", NAMES)
def test_as_supabase_js_sees_it(report: dict[str, list[str]], name: str) -> None:
    assert name in report, f"never reported; reported: {sorted(report)}"
    assert report[name] == [], "\n\n".join(report[name])


def test_every_javascript_test_is_one_here(report: dict[str, list[str]]) -> None:
    assert sorted(report) == sorted(NAMES)
    assert len(set(NAMES)) == len(NAMES)
