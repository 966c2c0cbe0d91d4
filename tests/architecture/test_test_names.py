"""Every test file has a name of its own: pytest imports them by it, and does not run the second of two."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_test_files_have_one_name() -> None:
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))

    assert names["test_test_names.py"] == 1
    assert [name for name, times in names.items() if times > 1] == []
