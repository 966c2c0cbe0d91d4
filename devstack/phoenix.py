"""The frames of Phoenix channels, in the two serialisations that the official clients speak.

Version 1.0.0 (Python) writes JSON objects; version 2.0.0 (JavaScript) writes JSON arrays, and its broadcasts as
binary frames: kind 3 from the client, kind 4 to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

Version = Literal["1.0.0", "2.0.0"]

_BROADCAST_PUSH: Final = 3
_BROADCAST: Final = 4
_AS_IS: Final = 0
_AS_JSON: Final = 1
_MAX_FIELD_BYTES: Final = 255


class FrameError(Exception):
    """What a client sent is no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message between a client and a channel."""

    topic: str
    event: str
    payload: Any
    ref: str | None = None
    join_ref: str | None = None


def decode(data: str | bytes, version: Version) -> Frame:
    """Read a frame from a client.

    Raises: FrameError.
    """
    try:
        if isinstance(data, bytes):
            return _decode_broadcast(data)
        if version == "1.0.0":
            message = json.loads(data)
            join_ref, ref, topic, event, payload = map(message.get, ("join_ref", "ref", "topic", "event", "payload"))
        else:
            join_ref, ref, topic, event, payload = json.loads(data)
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise FrameError(f"not a frame of version {version}: {error}") from error
    if not isinstance(topic, str) or not isinstance(event, str) or not isinstance(payload, dict):
        raise FrameError("a frame without topic, event or payload")
    return Frame(topic, event, payload, ref, join_ref)


def encode(frame: Frame, version: Version) -> str | bytes | None:
    """Write a frame for a client; None if its version cannot carry the payload."""
    is_binary = frame.event == "broadcast" and isinstance(frame.payload.get("payload"), bytes)
    if version == "1.0.0":
        message = {"topic": frame.topic, "event": frame.event, "payload": frame.payload, "ref": frame.ref}
        return None if is_binary else json.dumps(message)
    if frame.event == "broadcast" and (data := _encode_broadcast(frame)) is not None:
        return data
    parts = [frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload]
    return None if is_binary else json.dumps(parts)


def _decode_broadcast(data: bytes) -> Frame:
    """Layout: kind, five lengths, encoding, then join_ref, ref, topic, event, metadata and the payload."""
    if data[0] != _BROADCAST_PUSH:
        raise ValueError(f"binary frame of unknown kind {data[0]}")
    position = 7
    fields = []
    for size in data[1:6]:
        fields.append(data[position : position + size].decode())
        position += size
    join_ref, ref, topic, event, _metadata = fields
    content: Any = data[position:]
    if data[6] == _AS_JSON:
        content = json.loads(content)
    payload = {"type": "broadcast", "event": event, "payload": content}
    return Frame(topic, "broadcast", payload, ref or None, join_ref or None)


def _encode_broadcast(frame: Frame) -> bytes | None:
    """Layout: kind, three lengths, encoding, then topic, event, metadata and the payload; None if one is too long."""
    content = frame.payload.get("payload")
    encoding, body = (_AS_IS, content) if isinstance(content, bytes) else (_AS_JSON, json.dumps(content).encode())
    fields = [frame.topic.encode(), str(frame.payload.get("event", "")).encode(), b""]
    if any(len(field) > _MAX_FIELD_BYTES for field in fields):
        return None
    return bytes([_BROADCAST, *map(len, fields), encoding]) + b"".join(fields) + body
