"""Reports of the financial director: what is earned, forecast and charged."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    Kept,
    ModelTier,
    Risk,
    RunType,
    SourceName,
    section,
)

AGENT: Final = Agent(name="CFO Agent", emoji="💰", role="Directeur Financier", title="le directeur financier")

ENTRIES: Final = (
    RunType(
        key="REVENUE_FORECAST",
        label="Prévisions Revenus",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.14"),
        sources=(SourceName.PLATFORMS, SourceName.STRIPE, SourceName.COMMERCIAL),
        steps=("Collecte Stripe", "Analyse pipeline", "Modélisation", "Projections"),
        purpose="Il projette les revenus à partir de ce qui est encaissé et signé.",
        sections=(
            section(
                "Revenus actuels",
                "revenu récurrent, encaissements et abonnements constatés, avec leur période",
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Affaires en cours",
                "ce qui peut encore se signer, sa valeur et sa probabilité",
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section(
                "Projections à 3, 6 et 12 mois",
                "scénarios prudent, central et ambitieux, avec les hypothèses de chacun",
                proposes=True,
                fed_by=(SourceName.STRIPE, SourceName.COMMERCIAL),
            ),
            section("Objectif et réalisé", "l'écart à la cible et ce qui l'explique"),
            section(
                "Risques",
                "ce qui ferait baisser la prévision, et de combien",
                proposes=True,
                keeps=Kept.ALERTS,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Accélérateurs",
                "ce qui la ferait monter, et le premier pas à faire",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.STRIPE, SourceName.COMMERCIAL),
            ),
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
        sections=(
            section(
                "Chiffres clés",
                "revenu récurrent, encaissements, abonnés et départs, avec la période et la devise",
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Évolution",
                "la comparaison avec la période précédente, en valeur et en pourcentage",
                fed_by=(SourceName.STRIPE,),
            ),
            section("Atteinte des objectifs", "la part de chaque cible réalisée et l'écart restant"),
            section(
                "Alertes",
                "impayés, remboursements, concentration ou baisse inhabituelle",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Perspectives à trois mois",
                "la tendance prolongée, ses hypothèses et sa fragilité",
                proposes=True,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Recommandations budgétaires",
                "les dépenses à engager, différer ou réduire",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
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
        sections=(
            section(
                "Tarifs actuels",
                "les offres, leurs prix et le nombre d'abonnés de chacune",
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Changement proposé",
                "les nouveaux prix, les clients concernés et la date envisagée",
                proposes=True,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Impact financier",
                "l'effet sur le revenu selon trois hypothèses de départs, calcul montré",
                proposes=True,
                fed_by=(SourceName.STRIPE,),
            ),
            section("Élasticité", "ce que les données disent de la réaction aux prix, et leurs limites"),
            section(
                "Risques",
                "départs, image, contrats en cours, obligations d'information",
                proposes=True,
                keeps=Kept.ALERTS,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Recommandation",
                "appliquer, adapter ou renoncer, avec le motif déterminant",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Plan de communication", "à qui l'annoncer, quand, par quel canal et avec quels mots", proposes=True
            ),
        ),
    ),
)
