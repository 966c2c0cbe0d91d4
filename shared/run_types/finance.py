"""Reports of the financial director: what is earned, forecast and charged."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    ModelTier,
    Risk,
    RunType,
    SourceName,
    outline,
)

AGENT: Final = Agent(name="CFO Agent", emoji="💰", role="Directeur Financier", title="le directeur financier")

ENTRIES: Final = (
    RunType(
        key="REVENUE_FORECAST",
        label="Prévisions Revenus",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.14"),
        sources=(SourceName.PLATFORMS, SourceName.STRIPE),
        steps=("Collecte Stripe", "Analyse pipeline", "Modélisation", "Projections"),
        purpose="Il projette les revenus à partir de ce qui est encaissé et signé.",
        sections=outline(
            (
                "Revenus actuels",
                "revenu récurrent, encaissements et abonnements constatés, avec leur période",
            ),
            ("Affaires en cours", "ce qui peut encore se signer, sa valeur et sa probabilité"),
            (
                "Projections à 3, 6 et 12 mois",
                "un tableau : scénarios prudent, central et ambitieux, avec les hypothèses de chacun",
            ),
            ("Objectif et réalisé", "l'écart à la cible et ce qui l'explique"),
            ("Risques", "ce qui ferait baisser la prévision, et de combien"),
            ("Accélérateurs", "ce qui la ferait monter, et le premier pas à faire"),
        ),
    ),
    RunType(
        key="FINANCIAL_REPORT",
        label="Rapport Financier",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.12"),
        sources=(SourceName.PLATFORMS, SourceName.STRIPE),
        steps=("Fetch Stripe data", "Calcul KPIs", "Analyse tendances", "Rapport"),
        purpose="Il rend compte de la situation financière telle que les encaissements la montrent.",
        sections=outline(
            (
                "Chiffres clés",
                "revenu récurrent, encaissements, abonnés et départs, avec la période et la devise",
            ),
            ("Évolution", "la comparaison avec la période précédente, en valeur et en pourcentage"),
            ("Atteinte des objectifs", "la part de chaque cible réalisée et l'écart restant"),
            ("Alertes", "impayés, remboursements, concentration ou baisse inhabituelle"),
            ("Perspectives à trois mois", "la tendance prolongée, ses hypothèses et sa fragilité"),
            ("Recommandations budgétaires", "les dépenses à engager, différer ou réduire"),
        ),
    ),
    RunType(
        key="PRICING_CHANGE",
        label="Modification Tarifs",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.20"),
        risk=Risk.CRITICAL,
        sources=(SourceName.PLATFORMS, SourceName.STRIPE),
        steps=("Analyse tarification actuelle", "Modélisation impact", "Analyse risques", "Recommandation"),
        purpose="Il étudie un changement de tarif ; il ne modifie aucun prix.",
        sections=outline(
            ("Tarifs actuels", "les offres, leurs prix et le nombre d'abonnés de chacune"),
            ("Changement proposé", "les nouveaux prix, les clients concernés et la date envisagée"),
            ("Impact financier", "l'effet sur le revenu selon trois hypothèses de départs, calcul montré"),
            ("Élasticité", "ce que les données disent de la réaction aux prix, et leurs limites"),
            ("Risques", "départs, image, contrats en cours, obligations d'information"),
            ("Recommandation", "appliquer, adapter ou renoncer, avec le motif déterminant"),
            ("Plan de communication", "à qui l'annoncer, quand, par quel canal et avec quels mots"),
        ),
    ),
)
