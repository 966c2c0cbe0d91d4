"""Laws of the verification: notations, precision, unit and sign; reports true and changed; time."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.fact_labels import FACT_LABELS, format_value
from shared.facts import Fact, FactName
from shared.french import format_day
from shared.registry import RUN_TYPES
from workers.executive_run.verification.figure import Kind
from workers.executive_run.verification.form import repair
from workers.executive_run.verification.model import FaultKind, Grounds, NumberedSource
from workers.executive_run.verification.numbers import read_figures
from workers.executive_run.verification.platforms import PlatformNames
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.verify import mark, verify
from workers.ports import Platform

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)
PLATFORMS = tuple(
    Platform(key=key, name=name, status="green")
    for key, name in (("nearvity", "NEARVITY"), ("med-mng", "Med MNG"), ("system-compass", "System Compass"))
)
THOUSAND = settings(max_examples=1000)
pytestmark = pytest.mark.timeout(300)

_cents = st.integers(100, 10**9).map(lambda cents: Decimal(cents) / 100)
_spaces = st.sampled_from(["\u202f", "\u00a0", " "])
_words = st.sampled_from(["Le montant est de {}.", "Montant : {}", "On lit {}, ce jour", "({})", "**{}**"])


def group(digits: str, separator: str) -> str:
    return f"{int(digits):,}".replace(",", separator)


@given(amount=_cents, space=_spaces, words=_words, unit=st.sampled_from(["€", "EUR", "euros"]))
@THOUSAND
def test_a_french_amount_is_read_as_it_is_written(amount: Decimal, space: str, words: str, unit: str) -> None:
    whole, cents = f"{amount:.2f}".split(".")
    written = f"{group(whole, space)},{cents}{space}{unit}"
    text = words.format(written)

    (figure,) = read_figures(text)

    assert (figure.kind, figure.unit, figure.values) == (Kind.MONEY, "EUR", (amount,))
    assert (figure.quantum, text[figure.start : figure.end]) == (Decimal("0.01"), written)


@given(amount=_cents, words=_words, sign=st.sampled_from([("€", "", "EUR"), ("$", "", "USD"), ("", " USD", "USD")]))
@THOUSAND
def test_an_english_amount_is_read_as_it_is_written(amount: Decimal, words: str, sign: tuple[str, str, str]) -> None:
    before, after, unit = sign
    text = words.format(f"{before}{amount:,.2f}{after}")

    (figure,) = read_figures(text)

    assert (figure.kind, figure.unit, figure.values) == (Kind.MONEY, unit, (amount,))


@given(
    tenths=st.integers(1, 9_999), scale=st.sampled_from([("k€", 10**3), ("M€", 10**6), (" millions d'euros", 10**6)])
)
@THOUSAND
def test_a_scaled_amount_is_as_precise_as_its_last_digit(tenths: int, scale: tuple[str, int]) -> None:
    unit, factor = scale
    value = Decimal(tenths) / 10
    (figure,) = read_figures(f"Soit {value:.1f}{unit}".replace(".", ","))

    assert figure.value == value * factor
    assert figure.matches(value * factor + factor * Decimal("0.05"))
    assert not figure.matches(value * factor + factor * Decimal("0.051"))


@given(
    hundredths=st.integers(0, 99_999),
    sign=st.sampled_from([("+", 1), ("\u2212", -1), ("-", -1), ("", 0)]),
    unit=st.sampled_from(
        [(" %", Kind.PERCENT), ("\u202f%", Kind.PERCENT), (" point", Kind.POINTS), (" points", Kind.POINTS)]
    ),
)
@THOUSAND
def test_a_sign_and_a_unit_are_read(hundredths: int, sign: tuple[str, int], unit: tuple[str, Kind]) -> None:
    value = Decimal(hundredths) / 100
    (figure,) = read_figures(f"Variation : {sign[0]}{value:.2f}{unit[0]}".replace(".", ","))

    assert (figure.kind, figure.sign, figure.values) == (unit[1], sign[1], (value,))


@given(day=st.dates(date(2001, 1, 1), date(2098, 12, 31)))
@THOUSAND
def test_a_day_is_the_same_in_words_and_in_digits(day: date) -> None:
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    text = f"{format_day(moment)} ; {day.isoformat()} ; {day:%d/%m/%Y} ; {day.isoformat()}T12:00:00+00:00"

    assert {(figure.kind, figure.unit) for figure in read_figures(text)} == {(Kind.DATE, day.isoformat())}


@given(numbers=st.tuples(*[st.integers(0, 40)] * 3), reference=st.integers(1, 99_999))
def test_versions_and_references_are_known_by_their_own_words(numbers: tuple[int, ...], reference: int) -> None:
    version = ".".join(map(str, numbers))
    figures = read_figures(f"La v{version} ferme #{reference} et suit {version}.")

    assert [(figure.kind, figure.unit) for figure in figures] == [
        (Kind.VERSION, version),
        (Kind.REFERENCE, f"#{reference}"),
        (Kind.VERSION, version),
    ]


@given(
    words=st.sampled_from(
        ["J+{}", "T{} 2026", "Q{} 2026", "[S{}]", "P{}", "J-{}", "S{}", "H+{}", "{}e trimestre", "{}ème point"]
    ),
    number=st.integers(1, 4),
)
def test_structure_is_no_figure(words: str, number: int) -> None:
    figures = read_figures(f"Voir {words.format(number)}, ensuite.")

    assert {figure.kind for figure in figures} <= {Kind.STRUCTURE, Kind.CITATION}


@given(text=st.text())
@THOUSAND
def test_folding_moves_nothing(text: str) -> None:
    assert len(fold(text)) == len(text)


_COUNTED = (FactName.OPEN_ISSUES, FactName.OPEN_PULLS, FactName.CRITICAL_ALERTS, FactName.OPEN_INCIDENTS)
_facts = st.fixed_dictionaries(
    {
        FactName.MRR: _cents,
        FactName.ARR: _cents,
        FactName.CHURN_RATE: st.integers(1, 9_999).map(lambda value: Decimal(value) / 100),
        FactName.UPTIME: st.integers(1, 9_999).map(lambda value: Decimal(value) / 100),
        FactName.ACTIVE_SUBSCRIPTIONS: st.integers(3, 90_000).map(Decimal),
        **{name: st.integers(3, 9_999).map(Decimal) for name in _COUNTED},
    }
)


def grounds_with(values: dict[FactName, Decimal]) -> Grounds:
    facts = tuple(
        Fact(
            name=name,
            subject="nearvity" if name in {*_COUNTED, FactName.UPTIME} else None,
            value=value,
            unit=name.unit or "EUR",
            at=NOW,
            source="stripe",
        )
        for name, value in values.items()
    )
    source = NumberedSource(number=1, source="stripe", label="Données", text="Rien.", facts=facts, read_at=NOW)
    return Grounds(
        run_type=RUN_TYPES["FINANCIAL_REPORT"],
        platform_key=None,
        platforms=PLATFORMS,
        sources=(source,),
        calculations=None,
        gaps=(),
        now=NOW,
    )


def write(grounds: Grounds, shown: dict[FactName, Decimal]) -> str:
    about = {fact.name: "NEARVITY, " if fact.subject else "" for fact in grounds.sources[0].facts}
    lines = [
        f"- {about[name]}{FACT_LABELS[name]} : {format_value(value, name.unit or 'EUR')} [S1]."
        for name, value in shown.items()
    ]
    first, *others = grounds.run_type.sections
    body = "Rien d'autre n'est à signaler pour cette partie du rapport dans les données lues."
    rest = "\n\n".join(f"## {section.title}\n\n{body}" for section in others)
    return f"## {first.title}\n\n" + "\n".join(lines) + f"\n\n{rest}"


@given(values=_facts)
@THOUSAND
def test_a_true_report_is_left_alone(values: dict[FactName, Decimal]) -> None:
    grounds = grounds_with(values)

    assert verify(write(grounds, values), grounds).faults == ()


_names = st.sampled_from([*_COUNTED, FactName.MRR, FactName.CHURN_RATE, FactName.UPTIME])


def _rounds_to(value: Decimal, shown: Decimal) -> bool:
    """Whether a share may be written like this: 0.5 % as 1 %, or 0.46 % as 0.5 %; money always has its cents."""
    last = Decimal(1).scaleb(min(0, cast("int", shown.normalize().as_tuple().exponent)))
    return abs(value - shown) <= last / 2


@given(values=_facts, name=_names, more=_cents)
@THOUSAND
def test_a_fact_that_is_changed_is_contradicted(values: dict[FactName, Decimal], name: FactName, more: Decimal) -> None:
    whole = name in _COUNTED
    changed = Decimal(int(more)) + values[name] if whole else more
    assume(abs(changed - values[name]) >= (1 if whole else Decimal("0.01")))
    assume(name is FactName.MRR or not _rounds_to(values[name], changed))
    assume(name is not FactName.MRR or changed != values[FactName.ARR])
    grounds = grounds_with(values)

    faults = verify(write(grounds, {**values, name: changed}), grounds).faults

    assert [fault.kind for fault in faults] == [FaultKind.CONTRADICTED]
    assert faults[0].ours == format_value(values[name], name.unit or "EUR").replace("EUR", "€")


@given(values=_facts, other=st.sampled_from(["Med MNG", "System Compass"]))
def test_a_fact_of_one_platform_is_not_anothers(values: dict[FactName, Decimal], other: str) -> None:
    grounds = grounds_with(values)
    text = write(grounds, values).replace("NEARVITY, tickets ouverts", f"{other}, tickets ouverts")

    assert len(verify(text, grounds).faults) == 1


_LINES = st.lists(
    st.sampled_from(
        [
            "## Évolution",
            "**Alertes**",
            "# 1. Chiffres clés :",
            "```",
            "| a | b |",
            "|---|---|",
            "- Le MRR est de 12 €",
            "Alertes",
            "===",
            "---",
            "OK [S1] #12",
            "",
            "  - 3",
        ]
    )
    | st.text(max_size=40),
    max_size=30,
)


@given(lines=_LINES)
@THOUSAND
def test_whatever_a_model_writes_is_judged_and_its_faults_stand_where_they_say(lines: list[str]) -> None:
    grounds = grounds_with({FactName.MRR: Decimal("3046.46")})

    found = verify("\n".join(lines), grounds)

    assert all(fault.sentence and len(fault.quote) <= 200 for fault in found.faults)
    assert all(
        found.text[fault.start : fault.end].startswith(fault.quote[:20])
        for fault in found.faults
        if fault.kind in {FaultKind.CONTRADICTED, FaultKind.UNVERIFIED, FaultKind.UNKNOWN_REFERENCE}
    )
    assert len(mark(found)) >= len(found.text)


_TOKENS = (
    "0 1 7 00 000 2026 9999999999 ² ٣ , . ; : / - + \u2212 ~ ± [ ] ( ) [S S1] [S2] [S42] [S1,S2] #12 CVE-2026-1 v1. "
    "€ EUR $ % ‰ points k€ M€ milliards mille ms h min jours mois ans centimes /100 sur janv. décembre 1er T4 J+ "
    "MRR ARR tickets abonnements disponibilité attrition NEARVITY dépasse recule soit contre de à et dont vingt "
    "Score GO ** ` | > < & <b> </p> &nbsp; :--- ## - http://"
)
_PIECES = st.lists(
    st.sampled_from(_TOKENS.split())
    | st.sampled_from([" ", "\n", "\n\n", "\u202f", "\u00a0", "\u200b", "\x00", "😀", "\n- ", "\n## Alertes\n"])
    | st.integers(0, 10**40).map(str)
    | st.characters(categories=["Nd", "No", "Sc"]),
    max_size=60,
)


_sizes = st.sampled_from([1, 3, 13, 29, 31, 60, 4_299, 4_301])
_long = st.builds(
    lambda digit, size, tail: f"{digit * size}{tail}", st.sampled_from("19"), _sizes, st.sampled_from(["", ",5"])
)
_CLAIMS = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from(
            ["Le MRR", "L'attrition", "NEARVITY : tickets ouverts", "Score", "Abonnements actifs", "Depuis"]
        ),
        st.sampled_from(["est de", ":", "dépasse", "recule de", "passe de 3 à", "soit 2 x", "environ"]),
        _long,
        st.sampled_from(["€", "milliards €", "%", "points", "jours", "mois", "/100", "k€", "tickets", ""]),
        st.builds("[S{}].".format, _long) | st.sampled_from([".", "[S1]."]),
    ),
)


@given(pieces=_PIECES, claims=st.lists(_CLAIMS, max_size=3))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_the_verification_fail(pieces: list[str], claims: list[str]) -> None:
    grounds = grounds_with({FactName.MRR: Decimal("3046.46"), FactName.OPEN_ISSUES: Decimal(9)})
    said = f"{' '.join(claims)} {''.join(pieces)}"
    text = write(grounds, {FactName.MRR: Decimal("3046.46")}).replace("Rien d'autre", said, 1)

    for each in (text, said):
        found = verify(each, grounds)
        assert len(mark(found)) >= len(found.text)


@given(lines=_LINES)
def test_a_repaired_report_needs_no_repair(lines: list[str]) -> None:
    run_type = RUN_TYPES["FINANCIAL_REPORT"]
    once = repair("\n".join(lines), run_type)
    assume(once.parts)

    assert repair(once.text, run_type).text == once.text


@pytest.mark.parametrize(
    "unit",
    [
        "1 234 ",
        "#",
        "| a ",
        "**",
        "mrr ",
        "vingt ",
        "de 3 à ",
        "Le MRR est de 12 €. ",
        "« ",
        "a" * 9 + " ",
        "[S1]",
        "\n",
        "- x\n",
        "1,",
        "  ",
        "(",
        "://",
    ],
)
def test_time_grows_with_the_length_only(unit: str) -> None:
    grounds = grounds_with({FactName.MRR: Decimal("3046.46")})
    frame = write(grounds, {FactName.MRR: Decimal("3046.46")})

    def took(chars: int) -> float:
        text = frame.replace("Rien d'autre", unit * (chars // len(unit)), 1)
        best = 9.0
        for _ in range(3):
            begun = time.process_time()
            verify(text, grounds)
            best = min(best, time.process_time() - begun)
        return best

    # Four times the text takes about four times as long; what is quadratic takes sixteen.
    assert took(12_000) < 9 * took(3_000) + 0.02
    assert took(100_000) < 1


@pytest.mark.parametrize(
    "lines",
    [
        f"|a|b|\n|--{' ' * 15_000}x",
        f"```{' ' * 15_000}!",
        f"```{'-' * 15_000}!",
        f"|a|b|\n|{'-' * 15_000}x",
        f"|a|b|\n|{'--|' * 5_000}x",
        f"Fin{' [S1]' * 3_000}x",
        f"Fin{'[S1]' * 4_000}{' ' * 10}x",
    ],
)
def test_no_line_makes_a_pattern_try_again_and_again(lines: str) -> None:
    grounds = grounds_with({FactName.MRR: Decimal("3046.46")})
    text = f"{write(grounds, {FactName.MRR: Decimal('3046.46')})}\n\n{lines}"
    begun = time.process_time()

    verify(text, grounds)

    assert time.process_time() - begun < 0.5


@given(before=st.sampled_from("az9-/."), space=st.sampled_from(["", " ", "(", "\n"]))
def test_a_platform_s_name_begins_where_a_word_does_wherever_the_sentence_was_cut(before: str, space: str) -> None:
    text = f"{before * 600}{space}NEARVITY est rouge"

    found = PlatformNames(PLATFORMS).find(text, 600, len(text))

    assert [mention.key for mention in found] == (["nearvity"] if space else [])
