"""Laws of foreign text in findings."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from workers.sources.wording import clean_line


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_any_text_becomes_one_short_visible_line(text: str, max_chars: int) -> None:
    line = clean_line(text, max_chars)

    assert len(line) <= max_chars
    assert line == " ".join(line.split())
    assert not any(unicodedata.category(character)[0] == "C" for character in line)


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=40))
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert clean_line(text, 200) == text
