"""The registry says what the screens and the old functions have always said, and cannot be bent."""

import json
import pkgutil
import re
import unicodedata
from collections import Counter
from decimal import Decimal
from importlib import import_module
from operator import setitem
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared import run_types
from shared.errors import UnknownRunType
from shared.registry import (
    DATA_TAG,
    JOBS,
    MISSING_DATA_SECTION,
    REGISTRY_VERSION,
    RUN_TYPES,
    SOURCES_SECTION,
    Calendar,
    ModelTier,
    Priority,
    RunType,
    SourceName,
    Trigger,
    Weekday,
    _fingerprint,
    find_run_type,
    label_of,
    registry_facts,
    render_system_prompt,
)
from shared.run_types.model import Kept

# key · French label · agent · tier · cost · risk · vendors read · steps · sections
_EXPECTED = """
DAILY_EXECUTIVE_BRIEF    | Brief Exécutif Quotidien       | CEO  | reasoning | 0.10 | low      | GPMECKS | 5 | 6
CEO_STANDUP_MEETING      | Réunion Standup DG             | CEO  | default   | 0.05 | low      | GME    | 4 | 5
PLATFORM_DIRECTORS_MEETING | Réunion Directeurs Plateformes | CEO | summary | 0.05 | low | GME | 4 | 4
WEEKLY_EXEC_REVIEW       | Revue Exécutive Hebdomadaire   | CEO  | summary   | 0.05 | low      | GSRMEC | 4 | 6
PLATFORM_STATUS_REVIEW   | Revue de Statut Plateforme     | CTO  | summary   | 0.02 | low      | GM     | 4 | 6
RELEASE_GATE_CHECK       | Vérification Gate Release      | CTO  | reasoning | 0.12 | high     | GAL    | 4 | 6
DEPLOY_TO_PRODUCTION     | Déploiement Production         | CTO  | reasoning | 0.15 | critical | GAL    | 4 | 6
QUALITY_AUDIT            | Audit Qualité                  | CTO  | reasoning | 0.15 | medium   | GAL    | 5 | 8
CODE_REVIEW              | Revue de Code                  | CTO  | reasoning | 0.12 | low      | G      | 4 | 6
DEPLOYMENT_CHECK         | Vérification Déploiements      | CTO  | default   | 0.06 | low      | GA     | 4 | 6
TECH_WATCH_REPORT        | Rapport Veille Technologique   | CTO  | reasoning | 0.10 | low      | PF     | 4 | 6
SECURITY_AUDIT_RLS       | Audit Sécurité RLS             | CISO | reasoning | 0.18 | medium   | PD     | 5 | 6
RLS_POLICY_UPDATE        | Modification Politique RLS     | CISO | reasoning | 0.20 | critical | GD     | 4 | 6
VULNERABILITY_SCAN       | Scan Vulnérabilités            | CISO | reasoning | 0.18 | medium   | GL     | 4 | 6
COMPETITIVE_ANALYSIS     | Analyse Concurrentielle        | CSO  | reasoning | 0.25 | low      | PF     | 4 | 7
ADS_PERFORMANCE_REVIEW   | Revue Performance Publicitaire | CMO  | reasoning | 0.10 | low      | PUCK   | 4 | 8
SEO_AUDIT                | Audit SEO                      | CMO  | reasoning | 0.20 | low      | PFU    | 4 | 6
CONTENT_CALENDAR_PLAN    | Plan Calendrier Éditorial      | CMO  | default   | 0.06 | low      | PU     | 4 | 5
MARKETING_WEEK_PLAN      | Plan Marketing Hebdomadaire    | CMO  | default   | 0.04 | low      | PFUC   | 4 | 7
MASS_EMAIL_CAMPAIGN      | Campagne Email de Masse        | CMO  | default   | 0.15 | high     | PUK    | 4 | 7
GROWTH_STRATEGY_REVIEW   | Revue Stratégie Croissance     | CGO  | reasoning | 0.22 | low      | PSCUK  | 4 | 5
LEAD_SCORING_UPDATE      | Mise à Jour Scoring Leads      | CGO  | default   | 0.07 | low      | PCK    | 4 | 5
OKR_QUARTERLY_REVIEW     | Revue OKR Trimestrielle        | COO  | reasoning | 0.08 | low      | GCE    | 4 | 5
AGENT_PERFORMANCE_REVIEW | Revue Performance Agents       | COO  | reasoning | 0.08 | low      | WGR    | 4 | 6
COMPLIANCE_RGPD_CHECK    | Vérification Conformité RGPD   | DPO  | reasoning | 0.16 | medium   | PH     | 4 | 6
RGPD_AUDIT               | Audit RGPD                     | DPO  | reasoning | 0.16 | medium   | PH     | 4 | 6
REVENUE_FORECAST         | Prévisions Revenus             | CFO  | reasoning | 0.14 | low      | SC     | 4 | 6
FINANCIAL_REPORT         | Rapport Financier              | CFO  | reasoning | 0.12 | low      | S      | 4 | 6
PRICING_CHANGE           | Modification Tarifs            | CFO  | reasoning | 0.20 | critical | S      | 4 | 7
ROADMAP_UPDATE           | Mise à Jour Roadmap            | CPO  | reasoning | 0.08 | low      | GCK    | 4 | 6
DATA_INSIGHTS_REPORT     | Rapport Insights Data          | CDO  | reasoning | 0.14 | low      | PUK    | 4 | 5
"""
_ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in _EXPECTED.strip().splitlines()]
_SOURCE_LETTERS = {
    "G": SourceName.GITHUB,
    "A": SourceName.GITHUB_ACTIONS,
    "L": SourceName.GITHUB_ALERTS,
    "P": SourceName.PERPLEXITY,
    "F": SourceName.FIRECRAWL,
    "S": SourceName.STRIPE,
    "M": SourceName.OPEN_MATTERS,
    "D": SourceName.DATABASE_CATALOGUE,
    "R": SourceName.RUN_HISTORY,
    "C": SourceName.COMMERCIAL,
    "U": SourceName.AUDIENCE,
    "K": SourceName.CONTACTS,
    "E": SourceName.DECISIONS,
    "H": SourceName.PERSONAL_DATA,
    "W": SourceName.AGENTS_WORK,
}
# A button of the meetings page sends each; the frontend's table lists neither.
_MEETINGS = ["PLATFORM_DIRECTORS_MEETING", "WEEKLY_EXEC_REVIEW"]
_SENSITIVE = {
    "RELEASE_GATE_CHECK",
    "DEPLOY_TO_PRODUCTION",
    "RLS_POLICY_UPDATE",
    "MASS_EMAIL_CAMPAIGN",
    "PRICING_CHANGE",
}
_WORKING_DAYS = {Weekday.MONDAY, Weekday.TUESDAY, Weekday.WEDNESDAY, Weekday.THURSDAY, Weekday.FRIDAY}

