"""Finds the names of facts in a text, and knows what belongs to a fact: its periods, its changes, its source."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.facts import FactName as F
from workers.executive_run.verification.fact_names import ENTRIES, Entry

# What an alternative may begin with: that no letter stands before it, or not a certain word.
_BEFORE: Final = re.compile(r"\\b|\(\?<!(?P<not>[^()]*)\)")

_REPEATED: Final = ("?", "*", "+", "{")


def _split(pattern: str) -> list[str]:
    """Split a pattern into alternatives that begin with a letter, in the order of trying."""
    alternatives, depth, start = [], 0, 0
    for place, char in enumerate(pattern):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "|" and depth == 0:
            alternatives.append(pattern[start:place])
            start = place + 1
    alternatives.append(pattern[start:])
    return [each for alternative in alternatives for each in _spread(alternative)]


def _spread(alternative: str) -> list[str]:
    r"""Write out the group with which an alternative begins, optional or not.

    A border or a look behind in front of it is moved behind the first letter: `\bab` becomes `a(?<!\w.)b`.
    """
    if before := _BEFORE.match(alternative):
        unlike = before["not"] or r"\w"
        return [f"{_letter(each)}(?<!{unlike}.){each[1:]}" for each in _spread(alternative[before.end() :])]
    if not alternative.startswith("(?:"):
        return [alternative]
    depth = 0
    end = next(place for place, char in enumerate(alternative) if not (depth := depth + {"(": 1, ")": -1}.get(char, 0)))
    first, rest = alternative[3:end], alternative[end + 1 :]
    is_optional = rest.startswith("?")
    rest = rest.removeprefix("?")
    assert not rest.startswith(_REPEATED), alternative
    spread = [each for one in _split(first) for each in _spread(one + rest)]
    return [*spread, *(_spread(rest) if is_optional else [])]


def _letter(alternative: str) -> str:
    """Return the letter with which an alternative begins, exactly once."""
    letter, rest = alternative[0], alternative[1:]
    assert letter.isalpha(), alternative
    assert not rest.startswith(_REPEATED), alternative
    return letter


def _compile(entries: Sequence[Entry]) -> re.Pattern[str]:
    """Compile the patterns of all entries into one, with a named group at the end of each alternative.

    Names begin where words do: looking nowhere else makes this ten times as fast. Of the alternatives, which are two
    hundred, those are tried that begin with the letter of the text: so their letter comes first, and those that have
    the same one stand together, in the order of the entries.
    """
    by_letter: dict[str, list[str]] = defaultdict(list)
    for place, entry in enumerate(entries):
        for number, alternative in enumerate(_split(entry.pattern)):
            by_letter[_letter(alternative)].append(f"{alternative[1:]}(?P<e{place}_{number}>)")
    names = "|".join(f"{letter}(?:{'|'.join(rests)})" for letter, rests in by_letter.items())
    return re.compile(f"(?<![a-z0-9])(?:{names})")


_MASTER: Final = _compile(ENTRIES)


@dataclass(frozen=True, slots=True)
class Mention:
    """A fact's name in a text."""

    entry: Entry
    start: int
    end: int


def find_mentions(folded: str, start: int, end: int) -> tuple[Mention, ...]:
    """Find the names of facts in a stretch of folded text."""
    mentions = []
    for found in _MASTER.finditer(folded, start, end):
        assert found.lastgroup is not None
        entry = ENTRIES[int(found.lastgroup[1:].partition("_")[0])]
        if entry.head and not re.search(entry.head, folded[start : found.start()]):
            continue
        mentions.append(Mention(entry, found.start(), found.end()))
    return tuple(mentions)


# Which of several facts a period means; a period that none of them has means none.
PERIODS: Final = {
    F.REVENUE_MONTH: r"ce mois|a ce jour|mois en cours|du mois(?! (?:dernier|precedent|d))|depuis le 1er",
    F.REVENUE_MONTH_BEFORE: r"memes jours|meme periode|a date",
    F.REVENUE_LAST_MONTH: r"mois (?:dernier|precedent|passe)|mois d'avant",
    F.AI_COST: r"30 (?:derniers )?jours|trente (?:derniers )?jours",
    F.AI_COST_MONTH: r"ce mois|mois en cours|du mois\b|depuis le 1er",
    F.FAILED_RUNS_DAY: r"24 ?h|vingt-quatre heures|depuis hier|la veille|cette nuit|du jour|aujourd'hui",
    F.RUNS_FAILED: r"30 (?:derniers )?jours|trente (?:derniers )?jours|sur la periode",
    F.RUNS: r"30 derniers jours|sur 30 jours|en 30 jours|sur la periode(?! precedente)",
    F.RUNS_BEFORE: r"precedent|avant",
    F.PAGE_VIEWS_WEEK: r"7 (?:derniers )?jours(?! precedents)|cette semaine",
    F.PAGE_VIEWS_WEEK_BEFORE: r"precedent|avant",
    F.MESSAGES_WEEK: r"7 (?:derniers )?jours|cette semaine",
    F.MESSAGES_MONTH: r"30 (?:derniers )?jours|ce mois",
}

CHANGES: Final = {
    F.MRR: (F.MRR_CHANGE, F.NET_MRR),
    F.CHURN_RATE: (F.CHURN_RATE_CHANGE,),
    F.ACTIVE_SUBSCRIPTIONS: (F.ACTIVE_SUBSCRIPTIONS_CHANGE,),
    F.REVENUE_MONTH: (F.REVENUE_DIFFERENCE,),
}
"""The facts that say how another has changed."""

