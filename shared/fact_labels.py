"""Facts in French: what each is called, and how its value is written.

One place, so that a figure reads the same in the calculations, in what changed and in what a report is corrected to.
"""

from decimal import Decimal
from typing import Final

from shared.facts import COUNT, DAYS, MILLISECONDS, MINUTES, PERCENT, POINTS, SECONDS, FactName
from shared.french import count_decimals, format_change, format_money, format_number, pluralize

FACT_LABELS: Final = {
    FactName.MRR: "revenu récurrent mensuel (MRR)",
    FactName.MRR_BEFORE: "MRR d'il y a 30 jours",
    FactName.MRR_CHANGE: "évolution du MRR en 30 jours",
    FactName.MRR_PAST_DUE: "MRR en retard de paiement",
    FactName.NEW_MRR: "MRR nouveau en 30 jours",
    FactName.EXPANDED_MRR: "MRR gagné par extension en 30 jours",
    FactName.CONTRACTED_MRR: "MRR perdu par réduction en 30 jours",
    FactName.LOST_MRR: "MRR perdu par départ en 30 jours",
    FactName.NET_MRR: "mouvement net du MRR en 30 jours",
    FactName.ARR: "revenu récurrent annualisé (12 fois le MRR)",
    FactName.MRR_PER_SUBSCRIPTION: "MRR moyen par abonnement actif",
    FactName.REVENUE_MONTH: "encaissements nets du mois en cours",
    FactName.REVENUE_MONTH_BEFORE: "encaissements nets des mêmes jours du mois précédent",
    FactName.REVENUE_DIFFERENCE: "écart des encaissements avec les mêmes jours du mois précédent",
    FactName.REVENUE_LAST_MONTH: "encaissements nets du mois dernier",
    FactName.REFUNDS_MONTH: "remboursements du mois en cours",
    FactName.ACTIVE_SUBSCRIPTIONS: "abonnements actifs",
    FactName.ACTIVE_SUBSCRIPTIONS_CHANGE: "évolution des abonnements actifs en 30 jours",
    FactName.SUBSCRIPTIONS_NOT_VALUED: "abonnements actifs non comptés dans le MRR",
    FactName.TRIALING: "abonnements en essai",
    FactName.CUSTOMERS: "clients",
    FactName.NEW_CUSTOMERS_MONTH: "nouveaux clients du mois en cours",
    FactName.CHURNED_CUSTOMERS: "abonnés partis en 30 jours",
    FactName.CHURN_RATE: "attrition des abonnés sur 30 jours",
    FactName.CHURN_RATE_CHANGE: "évolution de l'attrition en 30 jours",
    FactName.OPEN_ISSUES: "tickets ouverts",
    FactName.OPEN_PULLS: "pull requests ouvertes",
    FactName.COMMITS_WEEK: "commits en 7 jours",
    FactName.LAST_COMMIT_AGE: "ancienneté du dernier commit",
    FactName.LAST_RELEASE_AGE: "ancienneté de la dernière version",
    FactName.OLDEST_ISSUE_AGE: "ancienneté du plus vieux ticket ouvert",
    FactName.OLDEST_PULL_AGE: "ancienneté de la plus vieille pull request ouverte",
    FactName.WORKFLOW_RUNS: "exécutions de pipeline enregistrées",
    FactName.WORKFLOW_RUNS_READ: "dernières exécutions de pipeline lues",
    FactName.WORKFLOW_RUNS_SUCCEEDED: "exécutions de pipeline réussies",
    FactName.WORKFLOW_RUNS_FAILED: "exécutions de pipeline en échec",
    FactName.WORKFLOW_SUCCESS_RATE: "taux de réussite des pipelines",
    FactName.WORKFLOW_MEAN_DURATION: "durée moyenne des pipelines",
    FactName.OPEN_ALERTS: "alertes de dépendance ouvertes",
    FactName.CRITICAL_ALERTS: "alertes critiques",
    FactName.HIGH_ALERTS: "alertes de gravité élevée",
    FactName.MEDIUM_ALERTS: "alertes de gravité moyenne",
    FactName.LOW_ALERTS: "alertes de gravité faible",
    FactName.SEVERE_ALERTS: "alertes critiques ou de gravité élevée",
    FactName.PLATFORMS: "plateformes",
    FactName.PLATFORMS_GREEN: "plateformes au vert",
    FactName.PLATFORMS_AMBER: "plateformes à l'orange",
    FactName.PLATFORMS_RED: "plateformes au rouge",
    FactName.UPTIME: "disponibilité sur 30 jours",
    FactName.OUTAGE: "indisponibilité sur 30 jours",
    FactName.CHECKS: "contrôles de disponibilité en 30 jours",
    FactName.PENDING_ACTIONS: "actions en attente d'approbation",
    FactName.OLDEST_ACTION_AGE: "ancienneté de la plus vieille action en attente",
    FactName.OPEN_INCIDENTS: "incidents en cours",
    FactName.OLDEST_INCIDENT_AGE: "ancienneté du plus vieil incident en cours",
    FactName.FAILED_RUNS_DAY: "exécutions en échec depuis 24 h",
    FactName.RUNS: "exécutions en 30 jours",
    FactName.RUNS_BEFORE: "exécutions des 30 jours précédents",
    FactName.RUNS_COMPLETED: "exécutions réussies en 30 jours",
    FactName.RUNS_FAILED: "exécutions en échec en 30 jours",
    FactName.RUN_SUCCESS_RATE: "taux de réussite des exécutions en 30 jours",
    FactName.AI_COST: "coût d'IA en 30 jours",
    FactName.AI_COST_MONTH: "coût d'IA du mois en cours",
    FactName.TABLES: "tables",
    FactName.TABLES_WITHOUT_RLS: "tables sans RLS",
    FactName.TABLES_WITHOUT_POLICY: "tables sans politique",
    FactName.FUNCTIONS_OPEN_TO_ANON: "fonctions appelables sans connexion",
    FactName.OPEN_DEALS: "accords en cours",
    FactName.SIGNED_DEALS: "accords signés",
    FactName.OPEN_OPPORTUNITIES: "opportunités ouvertes",
    FactName.OPEN_CALLS: "appels à projets ouverts",
    FactName.CALLS_DUE: "appels à projets qui échoient sous 30 jours",
    FactName.OPEN_SALES: "affaires ouvertes",
    FactName.ACTIVE_CAMPAIGNS: "campagnes actives",
    FactName.OPEN_TICKETS: "demandes d'assistance ouvertes",
    FactName.PAGE_VIEWS_WEEK: "pages vues en 7 jours",
    FactName.PAGE_VIEWS_WEEK_BEFORE: "pages vues les 7 jours précédents",
    FactName.SESSIONS_WEEK: "sessions en 7 jours",
    FactName.MESSAGES_WEEK: "messages reçus en 7 jours",
    FactName.MESSAGES_MONTH: "messages reçus en 30 jours",
    FactName.UNREAD_MESSAGES: "messages non lus",
    FactName.OLDEST_UNREAD_AGE: "ancienneté du plus ancien message non lu",
    FactName.ACTIONS_APPROVED: "actions approuvées en 30 jours",
    FactName.ACTIONS_REJECTED: "actions refusées en 30 jours",
    FactName.PERSONAL_TABLES: "tables de données personnelles",
    FactName.PERSONAL_TABLES_WITHOUT_RLS: "tables de données personnelles sans RLS",
    FactName.PERSONAL_TABLES_OPEN: "tables de données personnelles ouvertes à anon",
}
"""The French name of each fact."""

