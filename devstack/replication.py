"""The write-ahead log as a stream of committed transactions, through a slot that lasts as long as the connection.

Streaming replaces the repeated call of `pg_logical_slot_get_binary_changes`, which decodes the log again from its
restart point at every call; what arrives is the same.
"""

from __future__ import annotations

import secrets
import struct
import time
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg import pq

from devstack.pgoutput import Decoder, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

_EPOCH_SECONDS = 946_684_800  # 2000-01-01, from where PostgreSQL counts


class ReplicationStream:
    """A connection in replication mode, read without waiting."""

    def __init__(self, connection: psycopg.Connection, publication: str) -> None:
        self._connection = connection
        self._pq = connection.pgconn
        self._received = 0
        self._slot = f"realtime_{secrets.token_hex(6)}"
        self._publication = publication
        self.decoder = Decoder()

    @classmethod
    def open(cls, dsn: str, publication: str) -> Self:
        """Connect and start streaming from now. Waits until every transaction now open has ended.

        Raises: psycopg.Error.
        """
        connection = psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=5,
            replication="database",
            options="-c timezone=UTC -c datestyle=ISO -c bytea_output=hex",
        )
        stream = cls(connection, publication)
        try:
            stream._start()
        except BaseException:
            connection.close()
            raise
        return stream

    def _start(self) -> None:
        self._command(
            f"CREATE_REPLICATION_SLOT {self._slot} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')",
            pq.ExecStatus.TUPLES_OK,
        )
        self._command(
            f"START_REPLICATION SLOT {self._slot} LOGICAL 0/0"
            f" (proto_version '1', publication_names '{self._publication}')",
            pq.ExecStatus.COPY_BOTH,
        )

    def _command(self, command: str, expected: pq.ExecStatus) -> None:
        result = self._pq.exec_(command.encode())
        if result.status != expected:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))

    def read(self) -> Iterator[Transaction]:
        """Give the transactions that have arrived, then confirm them.

        Raises: psycopg.OperationalError when the stream has ended.
        """
        self._pq.consume_input()
        arrived = False
        while (message := self._next_message()) is not None:
            arrived = True
            if message[:1] == b"w":
                _start, self._received, _clock = struct.unpack_from(">QQQ", message, 1)
                if (transaction := self.decoder.feed(message[25:])) is not None:
                    yield transaction
            else:
                (self._received,) = struct.unpack_from(">Q", message, 1)
        if arrived:
            self._confirm()

    def _next_message(self) -> bytes | None:
        size, data = self._pq.get_copy_data(1)
        if size < 0:
            raise psycopg.OperationalError("PostgreSQL ended the stream")
        return bytes(data) if size else None

    def _confirm(self) -> None:
        micros = int((time.time() - _EPOCH_SECONDS) * 1_000_000)
        self._pq.put_copy_data(struct.pack(">cQQQQB", b"r", *[self._received] * 3, micros, 0))
        self._pq.flush()

    def close(self) -> None:
        """End the stream; the slot goes with it."""
        self._connection.close()
