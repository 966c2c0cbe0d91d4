"""Reports of the data protection officer: the RGPD (GDPR)."""

from decimal import Decimal
from typing import Final

from shared.run_types.model import (
    Agent,
    Kept,
    ModelTier,
    Recency,
    Risk,
    RunType,
    Search,
    SourceName,
    section,
)

AGENT: Final = Agent(
    name="DPO Agent", emoji="🛡️", role="Délégué Protection Données", title="le délégué à la protection des données"
)

ENTRIES: Final = (
    RunType(
        key="COMPLIANCE_RGPD_CHECK",
        label="Vérification Conformité RGPD",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.16"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.PERSONAL_DATA),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles décisions, sanctions et recommandations récentes de la CNIL et du Comité européen de la "
            "protection des données concernent les données de santé, les émotions, les mineurs ou "
            "l'intelligence artificielle, et quelles obligations en découlent pour un éditeur d'applications ?",
        ),
        steps=("Inventaire traitements", "Vérification bases légales", "Audit droits", "Rapport"),
        purpose="Il vérifie que les traitements de données personnelles respectent le RGPD, point par point.",
        sections=(
            section(
                "Registre des traitements",
                "les traitements connus : finalité, données, durée, destinataires",
                fed_by=(SourceName.PERSONAL_DATA,),
            ),
            section("Bases légales", "la base invoquée pour chaque traitement et sa solidité"),
            section(
                "Droits des personnes", "information, accès, rectification, effacement, portabilité : réel ou absent"
            ),
            section(
                "Analyses d'impact",
                "les traitements qui exigent une AIPD, faite, à faire ou inconnue",
                fed_by=(SourceName.PERSONAL_DATA,),
            ),
            section(
                "Non-conformités",
                "chaque écart, l'article concerné et sa gravité",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.PERSONAL_DATA, SourceName.PERPLEXITY),
            ),
            section(
                "Remédiation",
                "les mesures à prendre, avec échéance et responsable proposés",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.PERSONAL_DATA, SourceName.PERPLEXITY),
            ),
        ),
    ),
    RunType(
        key="RGPD_AUDIT",
        label="Audit RGPD",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.16"),
        risk=Risk.MEDIUM,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.PERSONAL_DATA),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles mesures de sécurité, quelle documentation et quelles preuves la CNIL attend-elle "
            "aujourd'hui lors d'un contrôle chez un éditeur de services numériques de santé (hébergement, "
            "sous-traitants, durées, droits des personnes), et quels manquements ont été sanctionnés récemment ?",
        ),
        steps=("Inventaire traitements", "Audit mesures", "Vérification droits", "Rapport"),
        purpose="Il audite la protection des données personnelles, des mesures prises aux preuves.",
        sections=(
            section(
                "État des traitements",
                "les traitements recensés, leurs responsables et leurs sous-traitants",
                fed_by=(SourceName.PERSONAL_DATA,),
            ),
            section(
                "Mesures de sécurité",
                "accès, chiffrement, journalisation, sauvegarde : constaté ou non vérifié",
                fed_by=(SourceName.PERSONAL_DATA,),
            ),
            section("Documentation", "registre, mentions, contrats et procédures : présent, daté ou absent"),
            section("Gestion des droits", "comment les demandes des personnes sont reçues, suivies et closes"),
            section(
                "Écarts",
                "chaque manquement, la règle concernée et sa gravité",
                keeps=Kept.ALERTS,
                fed_by=(SourceName.PERSONAL_DATA, SourceName.PERPLEXITY),
            ),
            section(
                "Actions correctives",
                "les mesures à prendre, dans l'ordre, avec leur échéance",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.PERSONAL_DATA, SourceName.PERPLEXITY),
            ),
        ),
    ),
)
