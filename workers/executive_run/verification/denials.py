"""« Aucun incident en cours »: a sentence that says there is nothing states the figure zero, without a figure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from shared.fact_labels import format_value
from shared.facts import COUNT, Fact
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.lexicon import Mention
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement
from workers.executive_run.verification.subjects import find_subject

# « Aucun nouveau ticket », « aucun autre incident » leave those that there are.
_NOTHING: Final = re.compile(r"(?:\b(?:aucune?s?|zero|pas de|nulle?)\s|\bpas d')\**$")
_REACH: Final = 16
# What stands behind may narrow what there is none of (« … sur Med MNG », « … depuis 8 jours »): only an end is sure.
_END: Final = re.compile(
    r"\**(?:\s(?:ouverte?s?|en cours|n'est (?:ouverte?|en cours|en attente|a signaler|a deplorer)|a signaler|"
    r"a ce jour|aujourd'hui|actuellement|d'approbation))*\**(?:\s?(?:[.,;:()!]|\[s\d)|\s*$)"
)
_EXCEPT: Final = re.compile(r"\b(?:hors|hormis|sauf|except\w*|a part|autre que|si ce n'est|en dehors)\b")
_NOT_STATED: Final = re.compile(
    r"\b(?:si|objectif|cible|viser|vise|hier|la veille|etait|etaient|avait|avaient|jusqu'a|tant que|lorsque|quand|afin|"
    r"pour|avant|jamais|etre sur|verifier|non|ne signifie|ne prouve)\b"
)


def find_denied_facts(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find what a sentence says there is none of, although the data count some."""
    folded = fold(text)
    for statement in statements:
        if statement.is_proposed:
            continue
        start, end = statement.span.start, statement.span.end
        for mention in statement.mentions:
            nothing = _NOTHING.search(folded, max(start, mention.start - _REACH), mention.start)
            if nothing is None or not mention.entry.is_firm or not _END.match(folded, mention.end, end):
                continue
            if any(figure.start == nothing.start() for figure in statement.figures):
                continue  # « zéro » is compared as any figure is
            if _NOT_STATED.search(folded, start, nothing.start()) or _EXCEPT.search(folded, start, end):
                continue
            meant = _choose(mention, statement, folded, evidence)
            if meant and all(fact.value > 0 and fact.unit == COUNT for fact in meant):
                yield _contradict(text, statement, nothing.start(), mention.end, meant)


def _choose(mention: Mention, statement: Statement, folded: str, evidence: Evidence) -> list[Fact]:
    """Return the facts of the platform that is meant; of the company where no platform is, or none has any."""
    known = [fact for name in mention.entry.names for fact in evidence.facts.get(name, ())]
    subject = find_subject(Figure(Kind.STRUCTURE, mention.start, mention.end), statement, folded)
    if subject.is_shared:
        return []
    key = subject.key or evidence.grounds.platform_key
    company = [fact for fact in known if fact.subject is None]
    if key is None:
        return company or known
    has_parts = any(fact.subject is not None for fact in known)
    return [fact for fact in known if fact.subject == key] if has_parts else company


def _contradict(text: str, statement: Statement, start: int, end: int, meant: Sequence[Fact]) -> Fault:
    quote = text[start:end]
    ours = " ou ".join(dict.fromkeys(format_value(fact.value, fact.unit) for fact in meant[:2]))
    return statement.fault(
        FaultKind.CONTRADICTED,
        start,
        end,
        quote=quote,
        sentence=f"« {quote[:80]} » : nos données en comptent {ours}. Reprenez ce nombre.",
        ours=ours,
    )
