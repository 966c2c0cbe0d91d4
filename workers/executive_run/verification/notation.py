"""How figures are written in French and in English: the patterns, on folded text (``prose.fold``)."""

import re
from decimal import Decimal
from typing import Final

from workers.executive_run.verification.number_words import WORDS

MONTHS: Final = (
    "janvier",
    "fevrier",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "aout",
    "septembre",
    "octobre",
    "novembre",
    "decembre",
)
SHORT_MONTHS: Final = {"janv": 1, "fevr": 2, "avr": 4, "juil": 7, "sept": 9, "oct": 10, "nov": 11, "dec": 12}
MONTH: Final = f"(?:{'|'.join(MONTHS)}|(?:{'|'.join(SHORT_MONTHS)})\\b\\.?)"
NUMBER: Final = (
    r"(?:\d{1,3}(?:[ ']\d{3})+(?!\d)(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}(?!\d)|"
    r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}(?!\d)|\d+(?:[.,]\d+)?)"
)
CURRENCIES: Final = {
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "$": "USD",
    "usd": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "£": "GBP",
    "gbp": "GBP",
    "livres": "GBP",
    "chf": "CHF",
    "jpy": "JPY",
    "cad": "CAD",
}
SCALES: Final = {
    **dict.fromkeys(("k", "mille", "millier", "milliers"), 10**3),
    **dict.fromkeys(("m", "million", "millions"), 10**6),
    **dict.fromkeys(("md", "mds", "milliard", "milliards"), 10**9),
}
SECONDS: Final = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
    "j": Decimal(86400),
    "sem": Decimal(604800),
}
MONTH_DAYS: Final = Decimal("30.44")
"""The days of a month, on average."""

# What every figure begins with: where a text has something else, no alternative below needs to be tried.
_BEGINNING: Final = (
    rf"\d|\[s\d|\#\d|[+-][\d€$£]|[€$£]|[a-z]++[-.]?\d|[jhsmt]\s?[+-]|https?:|ghsa|eur\s|usd\s|{MONTH}|{WORDS}"
)

# The characters with which these begin: where a text has another one, nothing needs to be tried at all.
_FIRST: Final = r"[a-z\d\[\#+€$£-]"

# In this order: what comes first is what a stretch of text is.
TOKEN: Final = re.compile(
    rf"""
  (?={_FIRST})(?:(?<![a-z0-9])|(?=[^a-z0-9]))(?={_BEGINNING})(?:
    (?P<url>https?://\S+)
  | (?P<citation>\[s\d+(?:\s*[,;]\s*s?\d+)*\])
  | (?P<reference>\bcve-\d{{4}}-\d+|\bghsa(?:-[a-z0-9]{{4}}){{3}}|\#\d+
      |\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{{7,40}}\b)
  | (?P<iso>\b\d{{4}}-\d{{2}}-\d{{2}}(?:[t ]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:z|[+-]\d{{2}}:?\d{{2}})?)?)
  | (?P<slashed>\b\d{{1,2}}/\d{{1,2}}/\d{{4}}\b)
  | (?P<day>\b(?:1er|\d{{1,2}})(?=(?:\s?(?:-|\u2013|au|et|ou)\s?(?:le\s)?\d{{1,2}})?\s{MONTH}\b)
      (?:\s{MONTH}(?:\s\d{{4}}\b)?)?)
  | (?P<month>\b{MONTH}\s\d{{4}}\b)
  | (?P<quarter>\b[tqs][1-4](?:[\s-]?\d{{4}})?\b|\b(?:1er|[2-4]e)\s(?:trimestre|semestre)(?:\s\d{{4}})?)
  | (?P<relative>\b[jhsmt]\s?[+-]\s?\d+\b)
  | (?P<clock>\b\d{{1,2}}\sh\s\d{{2}}\b|\b\d{{1,2}}h\d{{2}}\b|\b\d{{1,2}}:\d{{2}}(?::\d{{2}})?\b
      |(?:(?<=\ba\s)|(?<=\bavant\s)|(?<=\bvers\s))\d{{1,2}}\s?h\b)
  | (?P<version>\bv\d+(?:\.\d+)*(?:-[\w.]+\w)?|\b\d+\.\d+(?:\.\d+)+(?:-[\w.]+\w)?)
  | (?P<score>\b{NUMBER}\s?(?:/\s?100\b|sur\s100\b(?!\s?%)))
  | (?P<fraction>\b\d{{1,4}}(?=/\d{{1,4}}\b(?!/)))
  | (?P<rank>\b\d{{1,3}}(?:er|ere|e|eme|nd|nde)s?\b)
  | (?P<identifier>\b[a-z][a-z]*[-.]?\d[\w.-]*\w|\b[a-z]+\d\b|\b\d+[a-z]*[a-z]\d+[a-z]*\b|\b\d(?:fa|d)\b)
  | (?P<window>\b(?:\d{{1,3}}|{WORDS})\s(?:derni|prochai|premi|proch)[a-z]+\s(?:jours?|semaines?|mois|heures?|minutes?))
  | (?P<number>
      (?P<sign>(?<!\w)[+-](?=[\d€$£]))?
      (?:(?P<before>[€$£]|\b(?:eur|usd)\s)\s?)?
      (?<![\w.,])(?P<digits>{NUMBER})
      (?:\s?(?P<scale>k(?=\s?[€$£]|\s?eur\b|\s?usd\b|\b)|m(?=\s?[€$£]|\seur\b)|mds?\b|milliers?\b|millions?\b|milliards?\b
        |mille\b)(?:\s(?:de\s|d')(?=euros|dollars|€))?)?
      (?:\s?(?P<money>€|euros?\b|eur\b|\$|dollars?\b|usd\b|£|gbp\b|chf\b|jpy\b|cad\b)
        |\s?(?P<cents>centimes?\b|cts?\b)
        |\s?(?P<percent>%|pour\scent\b|pourcents?\b)
        |\s?(?P<points>points?(?:\sde\s(?:pourcentage|base))?\b|pts?\b|pp\b)
        |\s?(?P<time>ms\b|millisecondes?\b|secondes?\b|sec\b|s\b|min(?:utes?)?\b|heures?\b|h\b|jours?\b|j\b
          |semaines?\b|sem\b)
        |\s?(?P<months>mois\b|trimestres?\b|ans?\b|annees?\b)
      )?
    )
  | (?P<words>\b{WORDS}\b)
  )
    """,
    re.VERBOSE,
)
