"""``emocare registry``: what it prints, and which differences with a frontend's table it sees."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from shared.registry import REGISTRY_VERSION, RUN_TYPES, registry_facts, render_system_prompt
from workers.cli._registry_ts import (
    COST_NAMES,
    UnreadableTypeScriptError,
    compare_costs,
    parse_costs,
    render_typescript,
)
from workers.cli.registry import app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def check(folder: Path, source: str) -> Result:
    file = folder / "registry.ts"
    file.write_text(source, encoding="utf-8")
    return run("check", str(file))


def differences(source: str) -> list[str]:
    return compare_costs(parse_costs(source, RUN_TYPES), RUN_TYPES)


def as_module(costs: dict[str, str]) -> str:
    """Write a registry as a frontend might, without ours' exporter."""
    entries = "".join(f"  {key}: {{ label: 'x', costEstimate: {cost} }},\n" for key, cost in costs.items())
    return f"export const REGISTRY: Record<string, RunTypeDefinition> = {{\n{entries}}};\n"


OURS = {key: str(entry.cost_eur) for key, entry in RUN_TYPES.items()}


# ── list, show, export ───────────────────────────────────────────────────────────────────────


def test_list_shows_each_run_type_whole_on_a_pipe() -> None:
    result = run("list")

    assert result.exit_code == 0
    for key, entry in RUN_TYPES.items():
        line = next(line for line in result.output.splitlines() if f" {key} " in line)
        assert entry.label in line
        assert f" {entry.cost_eur} " in line
    assert REGISTRY_VERSION in result.output


def test_list_as_json_holds_the_facts_of_each_entry() -> None:
    result = run("list", "--json")

    assert json.loads(result.stdout) == [entry.facts() for entry in RUN_TYPES.values()]


def test_show_tells_everything_about_one_entry_and_its_prompt() -> None:
    entry = RUN_TYPES["SECURITY_AUDIT_RLS"]

    result = run("show", entry.key)

    assert result.exit_code == 0
    assert "0.18 €" in result.stdout
    assert "Mon 8:00, high priority, job weekly_security_audit" in result.stdout
    assert "database_catalogue" in result.stdout
    assert " → ".join(entry.steps) in result.stdout
    assert result.stdout.endswith(render_system_prompt(entry))


def test_show_as_json_holds_the_facts_and_the_prompt() -> None:
    result = run("show", "SEO_AUDIT", "--json")

    entry = RUN_TYPES["SEO_AUDIT"]
    assert json.loads(result.stdout) == entry.facts() | {"system_prompt": render_system_prompt(entry)}


def test_show_refuses_an_unknown_key_and_names_the_nearest() -> None:
    result = run("show", "seo_audits")

    assert result.exit_code == 2
    assert "Did you mean SEO_AUDIT?" in result.stderr


def test_export_as_json_is_the_registry_with_its_version() -> None:
    result = run("export", "--format", "json")

    assert json.loads(result.stdout) == {"version": REGISTRY_VERSION, **registry_facts()}


def test_export_as_typescript_is_one_constant_for_a_frontend() -> None:
    result = run("export", "--format", "ts")

    assert result.exit_code == 0
    assert "export const RUN_TYPES_REGISTRY = {\n  DAILY_EXECUTIVE_BRIEF: {\n" in result.stdout
    assert "} as const;\n" in result.stdout
    assert "    costEstimate: 0.10,\n" in result.stdout
    assert '    label: "Brief Exécutif Quotidien",\n' in result.stdout
    assert "    requiresApproval: true,\n" in result.stdout
    assert "    schedule: null,\n" in result.stdout


def test_exporting_twice_gives_the_same_bytes() -> None:
    first, second = run("export", "--format", "ts"), run("export", "--format", "ts")

    assert first.stdout_bytes == second.stdout_bytes


# ── check ────────────────────────────────────────────────────────────────────────────────────


def test_our_own_export_is_equal(tmp_path: Path) -> None:
    result = check(tmp_path, run("export", "--format", "ts").stdout)

    assert (result.exit_code, result.output) == (0, "Equal: 29 run types with the same costs.\n")


