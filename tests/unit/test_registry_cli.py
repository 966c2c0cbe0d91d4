"""``emocare registry``: what it prints, and which differences with a frontend's table it sees."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from shared.registry import REGISTRY_VERSION, RUN_TYPES, registry_facts, render_system_prompt
from workers.cli._typescript import (
    COST_NAMES,
    MAX_FILE_BYTES,
    Exports,
    UnreadableTypeScriptError,
    compare_costs,
    evaluate,
    find_costs,
    find_deno,
)
from workers.cli.registry import app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def check(folder: Path, source: str) -> Result:
    file = folder / "registry.ts"
    file.write_text(source, encoding="utf-8")
    return run("check", str(file))


def costs_of(folder: Path, source: str) -> object:
    file = folder / "registry.ts"
    file.write_text(source, encoding="utf-8")
    return find_costs(evaluate(file), RUN_TYPES)


def differences(exports: Exports) -> list[str]:
    return compare_costs(find_costs(exports, RUN_TYPES), RUN_TYPES)


def as_module(costs: dict[str, str]) -> str:
    """Write a registry as a frontend might, without ours' exporter."""
    entries = "".join(f"  {key}: {{ label: 'x', costEstimate: {cost} }},\n" for key, cost in costs.items())
    return f"export const REGISTRY: Record<string, RunTypeDefinition> = {{\n{entries}}};\n"


MEETINGS = ["PLATFORM_DIRECTORS_MEETING", "WEEKLY_EXEC_REVIEW"]
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


def test_show_prints_all_of_one_entry_and_its_prompt() -> None:
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

    assert (result.exit_code, result.output) == (0, "Equal: 31 run types with the same costs.\n")


def test_a_table_of_the_29_that_the_frontend_lists_is_equal_and_the_two_of_its_screens_are_named(
    tmp_path: Path,
) -> None:
    listed = {key: cost for key, cost in OURS.items() if RUN_TYPES[key].in_frontend_table}

    result = check(tmp_path, as_module(listed))

    assert (len(listed), result.exit_code) == (29, 0)
    assert result.output.splitlines() == [
        "Equal: 29 run types with the same costs.",
        f"Ours alone, because a screen sends them and no table lists them: {', '.join(MEETINGS)}.",
    ]


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
        (b" " * (MAX_FILE_BYTES + 1), "it is larger than 1024 KiB"),
        (b"const R = { CODE_REVIEW: { cost: 0.12 } };", "no run type with a cost was recognised in what it exports"),
        (b"export const x = { a: 1 };", "no run type with a cost was recognised in what it exports"),
        (b"const a = {\n b: 'text\n};", "line 2: SyntaxError: Unterminated string constant"),
        (b"\nthrow new Error('not today');", "line 2: Error: not today"),
        (b"Deno.exit(0);", "it ended before its exports could be printed"),
        (b"import { z } from 'zod';", 'line 1: Import "zod" not a dependency'),
        (
            b"import x from 'https://esm.sh/x';",
            'line 1: A remote specifier was requested: "https://esm.sh/x", but --no-remote is specified',
        ),
    ],
)
def test_a_file_that_holds_no_registry_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "broken.ts"
    file.write_bytes(content)

    result = run("check", str(file))

    assert result.exit_code == 2
    assert result.stderr == f"Cannot read run types from {file}: {reason}.\n"


def test_without_deno_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnreadableTypeScriptError, match="not on the PATH: npm install --global deno"):
        find_deno(tmp_path)


# ── What a foreign file may do ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("act", "needs"),
    [
        ("Deno.readTextFileSync('/etc/hostname')", "read"),
        ("Deno.writeTextFileSync('left_behind', 'x')", "write"),
        ("Deno.env.get('HOME')", "env"),
        ("await fetch('http://127.0.0.1:54321/')", "net"),
        ("new Deno.Command('true').outputSync()", "run"),
    ],
)
def test_a_foreign_file_has_no_permission(tmp_path: Path, act: str, needs: str) -> None:
    with pytest.raises(UnreadableTypeScriptError, match=f"NotCapable: Requires {needs} access"):
        costs_of(tmp_path, f"{act};\n{as_module(OURS)}")


def test_a_file_that_never_ends_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "endless.ts"
    file.write_text("for (;;);")

    with pytest.raises(UnreadableTypeScriptError, match="did not end within 1 s"):
        evaluate(file, within_seconds=1)


def test_a_file_that_never_stops_printing_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTypeScriptError, match="prints too much"):
        costs_of(tmp_path, "for (;;) console.log('x'.repeat(100_000));")


def test_what_a_file_prints_by_itself_does_not_count(tmp_path: Path) -> None:
    costs = costs_of(
        tmp_path, "console.log('{\"CODE_REVIEW\": 9}');\nexport const R = { CODE_REVIEW: { cost: 0.12 } };"
    )

    assert costs == {"CODE_REVIEW": (Decimal("0.12"),)}


