"""Currencies: how many decimals each has at Stripe, and which of several earns the most."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

HOME: Final = "eur"

# How many decimals a currency has, where it is not two. As Stripe counts: króna and shilling have two there.
_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv"), 0),
    **dict.fromkeys(("xaf", "xof", "xpf"), 0),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3),
}

# Roughly how many of each make a euro (November 2026), only to rank currencies: no amount is ever converted.
_PER_EURO: Final[Mapping[str, float]] = {
    "aed": 4, "afn": 75, "all": 100, "amd": 430, "ang": 2, "aoa": 1000, "ars": 1500, "aud": 1.7, "awg": 2, "azn": 1.9,
    "bam": 2, "bbd": 2.3, "bdt": 135, "bgn": 2, "bhd": 0.42, "bif": 3300, "bmd": 1.15, "bnd": 1.5, "bob": 8,
    "brl": 6.2, "bsd": 1.15, "bwp": 15.5, "byn": 3.6, "bzd": 2.3, "cad": 1.6, "cdf": 2800, "chf": 0.94, "clp": 1080,
    "cny": 8.2, "cop": 4500, "crc": 585, "cve": 110, "czk": 24.5, "djf": 205, "dkk": 7.5, "dop": 72, "dzd": 150,
    "egp": 55, "etb": 170, "eur": 1, "fjd": 2.6, "fkp": 0.87, "gbp": 0.87, "gel": 3.1, "ghs": 12.5, "gip": 0.87,
    "gmd": 83, "gnf": 10000, "gtq": 8.9, "gyd": 240, "hkd": 9, "hnl": 30, "htg": 150, "huf": 385, "idr": 19300,
    "ils": 3.8, "inr": 103, "isk": 146, "jmd": 185, "jod": 0.82, "jpy": 180, "kes": 150, "kgs": 101, "khr": 4650,
    "kmf": 492, "krw": 1690, "kwd": 0.35, "kyd": 0.96, "kzt": 600, "lak": 25000, "lbp": 103000, "lkr": 355,
    "lrd": 210, "lsl": 20, "mad": 10.7, "mdl": 19.7, "mga": 5200, "mkd": 61.5, "mmk": 2430, "mnt": 4150, "mop": 9.3,
    "mur": 53, "mvr": 17.8, "mwk": 2000, "mxn": 21.3, "myr": 4.8, "mzn": 74, "nad": 20, "ngn": 1680, "nio": 42.5,
    "nok": 11.8, "npr": 165, "nzd": 2, "omr": 0.44, "pab": 1.15, "pen": 3.9, "pgk": 4.9, "php": 68, "pkr": 325,
    "pln": 4.25, "pyg": 8100, "qar": 4.2, "ron": 5.1, "rsd": 117, "rub": 91, "rwf": 1680, "sar": 4.3, "sbd": 9.5,
    "scr": 16, "sek": 11, "sgd": 1.5, "shp": 0.87, "sos": 660, "srd": 44, "std": 24500, "szl": 20, "thb": 37.5,
    "tjs": 10.7, "tnd": 3.4, "top": 2.8, "try": 49, "ttd": 7.8, "twd": 36, "tzs": 2850, "uah": 49, "ugx": 4200,
    "usd": 1.15, "uyu": 46, "uzs": 13900, "vnd": 30400, "vuv": 141, "wst": 3.2, "xaf": 656, "xcd": 3.1, "xof": 656,
    "xpf": 119, "yer": 277, "zar": 20, "zmw": 26.5,
}  # fmt: skip


def to_major(minor: Fraction | int, currency: str) -> Decimal:
    """Turn an amount in the smallest unit into money with two decimals, rounding once.

    Units: 1 234 is 12.34 EUR, and 1 234.00 JPY.
    """
    hundredths = Fraction(minor) * 100 / 10 ** _DECIMALS.get(currency, 2)
    # A half is rounded to the even neighbour, as Decimal does.
    return Decimal(round(hundredths)).scaleb(-2)


def choose_main(monthly: Mapping[str, Fraction]) -> str:
    """Choose the currency that earns the most, from what each earns in its smallest unit.

    The euro wins a tie, or where nothing is earned; a currency of unknown worth comes last.
    """
    earning = [currency for currency, amount in monthly.items() if amount > 0]
    return min(
        earning or monthly, key=lambda each: (-_rough_worth(monthly[each], each), each != HOME, each), default=HOME
    )


def _rough_worth(minor: Fraction, currency: str) -> float:
    per_euro = _PER_EURO.get(currency)
    return 0.0 if per_euro is None else float(minor) / 10 ** _DECIMALS.get(currency, 2) / per_euro
