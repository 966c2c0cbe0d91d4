"""Read what PostgreSQL's own decoder `pgoutput` says about committed changes (protocol version 1).

The server holds a transaction back until it commits, so its messages come in one piece:
Begin, then Relation (before the first use of a table), Insert, Update, Delete, then Commit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["INSERT", "UPDATE", "DELETE"]
Row = dict[str, bytes | None]
"""Values as PostgreSQL prints them, by column; an unchanged value that was stored out of line is left out."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a published table."""

    name: str
    is_identity: bool
    type_oid: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A published table as it was at the time of the change."""

    oid: int
    schema: str
    table: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One row inserted, updated or deleted. `old` is the identity of the row, or all of it if the table says so."""

    kind: Kind
    relation: Relation
    new: Row
    old: Row


@dataclass(slots=True)
class Transaction:
    """The changes of one commit, in order."""

    lsn: int
    committed_at: datetime
    changes: list[Change] = field(default_factory=list)


class Decoder:
    """Turns the messages of one stream into transactions."""

    def __init__(self) -> None:
        self.new_relations: set[int] = set()
        """Tables described since somebody last emptied this: whatever was known about them is out of date."""
        self._relations: dict[int, Relation] = {}
        self._open: Transaction | None = None

    def feed(self, message: bytes) -> Transaction | None:
        """Take the next message; return the transaction that it completes."""
        kind, reader = message[:1], _Reader(message[1:])
        if kind == b"B":
            lsn, micros, _xid = reader.take(">QqI")
            self._open = Transaction(lsn, _EPOCH + timedelta(microseconds=micros))
        elif kind == b"C":
            done, self._open = self._open, None
            return done
        elif kind == b"R":
            relation = reader.take_relation()
            self._relations[relation.oid] = relation
            self.new_relations.add(relation.oid)
        elif kind in _CHANGES and self._open is not None:
            self._open.changes.append(self._read_change(_CHANGES[kind], reader))
        return None

    def _read_change(self, kind: Kind, reader: _Reader) -> Change:
        (oid,) = reader.take(">I")
        relation = self._relations[oid]
        rows = dict(reader.take_rows(relation))
        before = rows.get(b"O") or rows.get(b"K") or {}
        # What an update left unchanged out of line is in the old image, if there is a whole one.
        new = before | rows[b"N"] if b"O" in rows and b"N" in rows else rows.get(b"N", {})
        # Without an old image the identity did not change, and the new row holds it.
        source = before or new
        names = [column.name for column in relation.columns if column.is_identity]
        return Change(kind, relation, new, {name: source[name] for name in names if name in source})


_CHANGES: dict[bytes, Kind] = {b"I": "INSERT", b"U": "UPDATE", b"D": "DELETE"}


class _Reader:
    """A cursor over the bytes of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self._data, self._position)
        self._position += struct.calcsize(layout)
        return values

    def take_bytes(self, size: int) -> bytes:
        self._position += size
        return self._data[self._position - size : self._position]

    def take_text(self) -> str:
        end = self._data.index(0, self._position)
        text = self._data[self._position : end].decode()
        self._position = end + 1
        return text

    def take_relation(self) -> Relation:
        (oid,) = self.take(">I")
        schema, table = self.take_text(), self.take_text()
        _identity, count = self.take(">cH")
        columns = []
        for _ in range(count):
            (flags,) = self.take(">B")
            name = self.take_text()
            type_oid, _modifier = self.take(">Ii")
            columns.append(Column(name, bool(flags & 1), type_oid))
        return Relation(oid, schema or "pg_catalog", table, tuple(columns))

    def take_rows(self, relation: Relation) -> Iterator[tuple[bytes, Row]]:
        """Take what is left: one or two rows, each led by the letter that says which."""
        while self._position < len(self._data):
            yield self.take_bytes(1), self._take_row(relation)

    def _take_row(self, relation: Relation) -> Row:
        (count,) = self.take(">H")
        row: Row = {}
        for column in relation.columns[:count]:
            letter = self.take_bytes(1)
            if letter == b"n":
                row[column.name] = None
            elif letter != b"u":
                (size,) = self.take(">I")
                row[column.name] = self.take_bytes(size)
        return row
