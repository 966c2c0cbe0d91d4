"""Reports of the technical director: the platforms, their code and their releases."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    CRAWLING_RUNS,
    WORKING_DAYS,
    Agent,
    Calendar,
    Kept,
    ModelTier,
    PageSet,
    Priority,
    Recency,
    Risk,
    RunType,
    Schedule,
    Search,
    SourceName,
    section,
)

AGENT: Final = Agent(name="CTO Agent", emoji="⚙️", role="Directeur Technique", title="le directeur technique")

ENTRIES: Final = (
    RunType(
        key="PLATFORM_STATUS_REVIEW",
        label="Revue de Statut Plateforme",
        agent=AGENT,
        tier=ModelTier.SUMMARY,
        cost_eur=Decimal("0.02"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.OPEN_MATTERS),
        steps=("Fetch GitHub data", "Analyse métriques", "Évaluation risques", "Rapport"),
        schedule=Schedule(
            key="daily_platform_review",
            name="Revue Plateformes Quotidienne",
            description="Le bilan du soir : santé, incidents et risques de chaque plateforme.",
            calendar=Calendar(hours=(18,), weekdays=WORKING_DAYS),
            priority=Priority.MEDIUM,
        ),
        autopilot_default=True,
        purpose="Il établit, d'après les seuls faits, l'état de la plateforme désignée, ou de toutes.",
        sections=(
            section(
                "Statut général", "vert, orange ou rouge pour chaque plateforme examinée, et le fait qui le justifie"
            ),
            section(
                "Métriques", "disponibilité, activité du code, tickets et pull requests ouverts, pour chaque plateforme"
            ),
            section("Incidents", "les pannes et dégradations constatées, leur durée et leur issue", keeps=Kept.ALERTS),
            section("Livraisons", "les versions et changements récents, datés"),
            section("Risques", "ce qui menace la stabilité ou le calendrier, avec sa gravité", proposes=True),
            section(
                "Recommandations",
                "les actions proposées, de la plus à la moins urgente",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
        ),
    ),
    RunType(
        key="RELEASE_GATE_CHECK",
        label="Vérification Gate Release",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.12"),
        risk=Risk.HIGH,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS),
        steps=("Fetch GitHub PRs", "Revue technique", "Revue sécurité", "Décision"),
        purpose="Il dit si une version est prête à sortir, et à quelles conditions ; il ne publie rien.",
        sections=(
            section(
                "Liste de contrôle technique",
                "pull requests, tests, migrations, dépendances : validé, en défaut ou non vérifiable",
            ),
            section("Liste de contrôle sécurité", "secrets, droits d'accès, failles connues, selon la même échelle"),
            section(
                "Liste de contrôle produit",
                "périmètre tenu, textes, aide aux utilisateurs, mesure d'usage, selon la même échelle",
            ),
            section(
                "Risques",
                "ce qui pourrait mal se passer après la sortie, avec probabilité et gravité",
                proposes=True,
                keeps=Kept.ALERTS,
            ),
            section(
                "Décision",
                "GO, NO-GO ou GO sous conditions, motivé par les contrôles ci-dessus",
                proposes=True,
                keeps=Kept.DECISIONS,
            ),
            section(
                "Conditions",
                "ce qui doit être fait avant la sortie, par qui, et comment le vérifier",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
        ),
    ),
    RunType(
        key="DEPLOY_TO_PRODUCTION",
        label="Déploiement Production",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.15"),
        risk=Risk.CRITICAL,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS),
        steps=("Vérification pré-deploy", "Audit sécurité", "Analyse risques", "Décision GO/NO-GO"),
        purpose="Il réunit les vérifications qui précèdent une mise en production ; il ne déploie rien.",
        sections=(
            section(
                "Contrôles avant déploiement",
                "branche, tests, migrations, sauvegarde, surveillance : validé, en défaut ou non vérifiable",
            ),
            section("Vérification de sécurité", "droits, secrets et dépendances touchés par les changements à livrer"),
            section(
                "Impact estimé",
                "fonctions et utilisateurs concernés, interruption prévisible, charge attendue",
                proposes=True,
            ),
            section(
                "Risques",
                "chaque risque avec sa gravité, son signe avant-coureur et sa parade",
                proposes=True,
                keeps=Kept.ALERTS,
            ),
            section(
                "Décision",
                "GO, NO-GO ou GO sous conditions, avec les faits qui la fondent",
                proposes=True,
                keeps=Kept.DECISIONS,
            ),
            section(
                "Plan de retour arrière",
                "les étapes pour revenir à l'état précédent et le seuil qui les déclenche",
                proposes=True,
            ),
        ),
    ),
    RunType(
        key="QUALITY_AUDIT",
        label="Audit Qualité",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.15"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB),
        steps=("Analyse code", "Revue tests", "Évaluation dette technique", "Scoring", "Recommandations"),
        purpose="Il juge la qualité du code des plateformes et hiérarchise les corrections.",
        sections=(
            section("Périmètre", "les dépôts et la période examinés, et ce qui n'a pas pu l'être"),
            section("Conformité du code", "le respect des conventions et des règles de revue, exemples à l'appui"),
            section("Couverture des tests", "ce qui est testé, ce qui ne l'est pas, et le risque qui en résulte"),
            section("Dette technique", "les chantiers repoussés, leur coût probable et leur évolution"),
            section("Maintenabilité", "ce qui facilite ou freine un changement : taille, couplage, documentation"),
            section("Performance", "les lenteurs constatées ou signalées et leur cause présumée"),
            section("Score", "une note sur 100 et le détail des points retirés"),
            section(
                "Plan de remédiation",
                "les corrections par ordre d'effet, avec l'effort et le responsable proposé",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
        ),
    ),
    RunType(
        key="CODE_REVIEW",
        label="Revue de Code",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.12"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB),
        steps=("Analyse code", "Détection patterns", "Évaluation dette", "Recommandations"),
        purpose="Il relit les changements récents du code et signale ce qui mérite correction.",
        sections=(
            section("Mesures du code", "volume et fréquence des changements, pull requests, délai de revue"),
            section("Bonnes pratiques", "ce qui est bien fait et doit être conservé, exemples à l'appui"),
            section("Signes de fragilité", "duplication, complexité, nommage ou structure qui gênent la lecture"),
            section(
                "Bogues possibles",
                "les défauts que les changements laissent craindre, et comment les confirmer",
                keeps=Kept.ALERTS,
            ),
            section("Dette technique", "les raccourcis pris, ce qu'ils coûtent et leur urgence"),
            section(
                "Recommandations",
                "les corrections proposées, de la plus à la moins utile",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
        ),
    ),
    RunType(
        key="DEPLOYMENT_CHECK",
        label="Vérification Déploiements",
        agent=AGENT,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.06"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS),
        steps=("Check pipelines", "Analyse métriques", "Évaluation risques", "Rapport"),
        purpose="Il contrôle la santé des déploiements et de la chaîne d'intégration.",
        sections=(
            section("Statut par plateforme", "la dernière version en ligne, sa date et l'état du site"),
            section("Santé de l'intégration continue", "les chaînes en succès, en échec ou absentes"),
            section("Mesures de construction", "durée, fréquence et taux de réussite, par plateforme"),
            section("Déploiements en échec", "chacun avec sa date, sa cause et sa suite", keeps=Kept.ALERTS),
            section("Retours arrière", "les versions annulées et ce qui les a provoquées"),
            section(
                "Optimisations",
                "ce qui rendrait les livraisons plus sûres ou plus rapides",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
        ),
    ),
    RunType(
        key="TECH_WATCH_REPORT",
        label="Rapport Veille Technologique",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.10"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.FIRECRAWL),
        search=Search(
            recency=Recency.WEEK,
            query="Quelles annonces techniques de la semaine comptent pour une équipe qui construit des applications "
            "web avec React, TypeScript, Supabase et des modèles de langue : versions majeures, abandons, "
            "failles, nouveaux modèles et leurs prix ? Une date et une source par annonce.",
        ),
        pages=PageSet.TECH_WATCH,
        steps=("Veille IA/tech", "Analyse tendances", "Évaluation opportunités", "Rapport"),
        max_parallel=CRAWLING_RUNS,
        purpose="Il trie les nouveautés techniques et dit lesquelles comptent pour nos plateformes.",
        sections=(
            section("Innovations", "les annonces récentes qui touchent nos métiers, datées et sourcées"),
            section("Tendances du marché", "les mouvements de fond et les acteurs qui les portent"),
            section("Technologies émergentes", "ce qui mûrit, son degré de maturité et son horizon"),
            section(
                "Applications chez nous",
                "l'usage possible sur une plateforme précise, avec le bénéfice attendu",
                proposes=True,
            ),
            section("Menaces", "ce qui pourrait rendre un de nos choix obsolète ou risqué", keeps=Kept.ALERTS),
            section(
                "Recommandations de R&D",
                "les essais à mener, à suivre ou à écarter",
                proposes=True,
                keeps=Kept.PRIORITIES,
            ),
        ),
    ),
)
