"""What a careless model writes that is false, and what a careful one writes that looks as if it were."""

import pytest
from support.reports import grounds_of, report_with

from workers.executive_run.verification.model import Fault, FaultKind, Grounds
from workers.executive_run.verification.verify import verify


def check(grounds: Grounds, section: str, words: str) -> tuple[Fault, ...]:
    """Return the faults of a report of which one section, by the beginning of its title or the first, says this."""
    return verify(report_with(grounds, section, words), grounds).faults


@pytest.mark.parametrize(
    ("run_type", "data", "section", "words"),
    [
        ("VULNERABILITY_SCAN", "november", "", "Alertes critiques : 0."),
        ("VULNERABILITY_SCAN", "november", "", "Alertes critiques ouvertes : 1 ; alertes élevées : 1."),
        ("DAILY_EXECUTIVE_BRIEF", "november", "", "Toutes plateformes, on compte 9 tickets ouverts."),
        ("DAILY_EXECUTIVE_BRIEF", "november", "", "Tickets ouverts, toutes plateformes : 22."),
        ("DAILY_EXECUTIVE_BRIEF", "november", "", "L'ensemble des plateformes a une disponibilité de 99,97 %."),
        ("DAILY_EXECUTIVE_BRIEF", "november", "", "Au total, nous avons 9 tickets ouverts et 1 pull request ouverte."),
        (
            "PLATFORM_STATUS_REVIEW",
            "november",
            "",
            "EmotionsCare est au vert. NEARVITY est au rouge depuis hier. La disponibilité y est de 99,95 %.",
        ),
        ("VULNERABILITY_SCAN", "december", "", "Aucune alerte critique n'est visible."),
        ("VULNERABILITY_SCAN", "december", "", "Aucune alerte critique n'est avérée."),
        ("VULNERABILITY_SCAN", "december", "", "Le scan porte sur les dépôts : aucune alerte ouverte."),
        ("VULNERABILITY_SCAN", "december", "", "Le scan couvre tout, aucune alerte ouverte."),
        ("SECURITY_AUDIT_RLS", "december", "", "L'analyse repose sur nos tables : aucune table sans RLS."),
        ("SECURITY_AUDIT_RLS", "gaps", "Score", "Le score de 95 sur 100 ne peut être contesté."),
        ("SECURITY_AUDIT_RLS", "gaps", "Score", "92 sur 100 serait notre note, sans réserve."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Le NO-GO est levé : le GO est accordé."),
        ("QUALITY_AUDIT", "gaps", "Score", "La qualité de 97 sur 100 ne peut que satisfaire la direction."),
        (
            "SECURITY_AUDIT_RLS",
            "november",
            "Score",
            "92 sur 100.\n\n- \u22128 points : retard.\n- \u22128 points : alertes.",
        ),
        (
            "SECURITY_AUDIT_RLS",
            "november",
            "Score",
            "90 sur 100.\n\n- \u221210 points : retard.\n- \u22126 points : alertes.\n- \u22124 points : panne.",
        ),
        (
            "PLATFORM_STATUS_REVIEW",
            "conflict",
            "",
            "EmotionsCare est passée de 34 à 30 tickets ouverts en une semaine.",
        ),
        (
            "PLATFORM_STATUS_REVIEW",
            "conflict",
            "",
            "EmotionsCare compte 30 tickets ouverts, en baisse par rapport aux 34 d'hier.",
        ),
        ("PLATFORM_STATUS_REVIEW", "conflict", "", "EmotionsCare a 34 tickets ouverts, dont 30 anciens."),
        ("SECURITY_AUDIT_RLS", "november", "", "Tables sans RLS : 1 / 47."),
        ("SECURITY_AUDIT_RLS", "november", "", "Alertes critiques : 1 / 13."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "NEARVITY : tickets ouverts 9 / 102."),
        ("FINANCIAL_REPORT", "november", "", "MRR : 2 951,75 + 0 €."),
        ("FINANCIAL_REPORT", "november", "", "Le MRR s'établit à 187,14 € + 62,50 €."),
        ("FINANCIAL_REPORT", "november", "", "La trésorerie est de 36 500 € (365 x 100)."),
        ("FINANCIAL_REPORT", "november", "", "L'entreprise a 240 salariés (4 x 60)."),
        ("FINANCIAL_REPORT", "november", "", "Taux de marge : 23,80 % (3 046,46 € / 128 abonnements)."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "- NEARVITY : statut vert, branche main à jour."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "NEARVITY est au vert et remet ses clients en confiance."),
        ("PLATFORM_STATUS_REVIEW", "gaps", "", "EmotionsCare est au vert, sa branche main est stable."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "NEARVITY v1.4.2 est sortie le 31 décembre 2026."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "Le ticket #84 est ouvert depuis le 30 novembre 2026 [S3]."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "NEARVITY est injoignable depuis 9 jours [S3]."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "Med MNG : 9 jours de retard sur le paiement."),
        ("FINANCIAL_REPORT", "november", "", "La trésorerie s'achève dans 33 jours."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "Au total, 18 tickets ouverts sur NEARVITY."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "La disponibilité de 99,95 % est celle de NEARVITY."),
        ("FINANCIAL_REPORT", "november", "", "L'attrition est de 2,31 %, soit 97,69 % de marge."),
        ("FINANCIAL_REPORT", "november", "", "Le MRR de 3 046,46 € donne 253,87 € par mois de marge."),
        ("PLATFORM_STATUS_REVIEW", "november", "", "On compte 40 derniers tickets ouverts à EmotionsCare."),
    ],
)
def test_what_is_false_is_found(run_type: str, data: str, section: str, words: str) -> None:
    assert check(grounds_of(run_type, data), section, words) != ()


@pytest.mark.parametrize(
    ("run_type", "data", "section", "words"),
    [
        (
            "RELEASE_GATE_CHECK",
            "december",
            "Décision",
            "NO-GO. Le GO pourra être rendu dès que les alertes auront été lues.",
        ),
        (
            "RELEASE_GATE_CHECK",
            "december",
            "Décision",
            "NO-GO : aucune source n'a répondu. Un GO exigerait au moins les pipelines et les alertes.",
        ),
        ("RELEASE_GATE_CHECK", "december", "Décision", "**NO-GO**\n\nConditions d'un GO : lire les alertes."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "NO-GO. Ce qui permettrait un GO : lire les alertes."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Pas de GO : les alertes manquent."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Ni GO ni NO-GO : les contrôles manquent."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Un GO est exclu tant que les alertes ne sont pas lues."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "GO conditionné à la lecture des alertes."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "La publication n'est pas autorisée."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "La publication est bloquée : aucun contrôle n'a été lu."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Non. Les contrôles n'ont pas été lus."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Ne rien publier : les contrôles manquent."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "Le feu vert n'est pas donné : les contrôles manquent."),
        ("RELEASE_GATE_CHECK", "gaps", "Décision", "NO-GO ; le feu vert viendra après la lecture."),
        ("RLS_POLICY_UPDATE", "gaps", "Avis", "Avis réservé : le catalogue manque."),
        ("RLS_POLICY_UPDATE", "gaps", "Avis", "Surseoir : le catalogue manque."),
        ("RLS_POLICY_UPDATE", "gaps", "Avis", "Accepter le changement serait imprudent sans le catalogue."),
        (
            "PLATFORM_STATUS_REVIEW",
            "conflict",
            "",
            "EmotionsCare : 30 tickets ouverts [S2]. La base du QG en enregistre 34 [S1].",
        ),
        (
            "PLATFORM_STATUS_REVIEW",
            "conflict",
            "",
            "30 tickets ouverts sur EmotionsCare dans GitHub ; notre base en a gardé 34.",
        ),
        (
            "PLATFORM_STATUS_REVIEW",
            "conflict",
            "",
            "- EmotionsCare, GitHub : 30 tickets ouverts.\n- EmotionsCare, base du QG : 34 tickets ouverts.",
        ),
        (
            "SECURITY_AUDIT_RLS",
            "december",
            "Score",
            "Note non disponible. Donner 100 sur 100 faute d'écart constaté serait faux.",
        ),
        (
            "SECURITY_AUDIT_RLS",
            "december",
            "Score",
            "Note non disponible. Une note de 100 sur 100 signifierait que tout a été lu, or rien ne l'a été.",
        ),
        ("VULNERABILITY_SCAN", "december", "", "Rien ne permet d'affirmer qu'il n'existe aucune alerte critique."),
        ("VULNERABILITY_SCAN", "december", "", "Aucune alerte de dépendance n'est lisible, faute de permission."),
        ("VULNERABILITY_SCAN", "december", "", "Ce rapport ne dit pas qu'il n'y a aucune alerte ouverte."),
        ("SECURITY_AUDIT_RLS", "december", "", "L'audit ne porte sur aucune table."),
        ("FINANCIAL_REPORT", "december", "", "Ce ne sont pas des données complètes : Stripe manque."),
        ("CEO_STANDUP_MEETING", "december", "", "Growth Copilot : statut inconnu (et non vert)."),
        ("FINANCIAL_REPORT", "november", "", "Encaissements au 27 novembre : 2 874,20 €, 97,4 % du mois dernier."),
    ],
)
def test_what_is_true_is_neither_refused_nor_contradicted(run_type: str, data: str, section: str, words: str) -> None:
    faults = check(grounds_of(run_type, data), section, words)

    assert [fault.sentence for fault in faults if fault.kind is not FaultKind.UNVERIFIED] == []


def test_the_companys_figures_are_not_those_of_a_reports_one_platform() -> None:
    grounds = grounds_of("PLATFORM_STATUS_REVIEW", "november", platform="nearvity")

    faults = check(grounds, "", "Disponibilité : 100 %, 0 minute d'indisponibilité.")

    assert [fault.kind for fault in faults] == [FaultKind.CONTRADICTED] * 2


@pytest.mark.parametrize("run_type", ["CODE_REVIEW", "FINANCIAL_REPORT", "SEO_AUDIT"])
def test_the_outline_is_no_report(run_type: str) -> None:
    grounds = grounds_of(run_type, "november")
    text = "\n\n".join(f"## {each.title}\n\n{each.content.capitalize()}." for each in grounds.run_type.sections)

    assert FaultKind.LEAKED in {fault.kind for fault in verify(text, grounds).faults}
