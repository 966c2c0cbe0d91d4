"""Which fact a figure of a sentence names, and of which platform."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.facts import COUNT, DAYS, MILLISECONDS, MINUTES, PERCENT, POINTS, SECONDS, FactName
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.lexicon import CHANGES, EARLIER, PARTS, PERIODS, Mention
from workers.executive_run.verification.number_words import WORDS
from workers.executive_run.verification.statements import Statement


@dataclass(frozen=True, slots=True)
class Binding:
    """A figure and the facts that its sentence may mean by it."""

    figure: Figure
    names: tuple[FactName, ...]
    is_firm: bool
    """It can mean nothing else: where it differs, it contradicts."""
    is_change: bool = False
    """It is by how much the fact changed."""


_TO_NAME: Final = re.compile(r"\**\s?\**(?:(?:de |des |du |d'|en |nouveaux |nouvelles |\w+ment )?)\**")
_LINKS: Final = (
    r"est|sont|etait|etaient|atteint|atteignent|s'etablit|s'etablissent|s'eleve|s'elevent|ressort|ressortent|reste|"
    r"restent|demeure|"
    r"se situe|se situent|affiche|affichent|compte|comptent|totalise|totalisent|represente|representent|"
    r"se maintient|se maintiennent|"
    r"tient|vaut|passe|passent|monte|montent|grimpe|descend|tombe|recule|reculent|progresse|progressent|"
    r"augmente|baisse|a atteint|ont atteint|a|au|aux|de|du|des|d|la|le|les|l|un|une|en|sur|pour|avec|soit|chez|ce|"
    r"cette|ces|"
    r"mois|ci|jour|jours|semaine|heures|h|derniers?|dernieres?|aujourd|hui|actuellement|desormais|toujours|encore|"
    r"environ|pres|presque|plus|donc|ainsi|alors|"
    r"moins|seulement|deja|stables?|inchangee?s?|constatee?s?|actuel(?:le)?s?|courant|totale?s?|mensuel(?:le)?s?|nets?|"
    r"bruts?|enregistree?s?|mesuree?s?|observee?s?|lue?s?|entreprise|janvier|fevrier|mars|avril|mai|juin|juillet|"
    r"aout|septembre|"
    r"octobre|novembre|decembre|\d+|s|et|quelque|exactement|pourtant|bien|mrr|stripe|ouverts?|ouvertes?|date|cours|"
    r"remboursements|"
    r"consolidee?s?|globale?s?|moyen(?:ne)?s?|hausse|progression|recul|il|y|depuis|remonte|attend|age|agee?|ancien|"
    r"ancienne|"
    r"plateforme|rls|ia|duree|minutes?|cumulee?s?|toutes|tous|plateformes|nombre|ensemble|x"
)
_GAP: Final = re.compile(rf"(?:\b(?:{_LINKS})\b|[\s:=()*_,'`\u2013—-]|\[s\d+\])*")
_ASIDE: Final = re.compile(r"\([^()]*\)")
_PAST: Final = re.compile(
    r"(?:\bcontre|\bhier\b|la veille|il y a (?:un|une|\d+) (?:mois|semaine|an|jours)|precedent|\bapres\b|\bavant\b|"
    r"auparavant|"
    r"partait|partie? de|au depart|\bjadis|au debut d|l'an (?:dernier|passe)|\bancien mrr|semaine derniere|"
    r"semaine passee)"
)
_OF_WHOLE: Final = re.compile(r"\**\s(?:des|sur(?: les)?|parmi les)\s\**")
_IN_BRACKETS: Final = re.compile(r"\**\s\(\**")
_FOR_PLATFORM: Final = re.compile(r"\**\s?\(?\**(?:(?:sur|pour|chez|cote|a|dans|de|concernent|concerne)\s)?\**")
_FROM_TO: Final = re.compile(r"(?:\bde|\bdes|\bd'|\bdu niveau de)\s?\**$")
_TO: Final = re.compile(r"\**\s(?:a|vers|jusqu'a)\s\**$")
_CHANGE: Final = re.compile(
    r"(?:hausse|baisse|progress\w*|recul\w*|augment\w*|diminu\w*|gagn\w*|perd\w*|perte|croi\w*|croissance|chut\w*|"
    r"mont\w*|grimp\w*|repli\w*|ecart|"
    r"difference|variation|gain|evolution|bondi\w*|cede\w*|flechi\w*|ameliore\w*|degrade\w*|decroi\w*|reduct\w*|"
    r"reduit\w*|reduire|depass\w*|exced\w*|superieur\w*|inferieur\w*)"
    r"(?:(?:\s\w+){0,2}?\s?(?:de|d'|:|\()|(?<=ecart|rence)[^.;,]{0,30}\s(?:atteint|est de|s'eleve a|represente))"
    r"\s?(?:pres de |environ |quelque )?\**$"
)
_PART: Final = re.compile(
    r"(?:\bdont|\bparmi|\bautres|\bces|\bpremiers?|\bpremieres?|\bderniers?|\bau moins|\bplus de|\bmoins de|"
    r"\bjusqu'a|\bsoit|\bchaque|\btraiter|\bfermer|\bclore|\bcorriger|\brelire|\bfusionner|\brelancer|\bcontacter|"
    r"\btop|\bles)\s\**(?:les\s|de\s|a\s)?\**$"
)
_RESULT: Final = re.compile(r"=\s?\**$|\b(?:perte|gain|perd|gagn|cout|manque|ajout)\w*\b[^.]*$")
_OUT_OF: Final = re.compile(rf"(?:\d|\b{WORDS})\**\s(?:\w+\s){{0,3}}sur\s\**$")
_OPERATOR: Final = re.compile(r"[\d%€)]\s?[/\u00d7÷*+\u2212]\s?$|[\d)]\s-\s$")
_OPERATOR_AFTER: Final = re.compile(r"\s?[/\u00d7÷*+\u2212]\s?[\d(]|\s-\s\d")
_DEFINITE: Final = re.compile(r"\bles\s\**$")
_NARROWED: Final = re.compile(
    r"\**\s(?:en (?:moins|plus)|depuis|de plus|datant|les plus|recente?s?\b|ancien(?:ne)?s?\b|prioritaires?|"
    r"bloquante?s?|sans |non |"
    r"a (?:traiter|relire|fusionner|"
    r"clore|corriger)|relati(?:f|ve)s?|portant|parmi|signal|qui |que |mention|etiquet|assign|attend|dorm|stagn|"
    r"concern|lie|touch|urgente?s?|"
    r"en retard|"
    r"sur (?:les )?(?!\d+ (?:derniers )?(?:jours|heures|depots|plateformes))\d|"
    r"supplementaires?|de (?:plus|moins)\b|par |/|ont |ferme|resol|traite|clos|publie|"
    r"critique|majeur|mineur|annuel|mensuel|touche)"
)
_UNITS: Final = {
    COUNT: {Kind.COUNT},
    PERCENT: {Kind.PERCENT},
    POINTS: {Kind.POINTS},
    DAYS: {Kind.DURATION},
    MINUTES: {Kind.DURATION},
    SECONDS: {Kind.DURATION},
    MILLISECONDS: {Kind.DURATION},
}


def fits(name: FactName, figure: Figure) -> bool:
    """Return whether a figure can be the value of a fact: money may lack its currency, a share cannot be money."""
    if name.unit is None:
        return figure.kind is Kind.MONEY or (figure.kind is Kind.COUNT and not figure.noun and not figure.is_word)
    return figure.kind in _UNITS[name.unit]


def bind(statement: Statement, folded: str) -> list[Binding]:
    """Bind the figures of a statement to the facts it names; a figure that names none is absent."""
    if not statement.mentions:
        return []
    figures = [figure for figure in statement.figures if figure.values and figure.kind is not Kind.STRUCTURE]
    binder = _Binder(statement, folded, figures)
    return [binding for place in range(len(figures)) if (binding := binder.bind(place))]


def is_change(figure: Figure, folded: str, start: int) -> bool:
    """Return whether a figure is by how much something changed, not what it is."""
    return figure.sign != 0 or bool(_CHANGE.search(folded, max(start, figure.start - 60), figure.start))


class _Binder:
    def __init__(self, statement: Statement, folded: str, figures: Sequence[Figure]) -> None:
        self._statement = statement
        self._folded = folded
        self._mentions = statement.mentions
        self._figures = figures
        # A name right after a figure is that figure's.
        self._after = {
            figure.start: mention
            for figure in figures
            if (mention := next((m for m in statement.mentions if m.start > figure.start and m.end > figure.end), None))
            and _TO_NAME.fullmatch(folded, figure.end, max(figure.end, mention.start))
            and any(fits(name, figure) for name in mention.entry.names)
        }
        self._taken = {mention.start for mention in self._after.values()}

    def bind(self, place: int) -> Binding | None:
        figure = self._figures[place]
        if self._is_operand(figure):
            return None
        if is_change(figure, self._folded, self._statement.span.start):
            return self._bind_change(place)
        mention = self._after.get(figure.start)
        if mention:
            return self._narrow(place, mention, is_firm=self._is_whole(figure, mention))
        before = [m for m in self._mentions if m.end <= figure.start and m.start not in self._taken]
        usable = [m for m in before if any(fits(name, figure) for name in m.entry.names)]
        if shared := self._named_for_platform(place):
            return self._narrow(place, shared, is_firm=True)
        firm = [m for m in usable if m.entry.is_firm and self._follows(place, m)]
        if firm:
            return self._narrow(place, firm[-1], is_firm=True, others=firm[:-1])
        named = [m for m in (self._named_after_whole(place),) if m] or usable[-1:]
        return self._narrow(place, named[-1], is_firm=False) if named else None

    def _is_operand(self, figure: Figure) -> bool:
        """Return whether it stands in a formula: « (57,00 / 2 931,20) » names nothing."""
        lead = self._folded[self._statement.span.start : figure.start]
        if lead.count("(") == lead.count(")") and "=" not in self._folded[figure.end : self._statement.span.end]:
            return False  # « tables sans RLS : 2 / 47 » is no formula
        return bool(_OPERATOR.search(lead[-6:]) or _OPERATOR_AFTER.match(self._folded, figure.end))

    def _named_for_platform(self, place: int) -> Mention | None:
        """Return the name that a list goes on with: « 37 commits : 17 sur EmotionsCare, 11 sur Med MNG »."""
        figure = self._figures[place]
        if figure.kind is not Kind.COUNT or figure.noun:
            return None
        after = next((named for named in self._statement.platforms if named.start >= figure.end), None)
        before = next((named for named in reversed(self._statement.platforms) if named.end <= figure.start), None)
        is_led = before is not None and _IN_BRACKETS.fullmatch(self._folded, before.end, figure.start)
        is_followed = after is not None and _FOR_PLATFORM.fullmatch(self._folded, figure.end, after.start)
        if not (is_led or is_followed) or (place and self._is_one_of_two(place)):
            return None
        earlier = [m for m in self._mentions if m.end <= figure.start and m.entry.is_firm]
        # « trois plateformes cumulent 341 minutes d'indisponibilité, dont 229 pour NEARVITY »: of the last one named.
        return earlier[-1] if earlier and any(fits(name, figure) for name in earlier[-1].entry.names) else None

    def _is_one_of_two(self, place: int) -> bool:
        """Return whether bare numbers of two names are listed: « 41 tickets et 6 pull requests, contre 19 et 2 »."""
        before = self._figures[place - 1]
        between = self._folded[before.end : self._figures[place].start]
        return not before.noun and before.kind is Kind.COUNT and between in {" et ", ", "}

    def _named_after_whole(self, place: int) -> Mention | None:
        """Return the name of « 28 des 37 commits » for its first figure."""
        if place + 1 >= len(self._figures):
            return None
        figure, whole = self._figures[place], self._figures[place + 1]
        if not _OF_WHOLE.fullmatch(self._folded, figure.end, whole.start):
            return None
        return self._after.get(whole.start)

    def _is_whole(self, figure: Figure, mention: Mention) -> bool:
        """Return whether all of what is named is counted, not a part of it."""
        is_part = PARTS.issuperset(mention.entry.names)
        narrowed = _NARROWED.match(self._folded, mention.end)
        if narrowed and not (is_part and narrowed[0].lstrip("* ").startswith("sur ")):
            return False
        lead = self._folded[max(self._statement.span.start, figure.start - 30) : figure.start]
        if _OUT_OF.search(lead):
            return False
        if figure.kind is Kind.MONEY:
            # « 120 € de MRR » is the effect of a proposal as often as what is, « les départs (120 € de MRR) » a part.
            is_effect = self._statement.part.section.proposes or _RESULT.search(lead)
            is_each = self._folded[: mention.end].endswith("par depart")
            return not is_effect and not is_each and not lead.endswith("(")
        is_all = _DEFINITE.search(lead) or (is_part and lead.endswith("dont ")) or not _PART.search(lead)
        return bool(is_all or mention.entry.head) or figure.kind is not Kind.COUNT

    def _follows(self, place: int, mention: Mention) -> bool:
        """Return whether nothing between a name and a figure lets the figure be anything else."""
        figure = self._figures[place]
        between = self._folded[mention.end : figure.start]
        for earlier in self._figures[:place]:
            if mention.end <= earlier.start and earlier.kind is figure.kind and not self._is_target(place):
                return False
        if figure.kind is Kind.COUNT and figure.noun and not self._is_own_noun(figure, mention):
            return False
        hidden = _ASIDE.sub(" ", self._without_platforms(mention.end, figure.start, between))
        return bool(_GAP.fullmatch(hidden)) and not self._is_past(place) and not self._is_origin(place)

    def _is_own_noun(self, figure: Figure, mention: Mention) -> bool:
        words = self._folded[mention.start : mention.end]
        return figure.noun in words or not figure.noun

    def _without_platforms(self, start: int, end: int, between: str) -> str:
        for named in self._statement.platforms:
            if start <= named.start and named.end <= end:
                between = between.replace(self._folded[named.start : named.end], "x")
        return between

    def _is_past(self, place: int) -> bool:
        figure = self._figures[place]
        start = self._figures[place - 1].end if place else self._statement.span.start
        end = self._figures[place + 1].start if place + 1 < len(self._figures) else self._statement.span.end
        around = self._folded[max(start, figure.start - 60) : min(end, figure.end + 40)]
        return bool(_PAST.search(around))

    def _is_origin(self, place: int) -> bool:
        """Return whether it is the first of « de X à Y »: what was, in a finding; what is, in a proposal."""
        figure = self._figures[place]
        if not _FROM_TO.search(self._folded[: figure.start][-16:]) or place + 1 >= len(self._figures):
            return False
        after = self._figures[place + 1]
        is_pair = bool(_TO.fullmatch(self._folded, figure.end, after.start)) and after.kind is figure.kind
        return is_pair and not self._statement.is_proposed

    def _is_target(self, place: int) -> bool:
        """Return whether it is the second of « de X à Y »."""
        if not place:
            return False
        earlier, figure = self._figures[place - 1], self._figures[place]
        return bool(_TO.fullmatch(self._folded, earlier.end, figure.start)) and earlier.kind is figure.kind

    def _bind_change(self, place: int) -> Binding | None:
        figure = self._figures[place]
        before = [m for m in self._mentions if m.end <= figure.start and m.start not in self._taken]
        for mention in reversed(before):
            for name in mention.entry.names:
                changes = tuple(change for change in CHANGES.get(name, ()) if fits(change, figure))
                if changes or name in EARLIER:
                    return Binding(figure, changes or (name,), is_firm=False, is_change=True)
            own = tuple(name for name in mention.entry.names if name.unit != COUNT and fits(name, figure))
            if own and name_is_change(own):
                return Binding(figure, own, is_firm=self._follows(place, mention))
        return None

    def _narrow(self, place: int, mention: Mention, *, is_firm: bool, others: Sequence[Mention] = ()) -> Binding:
        """Choose among several facts by the period that is said; what the name is explained by may be meant too."""
        figure, names = self._figures[place], mention.entry.names
        fitting = tuple(name for name in names if fits(name, figure))
        firm = is_firm and mention.entry.is_firm
        if len(fitting) > 1:
            around = self._around(place)
            meant = tuple(name for name in fitting if name in PERIODS and re.search(PERIODS[name], around))
            fitting = meant or fitting
        explained = tuple(name for other in others for name in other.entry.names if fits(name, figure))
        return Binding(figure, tuple(dict.fromkeys((*fitting, *explained))), firm)

    def _around(self, place: int) -> str:
        same = [figure for figure in self._figures if figure.kind is self._figures[place].kind]
        figure = self._figures[place]
        index = same.index(figure)
        start = same[index - 1].end if index else self._statement.span.start
        later = [each for each in self._figures if each.start > figure.start and each.kind is not Kind.DURATION]
        end = later[0].start if later else self._statement.span.end
        return self._folded[start:end]


def name_is_change(names: Sequence[FactName]) -> bool:
    """Return whether facts say by how much something changed."""
    return all(name in {change for changes in CHANGES.values() for change in changes} for name in names)
