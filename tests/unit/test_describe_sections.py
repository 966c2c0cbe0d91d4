"""docs/report-data.md says what the registry says."""

from devstack.describe_sections import SECTIONS_PAGE, render_sections


def test_the_page_is_what_the_registry_says() -> None:
    assert SECTIONS_PAGE.read_text() == render_sections(), "stale: run `make docs`"
