"""What is written with digits and states nothing of the company: norms, windows, counts of the report's own items."""

import re
from typing import Final

from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_DAY: Final = 86_400
_WINDOWS: Final = frozenset(
    {
        *(days * _DAY for days in (1, 2, 3, 7, 14, 15, 21, 28, 30, 45, 60, 90, 180, 365)),
        3600,
        *(w * 7 * _DAY for w in range(1, 14)),
    }
)
_MONTH_WINDOWS: Final = frozenset({1, 2, 3, 6, 12, 18, 24, 36})
_BEFORE_WINDOW: Final = re.compile(
    r"(?:\bsur|\ben|\bdans|\bsous|\bd'ici|\bpendant|\bdurant|\bpour|\ba|\bderniers?|\bces|\bles|\bpar|"
    r"\btou(?:te)?s les|\bchaque|\bde|\bdes|\bhorizon|\bprecedents?|"
    r"\bfenetre|\bperiode|\bprochain(?:e)?s|\bles \d+,)\s\**(?:les\s|de\s|a\s|la\s)?$"
)
_SURE_WINDOW: Final = re.compile(r"\b(?:sur|en|dans|d'ici|sous|pendant|derniers?|fenetre)\s\**(?:les\s|de\s)?$")
_ARTICLE: Final = re.compile(
    r"\b(?:art(?:icles?|\.)?|considerants?|alineas?|annexes?|§)\s(?:\d+(?:\.\d+)?(?:\s?(?:,|et|a|-|\u2013|"
    r"ou)\s?)?)*\**$"
)
_RGPD: Final = re.compile(r"[^.;\n]{0,25}\b(?:rgpd|gdpr)\b")
_OTHER_LAW: Final = re.compile(r"-\d|[^.;\n]{0,25}\b(?:code|loi|decret|directive)\b")
_LAST_RGPD_ARTICLE: Final = 99
_NORM: Final = re.compile(
    r"\b(?:iso(?:/iec)?|iec|en|nf|rfc|wcag|tls|ssl|pci[- ]dss|owasp(?: top)?|soc|http|https|oauth|openid|utf|sha|"
    r"aes|rsa|ipv|nis|dora|"
    r"hds|rgs|nist(?: sp)?|cwe|mfa|niveau|niveaux|code|codes|erreurs?|statuts?|port|ports|directive|reglement|loi|"
    r"decret|"
    r"top|etapes?|phases?|lots?|partie|priorites?|axe|option|scenario|variante|annexe|rang|palier|page|semaine|jour|"
    r"p|s|"
    r"sprint|hypothese|critere|question|point|controle|n°|numero|groupe|version majeure|[lrd]\.)\s?(?:n°\s?)?-?\**$"
)
_CODES: Final = frozenset(
    {200, 201, 204, 301, 302, 304, 307, 308, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 422}
)
_HTTP: Final = _CODES | {425, 429, 431, 451, 500, 501, 502, 503, 504, 520, 522, 524}
_HTTP_WORDS: Final = re.compile(r"\bhttp|\bcode|\berreur|\breponse|\brepond|\bstatut|\bredirection")
# What a report counts of its own: three priorities, two options.
_OWN: Final = """
priorite action etape point option axe volet levier question scenario hypothese recommandation raison risque critere
condition phase lot sujet foi chantier mesure proposition decision constat piste enseignement variante pilier objectif
partie controle facteur cause semaine essai article post publication message relance contenu format canal temps tiers
signal regle test campagne segment etage palier personne direction agent domaine element enjeu fait phrase ligne source
donnee famille categorie type niveau groupe preuve theme angle
"""
_OWN_NOUNS: Final = frozenset(_OWN.split())
FACTORS: Final = frozenset({2, 3, 4, 5, 6, 7, 10, 12, 24, 30, 31, 52, 60, 100, 365})
_BASES: Final = frozenset({10, 100, 1000})
_PER: Final = re.compile(r"\bpour\s\**$")
_LAST_DAY: Final = 31
_DAY_OF: Final = re.compile(r"\b(?:au|le|du|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\s\**$")
_CONTENT: Final = re.compile(
    r"\b(?:video|extrait|film|article|format|atelier|webinaire|seance|episode|podcast|direct)s?\b"
)
_MOST_OWN: Final = 12
_LISTED: Final = re.compile(
    r"[^.;:,\d]{0,30}\b(?:liste|detaille|decrit|cite|nomme)e?s?\b|[^.;:,\d]{0,20}\bconnue?s? par\b"
)
"""What a list of the data shows of more, which the report has counted itself."""
_SMALL: Final = 10
_OPERATION: Final = re.compile(r"[/\u00d7x*\u00f7]\s?\||\|\s?[/\u00d7x*\u00f7]")
_SINCE: Final = re.compile(r"depuis (?:plus de )?$")
_THOSE_BEFORE: Final = re.compile(r"\**\sprecedents\b(?!\s[a-z]{4})")
_ITS_ARTICLE: Final = re.compile(r"\bart(?:icles?|\.)?\s\d")


