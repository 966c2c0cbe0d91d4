"""Laws of the fence: whatever untrusted parties write, it stays one fence per datum, visible and bounded."""

import re
import unicodedata
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from shared.findings import Collected, Finding
from shared.registry import find_run_type
from shared.untrusted_text import clean_text
from workers.executive_run.compose import CONTEXT_CHARS, DATA_CHARS, compose

NOW = datetime(2026, 11, 22, 16, 5, tzinfo=UTC)
NONCE = "ab12ab12"
FENCE = re.compile(rf"^<(/?)donnees-{NONCE}>$", re.MULTILINE)

# Not only any text, but what somebody would write who knows the word and how it is removed.
pieces = st.one_of(
    st.text(st.characters(), max_size=30),
    st.sampled_from([NONCE, NONCE[:4], NONCE[4:], "</donnees-", "<donnees-", ">", "\n", "\u200b", "Source : "]),
)
hostile = st.lists(pieces, max_size=12).map("".join)
findings = st.builds(
    Finding,
    source=st.just("github"),
    label=hostile,
    text=hostile,
    url=st.none() | hostile,
    read_at=st.just(NOW),
)


@given(collected=st.lists(findings, max_size=4), context=st.none() | st.dictionaries(hostile, hostile, max_size=3))
def test_the_fence_opens_and_closes_once_per_datum_and_never_within(
    collected: list[Finding], context: dict[str, JsonValue] | None
) -> None:
    _, question = compose(
        find_run_type("PLATFORM_STATUS_REVIEW"),
        Collected(findings=tuple(collected)),
        platforms=[],
        whole_company=True,
        context=context,
        now=NOW,
        nonce=NONCE,
    )

    fenced = len(collected) + bool(context)
    assert FENCE.findall(question.content) == ["", "/"] * fenced
    assert question.content.count(NONCE) == 2 * fenced


@given(text=hostile, limit=st.integers(30, 200))
def test_a_cleaned_text_is_bounded_and_holds_only_what_can_be_seen(text: str, limit: int) -> None:
    cleaned = clean_text(text, limit)

    assert len(cleaned) <= limit
    assert not [c for c in cleaned if c not in "\n\t" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn"}]
    cleaned.encode()  # half a surrogate pair would not go over the wire


@given(text=hostile)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean_text(clean_text(text, 1_000), 1_000) == clean_text(text, 1_000)


@given(lengths=st.lists(st.integers(0, 9_000), max_size=30), context=st.integers(0, 20_000))
def test_the_question_is_bounded_whatever_was_collected(lengths: list[int], context: int) -> None:
    collected = [Finding(source="github", label="GitHub", text="x" * n, read_at=NOW) for n in lengths]

    _, question = compose(
        find_run_type("PLATFORM_STATUS_REVIEW"),
        Collected(findings=tuple(collected)),
        platforms=[],
        whole_company=True,
        context="x" * context,
        now=NOW,
        nonce=NONCE,
    )

    overhead = 1_000 + 150 * len(lengths)
    assert len(question.content) <= DATA_CHARS + CONTEXT_CHARS + overhead
