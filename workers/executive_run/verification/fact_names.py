"""The names of our facts as a French report writes them: a closed list, because a name decides what must be equal.

A name is firm where it can mean nothing else; a loose one (« clients », « commits ») is compared, but where it differs
the figure may count something else, and is looked for in the data as any other is. The patterns are for folded text.
"""

from dataclasses import dataclass
from typing import Final

from shared.facts import FactName as F


@dataclass(frozen=True, slots=True)
class Entry:
    """One way of naming facts; several where only the period can say which."""

    names: tuple[F, ...]
    pattern: str
    is_firm: bool = True
    head: str = ""
    """What must have been named before in the sentence (« 12 alertes, dont 2 critiques »)."""


_OPEN: Final = r"(?:encore |toujours |actuellement |aujourd'hui |restes? |restent |sont |est |a ce jour )*"
_PULL: Final = r"(?:pull[- ]requests?|\bprs?\b|demandes? de fusion|merge requests?)"
_PIPELINE: Final = (
    r"(?:pipelines?|workflows?|chaines?(?: d'integration)?|integration continue|\bci\b|builds?|constructions?|"
    r"github actions)"
)
_ALERT: Final = (
    r"(?:alertes?|failles?|vulnerabilites?)(?: de (?:dependances?|securite|gravite))?(?: dependabot)?(?: ouvertes?)?"
)
_ALERT_HEAD: Final = r"alerte|faille|vulnerabilit|dependabot"
_RUNS: Final = r"(?:executions?|rapports?)"
_AI: Final = r"(?:de l'|d'|en |l'|des appels a l')?ia\b"

