"""Which language a text is in: by the share of the words that each language cannot do without."""

import re
from typing import Final

from workers.executive_run.verification.prose import fold

# Only words that the other three do not have (« on », « des », « son », « a » and their like are left out).
_FRENCH: Final = """
le la les l d du et est sont une au aux ce ces cette qui que qu dans pour par sur avec sans plus pas ne n nous vous ils
elles leur leurs ou mais donc soit aucun aucune ont ete etre avoir fait depuis entre comme il elle se s c y en deux
trois jour jours mois selon afin notre nos votre vos chaque toute toutes tous tout reste doit non aussi peut ainsi
dont meme apres avant contre chez encore sous deja
"""
_ENGLISH: Final = """
the of and to is are was were be been has have had this that these those with for from by at as it its their our your we
they there no not will would should could can must may which who what when while than then also only into over
under about between during each all any more most some such but or if do does did yet still today yesterday week month
day days open pending needs need since
"""
_SPANISH: Final = """
el los las del y es con por una unos unas como pero mas sus este esta estos estas hay fue ser tiene tienen sobre cuando
muy sin hasta desde todo toda todos tambien segun
"""
_GERMAN: Final = """
der die das und ist sind den dem ein eine einer eines zu mit von auf fur nicht im werden wird wurde auch bei aus nach
uber kein keine noch sich wir sie es als oder aber wie zum zur vor durch bis
"""
_FRENCH_WORDS: Final = frozenset(_FRENCH.split())
_OTHERS: Final = {
    "anglais": frozenset(_ENGLISH.split()),
    "espagnol": frozenset(_SPANISH.split()),
    "allemand": frozenset(_GERMAN.split()),
}
_WORD: Final = re.compile(r"[a-z]+")
_QUOTED: Final = re.compile(r"«[^»\n]{0,300}»|`[^`\n]{0,300}`|\"[^\"\n]{0,300}\"|https?://\S+")
_FEWEST: Final = 2


def find_foreign(text: str) -> str | None:
    """Return the French name of the language in which a text is written, None for French or too little to say.

    What is quoted keeps its own language.
    """
    words = _WORD.findall(fold(_QUOTED.sub(" ", text)))
    french = sum(map(_FRENCH_WORDS.__contains__, words))
    counts = {language: sum(map(those.__contains__, words)) for language, those in _OTHERS.items()}
    language, most = max(counts.items(), key=lambda item: item[1])
    return language if most >= _FEWEST and most > 2 * french else None
