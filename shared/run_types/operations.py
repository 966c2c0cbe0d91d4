"""Reports of the director of operations: objectives and the agents' own work."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    Kept,
    ModelTier,
    RunType,
    SourceName,
    section,
)

AGENT: Final = Agent(name="COO Agent", emoji="📋", role="Directeur Opérations", title="le directeur des opérations")

ENTRIES: Final = (
    RunType(
        key="OKR_QUARTERLY_REVIEW",
        label="Revue OKR Trimestrielle",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.08"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.COMMERCIAL, SourceName.DECISIONS),
        steps=("Collecte OKR", "Évaluation progression", "Analyse écarts", "Recommandations"),
        purpose="Il mesure où en sont les objectifs du trimestre et ce qu'il faut ajuster.",
        sections=(
            section(
                "État des objectifs",
                "chaque objectif : en avance, à l'heure, en retard ou non mesuré",
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section(
                "Progression des résultats clés", "pour chaque résultat clé : la cible, la valeur atteinte et l'écart"
            ),
            section(
                "Réussites",
                "ce qui a été atteint et la preuve dans les données",
                fed_by=(SourceName.GITHUB, SourceName.COMMERCIAL, SourceName.DECISIONS),
            ),
            section(
                "Objectifs en danger",
                "ceux qui risquent d'être manqués, la cause et le délai restant",
                keeps=Kept.ALERTS,
            ),
            section(
                "Ajustements",
                "les cibles, moyens ou priorités à revoir, avec le motif",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.COMMERCIAL, SourceName.DECISIONS),
            ),
        ),
    ),
    RunType(
        key="AGENT_PERFORMANCE_REVIEW",
        label="Revue Performance Agents",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.08"),
        sources=(SourceName.PLATFORMS, SourceName.AGENTS_WORK, SourceName.GITHUB, SourceName.RUN_HISTORY),
        steps=("Collecte métriques", "Analyse performance", "Évaluation coûts", "Recommandations"),
        purpose="Il évalue le travail des agents IA : ce qu'ils produisent, leur coût et leurs échecs.",
        sections=(
            section(
                "Mesures globales",
                "exécutions, réussites, échecs et durées de la période",
                fed_by=(SourceName.AGENTS_WORK, SourceName.RUN_HISTORY),
            ),
            section(
                "Meilleurs résultats",
                "les agents et types d'exécution les plus fiables, chiffres à l'appui",
                fed_by=(SourceName.AGENTS_WORK, SourceName.RUN_HISTORY),
            ),
            section(
                "Résultats faibles",
                "ceux qui échouent ou traînent, et la cause qui ressort",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.AGENTS_WORK, SourceName.RUN_HISTORY),
            ),
            section(
                "Coût de l'IA",
                "la dépense par agent et par type, rapportée au nombre de rapports utiles",
                fed_by=(SourceName.AGENTS_WORK, SourceName.RUN_HISTORY),
            ),
            section(
                "Tendances d'usage",
                "ce qui est plus ou moins demandé qu'avant, et à quels moments",
                fed_by=(SourceName.AGENTS_WORK, SourceName.RUN_HISTORY),
            ),
            section(
                "Recommandations",
                "les réglages, arrêts ou renforts proposés",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.AGENTS_WORK, SourceName.RUN_HISTORY),
            ),
        ),
    ),
)
