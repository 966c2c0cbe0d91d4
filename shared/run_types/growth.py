"""Reports of the growth director: levers and leads."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    Kept,
    ModelTier,
    Recency,
    RunType,
    Search,
    SourceName,
    section,
)

AGENT: Final = Agent(name="CGO Agent", emoji="📈", role="Directeur Croissance", title="le directeur de la croissance")

ENTRIES: Final = (
    RunType(
        key="GROWTH_STRATEGY_REVIEW",
        label="Revue Stratégie Croissance",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.22"),
        sources=(
            SourceName.PLATFORMS,
            SourceName.PERPLEXITY,
            SourceName.STRIPE,
            SourceName.COMMERCIAL,
            SourceName.AUDIENCE,
            SourceName.CONTACTS,
        ),
        search=Search(
            recency=Recency.MONTH,
            query="Quels leviers de croissance donnent aujourd'hui des résultats mesurés pour des logiciels par "
            "abonnement dans la santé et le bien-être en Europe : acquisition, activation, rétention, prix, "
            "partenariats avec des employeurs ou des mutuelles ? Donner les chiffres publiés et leur source.",
        ),
        steps=("Analyse métriques", "Évaluation leviers", "Projections", "Recommandations"),
        purpose="Il fait le bilan de la croissance et désigne les leviers à actionner.",
        sections=(
            section(
                "Bilan de croissance",
                "ce qui a progressé, stagné ou reculé sur la période, et pourquoi",
                fed_by=(SourceName.STRIPE, SourceName.COMMERCIAL, SourceName.AUDIENCE, SourceName.CONTACTS),
            ),
            section(
                "Métriques clés",
                "acquisition, activation, rétention, revenu et recommandation, une ligne chacune",
                fed_by=(SourceName.STRIPE, SourceName.AUDIENCE, SourceName.CONTACTS),
            ),
            section(
                "Leviers",
                "chaque levier avec son potentiel, son effort et le premier essai à mener",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY, SourceName.STRIPE),
            ),
            section(
                "Tendances et projections",
                "l'évolution probable, les hypothèses retenues et leur fragilité",
                proposes=True,
                fed_by=(SourceName.STRIPE,),
            ),
            section(
                "Recommandations",
                "les choix proposés à la présidence, par ordre de priorité",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.STRIPE, SourceName.PERPLEXITY),
            ),
        ),
    ),
    RunType(
        key="LEAD_SCORING_UPDATE",
        label="Mise à Jour Scoring Leads",
        agent=AGENT,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.07"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.COMMERCIAL, SourceName.CONTACTS),
        search=Search(
            recency=Recency.YEAR,
            query="Quels critères et quels seuils de notation des prospects sont tenus pour efficaces dans la vente "
            "de logiciels de santé et de bien-être aux entreprises et aux établissements de soins en Europe, et "
            "quels taux de conversion par source de contact sont publiés ?",
        ),
        steps=("Collecte leads", "Application scoring", "Priorisation", "Rapport"),
        purpose="Il dit quels contacts méritent un effort commercial, et selon quels critères.",
        sections=(
            section("Contacts entrants", "leur nombre, leur origine et leur évolution", fed_by=(SourceName.CONTACTS,)),
            section(
                "Critères de notation",
                "les critères appliqués, leur poids et leur raison",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Contacts chauds",
                "ceux à rappeler d'abord et le signal qui les distingue, sans donnée superflue",
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section("Conversion par source", "pour chaque source : contacts, conversions et taux"),
            section(
                "Améliorations de la notation",
                "les critères à ajouter, corriger ou retirer",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.PERPLEXITY,),
            ),
        ),
    ),
)