def test_each_difference_has_a_line_of_its_own(tmp_path: Path) -> None:
    theirs = OURS | {"SEO_AUDIT": "0.21", "ZODIAC_REPORT": "0.10", "AURA_CHECK": "1"}
    del theirs["CODE_REVIEW"]

    result = check(tmp_path, as_module(theirs))

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "missing key: CODE_REVIEW (costs 0.12 here)",
        "different cost: SEO_AUDIT costs 0.21 there, 0.20 here",
        "unknown key: AURA_CHECK",
        "unknown key: ZODIAC_REPORT",
    ]


def test_a_missing_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "absent.ts"

    result = run("check", str(file))

    assert result.exit_code == 2
    assert result.stderr == f"Cannot read run types from {file}: no such file or directory.\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "it is not UTF-8 text"),
        (b"", "no run type with a cost was recognised in it"),
        (b"export const x = { a: 1 };", "no run type with a cost was recognised in it"),
        (b"const a = {\n b: 'text\n};", "line 2: a string is never closed"),
        (b"const a = [\n{ b: 1 ];", "line 2: “]” closes nothing"),
        (b"const a = 1 }", "line 1: “}” closes nothing"),
        (b"\nconst a = {", "line 2: “{” is never closed"),
    ],
)
def test_a_file_that_holds_no_registry_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "broken.ts"
    file.write_bytes(content)

    result = run("check", str(file))

    assert result.exit_code == 2
    assert result.stderr == f"Cannot read run types from {file}: {reason}.\n"


# ── What is understood of TypeScript ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source",
    [
        "const R = { CODE_REVIEW: { cost: 0.12 } }",
        "const R = { 'CODE_REVIEW': { \"cost\": .12, }, } as const;",
        'const R = { "CODE_REVIEW": { costEstimate: 1.2e-1 as number } }',
        'const R = [{ key: "CODE_REVIEW", cost: 0.120 }, ];',
        "const R = [{ cost: 0.12, agent: { name: 'CTO', role: 'x' }, runType: 'CODE_REVIEW' }]",
        "const R = { review: { type: 'CODE_REVIEW', costEur: 0.1_2 } } satisfies Registry;",
        "const R = { REVIEW: { key: 'CODE_REVIEW', cost: 0.12 } }",
        "const COSTS: Record<string, number> = { CODE_REVIEW: 0.12 };",
        "const R = { // CODE_REVIEW: { cost: 9 },\n CODE_REVIEW: { /* cost: 8, */ cost: 0.12 } }",
        "const s = \"{ key: 'CODE_REVIEW', cost: 7 }\"; const R = { CODE_REVIEW: { cost: 0.12 } }",
        "const R = { CODE_REVIEW: { note: 'l\\'audit {', cost: 0.12 } }",
        "const ICONS = { CODE_REVIEW: { icon: 1 } }; const R = { CODE_REVIEW: { cost: 0.12 } }",
        "const LIMITS = { CODE_REVIEW: 3 }; const R = { CODE_REVIEW: { cost: 0.12 } }",
        "interface D { key: string; cost: number }\nconst R = { CODE_REVIEW: { cost: 0.12 } };",
        "const R = { CODE_REVIEW: { cost: .12 } }; const f = k => R[k] ?? { x: k.split(/_/g), cost: 9 }",
        "const R = { CODE_REVIEW: { cost: 0.12, most: big ? cost : 9, } }",
    ],
)
def test_a_cost_is_read_however_the_entry_is_laid_out(source: str) -> None:
    assert parse_costs(source, RUN_TYPES) == {"CODE_REVIEW": (Decimal("0.12"),)}


@pytest.mark.parametrize("cost", ["0.1 + 0.02", "COSTS.review", "'0.12'", "-0.12", "0x1", "1e9999"])
def test_a_cost_that_is_not_a_plain_number_is_named_and_never_guessed(cost: str) -> None:
    source = f"const R = {{ CODE_REVIEW: {{ cost: {cost} }} }}"

    assert parse_costs(source, RUN_TYPES) == {"CODE_REVIEW": ()}
    assert "no readable cost: CODE_REVIEW (costs 0.12 here)" in differences(source)


