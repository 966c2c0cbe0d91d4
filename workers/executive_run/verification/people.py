"""Names of people: a report holds none that its data do not hold."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.model import QUOTE_CHARS, Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_FIRST_NAMES: Final = """
adam adele adrien agathe agnes alain alan alban albert alexandra alexandre alexis alice aline amandine amelie amina
anais andre andrea anna anne annie antoine ariane arnaud arthur audrey aurelie aurelien axel baptiste bastien beatrice
benjamin benoit bernadette bernard bertrand brigitte bruno camille carine carole caroline catherine cecile celine
cedric chantal charles charlotte chloe christelle christian christiane christine christophe claire claude claudine
clemence clement corinne cyril damien daniel danielle david delphine denis diane didier dominique dorothee edith
edouard eleonore elisa elisabeth elise elodie emilie emma emmanuel emmanuelle eric erwan estelle etienne eva evelyne
fabien fabrice fanny fatima fatou felix florence florian francois francoise franck frederic frederique gabriel gael
genevieve george georges gerard gilbert gilles guillaume gregory guy helene henri herve hugo ines isabelle jacqueline
jacques james jane jean jeanne jerome jessica joel johanna john joseph josephine judith jules julia julie julien
juliette justine karim karine kevin laetitia laura laure laurence laurent lea leila leo leon liliane lina loic louis
louise luc lucas lucie lucien ludovic lydie madeleine magali malik manon marc marcel margaux marguerite maria marianne
marie marine marion martin martine mary mathieu mathilde matthieu maud maurice max maxime melanie mehdi michael michel
michele mireille mohamed monique morgane muriel mustapha myriam nadia nadine natacha nathalie nathan nicolas nicole
nina noemie noemi odile olivier omar oscar pascal pascale patrice patricia patrick paul paula pauline peter philippe
pierre quentin rachel rachid raphael raymond rebecca regis remi renaud rene richard robert robin roger roland romain
rose sabine sabrina sacha salome samir samuel sandra sandrine sara sarah sebastien serge simon simone solene sonia
sophie stephane stephanie suzanne sylvain sylvie tania theo theodore therese thibault thierry thomas timothee tom
tristan valentin valentine valerie vanessa veronique victor victoire victoria vincent virginie walter william xavier
yann yannick yasmine yolande youssef yves yvette yvonne zoe
"""
_NAMES: Final = frozenset(_FIRST_NAMES.split())
_PAIR: Final = re.compile(
    r"\b([A-ZÀ-Ý][a-zà-ÿ]+(?:-[A-ZÀ-Ý][a-zà-ÿ]+)?)\s+"
    r"((?:[Dd]e |d'|[Dd]u |[Ll]e |[Ll]a |El |Ben )?[A-ZÀ-Ý][\w'-]*[a-zà-ÿA-ZÀ-Ý])\b"
)
_TITLED: Final = re.compile(
    r"\b(?:M\.|Mme|Mlle|Monsieur|Madame|Dr|Docteur|Docteure|Pr|Professeure?|Me|Maître)\s+(?!(?:la|"
    r"le)\b)([A-ZÀ-Ý][\w'-]+(?:\s+[A-ZÀ-Ý][\w'-]+)?)"
)
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def find_unknown_names(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find names of people, and e-mail addresses, that stand in no source."""
    known: frozenset[str] | None = None  # few reports name anybody
    has_titles, has_addresses = _TITLED.search(text) is not None, "@" in text
    for statement in statements:
        start, end = statement.span.start, statement.span.end
        found = [match for match in _PAIR.finditer(text, start, end) if _is_first_name(match[1])]
        found += _TITLED.finditer(text, start, end) if has_titles else ()
        found += _EMAIL.finditer(text, start, end) if has_addresses else ()
        for match in found:
            last = fold(match[match.lastindex or 0]).split()[-1]
            known = _known_words(evidence.words) if known is None else known
            if last not in known:
                yield _unknown(text, statement, match.start(), match.end())


def _known_words(words: str) -> frozenset[str]:
    return frozenset(re.findall(r"[\w'@.+-]*\w", words)) | frozenset(re.findall(r"\w+", words))


def _is_first_name(word: str) -> bool:
    return fold(word).split("-")[0] in _NAMES


def _unknown(text: str, statement: Statement, start: int, end: int) -> Fault:
    quote = text[start:end][:QUOTE_CHARS]
    return statement.fault(
        FaultKind.UNKNOWN_NAME,
        start,
        end,
        quote=quote,
        sentence=f"« {quote} » : ce nom ne figure pas dans les données. Nommez la fonction, pas la personne.",
    )
