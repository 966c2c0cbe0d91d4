"""What a channel subscribed to, and what its role may see of it."""

from __future__ import annotations

import json
import operator
import re
import zlib
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import pq
from psycopg.adapt import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from devstack.pgoutput import Change, Relation, Row

Claims = dict[str, Any]

_FILTER = re.compile(r"(?P<column>[^=]+)=(?P<negated>not\.)?(?P<operator>[a-z]+)\.(?P<value>.*)", re.DOTALL)
_LARGEST_CHANGE_BYTES = 1024 * 1024
_SHORT_VALUE_BYTES = 64
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda value, values: value in values,
}


class SubscriptionError(Exception):
    """A subscription that cannot be had as it was asked for."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a column, such as `status=eq.pending`."""

    column: str
    operator: str
    value: str
    negated: bool

    @classmethod
    def parse(cls, text: str) -> Filter | None:
        """Read a condition; none if there is nothing to read.

        Raises: SubscriptionError.
        """
        if not text.strip():
            return None
        match = _FILTER.fullmatch(text.strip())
        if match is None or match["operator"] not in _OPERATORS:
            raise SubscriptionError(f"Error parsing `filter` params: {text}")
        return cls(match["column"], match["operator"], match["value"], match["negated"] is not None)

    def accepts(self, relation: Relation, row: Row) -> bool:
        """Compare as the column's type compares; an absent or null value satisfies no condition."""
        raw = row.get(self.column)
        if raw is None:
            return False
        oid = next(column.type_oid for column in relation.columns if column.name == self.column)
        try:
            wanted = self.value.strip("()").split(",") if self.operator == "in" else [self.value]
            values = [read_value(oid, value.strip('"').encode()) for value in wanted]
            operand = values if self.operator == "in" else values[0]
            return _OPERATORS[self.operator](read_value(oid, raw), operand) is not self.negated
        except (ValueError, TypeError, ArithmeticError):
            return False


@dataclass(frozen=True, slots=True)
class Binding:
    """One entry of `postgres_changes` in a join, and the number under which its events are announced."""

    asked: dict[str, Any]
    event: str
    schema: str
    table: str
    filter: Filter | None
    select: frozenset[str] | None

    @classmethod
    def parse(cls, asked: dict[str, Any]) -> Binding:
        """Read an entry of a join.

        Raises: SubscriptionError.
        """
        if "schema" not in asked and "table" not in asked:
            raise SubscriptionError(
                "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to"
            )
        select = asked.get("select")
        return cls(
            asked=asked,
            event=str(asked.get("event", "*")).upper(),
            schema=asked.get("schema", "public"),
            table=asked.get("table", "*"),
            filter=Filter.parse(asked.get("filter") or ""),
            select=frozenset(select) if select else None,
        )

    @property
    def id(self) -> int:
        """The same entry has the same number in every join."""
        return number_of(self.asked)

    def wants(self, change: Change) -> bool:
        """Whether table and event are the ones asked for; the filter is another question."""
        relation = change.relation
        return (
            self.event in {"*", change.kind}
            and self.schema in {"*", relation.schema}
            and self.table in {"*", relation.table}
        )

    def describe(self) -> str:
        """Describe what was asked for, as the hosted service does in its refusals."""
        return f"event: {self.event}, schema: {self.schema}, table: {self.table}, filter: {self.asked.get('filter')}"


def number_of(asked: dict[str, Any]) -> int:
    """Number an entry of a join; never 0, which the JavaScript client treats as no number."""
    return zlib.crc32(json.dumps(asked, sort_keys=True).encode()) | 1


class Subscriber(Protocol):
    """The channel behind a subscription."""

    @property
    def claims(self) -> Claims:
        """Who listens; a renewed token changes it."""

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event to the client."""


@dataclass(slots=True)
class Subscription:
    """A channel that receives the changes committed after a position of the log."""

    subscriber: Subscriber
    bindings: list[Binding]
    since: int


@dataclass(frozen=True, slots=True)
class ColumnRights:
    """A column as one role sees it."""

    name: str
    type_name: str
    is_key: bool
    is_readable: bool


@dataclass(slots=True)
class TableRights:
    """A table as one role sees it."""

    has_row_security: bool
    bypasses_row_security: bool
    columns: list[ColumnRights]
    known_since: float = field(default=0.0)

    @property
    def keys(self) -> list[str]:
        """The primary key."""
        return [column.name for column in self.columns if column.is_key]

    @property
    def refusal(self) -> str | None:
        """Why the role may not receive a row's content, in the words of the hosted service."""
        if self.columns and not self.keys:
            return "Error 400: Bad Request, no primary key"
        if not self.columns or not all(column.is_readable for column in self.columns if column.is_key):
            return "Error 401: Unauthorized"
        return None

    def readable(self, select: Collection[str] | None) -> list[ColumnRights]:
        """The columns that may be sent, of those asked for; the key always goes along."""
        return [
            column
            for column in self.columns
            if column.is_readable and (select is None or column.name in select or column.is_key)
        ]


def render_change(change: Change, rights: TableRights, select: Collection[str] | None) -> dict[str, Any]:
    """Render what a role may see of a change."""
    columns = rights.readable(select)
    types = {column.name: column.type_oid for column in change.relation.columns}

    def render_row(row: Row, names: Collection[str]) -> dict[str, Any]:
        return {name: read_value(types[name], row[name]) for name in names if name in row}

    names = [column.name for column in columns]
    data: dict[str, Any] = {"columns": [{"name": column.name, "type": column.type_name} for column in columns]}
    if change.kind != "DELETE":
        data["record"] = render_row(change.new, names)
    if change.kind != "INSERT":
        # Nobody can ask a policy about a row that is gone, so only its key may be sent.
        only_keys = change.kind == "DELETE" and rights.has_row_security
        data["old_record"] = render_row(change.old, [name for name in names if not only_keys or name in rights.keys])
    return data


def shorten_change(data: dict[str, Any]) -> dict[str, Any]:
    """Leave of a change over 1 MiB only its short values, with the hosted service's error."""
    if len(json.dumps(data)) <= _LARGEST_CHANGE_BYTES:
        return {**data, "errors": None}
    short: dict[str, Any] = {
        part: {name: value for name, value in data[part].items() if len(json.dumps(value)) <= _SHORT_VALUE_BYTES}
        for part in ("record", "old_record")
        if part in data
    }
    return {**data, **short, "errors": ["Error 413: Payload Too Large"]}


_transformer = Transformer()


def read_value(type_oid: int, raw: bytes | None) -> Any:  # noqa: ANN401 - any type a column can have
    """Convert what PostgreSQL printed to JSON."""
    if raw is None:
        return None
    return _to_json(_transformer.get_loader(type_oid, pq.Format.TEXT).load(raw))


def _to_json(value: Any) -> Any:  # noqa: ANN401 - any type a column can have
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value if isinstance(value, str | int | float | dict | None) else str(value)
