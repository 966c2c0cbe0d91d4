"""Tables into lists: the page draws Markdown without tables, and would show rows of pipes."""

import re
from typing import Final

_RULE: Final = re.compile(r"^\s*+\|?\s*+:?-{2,}+:?\s*+(?:\|\s*+:?-{2,}+:?\s*+)*+\|?\s*+$")
_CELL: Final = re.compile(r"(?<!\\)\|")


def unroll_tables(text: str) -> str:
    """Turn each table into a list: one item per row, led by its first cell, the others named by their column."""
    lines = text.split("\n")
    written: list[str] = []
    number = 0
    while number < len(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if "|" in lines[number] and "|" in below and _RULE.match(below):
            columns = _cells(lines[number])
            number += 2
            if written and written[-1].strip():
                written.append("")
            while number < len(lines) and "|" in lines[number] and lines[number].strip():
                written.append(_item(columns, _cells(lines[number])))
                number += 1
        elif _is_row(lines[number]):  # a row whose table has no head
            written.append(_item([], _cells(lines[number])))
            number += 1
        else:
            written.append(lines[number])
            number += 1
    return "\n".join(line for line in written if not ("|" in line and _RULE.match(line)))


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|") and line.rstrip().endswith("|") and line.count("|") > 1


def _cells(row: str) -> list[str]:
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "/").strip() for cell in _CELL.split(inner)]


def _item(columns: list[str], cells: list[str]) -> str:
    first, rest = cells[0], cells[1:]
    heads = [column.strip("* ") for column in columns[1:]]
    named = [
        f"{heads[place]} : {cell}" if place < len(heads) and heads[place] else cell
        for place, cell in enumerate(rest)
        if cell
    ]
    lead = f"**{first.strip('* ')}**" if first.strip("* ") else ""
    return "- " + " — ".join(part for part in (lead, " ; ".join(named)) if part)
