"""The documentation names what is there (paths, SQL, layers), in the words of the field."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from workers import schema

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
# What a path in a page may be relative to, besides the page's own folder.
BASES = (ROOT, ROOT / "workers", ROOT / "docs", ROOT / "sql", ROOT / "tests", ROOT / "tests" / "sql")
ARCHITECTURE = PAGES["docs/architecture.md"]

_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:[\w.-]+/)+|(?:[\w.-]+/)*[\w.-]+\.(?:py|sql|md|ts|mjs|toml|sh|svg)")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_HQ = re.compile(r"\bhq\.([a-z_]{3,})\b|\b([a-z]+_hq_[a-z_]+)\b")
_FENCE = re.compile(r"^( *)```(\w+).*\n((?:.*\n)*?)\1```$", re.MULTILINE)
# What the field has a word for; deployed SQL names are exempt because an underscore or a dot stands beside them.
_PRIVATE_WORDS = re.compile(
    r"(?<![\w.-])(face|floors?|strangers?|anew|programme|chores?|insists?|verdict|treasury)(?![\w-])", re.IGNORECASE
)


def _english() -> Iterator[tuple[str, str]]:
    """The pages that people write in English; the generated one follows the SQL."""
    yield from ((name, text) for name, text in PAGES.items() if ".fr." not in name and name != "docs/database.md")


def _blocks(text: str, language: str) -> list[str]:
    return [block for _, found, block in _FENCE.findall(text) if found == language]


def _exists(page: str, path: str) -> bool:
    return any((base / path).exists() for base in ((ROOT / page).parent, *BASES))


def test_every_path_in_a_page_is_there() -> None:
    offenders = []
    for page, text in PAGES.items():
        named = [
            code for code in _CODE.findall(text) if _PATH.fullmatch(code) and "NAME" not in code and "NNNN" not in code
        ]
        offenders += [(page, path) for path in [*named, *_LINK.findall(_CODE.sub("", text))] if not _exists(page, path)]

    assert offenders == []


def test_every_table_index_view_and_function_in_a_page_is_in_our_sql_or_the_hosts() -> None:
    hosts = "\n".join(path.read_text() for path in (ROOT / "devstack" / "baseline").glob("*.sql"))
    ours = "\n".join(file.text for file in schema.read_files()) + schema.render()
    ours += "".join(f"hq.{name}\n" for name in schema.read_indexes())
    known = {name for names in _HQ.findall(hosts + ours) for name in names}
    offenders = [
        (page, name)
        for page, text in PAGES.items()
        for code in _CODE.findall(text)
        for names in _HQ.findall(code)
        for name in names
        if name not in known
    ]

    assert offenders == []


def test_every_class_that_the_glossary_names_is_in_the_code() -> None:
    folders = ("shared", "workers", "devstack")
    code = "\n".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    named = re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", " ".join(_CODE.findall(PAGES["docs/glossary.md"])))

    assert len(named) > 10
    assert [name for name in named if f"class {name}" not in code] == []


def test_the_tree_in_the_architecture_is_the_tree() -> None:
    tree, layers = _blocks(ARCHITECTURE, "text")
    folders = [line.split()[0] for line in tree.splitlines()]
    tests = {f"tests/{path.name}/" for path in (ROOT / "tests").iterdir() if any(path.glob("*.py"))}
    sql = {f"sql/{path.name}/" for path in (ROOT / "sql").iterdir() if any(path.glob("*.sql"))}
    shared = {f"shared/{path.name}/" for path in (ROOT / "shared").glob("[!_]*/")}

    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
    assert sorted((tests | sql | shared) - set(folders)) == []
    rooms = {f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "workers").glob("[!_]*")}
    assert {line.split()[1] for line in layers.splitlines()} == rooms - {"py.typed"} | {"__main__.py"}


def test_the_layers_in_the_architecture_are_those_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["workers"])
    held = [(number, set(layer.split(" | "))) for number, layer in zip(range(len(layers), 0, -1), layers, strict=True)]
    drawn: dict[int, set[str]] = {}
    for line in _blocks(ARCHITECTURE, "text")[1].splitlines():
        number, room = line.split()[:2]
        drawn.setdefault(int(number), set()).add(room.removesuffix("/").removesuffix(".py"))

    assert list(drawn.items()) == held


def test_every_module_that_the_layers_name_is_in_its_room() -> None:
    offenders = []
    for line in _blocks(ARCHITECTURE, "text")[1].splitlines():
        room, _, purpose = line.split(maxsplit=1)[1].partition(" ")
        offenders += [
            f"{room}{module}"
            for module in re.findall(r"\b\w+\.py\b", purpose)
            if not (ROOT / "workers" / room / module).is_file()
        ]

    assert offenders == []


def test_pages_use_the_fields_words() -> None:
    offenders = [(page, word) for page, text in _english() for word in _PRIVATE_WORDS.findall(text)]

    assert offenders == []