_ENTRIES: Final = (
    # Money. What only qualifies a longer name comes after it.
    Entry((F.MRR_BEFORE,), r"mrr d'il y a (?:30|trente) jours|mrr (?:il y a|d'avant) "),
    Entry((F.SUBSCRIPTIONS_NOT_VALUED,), r"abonnements?(?: actifs?)? non (?:comptes?|valorises?)"),
    Entry((F.MRR_PER_SUBSCRIPTION,), (
        r"(?:mrr|revenu(?: recurrent)?(?: mensuel)?) moyen par (?:abonnement|abonne)s?(?: actifs?)?|\barpu\b"
    )),
    Entry((F.MRR_PAST_DUE,), (
        r"mrr (?:est |sont |restent )?en (?:retard(?: de paiement)?|souffrance)|en retard de paiement|mrr impaye"
    )),
    Entry((F.NEW_MRR,), r"nouveau mrr|mrr nouveau|\bnew mrr"),
    Entry((F.EXPANDED_MRR,), r"mrr (?:gagne par |d'|issu d'|par |en )(?:extension|expansion)s?"),
    Entry((F.CONTRACTED_MRR,), r"mrr (?:perdu par |de |en |par )(?:reduction|contraction)s?"),
    Entry((F.LOST_MRR,), r"mrr perdu(?: par (?:depart|resiliation)s?)?|mrr resilie|churned mrr"),
    Entry((F.NET_MRR,), r"mouvement net(?: du mrr)?|solde net du mrr|\bnet new mrr"),
    Entry((F.ARR,), r"\barr\b|revenus? (?:recurrents? )?annualises?|revenus? recurrents? annuels?|mrr annualise"),
    Entry((F.MRR_CHANGE,), (
        r"(?:evolution|variation|croissance|progression) (?:mensuelle )?du (?:mrr|revenu recurrent(?: mensuel)?)"
    )),
    Entry((F.MRR_PER_SUBSCRIPTION,), r"mrr moyen", is_firm=False),
    Entry((F.MRR,), r"\bmrr\b(?! moyen\b)|revenus? (?:mensuels? )?recurrents?(?: mensuels?)?"),
    Entry((F.REVENUE_DIFFERENCE,), r"ecart des encaissements"),
    Entry(
        (F.REVENUE_MONTH, F.REVENUE_MONTH_BEFORE, F.REVENUE_LAST_MONTH),
        r"encaissements?(?: nets?)?(?: de remboursements)?|revenus? encaisses?|chiffre d'affaires(?: "
        r"encaisse)?|\bencaisses?\b",
    ),
    Entry((F.REFUNDS_MONTH,), r"(?<!nets de )remboursements?|\brembourses?\b"),
    Entry((F.AI_COST, F.AI_COST_MONTH), (
        rf"(?:couts?|depenses?|budget consomme|facture)(?: totale?s?| globale?s?| cumulee?s?|"
        rf" mensuel(?:le)?s?)* {_AI}|couts? des (?:agents|modeles|executions|rapports)"
    )),
    # Subscribers.
    Entry((F.TRIALING,), (
        r"(?:(?:abonnements?|abonnes?|comptes?|utilisateurs?|clients?) )?(?:en (?:periode d')?|a l')essai|"
        r"essais? (?:gratuits? )?en cours"
    )),
    Entry((F.ACTIVE_SUBSCRIPTIONS_CHANGE,), r"(?:evolution|variation) des abonnements(?: actifs)?"),
    Entry((F.ACTIVE_SUBSCRIPTIONS,), (
        r"abonnements? (?:payants? )?(?:(?:sont |restent )?actifs?)|abonnes? (?:actifs?|payants?)"
    )),
    Entry((F.ACTIVE_SUBSCRIPTIONS,), r"abonnements?|abonnes?", is_firm=False),
    Entry((F.NEW_CUSTOMERS_MONTH,), r"nouve(?:aux|au) clients?|clients? gagnes?|nouveaux(?= ce mois)"),
    Entry((F.CHURNED_CUSTOMERS,), (
        r"(?:abonnes?|clients?) (?:sont )?(?:partis?|perdus?)|departs? (?:d'abonnes?|de clients?|d'abonnements?)|"
        r"resiliations?"
    )),
    Entry((F.CUSTOMERS,), (
        r"clients? (?:au total|enregistres?|chez stripe|en base)|base (?:de )?clients?|nombre de clients"
    )),
    Entry((F.NEW_CUSTOMERS_MONTH,), r"nouveaux\b", head="client"),
    Entry((F.CUSTOMERS,), r"clients?", is_firm=False),
    Entry((F.CHURN_RATE_CHANGE,), r"(?:evolution|variation) (?:de l'attrition|du churn)"),
    Entry((F.CHURN_RATE,), (
        r"(?:taux d')?attrition(?: des abonnes)?|\bchurn(?: rate)?\b|taux de (?:resiliation|depart|desabonnement)s?"
    )),
    # Code.
    Entry((F.OLDEST_ISSUE_AGE,), (
        r"(?:tickets?|issues?)(?: ouverts?)? (?:le|la) plus (?:ancien|vieux|vieille)(?:ne)?|plus (?:ancien|"
        r"vieux)(?: des)? tickets?(?: ouverts?)?"
    )),
    Entry((F.OLDEST_PULL_AGE,), (
        rf"{_PULL}(?: ouvertes?)? la plus (?:ancienne|vieille)|plus (?:ancienne|vieille)(?: des)? {_PULL}(?: "
        rf"ouvertes?)?"
    )),
    Entry((F.OPEN_ISSUES,), (
        rf"(?:tickets?|issues?|anomalies?) {_OPEN}(?:ouverte?s?|non (?:resolu|traite|ferme)e?s?)|"
        rf"tickets?(?=\** et \**\d+\** {_PULL})"
    )),
    Entry((F.OPEN_ISSUES,), r"\btickets?\b|\bissues?\b", is_firm=False),
    Entry((F.OPEN_PULLS,), (
        rf"{_PULL} {_OPEN}(?:ouvertes?|en attente|en cours)|{_PULL}(?=\** et \**\d+\** tickets? ouverts?)"
    )),
    Entry((F.OPEN_PULLS,), _PULL, is_firm=False),
    Entry((F.LAST_COMMIT_AGE,), r"derniers? commits?"),
    Entry((F.LAST_RELEASE_AGE,), r"derniere (?:version|livraison|release|publication)"),
    Entry((F.COMMITS_WEEK,), (
        r"commits? (?:en|sur|ces|dans les|au cours des|des|les) (?:7|sept) (?:derniers )?jours|commits? (?:cette|"
        r"de la|dans la|sur la) semaine"
    )),
    Entry((F.COMMITS_WEEK,), r"\bcommits?\b", is_firm=False),
    Entry((F.WORKFLOW_SUCCESS_RATE,), rf"taux de (?:reussite|succes) (?:des |de la |de l'|du |de )?{_PIPELINE}"),
    Entry((F.RUN_SUCCESS_RATE,), rf"taux de (?:reussite|succes) (?:global )?(?:des |d'|de )?(?:{_RUNS}|agents?)"),
    Entry((F.WORKFLOW_SUCCESS_RATE, F.RUN_SUCCESS_RATE), r"taux de (?:reussite|succes)"),
    Entry((F.WORKFLOW_MEAN_DURATION,), rf"durees? moyennes? (?:des |de la |de l'|du |d'un |d'une |de )?{_PIPELINE}"),
    Entry((F.WORKFLOW_MEAN_DURATION,), r"durees? moyennes?", is_firm=False),
    Entry((F.WORKFLOW_RUNS_FAILED,), rf"(?:executions? de )?{_PIPELINE} (?:sont |ont )?(?:en echec|echouee?s?)"),
    Entry((F.WORKFLOW_RUNS_SUCCEEDED,), rf"(?:executions? de )?{_PIPELINE} (?:sont |ont )?(?:reussie?s?|en succes)"),
    Entry((F.WORKFLOW_RUNS, F.WORKFLOW_RUNS_READ), rf"executions? de {_PIPELINE}(?: enregistrees| lues)?"),
    # Security.
    Entry((F.SEVERE_ALERTS,), rf"{_ALERT} (?:critiques? (?:ou|et) (?:de gravite )?elevees?)"),
    Entry((F.CRITICAL_ALERTS,), rf"{_ALERT} (?:de gravite )?critiques?|{_ALERT} de niveau critique"),
    Entry((F.HIGH_ALERTS,), rf"{_ALERT} (?:de (?:gravite|severite) )?(?:elevees?|hautes?)"),
    Entry((F.MEDIUM_ALERTS,), rf"{_ALERT} (?:de (?:gravite|severite) )?(?:moyennes?|moderees?)"),
    Entry((F.LOW_ALERTS,), rf"{_ALERT} (?:de (?:gravite|severite) )?(?:faibles?|basses?)"),
    Entry((F.OPEN_ALERTS,), (
        rf"alertes? (?:de (?:dependances?|securite)|dependabot)(?: {_OPEN}ouvertes?)?|{_ALERT}(?<=ouverte|uvertes)"
    )),
    Entry((F.SEVERE_ALERTS,), r"critiques? (?:ou|et) (?:de gravite )?(?:elevees?|hautes?)", head=_ALERT_HEAD),
    Entry((F.CRITICAL_ALERTS,), r"\bcritiques?\b", head=_ALERT_HEAD),
    Entry((F.HIGH_ALERTS,), r"\b(?:elevees?|hautes?|de gravite elevee)\b", head=_ALERT_HEAD),
    Entry((F.MEDIUM_ALERTS,), r"\b(?:moyennes?|moderees?|de gravite moyenne)\b", head=_ALERT_HEAD),
    Entry((F.LOW_ALERTS,), r"\b(?:faibles?|basses?|de gravite faible)\b", head=_ALERT_HEAD),
    Entry((F.TABLES_WITHOUT_RLS,), (
        r"tables? (?:sont )?sans (?:rls|row level security|securite par ligne)|\bsans rls\b|tables? (?:dont la|"
        r"avec la|a) rls (?:est )?(?:inactive|desactivee)"
    )),
    Entry((F.TABLES_WITHOUT_POLICY,), r"tables? (?:sont )?sans (?:aucune )?politiques?|\bsans (?:aucune )?politique\b"),
    Entry((F.FUNCTIONS_OPEN_TO_ANON,), (
        r"fonctions? (?:sql )?(?:sont )?(?:appelables?|exposees?|ouvertes?|accessibles?|"
        r"executables?) (?:sans connexion|(?:par|a|au)(?: role)? (?:anon|anonymes?))"
    )),
    Entry((F.TABLES,), r"tables? (?:lues?|analysees?|recensees?|examinees?|au total|(?:du|au) catalogue)"),
    Entry((F.TABLES,), r"\btables?\b", is_firm=False),
    # Platforms.
    Entry((F.PLATFORMS_GREEN,), (
        r"plateformes? (?:sur \d+ )?(?:(?:sont|est|restent|reste|passent|classees?|encore) )*(?:au |en )?vert(?:es?)?\b"
    )),
    Entry((F.PLATFORMS_AMBER,), (
        r"plateformes? (?:sur \d+ )?(?:(?:sont|est|restent|reste|passent|classees?|encore) )*(?:a l'|en )?oranges?\b"
    )),
    Entry((F.PLATFORMS_RED,), (
        r"plateformes? (?:sur \d+ )?(?:(?:sont|est|restent|reste|passent|classees?|encore) )*(?:au |en )?rouges?\b"
    )),
    Entry((F.PLATFORMS_GREEN,), r"\b(?:au vert|vertes?|en vert)\b", head="plateforme"),
    Entry((F.PLATFORMS_AMBER,), r"\b(?:a l'orange|oranges?|en orange)\b", head="plateforme"),
    Entry((F.PLATFORMS_RED,), r"\b(?:au rouge|rouges?|en rouge)\b", head="plateforme"),
    Entry((F.PLATFORMS,), (
        r"plateformes? (?:suivies?|gerees?|au total|enregistrees?|de l'entreprise|du groupe)|nombre de plateformes"
    )),
    Entry((F.PLATFORMS,), r"plateformes?", is_firm=False),
    Entry((F.OUTAGE,), (
        r"indisponibilites?(?: cumulees?)?|(?:minutes?|temps|duree) d'(?:indisponibilite|interruption|arret)|"
        r"interruptions? cumulees?"
    )),
    Entry((F.UPTIME,), r"(?<!in)disponibilites?(?: enregistrees?| mesurees?| moyennes?)?|\buptime\b"),
    Entry((F.CHECKS,), r"controles? (?:de disponibilite|de sante|en 30 jours|sur 30 jours|enregistres?)"),
    # The host's work: deals, audience, messages, personal data.
    Entry((F.SIGNED_DEALS,), r"accords? signes?"),
    Entry((F.OPEN_DEALS,), r"accords? (?:en cours|ouverts?)"),
    Entry((F.OPEN_OPPORTUNITIES,), r"opportunites? (?:ouvertes?|en cours)"),
    Entry((F.CALLS_DUE,), r"appels? a projets? (?:qui (?:echoient|echoit|arrivent a echeance)|a echeance)"),
    Entry((F.OPEN_CALLS,), r"appels? a projets? (?:ouverts?|en cours)"),
    Entry((F.OPEN_SALES,), r"affaires? (?:ouvertes?|en cours)"),
    Entry((F.ACTIVE_CAMPAIGNS,), r"campagnes? actives?"),
    Entry((F.OPEN_TICKETS,), r"demandes? d'assistance (?:ouvertes?|en cours|en attente)"),
    Entry((F.PAGE_VIEWS_WEEK_BEFORE,), r"pages vues les (?:7|sept) jours precedents"),
    Entry((F.PAGE_VIEWS_WEEK, F.PAGE_VIEWS_WEEK_BEFORE), r"pages? vues?"),
    Entry((F.SESSIONS_WEEK,), r"sessions? (?:en|sur|des) (?:7|sept)(?: derniers)? jours"),
    Entry((F.OLDEST_UNREAD_AGE,), r"(?:plus (?:ancien|vieux) )?message non lu(?: le plus (?:ancien|vieux))?(?!s)"),
    Entry((F.UNREAD_MESSAGES,), r"messages? (?:non lus?|sans lecture)"),
    Entry((F.MESSAGES_WEEK, F.MESSAGES_MONTH), r"messages? recus?"),
    Entry((F.ACTIONS_APPROVED,), r"actions? (?:ont ete )?approuvees?"),
    Entry((F.ACTIONS_REJECTED,), r"actions? (?:ont ete )?(?:refusees?|rejetees?)"),
    Entry((F.PERSONAL_TABLES_WITHOUT_RLS,), r"tables? de donnees personnelles(?: qui sont)? sans rls"),
    Entry((F.PERSONAL_TABLES_OPEN,), r"tables? de donnees personnelles (?:sont )?ouvertes?(?: a anon)?"),
    Entry((F.PERSONAL_TABLES,), r"tables? de donnees personnelles"),
    # What waits, and the agents' own work.
    Entry((F.OLDEST_ACTION_AGE,), (
        r"(?:action|decision|approbation|demande)(?: en attente)? la plus (?:ancienne|vieille)|plus (?:ancienne|"
        r"vieille)(?: des)? (?:action|decision|approbation|demande)s?(?: en attente)?"
    )),
    Entry((F.PENDING_ACTIONS,), (
        rf"(?:actions?|decisions?|approbations?|demandes?) {_OPEN}(?:en attente|a approuver|"
        rf"en suspens)(?: d'approbation| de (?:validation|la presidence|decision))?"
    )),
    Entry((F.OLDEST_INCIDENT_AGE,), (
        r"incident(?: en cours| ouvert)? le plus (?:ancien|vieux)|plus (?:ancien|"
        r"vieil)(?: des)? incidents?(?: en cours| ouverts?)?"
    )),
    Entry((F.OPEN_INCIDENTS,), rf"incidents? {_OPEN}(?:en cours|ouverts?|actifs?|non resolus?)"),
    Entry((F.FAILED_RUNS_DAY, F.RUNS_FAILED), (
        rf"{_RUNS} (?:sont |ont |restent )?(?:en echec|echouee?s?|echoue)|echecs? d'execution"
    )),
    Entry((F.RUNS_COMPLETED,), (
        rf"{_RUNS} (?:sont |ont |ont ete )?(?:reussie?s?|abouties?|aboutis|complete(?:e?s)?|menes? a terme)"
    )),
    Entry((F.RUNS, F.RUNS_BEFORE), (
        rf"{_RUNS} (?:en 30 jours|sur 30 jours|sur la periode|au total|lancee?s?|enregistree?s?|menee?s?)"
    )),
    Entry((F.RUNS_BEFORE,), r"executions? des 30 jours precedents"),
    Entry((F.RUNS, F.RUNS_BEFORE), r"executions?", is_firm=False),
)  # fmt: skip

# What names a fact firmly wins over what may name it.
ENTRIES: Final = (*(each for each in _ENTRIES if each.is_firm), *(each for each in _ENTRIES if not each.is_firm))
