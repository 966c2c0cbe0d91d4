"""Laws of foreign text in findings."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from shared.untrusted_text import clean_line, drop_thoughts


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_any_text_becomes_one_short_visible_line(text: str, max_chars: int) -> None:
    line = clean_line(text, max_chars)

    assert len(line) <= max_chars
    assert line == " ".join(line.split())
    assert not any(unicodedata.category(character)[0] == "C" for character in line)


# Letters by their category, but nothing to see: they are dropped like all that is invisible.
FILLERS = "\u115f\u1160\u3164\uffa0"


@given(st.text(st.characters(categories=["L", "N", "P"], exclude_characters=FILLERS), max_size=40))
def test_plain_text_is_left_as_it_is_but_composed(text: str) -> None:
    assert clean_line(text, 200) == unicodedata.normalize("NFC", text)


@given(st.lists(st.text("abc \n<>/", max_size=20), max_size=5), st.text("abc <", max_size=20).map("R".__add__))
def test_only_the_thoughts_before_an_answer_are_dropped(thoughts: list[str], answer: str) -> None:
    before = "".join(f" <think>{thought}</THINK>\n" for thought in thoughts)

    assert drop_thoughts(f"{before}{answer}<think>x") == (f"\n{answer}<think>x" if thoughts else f"{answer}<think>x")
    assert drop_thoughts(f"{before}<think>{answer}") == ""


def test_thoughts_that_the_prompt_opened_are_dropped_by_their_end() -> None:
    assert drop_thoughts("Pesons le pour.\n</think>\n\n## Synthèse") == "\n\n## Synthèse"
    assert drop_thoughts("## Synthèse\nLa balise </think> ferme.") == "## Synthèse\nLa balise </think> ferme."
    assert drop_thoughts("Voici :\n<think>\n</think>\nFin") == "Voici :\n<think>\n</think>\nFin"
