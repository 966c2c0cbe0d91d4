"""Every run type, one entry each: the table with which workers, database, HTTP face and frontend agree.

An entry says who writes the report, with which model, from which sources, at what cost and risk, when,
and what the report must contain. Adding a run type is adding an entry; nothing else lists them.
The French of labels, steps and sections is read by the president or by the model, never by code.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import cache
from importlib.resources import files
from string import Template
from types import MappingProxyType
from typing import Annotated, Final, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, JsonValue, model_validator

from shared.errors import UnknownRunType
from shared.frozen import FrozenModel

KEY_PATTERN: Final = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
"""The shape of a run type's key."""

UNKNOWN_COST_EUR: Final = Decimal("0.05")
"""What a run of an unknown type counts for in every sum: old rows may hold keys that are no longer known."""

DATA_TAG: Final = "donnees"
"""A prompt's data stand between ``<donnees-X>`` and ``</donnees-X>``; X is drawn anew for each prompt."""

MISSING_DATA_SECTION: Final = "Données manquantes"
"""The section that closes every report."""

TIME_ZONE: Final = ZoneInfo("Europe/Paris")
"""The zone in which all calendars are read."""


# ── The words of an entry ────────────────────────────────────────────────────────────────────


class ModelTier(StrEnum):
    """How much model a report needs."""

    DEFAULT = "default"
    REASONING = "reasoning"
    SUMMARY = "summary"
    CODING = "coding"

    @property
    def model(self) -> str:
        """Return the id of the tier's model."""
        return _MODELS[self]

    @property
    def fallback_model(self) -> str:
        """Return the id of the model to ask when the tier's own is out of order."""
        return _MODELS[_FALLBACKS[self]]


_MODELS: Final = {
    ModelTier.DEFAULT: "google/gemini-3-flash-preview",
    ModelTier.REASONING: "google/gemini-2.5-pro",
    ModelTier.SUMMARY: "google/gemini-2.5-flash",
    ModelTier.CODING: "openai/gpt-5.2",
}
_FALLBACKS: Final = {
    ModelTier.DEFAULT: ModelTier.SUMMARY,
    ModelTier.REASONING: ModelTier.SUMMARY,
    ModelTier.SUMMARY: ModelTier.DEFAULT,
    ModelTier.CODING: ModelTier.REASONING,
}


class SourceName(StrEnum):
    """Where data can come from. A source that no worker implements yet is a named gap in the report."""

    PLATFORMS = "platforms"
    GITHUB = "github"
    GITHUB_ACTIONS = "github_actions"
    GITHUB_ALERTS = "github_alerts"
    PERPLEXITY = "perplexity"
    FIRECRAWL = "firecrawl"
    STRIPE = "stripe"
    OPEN_MATTERS = "open_matters"
    DATABASE_CATALOGUE = "database_catalogue"
    RUN_HISTORY = "run_history"


class Trigger(StrEnum):
    """What made a run start."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    AUTOPILOT = "autopilot"
    RETRY = "retry"


class Risk(StrEnum):
    """What a wrong report could lead to."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Priority(StrEnum):
    """How a scheduled job ranks among the others."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Weekday(IntEnum):
    """A day of the week, by its ISO number (``isodow`` in PostgreSQL)."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


WORKING_DAYS: Final = tuple(day for day in Weekday if day <= Weekday.FRIDAY)