# ── What is understood of TypeScript ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source",
    [
        "import type { Table } from '@/types';\nexport const R = { CODE_REVIEW: { cost: .12, } } satisfies Table;",
        "export default { 'CODE_REVIEW': { costEstimate: 1.2e-1 as number } } as const;",
        'const all = [{ key: "CODE_REVIEW", cost: 0.1 + 0.02 }, ];\nexport { all };',
        "const COSTS: Record<string, number> = { CODE_REVIEW: 0.12 };\nexport const R = { ...COSTS, find: () => 9 };",
        "export const R = new Map([['CODE_REVIEW', { cost: 0.12, big: 1n }]]);",
        "const R: any = { CODE_REVIEW: { cost: 0.12 } }; R.self = R; R.again = R.CODE_REVIEW;\nexport { R };",
    ],
)
def test_a_cost_is_read_however_the_module_is_written(tmp_path: Path, source: str) -> None:
    assert costs_of(tmp_path, source) == {"CODE_REVIEW": (Decimal("0.12"),)}


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "costs.ts").write_text("export const REVIEW: number = 0.12;")

    costs = costs_of(
        tmp_path, "import { REVIEW } from './costs.ts';\nexport const R = { CODE_REVIEW: { cost: REVIEW } };"
    )

    assert costs == {"CODE_REVIEW": (Decimal("0.12"),)}


@pytest.mark.parametrize(
    "exports",
    [
        {"R": {"CODE_REVIEW": {"cost": Decimal("0.12")}}},
        {"R": [{"key": "CODE_REVIEW", "cost": Decimal("0.12")}]},
        {"R": [{"cost": Decimal("0.12"), "agent": {"name": "CTO", "role": "x"}, "runType": "CODE_REVIEW"}]},
        {"R": {"review": {"type": "CODE_REVIEW", "costEur": Decimal("0.12")}}},
        {"R": {"REVIEW": {"key": "CODE_REVIEW", "cost": Decimal("0.12")}}},
        {"COSTS": {"CODE_REVIEW": Decimal("0.12")}},
        {"ICONS": {"CODE_REVIEW": {"icon": 1}}, "R": {"CODE_REVIEW": {"cost": Decimal("0.12")}}},
        {"LIMITS": {"CODE_REVIEW": 3}, "R": {"CODE_REVIEW": {"cost": Decimal("0.12")}}},
    ],
    ids=repr,
)
def test_a_cost_is_found_however_the_table_is_laid_out(exports: Exports) -> None:
    assert find_costs(exports, RUN_TYPES) == {"CODE_REVIEW": (Decimal("0.12"),)}


@pytest.mark.parametrize("cost", ["0.12", None, True, [Decimal("0.12")], Decimal("1e999"), 10**30], ids=repr)
def test_a_cost_that_is_not_a_plain_number_is_named_and_never_guessed(cost: Exports) -> None:
    exports: Exports = {"R": {"CODE_REVIEW": {"cost": cost}}}

    assert find_costs(exports, RUN_TYPES) == {"CODE_REVIEW": ()}
    assert "no readable cost: CODE_REVIEW (costs 0.12 here)" in differences(exports)


def in_euros(costs: dict[str, str]) -> dict[str, Exports]:
    return {key: {"cost": Decimal(cost)} for key, cost in costs.items()}


def test_a_file_that_contradicts_itself_is_not_equal() -> None:
    exports: Exports = {"R": in_euros(OURS), "LEGACY": [{"key": "CODE_REVIEW", "cost": Decimal("0.13")}]}

    assert differences(exports) == ["different cost: CODE_REVIEW costs 0.13 there, 0.12 here"]


def test_an_object_without_a_cost_is_no_unknown_run_type() -> None:
    exports: Exports = {"R": in_euros(OURS), "AGENTS": {"CEO": {"name": "CEO Agent"}, "list": [{"id": "CTO"}]}}

    assert differences(exports) == []


@st.composite
def layouts(draw: st.DrawFn, costs: dict[str, str]) -> Exports:
    """Draw one of the ways in which somebody may arrange the same table."""
    entries: dict[str, Exports] = {}
    for key, cost in draw(st.permutations(sorted(costs.items()))):
        price: dict[str, Exports] = {draw(st.sampled_from(COST_NAMES)): Decimal(cost)}
        if draw(st.booleans()):
            entries[key] = price
        else:
            entries[f"x{len(entries)}"] = {draw(st.sampled_from(["key", "runType", "id"])): key, **price}
    return {"R": entries if draw(st.booleans()) else {"inner": [entries]}}


@given(exports=layouts(OURS))
def test_layout_never_makes_a_difference(exports: Exports) -> None:
    assert differences(exports) == []


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

    found = differences({"R": in_euros(OURS | {key: str(cost)})})

    assert found == (
        [] if cost == Decimal(OURS[key]) else [f"different cost: {key} costs {cost:.2f} there, {OURS[key]} here"]
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.decimals(allow_nan=False) | _some_key,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*COST_NAMES, "key"]) | _some_key | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(exports=_json)
def test_any_exports_are_either_understood_or_refused_with_a_reason(exports: Exports) -> None:
    try:
        costs = find_costs(exports, RUN_TYPES)
    except UnreadableTypeScriptError as refusal:
        assert str(refusal)  # noqa: PT017 (both outcomes are lawful)
    else:
        assert costs
        assert compare_costs(costs, RUN_TYPES)
