"""Reports of the data director: what the data say."""

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

AGENT: Final = Agent(name="CDO Agent", emoji="📊", role="Directeur Data", title="le directeur des données")

ENTRIES: Final = (
    RunType(
        key="DATA_INSIGHTS_REPORT",
        label="Rapport Insights Data",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.14"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.AUDIENCE, SourceName.CONTACTS),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles études récentes chiffrent l'usage des applications de santé mentale, de bien-être et de "
            "formation médicale en France et en Europe : fréquentation, rétention, segments d'utilisateurs, "
            "saisonnalité ? Donner la méthode, la date et la source de chaque chiffre.",
        ),
        steps=("Collecte données", "Analyse segments", "Détection tendances", "Insights"),
        purpose="Il tire des données disponibles les enseignements qui peuvent changer une décision.",
        sections=(
            section(
                "Métriques clés",
                "les mesures disponibles, leur période et leur fiabilité",
                fed_by=(SourceName.AUDIENCE, SourceName.CONTACTS, SourceName.PLATFORMS),
            ),
            section(
                "Tendances",
                "ce qui monte ou descend durablement, distingué du bruit",
                fed_by=(SourceName.AUDIENCE, SourceName.CONTACTS),
            ),
            section("Segments", "les groupes qui se comportent autrement, et en quoi"),
            section(
                "Enseignements",
                "chaque constat avec la décision qu'il éclaire",
                fed_by=(SourceName.AUDIENCE, SourceName.CONTACTS, SourceName.PERPLEXITY),
            ),
            section(
                "Recommandations",
                "les actions et les mesures à mettre en place, par priorité",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.AUDIENCE, SourceName.CONTACTS),
            ),
        ),
    ),
)