def test_a_file_that_contradicts_itself_is_not_equal() -> None:
    source = as_module(OURS) + "const LEGACY = [{ key: 'CODE_REVIEW', cost: 0.13 }];"

    assert differences(source) == ["different cost: CODE_REVIEW costs 0.13 there, 0.12 here"]


def test_an_object_without_a_cost_is_no_unknown_run_type() -> None:
    source = as_module(OURS) + "const AGENTS = { CEO: { name: 'CEO Agent' }, list: [{ id: 'CTO' }] };"

    assert differences(source) == []


_quotes = st.sampled_from(["", "'", '"'])
_blanks = st.sampled_from(["", " ", "\n", "\t", "// KEY: { cost: 3 }\n", "/* it's { */", "\r\n  "])


@st.composite
def layouts(draw: st.DrawFn, costs: dict[str, str]) -> str:
    """Draw one of the ways in which somebody may write the same table."""
    entries = []
    for key, cost in draw(st.permutations(sorted(costs.items()))):
        gap, quote = draw(_blanks), draw(_quotes)
        number = draw(st.sampled_from([cost, cost + "0", cost.removeprefix("0") or "0"]))
        price = f"{draw(_blanks)}{quote}{draw(st.sampled_from(sorted(COST_NAMES)))}{quote}{gap}:{gap}{number}"
        tail = draw(st.sampled_from(["", ","])) + gap
        if draw(st.booleans()):
            entries.append(f"{gap}{quote}{key}{quote}:{gap}{{{price}{tail}}}{gap}")
        else:
            entries.append(f"{gap}x{len(entries)}: {{ key:{gap}'{key}',{price}{tail}}}{gap}")
    return f"export const R ={draw(_blanks)}{{{','.join(entries)}}};"


@given(source=layouts(OURS))
def test_layout_never_makes_a_difference(source: str) -> None:
    assert differences(source) == []


_some_key = st.sampled_from(sorted(OURS))
_foreign_key = st.from_regex(r"[A-Z]{2,8}_[A-Z0-9]{1,8}", fullmatch=True).filter(lambda key: key not in OURS)


@given(data=st.data(), key=_some_key)
def test_a_key_that_is_left_out_is_the_one_difference(data: st.DataObject, key: str) -> None:
    theirs = {name: cost for name, cost in OURS.items() if name != key}

    assert differences(data.draw(layouts(theirs))) == [f"missing key: {key} (costs {OURS[key]} here)"]


@given(data=st.data(), key=_foreign_key)
def test_a_key_that_is_added_is_the_one_difference(data: st.DataObject, key: str) -> None:
    assert differences(data.draw(layouts(OURS | {key: "0.10"}))) == [f"unknown key: {key}"]


@given(key=_some_key, cents=st.integers(0, 500))
def test_a_cost_is_a_difference_exactly_when_the_amounts_differ(key: str, cents: int) -> None:
    cost = Decimal(cents) / 100

    found = differences(as_module(OURS | {key: str(cost)}))

    assert found == (
        [] if cost == Decimal(OURS[key]) else [f"different cost: {key} costs {cost} there, {OURS[key]} here"]
    )


_fragments = st.sampled_from(
    [
        *"{}[]():,'\"`\n\\_.-é\0",
        "//",
        "/*",
        "*/",
        "cost",
        "key",
        "CODE_REVIEW",
        "'CODE_REVIEW'",
        "0.12",
        "1e5",
    ]
)


@given(source=st.lists(_fragments | st.text(max_size=5), max_size=60).map("".join))
def test_any_text_is_either_read_or_refused_with_a_reason(source: str) -> None:
    try:
        costs = parse_costs(source, RUN_TYPES)
    except UnreadableTypeScriptError as refusal:
        assert str(refusal)  # noqa: PT017 (both outcomes are lawful)
    else:
        assert costs


def test_what_is_rendered_reads_back_as_the_registry() -> None:
    costs = parse_costs(render_typescript(RUN_TYPES), RUN_TYPES)

    assert costs == {key: (entry.cost_eur,) for key, entry in RUN_TYPES.items()}
