"""The tree of errors: drawn in its docstring as it is, each with a code and a sentence for the president."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared import errors
from shared.errors import WorkersError


def every(error: type[WorkersError]) -> Iterator[type[WorkersError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every(child)


TREE = list(every(WorkersError))
LEAVES = [error for error in TREE if not error.__subclasses__()]
DRAWING = errors.__doc__ or ""


def test_the_docstring_draws_every_class_and_stars_what_is_worth_another_attempt() -> None:
    names = {error.__name__ for error in TREE}

    assert len(LEAVES) > 10
    assert [name for name in names if not re.search(rf"\b{name}\b", DRAWING)] == []
    starred = {name for name in names if re.search(rf"\b{name}\*", DRAWING)}
    assert starred == {error.__name__ for error in TREE if error.retryable}


def test_the_docstring_draws_nothing_else() -> None:
    drawing = DRAWING[DRAWING.index("WorkersError") : DRAWING.index("An asterisk")]
    drawn = re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", drawing)

    assert drawn
    assert set(drawn) <= {error.__name__ for error in TREE}


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in TREE if "code" in vars(error)]

    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_every_error_says_in_french_what_happened() -> None:
    sentences = {error.__name__: error().sentence for error in TREE}
    french = r"\b(le|la|les|l'|un|une|votre|Votre|La|Le|L'|Cette|Crédits|Limite|Permissions)\b|'"

    assert {name: said for name, said in sentences.items() if not re.match(r"[A-ZÀÉÈÊÎÔÛ].*\.$", said, re.DOTALL)} == {}
    assert {name: said for name, said in sentences.items() if not re.search(french, said)} == {}
    assert {name: said for name, said in sentences.items() if re.search(r"[<>{}]|Error|Exception", said)} == {}


def test_the_docstring_of_an_error_is_its_message() -> None:
    documented = {error: (error.__doc__ or "").splitlines()[0] for error in LEAVES}

    assert {error: str(error()) for error in LEAVES} == documented
    assert {str(error("the row is locked")) for error in LEAVES} == {"the row is locked"}


def test_the_words_that_the_page_looks_for_are_there() -> None:
    assert "Crédits IA insuffisants" in errors.GatewayOutOfCredit.sentence
    assert "Limite" in errors.RateLimited.sentence
    assert "Limite" in errors.GatewayRateLimited.sentence


def test_an_unknown_type_is_named_and_bounded() -> None:
    error = errors.UnknownRunType.named("X" * 500)

    assert "« " + "X" * 80 + " »" in error.sentence
    assert len(error.sentence) < 200


def test_a_sentence_of_its_own_replaces_the_class_wide_one() -> None:
    error = errors.GatewayRateLimited(sentence="Patientez.", retry_after=timedelta(seconds=3))

    assert error.sentence == "Patientez."
    assert error.retry_after == timedelta(seconds=3)
    assert errors.GatewayRateLimited().sentence != "Patientez."


@pytest.mark.parametrize("error", [error for error in TREE if error.retryable])
def test_what_we_do_ourselves_is_not_asked_of_the_reader(error: type[WorkersError]) -> None:
    reported = error("for developers").what_happened

    assert error.sentence.startswith(reported)
    assert reported.endswith(".")
    assert not re.search(r"[Rr]elance|[Rr]éessa", reported)