every_run_type = pytest.mark.parametrize("entry", RUN_TYPES.values(), ids=lambda entry: entry.key)


FED = 0.6
"""The least part of a type's sections on whose subject a source has data."""


@every_run_type
def test_most_sections_of_every_report_are_fed(entry: RunType) -> None:
    fed = [section.title for section in entry.sections if section.fed_by]

    assert len(fed) >= FED * len(entry.sections), fed


@every_run_type
def test_every_source_that_is_read_feeds_a_section(entry: RunType) -> None:
    """Platforms and repositories may be read to say what a report is about."""
    fed_by = {source for section in entry.sections for source in section.fed_by}

    assert set(entry.sources) - fed_by <= {SourceName.PLATFORMS, SourceName.GITHUB}


def test_a_section_is_fed_by_what_its_report_reads_only() -> None:
    entry = RUN_TYPES["FINANCIAL_REPORT"].model_dump()
    entry["sections"][0]["fed_by"] = ["github"]

    with pytest.raises(ValidationError, match="is fed by a source that is not read"):
        RunType.model_validate(entry)


# ── What the entries say ─────────────────────────────────────────────────────────────────────


def test_exactly_the_known_run_types_exist_in_their_known_order() -> None:
    assert list(RUN_TYPES) == [row[0] for row in _ROWS]
    assert len(RUN_TYPES) == 31
    assert [key for key, entry in RUN_TYPES.items() if not entry.in_frontend_table] == _MEETINGS


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0])
def test_an_entry_says_what_the_screens_and_the_old_functions_say(row: tuple[str, ...]) -> None:
    key, label, agent, tier, cost, risk, vendors, steps, sections = row

    entry = RUN_TYPES[key]

    assert entry.key == key
    assert entry.label == label
    assert entry.agent.name == f"{agent} Agent"
    assert entry.tier == tier
    assert str(entry.cost_eur) == cost
    assert entry.risk == risk
    assert entry.sources == (SourceName.PLATFORMS, *(_SOURCE_LETTERS[letter] for letter in vendors))
    assert len(entry.steps) == int(steps)
    assert len(entry.sections) == int(sections)


