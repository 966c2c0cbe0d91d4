"""Reports of the marketing director: advertising, search engines, content and mailings."""

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
    Risk,
    RunType,
    Schedule,
    Search,
    SourceName,
    Weekday,
    section,
)

AGENT: Final = Agent(name="CMO Agent", emoji="📣", role="Directeur Marketing", title="le directeur du marketing")

ENTRIES: Final = (
    RunType(
        key="ADS_PERFORMANCE_REVIEW",
        label="Revue Performance Publicitaire",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.10"),
        sources=(
            SourceName.PLATFORMS,
            SourceName.PERPLEXITY,
            SourceName.AUDIENCE,
            SourceName.COMMERCIAL,
            SourceName.CONTACTS,
        ),
        search=Search(
            recency=Recency.MONTH,
            query="Quels sont les repères actuels de performance de la publicité en ligne pour des services "
            "numériques de santé et de bien-être en Europe : coût par clic, taux de conversion, coût "
            "d'acquisition par canal (recherche, réseaux sociaux, vidéo), et quelles règles des régies ont "
            "changé ?",
        ),
        steps=("Collecte données ads", "Analyse performance", "Benchmarking", "Recommandations"),
        purpose="Il mesure ce que rapporte l'acquisition payante et propose où mettre le prochain euro.",
        sections=(
            section(
                "Campagnes actives",
                "chaque campagne : plateforme, objectif, dates et état",
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section(
                "Budget et dépenses par canal",
                "pour chaque canal : le prévu, le dépensé et l'écart",
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section(
                "Indicateurs",
                "impressions, clics, conversions, coût d'acquisition et retour sur dépense",
                fed_by=(SourceName.AUDIENCE, SourceName.CONTACTS),
            ),
            section("Performance des audiences", "les publics qui répondent, ceux qui ne répondent pas"),
            section("Tests A/B", "les variantes comparées, le résultat et sa solidité"),
            section("Alertes", "les dérives de coût, de rythme ou de qualité à corriger vite", keeps=Kept.ALERTS),
            section(
                "Optimisations",
                "les réglages proposés, avec le gain attendu",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.PERPLEXITY, SourceName.COMMERCIAL),
            ),
            section(
                "Plan de la semaine suivante",
                "les campagnes à lancer, modifier ou arrêter, jour par jour",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY, SourceName.COMMERCIAL),
            ),
        ),
    ),
    RunType(
        key="SEO_AUDIT",
        label="Audit SEO",
        agent=AGENT,
        tier=ModelTier.REASONING,
        cost_eur=Decimal("0.20"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.FIRECRAWL, SourceName.AUDIENCE),
        search=Search(
            recency=Recency.MONTH,
            query="Qu'est-ce qui a changé récemment dans le classement des moteurs de recherche (mises à jour de "
            "Google, réponses générées par IA, exigences de qualité pour les sujets de santé), et quelles "
            "pratiques techniques et éditoriales sont recommandées aux sites francophones de santé et de "
            "bien-être ?",
        ),
        pages=PageSet.OWN_SITES,
        steps=("Audit technique", "Analyse contenu", "Analyse backlinks", "Recommandations"),
        max_parallel=CRAWLING_RUNS,
        purpose="Il examine comment les moteurs de recherche voient nos sites et comment y gagner.",
        sections=(
            section("Positionnement", "les requêtes où nos pages apparaissent, leur rang et son évolution"),
            section(
                "Analyse technique",
                "titres, balises, indexation, vitesse, mobile : ce que montrent les pages lues",
                fed_by=(SourceName.FIRECRAWL,),
            ),
            section(
                "Contenu",
                "la qualité, l'unicité et l'adéquation des textes aux recherches visées",
                fed_by=(SourceName.FIRECRAWL,),
            ),
            section("Liens entrants", "les sites qui nous citent, leur valeur et les liens à obtenir"),
            section(
                "Pistes de croissance",
                "les requêtes et sujets accessibles que nous ne couvrons pas",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY, SourceName.AUDIENCE, SourceName.FIRECRAWL),
            ),
            section(
                "Plan d'action",
                "les corrections et créations, par effet attendu et effort",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.FIRECRAWL,),
            ),
        ),
    ),
    RunType(
        key="CONTENT_CALENDAR_PLAN",
        label="Plan Calendrier Éditorial",
        agent=AGENT,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.06"),
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.AUDIENCE),
        search=Search(
            recency=Recency.WEEK,
            query="Quels sujets de santé mentale, de bien-être au travail et de formation des soignants font "
            "l'actualité en France cette semaine, quelles journées de sensibilisation ont lieu dans les trois "
            "semaines à venir, et quels formats rencontrent leur public ?",
        ),
        steps=("Analyse tendances", "Planification sujets", "Attribution canaux", "Calendrier"),
        purpose="Il propose les contenus des deux prochaines semaines.",
        sections=(
            section(
                "Calendrier",
                "deux semaines, un contenu par ligne : date, sujet, format, plateforme, responsable",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Sujets prioritaires",
                "les thèmes retenus et le fait d'actualité ou le besoin qui les justifie",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Répartition par canal",
                "ce qui va à chaque canal, à quel rythme et pourquoi",
                proposes=True,
                fed_by=(SourceName.AUDIENCE,),
            ),
            section(
                "Objectif de chaque contenu",
                "ce que chacun doit obtenir : notoriété, inscription, fidélité",
                proposes=True,
            ),
            section(
                "Indicateurs de suivi",
                "la mesure qui dira si chaque contenu a réussi",
                proposes=True,
                fed_by=(SourceName.AUDIENCE,),
            ),
        ),
    ),
    RunType(
        key="MARKETING_WEEK_PLAN",
        label="Plan Marketing Hebdomadaire",
        agent=AGENT,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.04"),
        sources=(
            SourceName.PLATFORMS,
            SourceName.PERPLEXITY,
            SourceName.FIRECRAWL,
            SourceName.AUDIENCE,
            SourceName.COMMERCIAL,
        ),
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
        max_parallel=CRAWLING_RUNS,
        autopilot_default=True,
        purpose="Il organise la semaine marketing : objectifs, campagnes, contenus et moyens.",
        sections=(
            section(
                "Objectifs SMART",
                "trois objectifs au plus : précis, mesurables, atteignables, utiles et datés",
                proposes=True,
                keeps=Kept.PRIORITIES,
                fed_by=(SourceName.AUDIENCE, SourceName.COMMERCIAL),
            ),
            section(
                "Campagnes actives",
                "celles en cours, leur état et l'ajustement de la semaine",
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section(
                "Contenus à produire",
                "chaque contenu avec sa plateforme, son canal et son échéance",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Canaux prioritaires",
                "ceux sur lesquels concentrer l'effort, et le signal qui le justifie",
                proposes=True,
                fed_by=(SourceName.AUDIENCE, SourceName.PERPLEXITY),
            ),
            section(
                "Budget",
                "la répartition proposée entre canaux et campagnes",
                proposes=True,
                fed_by=(SourceName.COMMERCIAL,),
            ),
            section(
                "Indicateurs",
                "ce qui sera mesuré en fin de semaine, avec la cible",
                proposes=True,
                fed_by=(SourceName.AUDIENCE,),
            ),
            section(
                "Enseignements de la concurrence",
                "ce que font les concurrents et ce que nous en retenons",
                fed_by=(SourceName.FIRECRAWL, SourceName.PERPLEXITY),
            ),
        ),
    ),
    RunType(
        key="MASS_EMAIL_CAMPAIGN",
        label="Campagne Email de Masse",
        agent=AGENT,
        tier=ModelTier.DEFAULT,
        cost_eur=Decimal("0.15"),
        risk=Risk.HIGH,
        sources=(SourceName.PLATFORMS, SourceName.PERPLEXITY, SourceName.AUDIENCE, SourceName.CONTACTS),
        search=Search(
            recency=Recency.MONTH,
            query="Quelles sont les règles et pratiques actuelles de l'envoi de courriels en nombre vers des "
            "destinataires français : consentement selon la CNIL, exigences de Gmail et d'Outlook envers les "
            "expéditeurs, taux d'ouverture et de désinscription de référence dans la santé et le bien-être ?",
        ),
        steps=("Définition cible", "Création contenu", "Vérification RGPD", "Planification envoi"),
        purpose="Il prépare le plan d'un envoi en nombre ; il n'envoie aucun message.",
        sections=(
            section(
                "Objectif",
                "le résultat visé, mesurable, et la raison d'écrire maintenant",
                proposes=True,
                fed_by=(SourceName.AUDIENCE,),
            ),
            section(
                "Segments visés",
                "les groupes de destinataires, leur taille connue et les exclusions",
                proposes=True,
                fed_by=(SourceName.CONTACTS,),
            ),
            section(
                "Contenu",
                "objet, accroche, message et appel à l'action, avec une variante à tester",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Résultats attendus",
                "ouvertures, clics, conversions et désinscriptions, et sur quelle base",
                proposes=True,
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section(
                "Conformité RGPD",
                "consentement, désinscription, mentions et durée : acquis, à vérifier ou absent",
                fed_by=(SourceName.PERPLEXITY,),
            ),
            section("Calendrier d'envoi", "dates, heures, paliers et critère d'arrêt", proposes=True),
            section("Coût", "le coût de l'envoi et de sa préparation, d'après les éléments fournis", proposes=True),
        ),
    ),
)