EARLIER: Final = {
    F.MRR: F.MRR_BEFORE,
    F.REVENUE_MONTH: F.REVENUE_MONTH_BEFORE,
    F.RUNS: F.RUNS_BEFORE,
    F.PAGE_VIEWS_WEEK: F.PAGE_VIEWS_WEEK_BEFORE,
}
"""The facts that are what another was before."""

PARTS: Final = frozenset(
    {
        F.TABLES_WITHOUT_RLS, F.TABLES_WITHOUT_POLICY, F.PERSONAL_TABLES_WITHOUT_RLS, F.CRITICAL_ALERTS, F.HIGH_ALERTS,
        F.MEDIUM_ALERTS, F.LOW_ALERTS, F.NEW_CUSTOMERS_MONTH, F.WORKFLOW_RUNS_FAILED, F.WORKFLOW_RUNS_SUCCEEDED,
    }
)  # fmt: skip
"""The facts whose names say that they are a part: « dont 2 critiques », « 4 sans politique sur 47 »."""

SOURCES: Final = {
    "stripe": frozenset(
        {
            F.MRR, F.MRR_CHANGE, F.MRR_PAST_DUE, F.NEW_MRR, F.EXPANDED_MRR, F.CONTRACTED_MRR, F.LOST_MRR, F.NET_MRR,
            F.ARR, F.MRR_PER_SUBSCRIPTION, F.REVENUE_MONTH, F.REVENUE_MONTH_BEFORE, F.REVENUE_DIFFERENCE,
            F.REVENUE_LAST_MONTH, F.REFUNDS_MONTH, F.ACTIVE_SUBSCRIPTIONS, F.ACTIVE_SUBSCRIPTIONS_CHANGE, F.TRIALING,
            F.CUSTOMERS, F.NEW_CUSTOMERS_MONTH, F.CHURNED_CUSTOMERS, F.CHURN_RATE, F.CHURN_RATE_CHANGE,
            F.MRR_BEFORE, F.SUBSCRIPTIONS_NOT_VALUED,
        }
    ),
    "github": frozenset(
        {
            F.OPEN_ISSUES, F.OPEN_PULLS, F.COMMITS_WEEK, F.LAST_COMMIT_AGE, F.LAST_RELEASE_AGE, F.OLDEST_ISSUE_AGE,
            F.OLDEST_PULL_AGE,
        }
    ),
    "github_actions": frozenset(
        {
            F.WORKFLOW_RUNS, F.WORKFLOW_RUNS_READ, F.WORKFLOW_RUNS_SUCCEEDED, F.WORKFLOW_RUNS_FAILED,
            F.WORKFLOW_SUCCESS_RATE, F.WORKFLOW_MEAN_DURATION,
        }
    ),
    "github_alerts": frozenset(
        {F.OPEN_ALERTS, F.CRITICAL_ALERTS, F.HIGH_ALERTS, F.MEDIUM_ALERTS, F.LOW_ALERTS, F.SEVERE_ALERTS}
    ),
    "platforms": frozenset(
        {F.UPTIME, F.OUTAGE, F.CHECKS, F.PLATFORMS, F.PLATFORMS_GREEN, F.PLATFORMS_AMBER, F.PLATFORMS_RED}
    ),
    "open_matters": frozenset(
        {F.PENDING_ACTIONS, F.OLDEST_ACTION_AGE, F.OPEN_INCIDENTS, F.OLDEST_INCIDENT_AGE, F.FAILED_RUNS_DAY}
    ),
    # Nobody gives the cost of the month yet: it is named here so that it is not taken for that of 30 days.
    "run_history": frozenset(
        {
            F.RUNS, F.RUNS_BEFORE, F.RUNS_COMPLETED, F.RUNS_FAILED, F.RUN_SUCCESS_RATE, F.AI_COST, F.AI_COST_MONTH,
        }
    ),
    "database_catalogue": frozenset(
        {F.TABLES, F.TABLES_WITHOUT_RLS, F.TABLES_WITHOUT_POLICY, F.FUNCTIONS_OPEN_TO_ANON}
    ),
    "commercial": frozenset(
        {
            F.OPEN_DEALS, F.SIGNED_DEALS, F.OPEN_OPPORTUNITIES, F.OPEN_CALLS, F.CALLS_DUE, F.OPEN_SALES,
            F.ACTIVE_CAMPAIGNS, F.OPEN_TICKETS,
        }
    ),
    "audience": frozenset({F.PAGE_VIEWS_WEEK, F.PAGE_VIEWS_WEEK_BEFORE, F.SESSIONS_WEEK}),
    "contacts": frozenset({F.MESSAGES_WEEK, F.MESSAGES_MONTH, F.UNREAD_MESSAGES, F.OLDEST_UNREAD_AGE}),
    "decisions": frozenset({F.ACTIONS_APPROVED, F.ACTIONS_REJECTED}),
    "personal_data": frozenset({F.PERSONAL_TABLES, F.PERSONAL_TABLES_WITHOUT_RLS, F.PERSONAL_TABLES_OPEN}),
}  # fmt: skip
"""Which source gives which facts: what it did not answer, nobody can state."""
