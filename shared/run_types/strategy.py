"""Reports of the strategy director: the competition."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    CRAWLING_RUNS,
    Agent,
    Calendar,
    Kept,
    ModelTier,
    PageSet,
    Priority,
    Recency,
    RunType,
    Schedule,
    Search,
    SourceName,
    Weekday,
    section,
)

AGENT: Final = Agent(name="CSO Agent", emoji="🎯", role="Directeur Stratégie", title="le directeur de la stratégie")

ENTRIES: Final = (
    RunType(
        key="COMPETITIVE_ANALYSIS",
        label="Analyse Concurrentielle",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.25"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.FIRECRAWL),
        search=Search(
            recency=Recency.MONTH,
            query="Que font en ce moment les principales applications de bien-être émotionnel, de santé mentale "
            "numérique et de formation médicale en France et en Europe : nouvelles offres, prix publics, "
            "partenariats, levées de fonds, changements de positionnement ? Un fait daté et sourcé par acteur.",
        ),
        pages=PageSet.COMPETITORS,
        steps=("Scraping concurrents", "Recherche Perplexity", "Analyse SWOT", "Recommandations"),
        schedule=Schedule(
            key="weekly_competitive_analysis",
            name="Analyse Concurrentielle",
            description="Le point de la semaine sur les concurrents : offres, forces et ouvertures.",
            calendar=Calendar(hours=(10,), weekdays=(Weekday.WEDNESDAY,)),
            priority=Priority.MEDIUM,
        ),
        max_parallel=CRAWLING_RUNS,
        autopilot_default=True,
        purpose="Il situe nos plateformes face à leurs concurrents et dit où agir.",
        sections=(
            section(
                "Profils des concurrents",
                "pour chacun : offre, public, prix publics et actualité récente",
                fed_by=(SourceName.PERPLEXITY, SourceName.FIRECRAWL),
            ),
            section(
                "Forces et faiblesses",
                "les leurs et les nôtres, chacune appuyée par un fait",
                fed_by=(SourceName.PERPLEXITY, SourceName.FIRECRAWL),
            ),
            section(
                "Positionnement",
                "la promesse de chacun et la place qu'elle nous laisse",
                fed_by=(SourceName.PERPLEXITY, SourceName.FIRECRAWL),
            ),
            section(
                "Technologies",
                "les choix techniques visibles et l'avantage qu'ils donnent",
                fed_by=(SourceName.FIRECRAWL, SourceName.PERPLEXITY),
            ),
            section(
                "Opportunités",
                "les besoins mal servis que nous pourrions prendre, et pourquoi maintenant",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Menaces",
                "les mouvements qui pourraient nous coûter des utilisateurs",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Recommandations",
                "les actions à mener, avec leur effet attendu et leur effort",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.PERPLEXITY, SourceName.FIRECRAWL),
            ),
        ),
    ),
)
