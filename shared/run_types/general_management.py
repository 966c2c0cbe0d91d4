"""Reports of the chief executive: what the whole company should know today."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    EVERY_DAY,
    Agent,
    Calendar,
    Kept,
    ModelTier,
    Priority,
    Recency,
    RunType,
    Schedule,
    Search,
    SourceName,
    section,
)

AGENT: Final = Agent(name="CEO Agent", emoji="👔", role="Directeur Général", title="le directeur général")

ENTRIES: Final = (
    RunType(
        key="DAILY_EXECUTIVE_BRIEF",
        label="Brief Exécutif Quotidien",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.10"),
        sources=(
            SourceName.PLATFORMS,
            SourceName.GITHUB,
            SourceName.PERPLEXITY,
            SourceName.OPEN_MATTERS,
            SourceName.DECISIONS,
            SourceName.COMMERCIAL,
            SourceName.CONTACTS,
            SourceName.STRIPE,
        ),
        search=Search(
            recency=Recency.DAY,
            query="Quelles nouvelles des dernières vingt-quatre heures comptent pour un éditeur français de "
            "plateformes numériques de santé, de bien-être émotionnel et de formation médicale : annonces de "
            "concurrents, décisions des régulateurs (CNIL, HAS, Union européenne), levées de fonds, incidents "
            "de sécurité ? Donner la date et la source de chacune.",
        ),
        steps=("Sync GitHub", "Collecte métriques", "Veille marché", "Synthèse exécutive", "Recommandations"),
        schedule=Schedule(
            key="daily_brief",
            aliases=("morning_digest",),
            name="Brief Exécutif Quotidien",
            description="L'essentiel du matin : état des plateformes, priorités et décisions du jour.",
            calendar=Calendar(hours=(8,), weekdays=EVERY_DAY),
            priority=Priority.HIGH,
        ),
        autopilot_default=True,
        fills_digest=True,
        purpose="Il donne à la présidence, au début de la journée, l'essentiel de ce qui est établi : "
        "l'état des plateformes, les urgences et les décisions à prendre.",
        sections=(
            section(
                "Synthèse",
                "trois phrases au plus : l'état général et les revenus, le fait marquant, la décision la plus attendue",
                fed_by=(
                    SourceName.PLATFORMS,
                    SourceName.GITHUB,
                    SourceName.OPEN_MATTERS,
                    SourceName.STRIPE,
                    SourceName.COMMERCIAL,
                    SourceName.CONTACTS,
                ),
            ),
            section(
                "État des plateformes",
                "par plateforme : vert, orange ou rouge et pourquoi, activité récente du code, disponibilité",
                fed_by=(SourceName.PLATFORMS, SourceName.GITHUB),
            ),
            section(
                "Trois priorités du jour",
                "les trois actions les plus utiles, chacune avec son motif et la direction à saisir",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.PLATFORMS, SourceName.GITHUB),
            ),
            section(
                "Décisions en attente",
                "ce qui attend une approbation de la présidence, depuis quand, et ce que coûterait un report",
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.DECISIONS),
            ),
            section(
                "Alertes critiques",
                "incidents, échecs et menaces à traiter sans délai ; « Aucune » s'il n'en apparaît pas",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.PLATFORMS),
            ),
            section(
                "Veille du marché",
                "les nouvelles du secteur qui nous concernent et ce qu'elles changent pour nous",
                fed_by=(SourceName.PERPLEXITY,),
            ),
        ),
    ),
    RunType(
        key="CEO_STANDUP_MEETING",
        label="Réunion Standup DG",
        agent=AGENT,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.05"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.OPEN_MATTERS, SourceName.DECISIONS),
        steps=("Sync GitHub", "Tour de table", "Synthèse", "Plan d'action"),
        autopilot_default=True,
        purpose="Il tient lieu de compte rendu du point quotidien de direction.",
        sections=(
            section(
                "Points clés par plateforme",
                "pour chaque plateforme, ce qui a avancé, ce qui bloque et ce qui vient, en deux lignes",
                fed_by=(SourceName.PLATFORMS, SourceName.GITHUB),
            ),
            section(
                "Pull requests et tickets à traiter",
                "ceux qui attendent une action, du plus urgent au moins urgent, avec leur ancienneté",
                fed_by=(SourceName.GITHUB,),
            ),
            section(
                "Décisions",
                "les arbitrages que les faits appellent, chacun formulé en une phrase",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.DECISIONS),
            ),
            section(
                "Actions de suivi",
                "chaque action avec son responsable et son échéance proposée",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.GITHUB, SourceName.OPEN_MATTERS),
            ),
            section(
                "Prochain point",
                "les sujets à remettre à l'ordre du jour et les informations à préparer",
                proposes=True,
                fed_by=(SourceName.OPEN_MATTERS,),
            ),
        ),
    ),
    RunType(
        key="PLATFORM_DIRECTORS_MEETING",
        label="Réunion Directeurs Plateformes",
        agent=AGENT,
        tier=ModelTier.SUMMARY,
        cost_eur=Decimal("0.05"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.OPEN_MATTERS, SourceName.DECISIONS),
        steps=("Sync GitHub", "Tour des plateformes", "Arbitrages", "Compte rendu"),
        only_by_hand=True,
        in_frontend_table=False,
        purpose="Il prépare la réunion des directeurs de plateforme, et lui tient lieu de compte rendu.",
        sections=(
            section(
                "État par plateforme",
                "pour chaque plateforme : vert, orange ou rouge et pourquoi, et ce qui a avancé, en deux lignes",
                fed_by=(SourceName.PLATFORMS, SourceName.GITHUB),
            ),
            section(
                "Blocages",
                "par plateforme, ce qui empêche d'avancer, depuis quand, et qui peut le lever ; « Aucun » sinon",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.PLATFORMS, SourceName.GITHUB),
            ),
            section(
                "Décisions attendues",
                "par plateforme, l'arbitrage que les faits appellent, formulé en une phrase",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.DECISIONS),
            ),
            section(
                "Actions jusqu'à la prochaine réunion",
                "chaque action avec la plateforme, son responsable et son échéance proposée",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.GITHUB),
            ),
        ),
    ),
    RunType(
        key="WEEKLY_EXEC_REVIEW",
        label="Revue Exécutive Hebdomadaire",
        agent=AGENT,
        tier=ModelTier.SUMMARY,
        cost_eur=Decimal("0.05"),
        sources=(
            SourceName.PLATFORMS,
            SourceName.GITHUB,
            SourceName.STRIPE,
            SourceName.RUN_HISTORY,
            SourceName.OPEN_MATTERS,
            SourceName.DECISIONS,
            SourceName.COMMERCIAL,
        ),
        steps=("Collecte des chiffres", "Bilan de la semaine", "Décisions", "Semaine à venir"),
        only_by_hand=True,
        in_frontend_table=False,
        purpose="Il fait le bilan de la semaine pour la direction et prépare la suivante.",
        sections=(
            section(
                "Synthèse",
                "trois phrases au plus : la semaine, son fait marquant, ce qui attend une décision",
                fed_by=(
                    SourceName.PLATFORMS,
                    SourceName.GITHUB,
                    SourceName.STRIPE,
                    SourceName.OPEN_MATTERS,
                    SourceName.COMMERCIAL,
                    SourceName.RUN_HISTORY,
                ),
            ),
            section(
                "Chiffres de la semaine",
                "les chiffres établis, chacun avec son évolution depuis la semaine précédente quand elle est connue",
                fed_by=(
                    SourceName.STRIPE,
                    SourceName.GITHUB,
                    SourceName.COMMERCIAL,
                    SourceName.RUN_HISTORY,
                    SourceName.PLATFORMS,
                ),
            ),
            section(
                "Ce qui a été décidé",
                "les décisions prises dans la semaine et leurs suites ; « Aucune » s'il n'en apparaît pas",
                fed_by=(SourceName.DECISIONS,),
            ),
            section(
                "Risques et retards",
                "ce qui a dérapé, échoué ou attend depuis plus d'une semaine",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.PLATFORMS, SourceName.GITHUB, SourceName.RUN_HISTORY),
            ),
            section(
                "Décisions à prendre",
                "les arbitrages que la semaine appelle, chacun en une phrase",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.DECISIONS),
            ),
            section(
                "Semaine prochaine",
                "trois priorités au plus, chacune avec son motif et son responsable",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.OPEN_MATTERS, SourceName.STRIPE),
            ),
        ),
    ),
)
