"""A message as it leaves: bounded, stripped of what cannot be seen, and written for each kind of target.

What it is about is untrusted: a failure's reason may quote a vendor, a title a model.
"""

import hashlib
import html
import json
from dataclasses import dataclass
from typing import Final

from shared.untrusted_text import clean_line, clean_text, shorten
from workers.notifications.sentences import Urgency, write
from workers.ports import DueMessage

PUSH_BYTES: Final = 4096
"""What a push service must take, its envelope included (RFC 8030, 7.2)."""

# Of aes128gcm (RFC 8188, RFC 8291): salt, record size, key id with its length, authentication tag, padding delimiter.
_ENVELOPE_BYTES: Final = 16 + 4 + 1 + 65 + 16 + 1
_TITLE_CHARS: Final = 200
_BODY_CHARS: Final = 2000


@dataclass(frozen=True)
class Notice:
    """One message as a person reads it.

    ``path`` is the page it is about, ``tag`` what it replaces on a phone, ``message_id`` the same each time it is sent.
    """

    title: str
    body: str
    path: str
    urgency: Urgency
    tag: str
    message_id: str


def compose(message: DueMessage) -> Notice:
    """Write a message about what SQL says happened."""
    details = [entry for entry in message.details if isinstance(entry, dict)]
    title, body, path, urgency = write(message.kind, details, max(message.members, len(details)))
    subject = details[0].get("incident_id") if len(details) == 1 else None
    return Notice(
        title=clean_line(title, _TITLE_CHARS),
        body=clean_text(body, _BODY_CHARS),
        path=path,
        urgency=urgency,
        tag=make_tag(f"incident:{subject}" if subject and isinstance(subject, str) else message.message_key),
        message_id=make_tag(message.message_key),
    )


def make_tag(key: str) -> str:
    """Return a short name for what a message is about, which reveals nothing of it."""
    return f"hq-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def render_push(notice: Notice) -> bytes:
    """Write a message as the page's service worker reads it, shortened until it fits with its envelope."""
    body = notice.body
    while True:
        payload = _encode(notice, body)
        excess = len(payload) - (PUSH_BYTES - _ENVELOPE_BYTES)
        if excess <= 0:
            return payload
        # A character takes six bytes of JSON at most.
        body = shorten(body, max(len(body) - max(excess // 6, 1), 1))


def render_text(notice: Notice, page: str | None) -> str:
    """Write a message's body for a channel, with a link where the page's address is known."""
    return f"{notice.body}\n\n{page.rstrip('/')}{notice.path}" if page else notice.body


def render_html(notice: Notice, page: str | None) -> str:
    """Write a message's body for e-mail, as HTML that holds nothing but its text and our link."""
    paragraphs = ["<br>".join(html.escape(part).split("\n")) for part in notice.body.split("\n\n")]
    if page:
        link = html.escape(f"{page.rstrip('/')}{notice.path}")
        paragraphs.append(f'<a href="{link}">{link}</a>')
    return "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)


def write_trial() -> Notice:
    """Write the message by which a channel or a device is tried."""
    return Notice(
        title="Message d'essai du QG",
        body="Ce message vérifie que le QG peut vous prévenir ici. Il n'y a rien à faire.",
        path="/hq",
        urgency=Urgency.MEDIUM,
        tag="hq-essai",
        message_id="hq-essai",
    )


def _encode(notice: Notice, body: str) -> bytes:
    fields = {
        "title": notice.title,
        "body": body,
        "tag": notice.tag,
        "data": {"url": notice.path, "urgency": notice.urgency.value},
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
