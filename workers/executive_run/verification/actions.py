"""Actions that a report claims: it observes and recommends, and nothing was done by writing it.

A passive fact passes (« v2.8.0 a été publiée »): the data tell what others did.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.phrases import Phrases
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_DONE: Final = (
    r"(?:deploye|publie|envoye|lance|corrige|fusionne|ferme|clos|clotur|ouvert|cree|supprime|mis a jour|"
    r"mis en (?:ligne|production|place)|"
    r"modifie|active|desactive|applique|approuve|valide la|valide le|contacte|relance|planifie|programme|execute|"
    r"redemarre|notifie|alerte|"
    r"informe|prevenu|rembourse|bloque|debloque|restaure|retabli|migre|augmente|baisse|change|ajoute|retire|"
    r"transmis|demande a|"
    r"reuni|organise|convoque|engage|signe|paye|regle|commande|achete|embauche|configure|installe|transfere|archive|"
    r"assigne|affecte)"
)
_ADVERB: Final = r"(?:\w+ment |deja |bien |aussi |aussitot |immediatement |donc |egalement )?"
# What a report does: it reads, compares and computes.
_READING: Final = (
    r" ?(?:l'|la |le |les |un |une |des )?(?:analys|exam|lecture|lire|relire|relecture|revue|revoir|compar|verif|"
    r"calcul|etud|control|evalu|recoup|rapproch|synthes|consolid|reper)"
)
_AUTHORS: Final = ("j'ai ", "nous avons ", "on a ", "je viens de ", "nous venons de ")
_AGENTS: Final = (
    *("l'agent", "l'equipe ia", "la direction ia", "votre agent", "l'autopilote"),
    *(f"{role} agent" for role in ("ceo", "cto", "ciso", "cmo", "cfo", "coo", "cpo", "cso", "cgo", "cdo", "dpo")),
)
_FIRST_PERSON: Final = Phrases.compile(
    (
        *((who, rf"\b{who}{_ADVERB}{_DONE}(?:e?s?\b|\w*)") for who in _AUTHORS),
        *((who, rf"\b{who}{_ADVERB}proceder? (?:a|au|aux)\b(?!{_READING})") for who in _AUTHORS),
        *(
            (who, rf"\b{who} {_ADVERB}(?:charge|occupe)e?s? (?:de|d'|du|des)\b(?!{_READING})")
            for who in ("je me suis", "nous nous sommes", "on s'est")
        ),
        (
            "je ",
            r"\bje (?:viens de|procede a|deploie|publie|envoie|lance|corrige|ferme|fusionne|applique|supprime)\b",
        ),
        *((f"{who} a ", rf"\b{who} a {_ADVERB}{_DONE}") for who in _AGENTS),
        (" soins", r"\bpar (?:mes|nos) soins\b"),
        ("propre initiative", r"\bde ma propre initiative\b"),
        *(
            (
                what,
                rf"\b{what}s? (?:effectuee|executee|realisee|accomplie|terminee)s? (?:avec succes|par l'agent|ce jour)",
            )
            for what in ("action", "tache", "operation", "mission")
        ),
        ("c'est ", r"\bc'est (?:fait|chose faite|deploye|envoye|publie)\b"),
        *((sign, rf"{sign}\s*\**(?:deploye|envoye|publie|fusionne|corrige|applique|fait)") for sign in "✅☑✔"),
    )
)
# What a type only studies or plans: a report of that type that says it was done, says that it did it.
_WAS: Final = r"(?: \S+){0,3} (?:a ete |ont ete |est |sont )"
_OF_TYPE: Final = {
    "DEPLOY_TO_PRODUCTION": (
        rf"(?:deploiement|mise en production){_WAS}(?:effectue|realise|lance|termine|execute|reussi)e?"
        rf"|(?:version|v[\d.]+){_WAS}(?:deployee|mise en production)"
    ),
    "RELEASE_GATE_CHECK": rf"(?:publication|sortie){_WAS}(?:effectuee|lancee|realisee)",
    "RLS_POLICY_UPDATE": rf"(?:politique|migration|regle)s?{_WAS}(?:modifiee|appliquee|mise|creee|remplacee)",
    "MASS_EMAIL_CAMPAIGN": rf"(?:campagne|message|courriel|e-mail|envoi)s?{_WAS}(?:envoye|parti|lance|effectue)",
    "PRICING_CHANGE": rf"(?:tarif|prix|offre)s?{_WAS}(?:modifie|applique|mis|change|augmente|baisse|releve)",
}
_NEGATED: Final = re.compile(
    r"\b(?:n'|ne )(?:ai|avons|a|ont)\b|\baucune?\b|\bsi\b|\bjamais\b|\bavant que\b|\bune fois\b|\bdes que\b|"
    r"\blorsque\b"
)


def find_claimed_actions(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find sentences that say that the report's author acted."""
    folded = fold(text)
    first_person = _FIRST_PERSON.within(folded)
    of_type = _OF_TYPE.get(evidence.grounds.run_type.key)
    for statement in statements:
        start, end = statement.span.start, statement.span.end
        found = first_person.search(folded, start, end)
        if found is None and of_type is not None and not statement.citations:
            found = re.compile(of_type).search(folded, start, end)
        if found is None or _NEGATED.search(folded, start, found.start()):
            continue
        quote = text[found.start() : found.end()]
        yield statement.fault(
            FaultKind.ACTION_CLAIMED,
            found.start(),
            found.end(),
            quote=quote,
            sentence=(
                f"« {quote} » annonce une action : le rapport n'en exécute aucune. Proposez-la, ou citez qui l'a faite."
            ),
        )