class Recency(StrEnum):
    """How old a page may be that a search reads."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class PageSet(StrEnum):
    """Which web pages a report reads; the settings say where they are."""

    COMPETITORS = "competitors"
    OWN_SITES = "own_sites"
    TECH_WATCH = "tech_watch"


class _Part(FrozenModel):
    """A part of the registry: it refuses a field that it does not know."""

    model_config = ConfigDict(extra="forbid")


class Agent(_Part):
    """The AI director who signs a report."""

    name: str
    emoji: str
    role: str = Field(description="French job title.")


class Section(_Part):
    """One part of a report."""

    title: str = Field(min_length=1)
    content: str = Field(min_length=1, description="French: what the part must contain.")


class Search(_Part):
    """What a report looks up on the web. The words are ours alone: no context, no figure of the company goes out."""

    query: str = Field(min_length=40, max_length=600, description="French.")
    recency: Recency


class Calendar(_Part):
    """The hours at which a job is due, in Paris: each of its hours on each of its days."""

    hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] = Field(min_length=1)
    weekdays: tuple[Weekday, ...] = Field(min_length=1)


class Schedule(_Part):
    """How a run type is planned."""

    key: str = Field(description="Key of the job, by which screens execute it.")
    aliases: tuple[str, ...] = Field(default=(), description="Keys of former jobs that this one replaces.")
    name: str
    description: str = Field(description="French, one line.")
    calendar: Calendar
    priority: Priority


class Job(Schedule):
    """A schedule together with what it runs."""

    run_type: str


class RunType(_Part):
    """All that is known of one kind of run."""

    key: str = Field(pattern=f"^{KEY_PATTERN}$")
    label: str = Field(description="French name.")
    agent: Agent
    tier: ModelTier
    cost_eur: Decimal = Field(gt=0, decimal_places=2, description="Estimate for one run.")
    risk: Risk = Risk.LOW
    sources: tuple[SourceName, ...] = Field(min_length=1)
    search: Search | None = Field(default=None, description="Given exactly when the web is searched.")
    pages: PageSet | None = Field(default=None, description="Given exactly when web pages are read.")
    steps: tuple[str, ...] = Field(min_length=1, description="French labels, answered to the caller.")
    purpose: str = Field(min_length=1, description="French: what the report is for, in a sentence.")
    sections: tuple[Section, ...] = Field(min_length=1)
    schedule: Schedule | None = None
    autopilot_default: bool = Field(
        default=False, description="In the autopilot's list as long as the presidency has not chosen another."
    )
    fills_digest: bool = Field(default=False, description="Its report on all platforms is the digest of the day.")
    max_parallel: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Runs of this type that one worker executes at once; None: no limit of its own.",
    )

    @model_validator(mode="after")
    def _say_what_to_read(self) -> Self:
        if (SourceName.PERPLEXITY in self.sources) != (self.search is not None):
            raise ValueError(f"{self.key}: a search of the web needs its query, and only it")
        if (SourceName.FIRECRAWL in self.sources) != (self.pages is not None):
            raise ValueError(f"{self.key}: reading web pages needs to say which, and only it")
        return self

    @property
    def requires_approval(self) -> bool:
        """Tell whether a person must approve what the report proposes: risk alone decides."""
        return self.risk in {Risk.HIGH, Risk.CRITICAL}

    @property
    def auto_executable(self) -> bool:
        """Tell whether the autopilot may start the run by itself."""
        return not self.requires_approval

    @property
    def allowed_triggers(self) -> tuple[Trigger, ...]:
        """Return what may start the run: a sensitive one only starts because a person asked for it."""
        return (Trigger.MANUAL, Trigger.RETRY) if self.requires_approval else tuple(Trigger)

    @property
    def calendar(self) -> Calendar | None:
        """Return when the run is planned, if it is."""
        return self.schedule.calendar if self.schedule else None

    def facts(self) -> dict[str, JsonValue]:
        """Return the whole entry as JSON values, what follows from its fields included: what mirrors copy."""
        facts: dict[str, JsonValue] = self.model_dump(mode="json")
        return facts | {
            "model": self.tier.model,
            "fallback_model": self.tier.fallback_model,
            "requires_approval": self.requires_approval,
            "auto_executable": self.auto_executable,
            "allowed_triggers": [trigger.value for trigger in self.allowed_triggers],
        }


def _outline(*parts: tuple[str, str]) -> tuple[Section, ...]:
    return tuple(Section(title=title, content=content) for title, content in parts)


# ── The directors ────────────────────────────────────────────────────────────────────────────

_CEO: Final = Agent(name="CEO Agent", emoji="👔", role="Directeur Général")
_CTO: Final = Agent(name="CTO Agent", emoji="⚙️", role="Directeur Technique")
_CISO: Final = Agent(name="CISO Agent", emoji="🔒", role="Directeur Sécurité")
_CSO: Final = Agent(name="CSO Agent", emoji="🎯", role="Directeur Stratégie")
_CMO: Final = Agent(name="CMO Agent", emoji="📣", role="Directeur Marketing")
_CGO: Final = Agent(name="CGO Agent", emoji="📈", role="Directeur Croissance")
_COO: Final = Agent(name="COO Agent", emoji="📋", role="Directeur Opérations")
_DPO: Final = Agent(name="DPO Agent", emoji="🛡️", role="Délégué Protection Données")
_CFO: Final = Agent(name="CFO Agent", emoji="💰", role="Directeur Financier")
_CPO: Final = Agent(name="CPO Agent", emoji="🗺️", role="Directeur Produit")
_CDO: Final = Agent(name="CDO Agent", emoji="📊", role="Directeur Data")

# Crawled sites are other people's machines: one worker never reads many of them at once.
_CRAWLING_RUNS: Final = 2


# ── The entries ──────────────────────────────────────────────────────────────────────────────

_ENTRIES: Final = (
    RunType(
        key="DAILY_EXECUTIVE_BRIEF",
        label="Brief Exécutif Quotidien",
        agent=_CEO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.10"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.PERPLEXITY, SourceName.OPEN_MATTERS),
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
            calendar=Calendar(hours=(7,), weekdays=WORKING_DAYS),
            priority=Priority.HIGH,
        ),
        autopilot_default=True,
        fills_digest=True,
        purpose="Il donne à la présidence, au début de la journée, l'essentiel de ce qui est établi : "
        "l'état des plateformes, les urgences et les décisions à prendre.",
        sections=_outline(
            (
                "Synthèse",
                "trois phrases au plus : l'état général, le fait marquant, la décision la plus attendue",
            ),
            (
                "État des plateformes",
                "par plateforme : vert, orange ou rouge et pourquoi, activité récente du code, disponibilité",
            ),
            (
                "Trois priorités du jour",
                "les trois actions les plus utiles, chacune avec son motif et la direction à saisir",
            ),
            (
                "Décisions en attente",
                "ce qui attend une approbation de la présidence, depuis quand, et ce que coûterait un report",
            ),
            (
                "Alertes critiques",
                "incidents, échecs et menaces à traiter sans délai ; « Aucune » s'il n'en apparaît pas",
            ),
            (
                "Veille du marché",
                "les nouvelles du secteur qui nous concernent et ce qu'elles changent pour nous",
            ),
        ),
    ),
    RunType(
        key="CEO_STANDUP_MEETING",
        label="Réunion Standup DG",
        agent=_CEO,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.05"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.OPEN_MATTERS),
        steps=("Sync GitHub", "Tour de table", "Synthèse", "Plan d'action"),
        autopilot_default=True,
        purpose="Il tient lieu de compte rendu du point quotidien de direction.",
        sections=_outline(
            (
                "Points clés par plateforme",
                "pour chaque plateforme, ce qui a avancé, ce qui bloque et ce qui vient, en deux lignes",
            ),
            (
                "Pull requests et tickets à traiter",
                "ceux qui attendent une action, du plus urgent au moins urgent, avec leur ancienneté",
            ),
            ("Décisions", "les arbitrages que les faits appellent, chacun formulé en une phrase"),
            ("Actions de suivi", "un tableau : action, responsable, échéance proposée"),
            ("Prochain point", "les sujets à remettre à l'ordre du jour et les informations à préparer"),
        ),
    ),
    RunType(
        key="PLATFORM_STATUS_REVIEW",
        label="Revue de Statut Plateforme",
        agent=_CTO,
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
        sections=_outline(
            (
                "Statut général",
                "vert, orange ou rouge pour chaque plateforme examinée, et le fait qui le justifie",
            ),
            ("Métriques", "disponibilité, activité du code, tickets et pull requests ouverts, en tableau"),
            ("Incidents", "les pannes et dégradations constatées, leur durée et leur issue"),
            ("Livraisons", "les versions et changements récents, datés"),
            ("Risques", "ce qui menace la stabilité ou le calendrier, avec sa gravité"),
            ("Recommandations", "les actions proposées, de la plus à la moins urgente"),
        ),
    ),
    RunType(
        key="SECURITY_AUDIT_RLS",
        label="Audit Sécurité RLS",
        agent=_CISO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.18"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.DATABASE_CATALOGUE),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles failles et quelles erreurs de configuration ont été publiées récemment au sujet de "
            "PostgreSQL, de Supabase, de PostgREST et des règles d'accès par ligne (row level security), et "
            "quelles pratiques de vérification sont recommandées ? Citer les identifiants CVE, les versions "
            "touchées et les correctifs.",
        ),
        steps=("Scan tables", "Analyse politiques", "Détection vulnérabilités", "Benchmarking", "Rapport"),
        schedule=Schedule(
            key="weekly_security_audit",
            name="Audit Sécurité Hebdomadaire",
            description="La vérification hebdomadaire des règles d'accès aux données.",
            calendar=Calendar(hours=(8,), weekdays=(Weekday.MONDAY,)),
            priority=Priority.HIGH,
        ),
        purpose="Il vérifie que chaque table de la base ne livre ses lignes qu'à ceux qui y ont droit (RLS).",
        sections=_outline(
            ("Tables analysées", "le nombre de tables lues au catalogue et celles qui sortent du périmètre"),
            (
                "Politiques en place",
                "par table : RLS active ou non, politiques, rôles et opérations couverts",
            ),
            (
                "Vulnérabilités potentielles",
                "les accès trop larges, tables sans politique et fonctions exposées, avec le scénario d'abus",
            ),
            ("Conformité par table", "un tableau : table, conforme, à corriger ou non évaluée, motif"),
            (
                "Remédiation priorisée",
                "les corrections à mener, de la plus à la moins urgente, avec l'effort estimé",
            ),
            ("Score", "une note sur 100 et le détail des points retirés"),
        ),
    ),
    RunType(
        key="RELEASE_GATE_CHECK",
        label="Vérification Gate Release",
        agent=_CTO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.12"),
        risk=Risk.HIGH,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS),
        steps=("Fetch GitHub PRs", "Revue technique", "Revue sécurité", "Décision"),
        purpose="Il dit si une version est prête à sortir, et à quelles conditions ; il ne publie rien.",
        sections=_outline(
            (
                "Liste de contrôle technique",
                "pull requests, tests, migrations, dépendances : validé, en défaut ou non vérifiable",
            ),
            ("Liste de contrôle sécurité", "secrets, droits d'accès, failles connues, selon la même échelle"),
            (
                "Liste de contrôle produit",
                "périmètre tenu, textes, aide aux utilisateurs, mesure d'usage, selon la même échelle",
            ),
            ("Risques", "ce qui pourrait mal se passer après la sortie, avec probabilité et gravité"),
            ("Décision", "GO, NO-GO ou GO sous conditions, motivé par les contrôles ci-dessus"),
            ("Conditions", "ce qui doit être fait avant la sortie, par qui, et comment le vérifier"),
        ),
    ),
    RunType(
        key="DEPLOY_TO_PRODUCTION",
        label="Déploiement Production",
        agent=_CTO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.15"),
        risk=Risk.CRITICAL,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS),
        steps=("Vérification pré-deploy", "Audit sécurité", "Analyse risques", "Décision GO/NO-GO"),
        purpose="Il réunit les vérifications qui précèdent une mise en production ; il ne déploie rien.",
        sections=_outline(
            (
                "Contrôles avant déploiement",
                "branche, tests, migrations, sauvegarde, surveillance : validé, en défaut ou non vérifiable",
            ),
            (
                "Vérification de sécurité",
                "droits, secrets et dépendances touchés par les changements à livrer",
            ),
            (
                "Impact estimé",
                "fonctions et utilisateurs concernés, interruption prévisible, charge attendue",
            ),
            ("Risques", "chaque risque avec sa gravité, son signe avant-coureur et sa parade"),
            ("Décision", "GO, NO-GO ou GO sous conditions, avec les faits qui la fondent"),
            (
                "Plan de retour arrière",
                "les étapes pour revenir à l'état précédent et le seuil qui les déclenche",
            ),
        ),
    ),
    RunType(
        key="RLS_POLICY_UPDATE",
        label="Modification Politique RLS",
        agent=_CISO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.20"),
        risk=Risk.CRITICAL,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.DATABASE_CATALOGUE),
        steps=("Analyse politique actuelle", "Évaluation modification", "Analyse impact", "Décision"),
        purpose="Il évalue un changement proposé des règles d'accès aux données ; il n'en modifie aucune.",
        sections=_outline(
            ("Politique actuelle", "les tables, rôles et opérations que la règle couvre aujourd'hui"),
            ("Modification proposée", "ce qui changerait, reformulé : qui pourrait lire ou écrire quoi"),
            ("Impact sur la sécurité", "les accès gagnés et perdus, et les données personnelles exposées"),
            ("Risques", "les fuites, blocages ou contournements possibles, avec leur gravité"),
            ("Avis", "accepter ou refuser, avec le motif déterminant"),
            ("Alternatives", "des règles plus étroites qui répondraient au même besoin"),
        ),
    ),
    RunType(
        key="COMPETITIVE_ANALYSIS",
        label="Analyse Concurrentielle",
        agent=_CSO,
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
        max_parallel=_CRAWLING_RUNS,
        autopilot_default=True,
        purpose="Il situe nos plateformes face à leurs concurrents et dit où agir.",
        sections=_outline(
            ("Profils des concurrents", "pour chacun : offre, public, prix publics et actualité récente"),
            ("Forces et faiblesses", "les leurs et les nôtres, en tableau, chacune appuyée par un fait"),
            ("Positionnement", "la promesse de chacun et la place qu'elle nous laisse"),
            ("Technologies", "les choix techniques visibles et l'avantage qu'ils donnent"),
            ("Opportunités", "les besoins mal servis que nous pourrions prendre, et pourquoi maintenant"),
            ("Menaces", "les mouvements qui pourraient nous coûter des utilisateurs"),
            ("Recommandations", "les actions à mener, avec leur effet attendu et leur effort"),
        ),
    ),
    RunType(
        key="QUALITY_AUDIT",
        label="Audit Qualité",
        agent=_CTO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.15"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB),
        steps=("Analyse code", "Revue tests", "Évaluation dette technique", "Scoring", "Recommandations"),
        purpose="Il juge la qualité du code des plateformes et hiérarchise les corrections.",
        sections=_outline(
            ("Périmètre", "les dépôts et la période examinés, et ce qui n'a pas pu l'être"),
            ("Conformité du code", "le respect des conventions et des règles de revue, exemples à l'appui"),
            ("Couverture des tests", "ce qui est testé, ce qui ne l'est pas, et le risque qui en résulte"),
            ("Dette technique", "les chantiers repoussés, leur coût probable et leur évolution"),
            ("Maintenabilité", "ce qui facilite ou freine un changement : taille, couplage, documentation"),
            ("Performance", "les lenteurs constatées ou signalées et leur cause présumée"),
            ("Score", "une note sur 100 et le détail des points retirés"),
            (
                "Plan de remédiation",
                "les corrections par ordre d'effet, avec l'effort et le responsable proposé",
            ),
        ),
    ),
    RunType(
        key="ADS_PERFORMANCE_REVIEW",
        label="Revue Performance Publicitaire",
        agent=_CMO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.10"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.MONTH,
            query="Quels sont les repères actuels de performance de la publicité en ligne pour des services "
            "numériques de santé et de bien-être en Europe : coût par clic, taux de conversion, coût "
            "d'acquisition par canal (recherche, réseaux sociaux, vidéo), et quelles règles des régies ont "
            "changé ?",
        ),
        steps=("Collecte données ads", "Analyse performance", "Benchmarking", "Recommandations"),
        purpose="Il mesure ce que rapporte l'acquisition payante et propose où mettre le prochain euro.",
        sections=_outline(
            ("Campagnes actives", "chaque campagne : plateforme, objectif, dates et état"),
            ("Budget et dépenses par canal", "un tableau : prévu, dépensé, écart"),
            ("Indicateurs", "impressions, clics, conversions, coût d'acquisition et retour sur dépense"),
            ("Performance des audiences", "les publics qui répondent, ceux qui ne répondent pas"),
            ("Tests A/B", "les variantes comparées, le résultat et sa solidité"),
            ("Alertes", "les dérives de coût, de rythme ou de qualité à corriger vite"),
            ("Optimisations", "les réglages proposés, avec le gain attendu"),
            ("Plan de la semaine suivante", "les campagnes à lancer, modifier ou arrêter, jour par jour"),
        ),
    ),
    RunType(
        key="GROWTH_STRATEGY_REVIEW",
        label="Revue Stratégie Croissance",
        agent=_CGO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.22"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.MONTH,
            query="Quels leviers de croissance donnent aujourd'hui des résultats mesurés pour des logiciels par "
            "abonnement dans la santé et le bien-être en Europe : acquisition, activation, rétention, prix, "
            "partenariats avec des employeurs ou des mutuelles ? Donner les chiffres publiés et leur source.",
        ),
        steps=("Analyse métriques", "Évaluation leviers", "Projections", "Recommandations"),
        purpose="Il fait le bilan de la croissance et désigne les leviers à actionner.",
        sections=_outline(
            ("Bilan de croissance", "ce qui a progressé, stagné ou reculé sur la période, et pourquoi"),
            ("Métriques clés", "acquisition, activation, rétention, revenu et recommandation, en tableau"),
            ("Leviers", "chaque levier avec son potentiel, son effort et le premier essai à mener"),
            ("Tendances et projections", "l'évolution probable, les hypothèses retenues et leur fragilité"),
            ("Recommandations", "les choix proposés à la présidence, par ordre de priorité"),
        ),
    ),
    RunType(
        key="OKR_QUARTERLY_REVIEW",
        label="Revue OKR Trimestrielle",
        agent=_COO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.08"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB),
        steps=("Collecte OKR", "Évaluation progression", "Analyse écarts", "Recommandations"),
        purpose="Il mesure où en sont les objectifs du trimestre et ce qu'il faut ajuster.",
        sections=_outline(
            ("État des objectifs", "chaque objectif : en avance, à l'heure, en retard ou non mesuré"),
            ("Progression des résultats clés", "un tableau : résultat clé, cible, valeur atteinte, écart"),
            ("Réussites", "ce qui a été atteint et la preuve dans les données"),
            ("Objectifs en danger", "ceux qui risquent d'être manqués, la cause et le délai restant"),
            ("Ajustements", "les cibles, moyens ou priorités à revoir, avec le motif"),
        ),
    ),
    RunType(
        key="COMPLIANCE_RGPD_CHECK",
        label="Vérification Conformité RGPD",
        agent=_DPO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.16"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles décisions, sanctions et recommandations récentes de la CNIL et du Comité européen de la "
            "protection des données concernent les données de santé, les émotions, les mineurs ou "
            "l'intelligence artificielle, et quelles obligations en découlent pour un éditeur d'applications ?",
        ),
        steps=("Inventaire traitements", "Vérification bases légales", "Audit droits", "Rapport"),
        purpose="Il vérifie que les traitements de données personnelles respectent le RGPD, point par point.",
        sections=_outline(
            ("Registre des traitements", "les traitements connus : finalité, données, durée, destinataires"),
            ("Bases légales", "la base invoquée pour chaque traitement et sa solidité"),
            (
                "Droits des personnes",
                "information, accès, rectification, effacement, portabilité : réel ou absent",
            ),
            ("Analyses d'impact", "les traitements qui exigent une AIPD, faite, à faire ou inconnue"),
            ("Non-conformités", "chaque écart, l'article concerné et sa gravité"),
            ("Remédiation", "les mesures à prendre, avec échéance et responsable proposés"),
        ),
    ),
    RunType(
        key="SEO_AUDIT",
        label="Audit SEO",
        agent=_CMO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.20"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.FIRECRAWL),
        search=Search(
            recency=Recency.MONTH,
            query="Qu'est-ce qui a changé récemment dans le classement des moteurs de recherche (mises à jour de "
            "Google, réponses générées par IA, exigences de qualité pour les sujets de santé), et quelles "
            "pratiques techniques et éditoriales sont recommandées aux sites francophones de santé et de bien- "
            "être ?",
        ),
        pages=PageSet.OWN_SITES,
        steps=("Audit technique", "Analyse contenu", "Analyse backlinks", "Recommandations"),
        max_parallel=_CRAWLING_RUNS,
        purpose="Il examine comment les moteurs de recherche voient nos sites et comment y gagner.",
        sections=_outline(
            ("Positionnement", "les requêtes où nos pages apparaissent, leur rang et son évolution"),
            (
                "Analyse technique",
                "titres, balises, indexation, vitesse, mobile : ce que montrent les pages lues",
            ),
            ("Contenu", "la qualité, l'unicité et l'adéquation des textes aux recherches visées"),
            ("Liens entrants", "les sites qui nous citent, leur valeur et les liens à obtenir"),
            ("Pistes de croissance", "les requêtes et sujets accessibles que nous ne couvrons pas"),
            ("Plan d'action", "les corrections et créations, par effet attendu et effort"),
        ),
    ),
    RunType(
        key="CONTENT_CALENDAR_PLAN",
        label="Plan Calendrier Éditorial",
        agent=_CMO,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.06"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.WEEK,
            query="Quels sujets de santé mentale, de bien-être au travail et de formation des soignants font "
            "l'actualité en France cette semaine, quelles journées de sensibilisation ont lieu dans les trois "
            "semaines à venir, et quels formats rencontrent leur public ?",
        ),
        steps=("Analyse tendances", "Planification sujets", "Attribution canaux", "Calendrier"),
        purpose="Il propose les contenus des deux prochaines semaines.",
        sections=_outline(
            ("Calendrier", "un tableau sur deux semaines : date, sujet, format, plateforme, responsable"),
            (
                "Sujets prioritaires",
                "les thèmes retenus et le fait d'actualité ou le besoin qui les justifie",
            ),
            ("Répartition par canal", "ce qui va à chaque canal, à quel rythme et pourquoi"),
            ("Objectif de chaque contenu", "ce que chacun doit obtenir : notoriété, inscription, fidélité"),
            ("Indicateurs de suivi", "la mesure qui dira si chaque contenu a réussi"),
        ),
    ),
    RunType(
        key="REVENUE_FORECAST",
        label="Prévisions Revenus",
        agent=_CFO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.14"),
        sources=(SourceName.PLATFORMS, SourceName.STRIPE),
        steps=("Collecte Stripe", "Analyse pipeline", "Modélisation", "Projections"),
        purpose="Il projette les revenus à partir de ce qui est encaissé et signé.",
        sections=_outline(
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
        key="LEAD_SCORING_UPDATE",
        label="Mise à Jour Scoring Leads",
        agent=_CGO,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.07"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.YEAR,
            query="Quels critères et quels seuils de notation des prospects sont tenus pour efficaces dans la vente "
            "de logiciels de santé et de bien-être aux entreprises et aux établissements de soins en Europe, et "
            "quels taux de conversion par source de contact sont publiés ?",
        ),
        steps=("Collecte leads", "Application scoring", "Priorisation", "Rapport"),
        purpose="Il dit quels contacts méritent un effort commercial, et selon quels critères.",
        sections=_outline(
            ("Contacts entrants", "leur nombre, leur origine et leur évolution"),
            ("Critères de notation", "les critères appliqués, leur poids et leur raison"),
            (
                "Contacts chauds",
                "ceux à rappeler d'abord et le signal qui les distingue, sans donnée superflue",
            ),
            ("Conversion par source", "un tableau : source, contacts, conversions, taux"),
            ("Améliorations de la notation", "les critères à ajouter, corriger ou retirer"),
        ),
    ),
    RunType(
        key="FINANCIAL_REPORT",
        label="Rapport Financier",
        agent=_CFO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.12"),
        sources=(SourceName.PLATFORMS, SourceName.STRIPE),
        steps=("Fetch Stripe data", "Calcul KPIs", "Analyse tendances", "Rapport"),
        purpose="Il rend compte de la situation financière telle que les encaissements la montrent.",
        sections=_outline(
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
        key="RGPD_AUDIT",
        label="Audit RGPD",
        agent=_DPO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.16"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles mesures de sécurité, quelle documentation et quelles preuves la CNIL attend-elle "
            "aujourd'hui lors d'un contrôle chez un éditeur de services numériques de santé (hébergement, sous- "
            "traitants, durées, droits des personnes), et quels manquements ont été sanctionnés récemment ?",
        ),
        steps=("Inventaire traitements", "Audit mesures", "Vérification droits", "Rapport"),
        purpose="Il audite la protection des données personnelles, des mesures prises aux preuves.",
        sections=_outline(
            ("État des traitements", "les traitements recensés, leurs responsables et leurs sous-traitants"),
            (
                "Mesures de sécurité",
                "accès, chiffrement, journalisation, sauvegarde : constaté ou non vérifié",
            ),
            ("Documentation", "registre, mentions, contrats et procédures : présent, daté ou absent"),
            ("Gestion des droits", "comment les demandes des personnes sont reçues, suivies et closes"),
            ("Écarts", "chaque manquement, la règle concernée et sa gravité"),
            ("Actions correctives", "les mesures à prendre, dans l'ordre, avec leur échéance"),
        ),
    ),
    RunType(
        key="VULNERABILITY_SCAN",
        label="Scan Vulnérabilités",
        agent=_CISO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.18"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ALERTS),
        steps=("Scan dépendances", "Analyse config", "Tests sécurité", "Rapport"),
        purpose="Il recense les failles que les données révèlent et dit dans quel ordre les fermer.",
        sections=_outline(
            ("Périmètre", "ce qui a été examiné, par quel moyen, et ce qui reste hors de vue"),
            (
                "Failles critiques",
                "celles qui exposent des données ou un accès dès aujourd'hui, avec la preuve",
            ),
            ("Failles élevées", "celles qu'un attaquant pourrait exploiter sous condition"),
            ("Failles moyennes", "celles qui affaiblissent la défense sans ouvrir d'accès"),
            ("Points conformes", "les protections dont les données attestent"),
            (
                "Plan de remédiation",
                "les corrections par ordre d'urgence, avec délai et responsable proposés",
            ),
        ),
    ),
    RunType(
        key="ROADMAP_UPDATE",
        label="Mise à Jour Roadmap",
        agent=_CPO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.08"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB),
        steps=("Revue livrables", "Analyse backlog", "Priorisation", "Mise à jour roadmap"),
        purpose="Il remet la feuille de route en accord avec ce qui est livré et ce qui attend.",
        sections=_outline(
            ("Vision", "le cap du produit en quelques lignes et ce qui l'a confirmé ou infléchi"),
            ("Livraisons récentes", "ce qui est sorti, daté, et le besoin auquel cela répond"),
            ("Carnet à trois mois", "les chantiers à venir, ordonnés, avec leur taille et leurs dépendances"),
            ("Fonctions en développement", "l'avancement visible dans le code, les blocages et la suite"),
            ("Adoption", "l'usage mesuré des fonctions livrées"),
            ("Changements de priorité", "ce qui monte, ce qui descend, et la raison"),
        ),
    ),
    RunType(
        key="CODE_REVIEW",
        label="Revue de Code",
        agent=_CTO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.12"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB),
        steps=("Analyse code", "Détection patterns", "Évaluation dette", "Recommandations"),
        purpose="Il relit les changements récents du code et signale ce qui mérite correction.",
        sections=_outline(
            ("Mesures du code", "volume et fréquence des changements, pull requests, délai de revue"),
            ("Bonnes pratiques", "ce qui est bien fait et doit être conservé, exemples à l'appui"),
            ("Signes de fragilité", "duplication, complexité, nommage ou structure qui gênent la lecture"),
            (
                "Bogues possibles",
                "les défauts que les changements laissent craindre, et comment les confirmer",
            ),
            ("Dette technique", "les raccourcis pris, ce qu'ils coûtent et leur urgence"),
            ("Recommandations", "les corrections proposées, de la plus à la moins utile"),
        ),
    ),
    RunType(
        key="DEPLOYMENT_CHECK",
        label="Vérification Déploiements",
        agent=_CTO,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.06"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ACTIONS),
        steps=("Check pipelines", "Analyse métriques", "Évaluation risques", "Rapport"),
        purpose="Il contrôle la santé des déploiements et de la chaîne d'intégration.",
        sections=_outline(
            ("Statut par plateforme", "la dernière version en ligne, sa date et l'état du site"),
            ("Santé de l'intégration continue", "les chaînes en succès, en échec ou absentes"),
            ("Mesures de construction", "durée, fréquence et taux de réussite, en tableau"),
            ("Déploiements en échec", "chacun avec sa date, sa cause et sa suite"),
            ("Retours arrière", "les versions annulées et ce qui les a provoquées"),
            ("Optimisations", "ce qui rendrait les livraisons plus sûres ou plus rapides"),
        ),
    ),
    RunType(
        key="DATA_INSIGHTS_REPORT",
        label="Rapport Insights Data",
        agent=_CDO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.14"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles études récentes chiffrent l'usage des applications de santé mentale, de bien-être et de "
            "formation médicale en France et en Europe : fréquentation, rétention, segments d'utilisateurs, "
            "saisonnalité ? Donner la méthode, la date et la source de chaque chiffre.",
        ),
        steps=("Collecte données", "Analyse segments", "Détection tendances", "Insights"),
        purpose="Il tire des données disponibles les enseignements qui peuvent changer une décision.",
        sections=_outline(
            ("Métriques clés", "les mesures disponibles, leur période et leur fiabilité"),
            ("Tendances", "ce qui monte ou descend durablement, distingué du bruit"),
            ("Segments", "les groupes qui se comportent autrement, et en quoi"),
            ("Enseignements", "chaque constat avec la décision qu'il éclaire"),
            ("Recommandations", "les actions et les mesures à mettre en place, par priorité"),
        ),
    ),
    RunType(
        key="AGENT_PERFORMANCE_REVIEW",
        label="Revue Performance Agents",
        agent=_COO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.08"),
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.RUN_HISTORY),
        steps=("Collecte métriques", "Analyse performance", "Évaluation coûts", "Recommandations"),
        purpose="Il évalue le travail des agents IA : ce qu'ils produisent, leur coût et leurs échecs.",
        sections=_outline(
            ("Mesures globales", "exécutions, réussites, échecs et durées de la période"),
            ("Meilleurs résultats", "les agents et types d'exécution les plus fiables, chiffres à l'appui"),
            ("Résultats faibles", "ceux qui échouent ou traînent, et la cause qui ressort"),
            ("Coût de l'IA", "la dépense par agent et par type, rapportée au nombre de rapports utiles"),
            ("Tendances d'usage", "ce qui est plus ou moins demandé qu'avant, et à quels moments"),
            ("Recommandations", "les réglages, arrêts ou renforts proposés"),
        ),
    ),
    RunType(
        key="TECH_WATCH_REPORT",
        label="Rapport Veille Technologique",
        agent=_CTO,
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
        max_parallel=_CRAWLING_RUNS,
        purpose="Il trie les nouveautés techniques et dit lesquelles comptent pour nos plateformes.",
        sections=_outline(
            ("Innovations", "les annonces récentes qui touchent nos métiers, datées et sourcées"),
            ("Tendances du marché", "les mouvements de fond et les acteurs qui les portent"),
            ("Technologies émergentes", "ce qui mûrit, son degré de maturité et son horizon"),
            (
                "Applications chez nous",
                "l'usage possible sur une plateforme précise, avec le bénéfice attendu",
            ),
            ("Menaces", "ce qui pourrait rendre un de nos choix obsolète ou risqué"),
            ("Recommandations de R&D", "les essais à mener, à suivre ou à écarter"),
        ),
    ),
    RunType(
        key="MARKETING_WEEK_PLAN",
        label="Plan Marketing Hebdomadaire",
        agent=_CMO,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.04"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.FIRECRAWL),
        search=Search(
            recency=Recency.WEEK,
            query="Quels événements, tendances et prises de parole de la semaine, en France, peuvent porter une "
            "campagne sur le bien-être émotionnel, la santé au travail ou la formation médicale, et que "
            "publient en ce moment les marques concurrentes ?",
        ),
        pages=PageSet.COMPETITORS,
        steps=("Veille concurrentielle", "Revue objectifs", "Planning campagnes", "Allocation ressources"),
        schedule=Schedule(
            key="weekly_marketing_plan",
            name="Plan Marketing Hebdomadaire",
            description="Les objectifs, campagnes et contenus de la semaine qui s'ouvre.",
            calendar=Calendar(hours=(9,), weekdays=(Weekday.MONDAY,)),
            priority=Priority.MEDIUM,
        ),
        max_parallel=_CRAWLING_RUNS,
        autopilot_default=True,
        purpose="Il organise la semaine marketing : objectifs, campagnes, contenus et moyens.",
        sections=_outline(
            (
                "Objectifs SMART",
                "trois objectifs au plus : précis, mesurables, atteignables, utiles et datés",
            ),
            ("Campagnes actives", "celles en cours, leur état et l'ajustement de la semaine"),
            ("Contenus à produire", "un tableau : contenu, plateforme, canal, échéance"),
            ("Canaux prioritaires", "ceux sur lesquels concentrer l'effort, et le signal qui le justifie"),
            ("Budget", "la répartition proposée entre canaux et campagnes"),
            ("Indicateurs", "ce qui sera mesuré en fin de semaine, avec la cible"),
            ("Enseignements de la concurrence", "ce que font les concurrents et ce que nous en retenons"),
        ),
    ),
    RunType(
        key="MASS_EMAIL_CAMPAIGN",
        label="Campagne Email de Masse",
        agent=_CMO,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.15"),
        risk=Risk.HIGH,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles sont les règles et pratiques actuelles de l'envoi de courriels en nombre vers des "
            "destinataires français : consentement selon la CNIL, exigences de Gmail et d'Outlook envers les "
            "expéditeurs, taux d'ouverture et de désinscription de référence dans la santé et le bien-être ?",
        ),
        steps=("Définition cible", "Création contenu", "Vérification RGPD", "Planification envoi"),
        purpose="Il prépare le plan d'un envoi en nombre ; il n'envoie aucun message.",
        sections=_outline(
            ("Objectif", "le résultat visé, mesurable, et la raison d'écrire maintenant"),
            ("Segments visés", "les groupes de destinataires, leur taille connue et les exclusions"),
            ("Contenu", "objet, accroche, message et appel à l'action, avec une variante à tester"),
            ("Résultats attendus", "ouvertures, clics, conversions et désinscriptions, et sur quelle base"),
            (
                "Conformité RGPD",
                "consentement, désinscription, mentions et durée : acquis, à vérifier ou absent",
            ),
            ("Calendrier d'envoi", "dates, heures, paliers et critère d'arrêt"),
            ("Coût", "le coût de l'envoi et de sa préparation, d'après les éléments fournis"),
        ),
    ),
    RunType(
        key="PRICING_CHANGE",
        label="Modification Tarifs",
        agent=_CFO,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.20"),
        risk=Risk.CRITICAL,
        sources=(SourceName.PLATFORMS, SourceName.STRIPE),
        steps=("Analyse tarification actuelle", "Modélisation impact", "Analyse risques", "Recommandation"),
        purpose="Il étudie un changement de tarif ; il ne modifie aucun prix.",
        sections=_outline(
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


# ── Looking up ───────────────────────────────────────────────────────────────────────────────


_T = TypeVar("_T")


def _index(pairs: Iterable[tuple[str, _T]]) -> Mapping[str, _T]:
    """Build a read-only table that refuses a key given twice."""
    table: dict[str, _T] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the registry holds {key!r} twice")
        table[key] = value
    return MappingProxyType(table)


RUN_TYPES: Final = _index((entry.key, entry) for entry in _ENTRIES)
"""Every run type by its key. Only these keys exist: the table inherits nothing."""

JOBS: Final = _index(
    (entry.schedule.key, Job(run_type=entry.key, **dict(entry.schedule))) for entry in _ENTRIES if entry.schedule
)
"""Every scheduled job by its own key, without the aliases."""


def find_run_type(key: str) -> RunType:
    """Return the run type of exactly this key.

    Raises: UnknownRunType.
    """
    try:
        return RUN_TYPES[key]
    except KeyError:
        raise UnknownRunType.named(key) from None


def label_of(key: str) -> str:
    """Return the French name of a run type; an unknown key is shown with spaces."""
    entry = RUN_TYPES.get(key)
    return entry.label if entry else key.replace("_", " ")


def registry_facts() -> dict[str, JsonValue]:
    """Return the whole registry as JSON values."""
    return {
        "time_zone": TIME_ZONE.key,
        "unknown_cost_eur": str(UNKNOWN_COST_EUR),
        "run_types": {key: entry.facts() for key, entry in RUN_TYPES.items()},
    }


def _fingerprint(facts: JsonValue) -> str:
    canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


REGISTRY_VERSION: Final = _fingerprint(registry_facts())
"""A fingerprint of every fact above, by which a mirror knows that it is stale."""


# ── The system prompt ────────────────────────────────────────────────────────────────────────


@cache
def _system_template() -> Template:
    return Template(files("shared").joinpath("prompts", "system.md").read_text(encoding="utf-8"))


_CLOSING: Final = Section(
    title=MISSING_DATA_SECTION,
    content="chaque donnée que ce plan attend et qui n'a pas été fournie, avec la source qui la donnerait ; "
    "« Aucune » s'il n'en manque pas",
)


def render_system_prompt(run_type: RunType) -> str:
    """Render what the model is told before any data: who it is, its mission, the outline, the rules."""
    outline = (*run_type.sections, _CLOSING)
    return _system_template().substitute(
        agent=run_type.agent.name,
        role=run_type.agent.role,
        label=run_type.label,
        purpose=run_type.purpose,
        steps="\n".join(f"{number}. {step}" for number, step in enumerate(run_type.steps, start=1)),
        outline="\n".join(
            f"{number}. **{section.title}** — {section.content}." for number, section in enumerate(outline, start=1)
        ),
        data_tag=DATA_TAG,
        missing_data=MISSING_DATA_SECTION,
    )