_WORDS: Final = {
    POINTS: ("point", "points"),
    DAYS: ("jour", "jours"),
    MINUTES: ("minute", "minutes"),
    SECONDS: ("seconde", "secondes"),
}
_CENTS: Final = 2
_SYMBOLS: Final = {PERCENT: "%", MILLISECONDS: "ms"}


def format_value(value: Decimal, unit: str) -> str:
    """Return « 12 », « 99,95 % », « 3 jours » or « 1 234,50 EUR ». Units: those of ``shared.facts``."""
    if unit not in {COUNT, *_WORDS, *_SYMBOLS}:
        # What a call of the model costs is less than a cent.
        return format_money(value, unit, _decimals(value) if abs(value) < 1 and _decimals(value) > _CENTS else None)
    number = format_number(value, _decimals(value))
    return _with_unit(number, value, unit)


def format_difference(value: Decimal, unit: str) -> str:
    """Return « +3 », « -0,05 point » or « +1 234,50 EUR »: a difference between two values of a unit.

    Two percentages differ by points.
    """
    if unit not in {COUNT, *_WORDS, *_SYMBOLS}:
        text = format_value(value, unit)
        return f"+{text}" if value > 0 else text
    return _with_unit(format_change(value, _decimals(value)), value, POINTS if unit == PERCENT else unit)


def _with_unit(number: str, value: Decimal, unit: str) -> str:
    if unit in _WORDS:
        return f"{number} {pluralize(abs(value), *_WORDS[unit])}"
    return f"{number} {_SYMBOLS[unit]}" if unit in _SYMBOLS else number


def _decimals(value: Decimal) -> int:
    """Count the decimals that are there, four at most."""
    return min(4, count_decimals(value.normalize()))