@pytest.mark.parametrize(
    ("key", "steps"),
    [
        (
            "DAILY_EXECUTIVE_BRIEF",
            ("Sync GitHub", "Collecte métriques", "Veille marché", "Synthèse exécutive", "Recommandations"),
        ),
        (
            "DEPLOY_TO_PRODUCTION",
            ("Vérification pré-deploy", "Audit sécurité", "Analyse risques", "Décision GO/NO-GO"),
        ),
        (
            "MARKETING_WEEK_PLAN",
            ("Veille concurrentielle", "Revue objectifs", "Planning campagnes", "Allocation ressources"),
        ),
    ],
)
def test_step_labels_are_those_that_the_answer_has_always_held(key: str, steps: tuple[str, ...]) -> None:
    assert RUN_TYPES[key].steps == steps


def test_each_director_has_one_name_one_emoji_and_one_role() -> None:
    directors = {entry.agent for entry in RUN_TYPES.values()}

    assert {(agent.name, agent.emoji, agent.role) for agent in directors} == {
        ("CEO Agent", "👔", "Directeur Général"),
        ("CTO Agent", "⚙️", "Directeur Technique"),
        ("CISO Agent", "🔒", "Directeur Sécurité"),
        ("CSO Agent", "🎯", "Directeur Stratégie"),
        ("CMO Agent", "📣", "Directeur Marketing"),
        ("CGO Agent", "📈", "Directeur Croissance"),
        ("COO Agent", "📋", "Directeur Opérations"),
        ("DPO Agent", "🛡️", "Délégué Protection Données"),
        ("CFO Agent", "💰", "Directeur Financier"),
        ("CPO Agent", "🗺️", "Directeur Produit"),
        ("CDO Agent", "📊", "Directeur Data"),
    }


def test_every_director_has_one_module_that_holds_all_of_the_entries_it_signs() -> None:
    names = {module.name for module in pkgutil.iter_modules(run_types.__path__)} - {"model"}
    modules = [import_module(f"shared.run_types.{name}") for name in names]

    assert {module.AGENT for module in modules} == {entry.agent for entry in RUN_TYPES.values()}
    for module in modules:
        assert tuple(entry for entry in RUN_TYPES.values() if entry.agent == module.AGENT) == module.ENTRIES


def test_five_run_types_need_approval_and_they_and_the_meetings_start_only_by_hand_or_as_a_retry() -> None:
    sensitive = {key for key, entry in RUN_TYPES.items() if entry.requires_approval}
    by_hand = _SENSITIVE.union(_MEETINGS)

    assert sensitive == _SENSITIVE
    for key, entry in RUN_TYPES.items():
        assert entry.auto_executable == (key not in by_hand)
        assert set(entry.allowed_triggers) == ({Trigger.MANUAL, Trigger.RETRY} if key in by_hand else set(Trigger))


