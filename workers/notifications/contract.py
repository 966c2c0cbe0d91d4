"""`send-push-notification` as the page calls it: what it sends, and what it gets."""

import re
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.errors import InvalidRequest
from shared.untrusted_text import clean_line, clean_text
from workers.notifications.messages import Notice, make_tag
from workers.notifications.sentences import Urgency
from workers.ports import SendOutcome, SendResult

_NOBODY: Final = "Aucun appareil n'est abonné aux notifications. Activez-les sur le vôtre, puis essayez de nouveau."


class PushRequest(BaseModel):
    """A message that an owner sends to the owners' devices; other fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = Field(min_length=1, max_length=200)
    message: str = Field(min_length=1, max_length=2000)
    urgency: Urgency = Urgency.MEDIUM
    url: str | None = Field(None, max_length=500, description="A path of the page.")
    type: str | None = Field(None, max_length=100, description="What a newer message replaces on a phone.")


def read_notice(body: dict[str, JsonValue]) -> Notice:
    """Read a message. Raises: InvalidRequest."""
    try:
        request = PushRequest.model_validate(body)
    except ValidationError as error:
        fields = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}))
        raise InvalidRequest(f"Missing or wrong: {fields}.") from error
    # Cleaned first: what a reader cannot see could hide a second slash, which leads to another site.
    path = clean_line(request.url or "", 500)
    tag = make_tag(f"page:{request.type or ''}")
    return Notice(
        title=clean_line(request.title),
        body=clean_text(request.message, 2000),
        path=path if re.match(r"/(?![/\\])", path) else "/hq",
        urgency=request.urgency,
        tag=tag,
        message_id=tag,
    )


def render(results: Sequence[SendResult]) -> dict[str, JsonValue]:
    """Render how many devices took it."""
    sent = sum(result.outcome is SendOutcome.ACCEPTED for result in results)
    counts: dict[str, JsonValue] = {"sent": sent, "failed": len(results) - sent, "total": len(results)}
    return counts if results else {**counts, "message": _NOBODY}
