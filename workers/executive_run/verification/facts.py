"""Rule (a): what names a fact equals it, to its own precision, with its unit, its sign and the right direction."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.fact_labels import FACT_LABELS, format_value
from shared.facts import COUNT, Fact, FactName
from shared.findings import GapReason
from shared.registry import RUN_TYPES
from workers.executive_run.verification.binding import Binding, is_change, name_is_change
from workers.executive_run.verification.evidence import CONTEXT, Evidence, Scope, measure
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.lexicon import CHANGES, EARLIER, SOURCES, Mention
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.notation import MONTH_DAYS
from workers.executive_run.verification.number_words import WORDS
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement
from workers.executive_run.verification.subjects import Subject, find_subject

MISSING: Final = "donnée non disponible"

_UP: Final = (
    r"hausse|augment\w*|progress\w*|croissance|croit|croiss\w*|gagn\w*|grimp\w*|bondi\w*|monte\w*|s'ameliore\w*"
)
_DOWN: Final = (
    r"baiss\w*|recul\w*|diminu\w*|chut\w*|perd\w*|perte|repli\w*|decroi\w*|flechi\w*|cede\w*|reduit|reduction|"
    r"se degrade\w*"
)
_DIRECTION: Final = re.compile(rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b")
_SAID: Final = re.compile(rf"\b(?!perdu)(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b")
"""A direction that is stated of a name: what is lost (« le MRR perdu ») is a share of it."""
_SAID_OF: Final = re.compile(
    r"(?:[\s*'(),:-]|\b(?:est|sont|etait|reste|restent|demeure|demeurent|a|ont|en|au|encore|toujours|desormais|deja|"
    r"aussi|bien|donc|lui|elle|de nouveau|a nouveau|poursuit|poursuivent|continue de|continue sa|sa|son|leur|une|un|"
    r"la|s|se|connait|connaissent|enregistre|enregistrent|affiche|affichent|accuse|marque|subit|presente|tres|peu|"
    r"fort|forte|legere|leger|nette|net|petite|petit|nouvelle|nouveau|franche|franc|total|totale|global|globale|"
    r"mensuel|mensuelle|actifs?|ce mois|ci|cette semaine|sur la periode|sur le mois|sur 30 jours|de l'entreprise|"
    r"du groupe|\w{4,}ment)\b)*"
)
_OF_ANOTHER: Final = re.compile(r"\s(?:de la|de l'|du(?! fait| cote)|des|la|le|les)\b|-t-")
_OF_WHOLE: Final = re.compile(rf"\bdes\s\**$|(?:\d|\b{WORDS})\**\s(?:\w+\s){{0,3}}sur\s(?:les\s)?\**$")
_NEGATED: Final = re.compile(r"\b(?:ni|sans|pas|aucune?|ne)\s(?:\w+\s){0,2}$")
_PASSES: Final = re.compile(r"\b(?:depasse\w*|franchi\w*|au-dessus d\w*)\b")
_SOME: Final = re.compile(
    r"\b(?:une|deux|trois|quatre|cinq|six|\d|autres?) (?:autres? )?plateformes?\b|\bla (?:plus|moins)\b|\bentre \d|"
    r"\bde \**\d[^.;]{0,12} a \**\d"
)
_ALL: Final = re.compile(r"\btout(?:es)?\s(?:les )?plateformes|\bau total|\btotal des|\bensemble")
_RUN_LABELS: Final = tuple(fold(entry.label) for entry in RUN_TYPES.values())
_DAY: Final = 86_400
_REACH: Final = 40
_MOST_PASSED: Final = 10**12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one figure."""

    stands: bool
    ours: str | None = None
    """What the data say instead, where they contradict it."""