def is_structure(figure: Figure, folded: str, statement: Statement) -> bool:
    """Return whether a figure needs no ground: rules (d) and (f)."""
    before = folded[max(statement.line.start, figure.start - 40) : figure.start]
    if figure.kind in {Kind.STRUCTURE, Kind.CITATION}:
        return True
    if figure.kind is Kind.POINTS or figure.sign < 0:
        return fold(statement.part.section.title).startswith("score")
    if figure.kind is Kind.DURATION:
        return any(
            (
                _is_window(figure, before),
                _is_law(statement),
                _is_content(figure, folded, statement),
            )
        )
    if _is_no_article(figure, folded, before):
        return False
    is_norm = bool(_ARTICLE.search(before) or _NORM.search(before))
    is_given = statement.has_repere and figure.kind is not Kind.DATE
    if is_norm or is_given or _is_law(statement) or _is_content(figure, folded, statement):
        return True
    return figure.kind is Kind.COUNT and (
        _is_own_count(figure)
        or (figure.value <= _MOST_OWN and bool(_LISTED.match(folded, figure.end)))
        or _is_day(figure, before)
        or _is_http(figure, statement)
        or _is_factor(figure, folded)
    )


def _is_no_article(figure: Figure, folded: str, before: str) -> bool:
    """Return whether it is given as an article of the RGPD, which has 99."""
    if figure.kind is not Kind.COUNT or figure.value <= _LAST_RGPD_ARTICLE or not _ARTICLE.search(before):
        return False
    if _OTHER_LAW.match(folded, figure.end):
        return False
    return bool(_RGPD.match(folded, figure.end) or re.search(r"\b(?:rgpd|gdpr)\b.{0,6}art", before))


def _is_day(figure: Figure, before: str) -> bool:
    """Return whether it is a day of the month whose month goes without saying: « au 27 », « le 15 »."""
    return not figure.noun and 1 <= figure.value <= _LAST_DAY and bool(_DAY_OF.search(before))


def _is_factor(figure: Figure, folded: str) -> bool:
    """Return whether it is a number that arithmetic needs and no data hold: « 79 / 12 », « 7 x 19 »."""
    around = folded[max(0, figure.start - 3) : figure.start] + "|" + folded[figure.end : figure.end + 3]
    return figure.value in FACTORS and bool(_OPERATION.search(around))


def _is_content(figure: Figure, folded: str, statement: Statement) -> bool:
    """Return whether a proposal says how long a text or film shall be, or quotes words that it proposes."""
    if not statement.part.section.proposes or figure.kind not in {Kind.COUNT, Kind.DURATION}:
        return False
    if figure.noun in {"mot", "signe", "caractere"}:
        return True
    before = folded[statement.span.start : figure.start]
    if before.count("\u00ab") > before.count("\u00bb"):
        return True
    return figure.kind is Kind.DURATION and bool(_CONTENT.search(before))


def is_window(figure: Figure, folded: str, statement: Statement) -> bool:
    """Return whether a figure is surely the window or day of what is said: « sur 30 jours », « au 27 »."""
    before = folded[max(statement.line.start, figure.start - 24) : figure.start]
    if figure.kind in {Kind.COUNT, Kind.MONEY} and figure.value in _BASES and _PER.search(before):
        return True
    if figure.kind is Kind.COUNT:
        return not figure.is_word and (_is_day(figure, before) or _is_window_before(figure, folded))
    return figure.kind is Kind.DURATION and _is_window(figure, before) and bool(_SURE_WINDOW.search(before))


def _is_window_before(figure: Figure, folded: str) -> bool:
    """Return whether it is a window of days again: « 30 derniers jours, contre 19 sur les 30 précédents »."""
    return figure.value * _DAY in _WINDOWS and bool(_THOSE_BEFORE.match(folded, figure.end))


def _is_window(figure: Figure, before: str) -> bool:
    known = _MONTH_WINDOWS if figure.unit == "months" else _WINDOWS
    return int(figure.value) in known and bool(_BEFORE_WINDOW.search(before)) and not _SINCE.search(before)


def _is_law(statement: Statement) -> bool:
    """Return whether a figure is that of a rule: « repère », or its article and no source, stand beside it."""
    has_article = "art" in statement.words and bool(_ITS_ARTICLE.search(statement.words))
    return statement.has_repere or (has_article and not statement.citations)


def _is_own_count(figure: Figure) -> bool:
    if figure.value != int(figure.value):
        return False
    if figure.is_word and figure.value <= _SMALL:
        return True
    return figure.noun in _OWN_NOUNS and figure.value <= _MOST_OWN


def _is_http(figure: Figure, statement: Statement) -> bool:
    return figure.value in _HTTP and not figure.noun and bool(_HTTP_WORDS.search(statement.words))
