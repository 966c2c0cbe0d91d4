"""Patterns that are searched for only where a text holds their words."""

import pytest

from workers.executive_run.verification.actions import _FIRST_PERSON
from workers.executive_run.verification.leaks import _PHRASES
from workers.executive_run.verification.phrases import Phrases

_TWO = Phrases.compile((("ai ", r"\bj'ai (?:lu|vu)\b"), ("lu", r"\blu\b")))


def test_the_first_match_in_the_text_is_found_whichever_pattern_it_is_of() -> None:
    found = _TWO.search("je l'ai lu, j'ai vu")

    assert found is not None
    assert found.span() == (8, 10)


def test_of_patterns_that_match_at_one_place_the_first_is_taken() -> None:
    found = Phrases.compile((("lu", "lu"), ("lus", "lus"))).search("lus")

    assert found is not None
    assert found[0] == "lu"


def test_a_stretch_is_searched_alone() -> None:
    assert _TWO.search("j'ai lu", 0, 4) is None


def test_a_text_without_a_pattern_s_word_is_not_searched_for_it() -> None:
    assert [word for word, _ in _TWO.within("salut").patterns] == ["lu"]
    assert not _TWO.within("rien").patterns


@pytest.mark.parametrize("phrases", [_FIRST_PERSON, _PHRASES], ids=["actions", "leaks"])
def test_every_pattern_holds_its_word(phrases: Phrases) -> None:
    assert [word for word, pattern in phrases.patterns if word not in pattern.pattern] == []
