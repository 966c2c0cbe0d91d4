"""What each fact is called in French."""

from collections.abc import Mapping
from typing import Final

from shared.facts import FactName

_LABELS: Final[Mapping[str, str]] = {
    "mrr": "Revenu récurrent mensuel (MRR)",
    "mrr_change_30d": "Évolution du MRR sur 30 jours",
    "mrr_past_due": "MRR en retard de paiement",
    "new_mrr_30d": "MRR nouveau sur 30 jours",
    "expanded_mrr_30d": "MRR d'expansion sur 30 jours",
    "contracted_mrr_30d": "MRR de contraction sur 30 jours",
    "lost_mrr_30d": "MRR perdu sur 30 jours",
    "revenue_month": "Encaissements du mois en cours",
    "revenue_same_days_before": "Encaissements des mêmes jours du mois précédent",
    "revenue_last_month": "Encaissements du mois dernier",
    "refunds_month": "Remboursements du mois en cours",
    "active_subscriptions": "Abonnements actifs",
    "active_subscriptions_change_30d": "Évolution des abonnements actifs sur 30 jours",
    "trialing": "Abonnements en essai",
    "customers": "Clients",
    "new_customers_month": "Nouveaux clients du mois",
    "churn_rate_30d": "Attrition sur 30 jours",
    "churn_rate_change_30d": "Évolution de l'attrition",
    "open_issues": "Tickets ouverts",
    "open_pulls": "Pull requests ouvertes",
    "commits_7d": "Commits sur 7 jours",
    "last_commit_age": "Âge du dernier commit",
    "last_release_age": "Âge de la dernière version",
    "oldest_issue_age": "Âge du plus ancien ticket ouvert",
    "oldest_pull_age": "Âge de la plus ancienne pull request ouverte",
    "workflow_runs": "Exécutions de CI",
    "workflow_runs_read": "Exécutions de CI lues",
    "workflow_runs_succeeded": "Exécutions de CI réussies",
    "workflow_runs_failed": "Exécutions de CI en échec",
    "workflow_success_rate": "Taux de réussite de la CI",
    "workflow_mean_duration": "Durée moyenne de la CI",
    "open_alerts": "Alertes de sécurité ouvertes",
    "critical_alerts": "Alertes critiques",
    "high_alerts": "Alertes élevées",
    "medium_alerts": "Alertes moyennes",
    "low_alerts": "Alertes faibles",
    "platforms": "Plateformes",
    "platforms_green": "Plateformes au vert",
    "platforms_amber": "Plateformes à l'orange",
    "platforms_red": "Plateformes au rouge",
    "uptime_30d": "Disponibilité sur 30 jours",
    "outage_30d": "Interruptions sur 30 jours",
    "checks_30d": "Contrôles sur 30 jours",
    "pending_actions": "Actions en attente d'approbation",
    "oldest_pending_action_age": "Âge de la plus ancienne action en attente",
    "open_incidents": "Incidents en cours",
    "oldest_open_incident_age": "Âge du plus ancien incident en cours",
    "failed_runs_24h": "Exécutions en échec depuis 24 heures",
    "runs_30d": "Exécutions sur 30 jours",
    "runs_30d_before": "Exécutions des 30 jours précédents",
    "runs_completed_30d": "Exécutions réussies sur 30 jours",
    "runs_failed_30d": "Exécutions en échec sur 30 jours",
    "run_success_rate_30d": "Taux de réussite des exécutions sur 30 jours",
    "ai_cost_30d": "Coût de l'IA sur 30 jours",
    "ai_cost_month": "Coût de l'IA du mois",
    "tables": "Tables",
    "tables_without_rls": "Tables sans RLS",
    "tables_without_policy": "Tables sans politique",
    "functions_open_to_anon": "Fonctions appelables sans connexion",
}


def label_of_fact(name: FactName) -> str:
    """Return the French name of a fact."""
    return _LABELS.get(name.value, name.value.replace("_", " "))
