"""Reports of the security director: access rules and vulnerabilities."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    Calendar,
    Kept,
    ModelTier,
    Priority,
    Recency,
    Risk,
    RunType,
    Schedule,
    Search,
    SourceName,
    Weekday,
    section,
)

AGENT: Final = Agent(name="CISO Agent", emoji="🔒", role="Directeur Sécurité", title="le directeur de la sécurité")

ENTRIES: Final = (
    RunType(
        key="SECURITY_AUDIT_RLS",
        label="Audit Sécurité RLS",
        agent=AGENT,
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
        sections=(
            section(
                "Tables analysées",
                "le nombre de tables lues au catalogue et celles qui sortent du périmètre",
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Politiques en place",
                "par table : RLS active ou non, politiques, rôles et opérations couverts",
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Vulnérabilités potentielles",
                "les accès trop larges, tables sans politique et fonctions exposées, avec le scénario d'abus",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Conformité par table",
                "chaque table : conforme, à corriger ou non évaluée, avec le motif",
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Remédiation priorisée",
                "les corrections à mener, de la plus à la moins urgente, avec l'effort estimé",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.DATABASE_CATALOGUE, SourceName.PERPLEXITY),
            ),
            section(
                "Score", "une note sur 100 et le détail des points retirés", fed_by=(SourceName.DATABASE_CATALOGUE,)
            ),
        ),
    ),
    RunType(
        key="RLS_POLICY_UPDATE",
        label="Modification Politique RLS",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.20"),
        risk=Risk.CRITICAL,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.DATABASE_CATALOGUE),
        steps=("Analyse politique actuelle", "Évaluation modification", "Analyse impact", "Décision"),
        purpose="Il évalue un changement proposé des règles d'accès aux données ; il n'en modifie aucune.",
        sections=(
            section(
                "Politique actuelle",
                "les tables, rôles et opérations que la règle couvre aujourd'hui",
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Modification proposée",
                "ce qui changerait, reformulé : qui pourrait lire ou écrire quoi",
                proposes=True,
            ),
            section(
                "Impact sur la sécurité",
                "les accès gagnés et perdus, et les données personnelles exposées",
                proposes=True,
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Risques",
                "les fuites, blocages ou contournements possibles, avec leur gravité",
                proposes=True,
                keeps=Kept.ALERTS,
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Avis",
                "accepter ou refuser, avec le motif déterminant",
                proposes=True,
                keeps=Kept.DECISIONS,
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
            section(
                "Alternatives",
                "des règles plus étroites qui répondraient au même besoin",
                proposes=True,
                fed_by=(SourceName.DATABASE_CATALOGUE,),
            ),
        ),
    ),
    RunType(
        key="VULNERABILITY_SCAN",
        label="Scan Vulnérabilités",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.18"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.GITHUB, SourceName.GITHUB_ALERTS),
        steps=("Scan dépendances", "Analyse config", "Tests sécurité", "Rapport"),
        purpose="Il recense les failles que les données révèlent et dit dans quel ordre les fermer.",
        sections=(
            section(
                "Périmètre",
                "ce qui a été examiné, par quel moyen, et ce qui reste hors de vue",
                fed_by=(SourceName.GITHUB_ALERTS, SourceName.GITHUB),
            ),
            section(
                "Failles critiques",
                "celles qui exposent des données ou un accès dès aujourd'hui, avec la preuve",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.GITHUB_ALERTS,),
            ),
            section(
                "Failles élevées",
                "celles qu'un attaquant pourrait exploiter sous condition",
                fed_by=(SourceName.GITHUB_ALERTS,),
            ),
            section(
                "Failles moyennes",
                "celles qui affaiblissent la défense sans ouvrir d'accès",
                fed_by=(SourceName.GITHUB_ALERTS,),
            ),
            section("Points conformes", "les protections dont les données attestent"),
            section(
                "Plan de remédiation",
                "les corrections par ordre d'urgence, avec délai et responsable proposés",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.GITHUB_ALERTS,),
            ),
        ),
    ),
)
