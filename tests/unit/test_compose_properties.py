"""Laws of the fence: whatever untrusted parties write, it stays one fence per datum, visible and bounded."""

import re
import unicodedata
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from shared.findings import Collected, Finding, Gap, GapReason
from shared.registry import RUN_TYPES, find_run_type
from shared.untrusted_text import clean_text
from workers.executive_run.compose import compose, compose_again
from workers.executive_run.grounds import PROMPT_CHARS, ground
from workers.executive_run.verification.model import Fault, FaultKind
from workers.ports import Answer, Message, Platform, ReportInputs

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


def compose_on(
    collected: Collected, context: JsonValue, run_type: str = "PLATFORM_STATUS_REVIEW", platforms: int = 0
) -> tuple[Message, ...]:
    entry = find_run_type(run_type)
    platform = Platform(key="x", name="Une plateforme au nom bien long pour une plateforme", status="green")
    grounds = ground(
        entry,
        collected,
        platforms=[platform] * platforms,
        platform_key=None,
        inputs=ReportInputs(),
        context=context,
        now=NOW,
    )
    return compose(grounds, without_data=entry.sections, nonce=NONCE)


@given(collected=st.lists(findings, max_size=4), context=st.none() | st.dictionaries(hostile, hostile, max_size=3))
def test_the_fence_opens_and_closes_once_per_datum_and_never_within(
    collected: list[Finding], context: dict[str, JsonValue] | None
) -> None:
    _, question = compose_on(Collected(findings=tuple(collected)), context)

    fenced = len(collected) + 1 + bool(context)  # the calculations are always there
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


@given(
    lengths=st.lists(st.integers(0, 9_000), max_size=80),
    context=st.integers(0, 20_000),
    gaps=st.integers(0, 60),
    answer=st.integers(0, 100_000),
    faults=st.integers(0, 100),
    run_type=st.sampled_from(sorted(RUN_TYPES)),
)
def test_no_prompt_exceeds_its_bound_whatever_was_collected_and_answered(
    lengths: list[int], context: int, gaps: int, answer: int, faults: int, run_type: str
) -> None:
    collected = Collected(
        findings=tuple(
            Finding(source="github", label="GitHub · x" * 9, text="x" * n, url="https://x.test/" + "y" * n, read_at=NOW)
            for n in lengths
        ),
        gaps=(Gap(source="github", label="GitHub", reason=GapReason.REJECTED, sentence="y" * 300),) * gaps,
    )
    fault = Fault(kind=FaultKind.UNVERIFIED, section="x" * 200, quote="x" * 200, sentence="x" * 900)

    messages = compose_on(collected, "x" * context, run_type, platforms=40)
    again = compose_again(messages, Answer(text="x" * answer, model="m", fallback_used=False), [fault] * faults)

    assert sum(len(message.content) for message in again) <= PROMPT_CHARS
