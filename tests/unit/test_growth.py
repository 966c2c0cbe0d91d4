"""What is done with foreign text costs in proportion to its length, whoever wrote it and out of which characters.

A ratio of CPU times of one process, the best of several tries: four times the text may cost six times as much, where
anything quadratic costs sixteen times.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from shared.sanitise import sanitise
from shared.untrusted_text import clean_line, clean_text
from workers.logs import redact_text
from workers.outbound import parse_retry_after
from workers.outbound.waits import read_wait

SHORT, LONG = 16_000, 64_000
ALPHABETS = {
    "marks of two classes": "\u0301\u0327",
    "marks of many classes": "\u0301\u0327\u0334\u05b0\u064b\u0711\u0e48\u302a\u0345\u0489",
    "marks on letters": "a\u0301\u0327\u0323",
    "marks between what is not seen": "\u0301\u200b\u0327",
    "syllables taken apart": "\u1100\u1161\u11a8",
    "zero width": "\u200b\u200d",
    "signs that are joined": "\U0001f469\u200d",
    "selectors": "\u26a0\ufe0f\ufe0f",
    "line ends": "\r\n\u2028",
    "brackets": "[",
    "images": "![",
    "links": "[a](b",
    "ends of links": "](",
    "elements": "<b ",
    "tags": "<",
    "entities": "&#4",
    "entities of entities": "&amp;",
    "addresses": "a://",
    "bare addresses": "https://a.",
    "double slashes": "a//b.",
    "mail addresses": "a@b.",
    "passwords in addresses": "://a:",
    "tokens": "eyJ.",
    "digits": "9",
    "waits": "retry in 9",
    "waits in fields": 'retry_after"',
}


def _seconds(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


def _parse_header(text: str) -> object:
    return parse_retry_after(httpx.Headers([(b"retry-after", text.encode())]), datetime.now(UTC))


def _growth(work: Callable[[str], object], alphabet: str) -> float:
    short, long = (alphabet * (length // len(alphabet)) for length in (SHORT, LONG))
    best = [min(_seconds(work, text) for _ in range(5)) for text in (short, long)]
    return best[1] / max(best[0], 0.001)  # below a millisecond nothing is measured


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda text: clean_text(text, LONG), id="clean_text"),
        pytest.param(lambda text: clean_line(text, LONG), id="clean_line"),
        pytest.param(lambda text: sanitise(text, max_chars=LONG), id="sanitise"),
        pytest.param(redact_text, id="redact_text"),
        pytest.param(_parse_header, id="parse_retry_after"),
        pytest.param(lambda text: read_wait({"error": {"message": text}}), id="read_wait"),
    ],
)
def test_four_times_the_text_costs_at_most_six_times_as_much(work: Callable[[str], object]) -> None:
    growth = {name: _growth(work, alphabet) for name, alphabet in ALPHABETS.items()}

    # A machine that stumbled is given another chance; what is quadratic has none.
    suspects = {name: min(_growth(work, ALPHABETS[name]) for _ in range(3)) for name in growth if growth[name] > 6}
    assert {name: round(ratio, 1) for name, ratio in suspects.items() if ratio > 6} == {}


def test_what_is_beyond_the_bound_is_not_looked_at() -> None:
    endless = "a" + "\u0301\u0327" * 2_000_000

    assert _seconds(lambda text: clean_text(text, 4_000), endless) < 0.1
    assert _seconds(lambda text: sanitise(text, max_chars=4_000), endless) < 0.1


def test_of_a_heap_of_marks_thirty_stay_on_their_letter() -> None:
    assert clean_text("o" + "\u0327" * 500, 4_000) == "o" + "\u0327" * 30
    assert clean_text("n\u0303", 4_000) == "\u00f1"