def test_only_types_that_crawl_pages_have_a_limit_of_their_own_in_one_worker() -> None:
    limited = {key: entry.max_parallel for key, entry in RUN_TYPES.items() if entry.max_parallel is not None}

    assert limited == {
        "COMPETITIVE_ANALYSIS": 2,
        "SEO_AUDIT": 2,
        "TECH_WATCH_REPORT": 2,
        "MARKETING_WEEK_PLAN": 2,
    }


def test_each_tier_has_its_model_and_another_one_to_fall_back_on() -> None:
    models = {tier.value: (tier.model, tier.fallback_model) for tier in ModelTier}

    assert models == {
        "default": ("google/gemini-3-flash-preview", "google/gemini-2.5-flash"),
        "reasoning": ("google/gemini-2.5-pro", "google/gemini-2.5-flash"),
        "summary": ("google/gemini-2.5-flash", "google/gemini-3-flash-preview"),
        "coding": ("openai/gpt-5.2", "google/gemini-2.5-pro"),
    }


# ── What may not be said ─────────────────────────────────────────────────────────────────────


def test_no_field_of_an_entry_can_be_changed() -> None:
    entry = RUN_TYPES["CODE_REVIEW"]

    for field in RunType.model_fields:
        with pytest.raises(ValidationError, match=rf"{field}\n.*frozen"):
            setattr(entry, field, getattr(entry, field))