class FactCheck:
    """Compares figures with the facts that they name."""

    def __init__(self, evidence: Evidence, folded: str) -> None:
        self._evidence = evidence
        self._folded = folded
        self._missing = self._missing_names()
        unread = {gap.source for gap in evidence.grounds.gaps if gap.reason is not GapReason.EMPTY}
        self._empty = self._missing - {name for source in unread for name in SOURCES.get(source, ())}

    def judge(self, binding: Binding, statement: Statement) -> Outcome | None:
        """Compare a figure with its fact; None where it must be looked for in the data as any other."""
        subject = find_subject(binding.figure, statement, self._folded)
        known = [fact for name in binding.names for fact in self._evidence.facts.get(name, ())]
        if binding.is_change and not name_is_change(binding.names):
            return Outcome(stands=True) if self._is_difference(binding) else None
        meant = self._choose(known, subject)
        if not meant:
            return self._judge_unknown(binding, subject, is_known=bool(known))
        equal = next((fact for fact in meant if self._equals(binding.figure, fact)), None)
        if equal is not None:
            direction = self.direction_of(binding.figure, statement)
            is_reversed = name_is_change([equal.name]) and direction * equal.value < 0
            return Outcome(stands=False, ours=_format(equal)) if is_reversed else Outcome(stands=True)
        is_own = subject.is_named and not subject.is_shared
        is_sum = not is_own and self._is_sum(binding.figure, known, statement)
        is_sum = is_sum or self._is_of_the_list(binding)
        if is_sum or self._is_whole(binding.figure, known) or self._is_passed(binding.figure, meant, statement):
            return Outcome(stands=True)
        is_open = not binding.is_firm or subject.is_shared or self._is_of_a_type(binding, statement)
        is_open = is_open or self._is_of_any(binding.figure, known, subject, statement)
        if is_open or self._is_partial_sum(binding.figure, known, subject):
            return None
        is_company = not subject.is_named and subject.key is not None and self._is_any(binding.figure, known, None)
        return Outcome(stands=True) if is_company else Outcome(stands=False, ours=_format_all(meant))

    def _judge_unknown(self, binding: Binding, subject: Subject, *, is_known: bool) -> Outcome | None:
        """Judge what names a fact that the data have not, or have of other platforms only."""
        if not binding.is_firm:
            return None
        if is_known:
            own = self._evidence.find(binding.figure, Scope(platform=subject.key))
            return Outcome(stands=any(entry.platform == subject.key for entry in own))
        if not binding.figure.value and all(name in self._empty for name in binding.names):
            return Outcome(stands=True)
        is_missing = all(name in self._missing for name in binding.names)
        return Outcome(stands=False, ours=MISSING) if is_missing and not self._is_elsewhere(binding) else None

    def find_wrong_unit(self, figure: Figure, statement: Statement) -> Outcome | None:
        """Return the contradiction of a figure that has a fact's digits and another unit, right after its name."""
        if figure.kind not in {Kind.PERCENT, Kind.POINTS, Kind.MONEY, Kind.DURATION} or not figure.values:
            return None
        start = max(statement.span.start, figure.start - _REACH)
        for mention in reversed(statement.mentions):
            if not start <= mention.start < figure.start:
                continue
            for name in mention.entry.names if mention.entry.is_firm else ():
                for fact in self._evidence.facts.get(name, ()):
                    kind, _, _ = measure(fact)
                    if kind is not figure.kind and self._has_digits(figure, fact) and fact.unit != COUNT:
                        return Outcome(stands=False, ours=_format(fact))
        return None

    def figures_of(self, sentences: Sequence[Statement]) -> list[Figure]:
        """Return the facts that a line names so far and those of the sources that its last sentence cites."""
        grounds, statement = self._evidence.grounds, sentences[-1]
        named = dict.fromkeys(name for each in sentences for mention in each.mentions for name in mention.entry.names)
        known = [fact for name in named for fact in self._evidence.facts.get(name, ())]
        known += [fact for each in grounds.sources if each.number in statement.citations for fact in each.facts]
        keys = {None, grounds.platform_key, statement.inherited, *(named.key for named in statement.platforms)}
        measured = dict.fromkeys(measure(fact) for fact in known if fact.subject in keys)
        return [Figure(kind, -1, -1, (abs(value),), unit=unit) for kind, unit, value in measured]

    def direction_of(self, figure: Figure, statement: Statement) -> int:
        """Return the direction that is written or said right before a figure: 1, -1, or 0 for none."""
        if figure.sign:
            return figure.sign
        start = max(statement.span.start, figure.start - _REACH)
        if not is_change(figure, self._folded, start):
            return 0
        said = list(_DIRECTION.finditer(self._folded, start, figure.start))
        return 0 if not said else 1 if said[-1]["up"] else -1

    def check_directions(self, statement: Statement, text: str) -> Iterator[Fault]:
        """Find a fact that is said to rise while it falls, or the reverse, without a figure."""
        if statement.is_proposed:
            return
        mentions = statement.mentions
        for mention in mentions:
            said = _SAID.search(self._folded, mention.end, min(statement.span.end, mention.end + _REACH))
            if said is None or not self._is_plain(mention, said, mentions, statement):
                continue
            change = self._change_of(mention, statement)
            if change is not None and change.value * (1 if said["up"] else -1) < 0:
                ours = f"{FACT_LABELS[change.name]} : {_format(change)}"
                quote = text[mention.start : said.end()]
                yield statement.fault(
                    FaultKind.CONTRADICTED,
                    said.start(),
                    said.end(),
                    quote=quote,
                    sentence=f"« {quote[:120]} » dit le contraire des données ({ours}).",
                    ours=_format(change),
                )

    def _is_plain(
        self, mention: Mention, said: re.Match[str], mentions: Sequence[Mention], statement: Statement
    ) -> bool:
        """Return whether a direction is a name's own, and is stated: « le MRR recule », not « si le MRR recule »."""
        between = self._folded[mention.end : said.start()]
        others = any(mention.end <= other.start < said.start() for other in mentions)
        figures = [each for each in statement.figures if each.values and mention.end <= each.start < said.start()]
        before = self._folded[statement.span.start : mention.start]
        assumed = re.search(
            r"\bsi\b|\brisque|\bpourrait|\beviter|\bempecher|\bpour\b|\bafin\b|\bd'une\b|\bd'un\b|\bune?\b", before
        )
        is_link = _SAID_OF.fullmatch(between) and not re.search(r"[,:(]\s*$", between)
        is_another = _OF_ANOTHER.match(self._folded, said.end()) or self._folded[: statement.span.end].endswith("?")
        is_said_of_change = any(
            each.values and said.end() <= each.start <= said.end() + 12 and each.kind in {Kind.PERCENT, Kind.POINTS}
            for each in statement.figures
        )
        is_open = others or figures or assumed or is_another or _NEGATED.search(between) or is_said_of_change
        return bool(is_link) and not is_open

    def _change_of(self, mention: Mention, statement: Statement) -> Fact | None:
        if not mention.entry.is_firm:
            return None
        names = [change for name in mention.entry.names for change in CHANGES.get(name, ())]
        known = [fact for name in names for fact in self._evidence.facts.get(name, ()) if fact.value]
        named = {each.key for each in statement.platforms}
        fitting = [fact for fact in known if fact.subject is None or fact.subject in named]
        signs = {fact.value > 0 for fact in fitting}
        # Two changes of different signs (by days, by months) let a sentence mean either.
        return fitting[0] if len(signs) == 1 else None

    def _choose(self, known: list[Fact], subject: Subject) -> list[Fact]:
        """Return the facts of a subject; of the company where the platform has none of its own."""
        if subject.is_shared:
            return known
        key = subject.key or self._evidence.grounds.platform_key
        own = [fact for fact in known if fact.subject == key]
        if own or subject.is_named:
            whole = [fact for fact in known if fact.subject is None]
            per_platform = any(fact.subject is not None for fact in known)
            return own or ([] if per_platform else whole)
        company = [fact for fact in known if fact.subject is None]
        inherited = [fact for fact in known if subject.key is not None and fact.subject == subject.key]
        return [*inherited, *company] or known

    def _is_sum(self, figure: Figure, known: Sequence[Fact], statement: Statement) -> bool:
        """Return whether it is what the platforms of the sentence have together."""
        keys = {named.key for named in statement.platforms}
        parts = [fact for fact in known if fact.subject in keys]
        if len(keys) < 2 or len(parts) != len(keys) or len({fact.name for fact in parts}) > 1:  # noqa: PLR2004
            return False
        total = parts[0].model_copy(update={"value": sum((fact.value for fact in parts), Decimal(0))})
        return self._equals(figure, total)

    def _is_of_the_list(self, binding: Binding) -> bool:
        """Return whether it counts the company's platforms, of which fewer may have been read."""
        return FactName.PLATFORMS in binding.names and binding.figure.value == len(self._evidence.grounds.platforms)

    def _is_whole(self, figure: Figure, known: Sequence[Fact]) -> bool:
        """Return whether it is the company's total, of which a platform's part is said: « 9 des 23 tickets »."""
        lead = self._folded[max(0, figure.start - _REACH) : figure.start]
        return bool(_OF_WHOLE.search(lead)) and self._is_any(figure, known, None)

    def _is_difference(self, binding: Binding) -> bool:
        """Return whether a change is what a fact and its earlier value differ by, in amount or in percent."""
        name = binding.names[0]
        pairs = [
            (fact.value, before.value)
            for fact in self._evidence.facts.get(name, ())
            for before in self._evidence.facts.get(EARLIER[name], ())
            if fact.subject == before.subject and before.value
        ]
        if binding.figure.kind is Kind.PERCENT:
            return any(binding.figure.matches(100 * (now - before) / before) for now, before in pairs)
        return any(binding.figure.matches(now - before) for now, before in pairs)

    def _is_passed(self, figure: Figure, meant: Sequence[Fact], statement: Statement) -> bool:
        """Return whether it is a round mark that the fact has passed: « le MRR dépasse 3 000 € »."""
        start = max(statement.span.start, figure.start - _REACH)
        # Beyond a thousand billions nothing of ours is passed, and a remainder may have too many digits to compute.
        is_round = 0 < figure.value < _MOST_PASSED and figure.value % 100 == 0
        if not is_round or not _PASSES.search(self._folded, start, figure.start):
            return False
        return any(measure(fact)[0] is figure.kind and measure(fact)[2] >= figure.value for fact in meant)

    def _is_of_any(self, figure: Figure, known: Sequence[Fact], subject: Subject, statement: Statement) -> bool:
        """Return whether it is that of a platform which its sentence does not name before it.

        It names it after the figure, or its header names several, or it speaks of one or some without a name.
        """
        if subject.is_named:
            return False
        around = {named.key for named in statement.platforms}
        if len(statement.nearby) > 1 or statement.inherited is None:
            around |= statement.nearby
        is_of_one = self._evidence.grounds.platform_key is not None
        is_of_some = not is_of_one and _SOME.search(statement.words) and not _ALL.search(statement.words)
        return any(
            fact.subject is not None and (is_of_some or fact.subject in around) and self._equals(figure, fact)
            for fact in known
        )

    def _is_of_a_type(self, binding: Binding, statement: Statement) -> bool:
        """Return whether runs are counted of one run type, which its line names: our facts are of all types."""
        if not set(binding.names) <= SOURCES["run_history"]:
            return False
        line = self._folded[statement.line.start : binding.figure.start]
        return any(label in line for label in _RUN_LABELS)

    def _is_any(self, figure: Figure, known: Sequence[Fact], subject: str | None) -> bool:
        return any(fact.subject == subject and self._equals(figure, fact) for fact in known)

    def _equals(self, figure: Figure, fact: Fact) -> bool:
        kind, unit, value = measure(fact)
        if kind is Kind.MONEY and figure.kind is Kind.COUNT:
            return figure.matches(value)
        if kind is not figure.kind or (kind is Kind.MONEY and unit != figure.unit):
            return False
        if figure.unit == "months":
            return abs(value / _DAY / MONTH_DAYS - figure.value) <= Decimal("0.6")
        if kind is Kind.DURATION and fact.unit == "days" and figure.quantum < _DAY:
            return abs(value - figure.value) < _DAY
        if figure.sign and value and not name_is_change([fact.name]) and figure.sign * value < 0:
            return False
        return figure.matches(value)

    def _has_digits(self, figure: Figure, fact: Fact) -> bool:
        return any(value in {fact.value, abs(fact.value)} for value in figure.values) or figure.matches(fact.value)

    def _is_partial_sum(self, figure: Figure, known: Sequence[Fact], subject: Subject) -> bool:
        """Return whether it is ours: « 34 sur 6 plateformes lues » is no fact, because one platform was not read."""
        calculations = self._evidence.grounds.calculations
        if calculations is None or subject.key is not None or not all(fact.subject for fact in known):
            return False
        scope = Scope(frozenset({calculations.number}))
        return any(entry.source == calculations.number for entry in self._evidence.find(figure, scope))

    def _is_elsewhere(self, binding: Binding) -> bool:
        """Return whether a figure that no fact knows was given as context by the caller."""
        return any(entry.source == CONTEXT for entry in self._evidence.find(binding.figure, Scope()))

    def _missing_names(self) -> frozenset[FactName]:
        """Return the facts that nobody can state, because their source answered nothing."""
        answered = {fact.source for facts in self._evidence.facts.values() for fact in facts}
        missing = {gap.source for gap in self._evidence.grounds.gaps} - answered
        return frozenset(name for source in missing for name in SOURCES.get(source, ()))


def _format_all(facts: Sequence[Fact]) -> str:
    return " ou ".join(dict.fromkeys(_format(fact) for fact in facts[:2]))


def _format(fact: Fact) -> str:
    return re.sub(r"\bEUR$", "€", format_value(fact.value, fact.unit))