def test_the_parts_of_an_entry_cannot_be_changed_either() -> None:
    job = JOBS["daily_brief"]

    for part in (job, job.calendar, RUN_TYPES["CODE_REVIEW"].agent, RUN_TYPES["CODE_REVIEW"].sections[0]):
        name = next(iter(type(part).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, getattr(part, name))


@pytest.mark.parametrize("table", [RUN_TYPES, JOBS], ids=["run types", "jobs"])
def test_no_table_takes_another_entry(table: Any) -> None:
    with pytest.raises(TypeError):
        setitem(table, "NEW", next(iter(table.values())))


@pytest.mark.parametrize(
    "wrong",
    [
        {"cost_eur": Decimal(0)},
        {"cost_eur": Decimal("-0.10")},
        {"cost_eur": Decimal("0.105")},
        {"key": "code_review"},
        {"key": "CODE_REVIEW\n"},
        {"sections": ()},
        {"steps": ()},
        {"sources": ()},
        {"max_parallel": 0},
        {"colour": "red"},
    ],
    ids=repr,
)
def test_an_entry_that_breaks_a_rule_cannot_be_written(wrong: dict[str, object]) -> None:
    lawful = dict(RUN_TYPES["CODE_REVIEW"])
    RunType.model_validate(lawful)

    with pytest.raises(ValidationError):
        RunType.model_validate(lawful | wrong)


@pytest.mark.parametrize("hours", [(), (24,), (-1,)], ids=str)
def test_a_calendar_holds_hours_of_the_day(hours: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        Calendar(hours=hours, weekdays=(Weekday.MONDAY,))


def test_a_cost_is_positive_and_counted_in_cents() -> None:
    costs = {key: entry.cost_eur for key, entry in RUN_TYPES.items()}

    assert {key: cost for key, cost in costs.items() if cost <= 0 or cost.as_tuple().exponent != -2} == {}


# ── Looking up ───────────────────────────────────────────────────────────────────────────────

_INHERITED = (
    "toString",
    "constructor",
    "__proto__",
    "hasOwnProperty",
    "__class__",
    "__dict__",
    "keys",
    "get",
    "",
)
_near_misses = st.sampled_from(sorted(RUN_TYPES)).flatmap(
    lambda key: st.sampled_from([key.lower(), f" {key}", f"{key} ", f"{key}\n", f"{key}\0", key[:-1]])
)
unknown_keys = (st.sampled_from(_INHERITED) | _near_misses | st.text()).filter(lambda key: key not in RUN_TYPES)


def test_a_known_key_finds_its_entry_and_its_label() -> None:
    assert {key: find_run_type(key) for key in RUN_TYPES} == dict(RUN_TYPES)
    assert {key: entry.key for key, entry in RUN_TYPES.items()} == {key: key for key in RUN_TYPES}
    assert {key: label_of(key) for key in RUN_TYPES} == {key: entry.label for key, entry in RUN_TYPES.items()}


@given(key=unknown_keys)
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(UnknownRunType):
        find_run_type(key)


@given(key=unknown_keys)
def test_an_unknown_key_is_shown_with_spaces(key: str) -> None:
    assert label_of(key) == " ".join(key.split("_"))


# ── Jobs and calendars ───────────────────────────────────────────────────────────────────────


def test_five_jobs_are_planned_and_the_two_morning_briefs_are_one() -> None:
    plan = {
        key: (job.run_type, job.calendar.hours, set(job.calendar.weekdays), job.priority, job.aliases)
        for key, job in JOBS.items()
    }

    high, medium = Priority.HIGH, Priority.MEDIUM
    assert plan == {
        "daily_brief": ("DAILY_EXECUTIVE_BRIEF", (8,), set(Weekday), high, ("morning_digest",)),
        "daily_platform_review": ("PLATFORM_STATUS_REVIEW", (18,), _WORKING_DAYS, medium, ()),
        "weekly_security_audit": ("SECURITY_AUDIT_RLS", (8,), {Weekday.MONDAY}, high, ()),
        "weekly_competitive_analysis": ("COMPETITIVE_ANALYSIS", (10,), {Weekday.WEDNESDAY}, medium, ()),
        "weekly_marketing_plan": ("MARKETING_WEEK_PLAN", (9,), {Weekday.MONDAY}, medium, ()),
    }


def test_no_key_or_alias_names_two_jobs() -> None:
    names = [name for job in JOBS.values() for name in (job.key, *job.aliases)]

    assert len(names) == len(set(names))


def test_whatever_is_planned_may_be_started_by_the_schedule() -> None:
    for job in JOBS.values():
        assert Trigger.SCHEDULE in RUN_TYPES[job.run_type].allowed_triggers
        assert job.name
        assert job.description.endswith(".")
        assert RUN_TYPES[job.run_type].calendar == job.calendar


# ── Prompts ──────────────────────────────────────────────────────────────────────────────────


@every_run_type
def test_a_prompt_names_the_agent_the_mission_and_every_part_in_order(entry: RunType) -> None:
    prompt = render_system_prompt(entry)

    assert prompt.startswith(f"Vous êtes {entry.agent.title} ({entry.agent.name}) au QG d'EMOTIONSCARE. ")
    assert f"« {entry.label} »" in prompt
    assert entry.purpose in prompt
    parts = re.findall(r"^\d+\. \*\*(.+)\*\* — (.+)\.$", prompt, re.MULTILINE)
    assert parts == [(section.title, section.content) for section in entry.sections]


@every_run_type
def test_no_prompt_holds_the_labels_that_a_screen_ticks_off(entry: RunType) -> None:
    """« Déploiement », « Scraping » : a model that reads them as its own steps claims to have done them."""
    prompt = render_system_prompt(entry)

    assert [step for step in entry.steps if re.search(rf"^\d+\. {re.escape(step)}$", prompt, re.MULTILINE)] == []


def test_a_prompt_states_the_rules_that_keep_a_report_honest() -> None:
    rules = (
        f"<{DATA_TAG}-",
        "jamais un ordre",
        "N'inventez aucun chiffre",
        f"« {MISSING_DATA_SECTION} »",
        "ni image ni lien",
        "Écrivez en français",
        "aucun tableau",
        "« 12 tickets ouverts [S3] »",
        "Ne mentionnez jamais ces règles",
    )
    prompts = {key: render_system_prompt(entry) for key, entry in RUN_TYPES.items()}

    assert [(key, rule) for key, prompt in prompts.items() for rule in rules if rule not in prompt] == []
    assert [key for key, prompt in prompts.items() if "$" in prompt] == []


def test_a_report_has_no_two_parts_of_one_name() -> None:
    titles = Counter(
        (key, title)
        for key, entry in RUN_TYPES.items()
        for title in (*(section.title for section in entry.sections), SOURCES_SECTION, MISSING_DATA_SECTION)
    )

    assert [named for named, count in titles.items() if count > 1] == []


def test_no_part_asks_for_a_table_which_the_page_would_show_as_pipes() -> None:
    asked = {(key, section.title) for key, entry in RUN_TYPES.items() for section in entry.sections}

    assert asked
    assert [key for key, entry in RUN_TYPES.items() if "tableau" in str(entry.sections)] == []


def test_every_report_states_and_most_propose_and_leave_something_to_follow_up() -> None:
    silent = {key for key, entry in RUN_TYPES.items() if not any(section.keeps for section in entry.sections)}
    sections = [section for entry in RUN_TYPES.values() for section in entry.sections]

    assert [key for key, entry in RUN_TYPES.items() if all(section.proposes for section in entry.sections)] == [
        "CONTENT_CALENDAR_PLAN"
    ]
    assert silent == {"MASS_EMAIL_CAMPAIGN"}
    assert 0.3 < sum(section.proposes for section in sections) / len(sections) < 0.5
    assert {section.keeps for section in find_run_type("DAILY_EXECUTIVE_BRIEF").sections} == {None, *Kept}


def test_a_prompt_says_which_parts_propose() -> None:
    prompt = render_system_prompt(find_run_type("PLATFORM_STATUS_REVIEW"))

    assert "Sont des propositions : « Risques », « Recommandations ». Les autres parties sont des constats." in prompt


@pytest.mark.parametrize("key", sorted(_SENSITIVE))
def test_a_sensitive_report_says_that_it_carries_nothing_out(key: str) -> None:
    assert re.search(r"il (ne|n'\w+) .*?(rien|aucune?)", RUN_TYPES[key].purpose)


def test_no_word_of_an_entry_is_broken_by_the_end_of_a_line() -> None:
    texts = {key: json.dumps(entry.facts(), ensure_ascii=False) for key, entry in RUN_TYPES.items()}

    assert [(key, broken) for key, text in texts.items() for broken in re.findall(r"\w- \w+| {2}", text)] == []


@every_run_type
def test_the_french_of_an_entry_is_spelled_one_way(entry: RunType) -> None:
    """Straight apostrophes as in the step labels, a space before double punctuation, composed accents."""
    text = render_system_prompt(entry)

    assert unicodedata.is_normalized("NFC", text)
    assert not set(text) & set("\u2019\u2018\u201c\u201d\u00a0\u202f")
    assert re.findall(r"\w[:;?!»](?=\s)", text) == []
    assert re.findall(r"«\S", text) == []
    assert re.findall(r" {2}| [.,]| $", text, re.MULTILINE) == []
    for section in entry.sections:
        assert not section.content.endswith(".")


# ── The fingerprint ──────────────────────────────────────────────────────────────────────────


def test_the_facts_hold_what_follows_from_the_fields_too() -> None:
    facts: Any = registry_facts()

    assert list(facts["run_types"]) == list(RUN_TYPES)
    brief = facts["run_types"]["DAILY_EXECUTIVE_BRIEF"]
    assert brief["cost_eur"] == "0.10"
    assert brief["model"] == "google/gemini-2.5-pro"
    assert brief["schedule"]["calendar"] == {"hours": [8], "weekdays": [1, 2, 3, 4, 5, 6, 7]}
    assert facts["run_types"]["PRICING_CHANGE"]["allowed_triggers"] == ["manual", "retry"]


def test_the_version_is_a_short_fingerprint_that_only_the_order_of_keys_leaves_alone() -> None:
    facts: Any = registry_facts()
    backwards = dict(reversed(facts.items()))
    dearer = facts | {"unknown_cost_eur": "0.06"}

    assert re.fullmatch(r"[0-9a-f]{12}", REGISTRY_VERSION)
    assert _fingerprint(backwards) == REGISTRY_VERSION
    assert _fingerprint(dearer) != REGISTRY_VERSION
