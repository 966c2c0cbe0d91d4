"""What the relay confirms: that an answer of ours arrived.

A worker sees whether the relay is there; whether its caller is, only the relay does.
"""

from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import InvalidRequest
from shared.runs import RunId
from workers.ports import Identity, Launcher
from workers.web.exchange import Request, Response, identify_owner, read_object

PREFIX: Final = "/relay/v1"


class ArrivedAnswer(BaseModel):
    """Failed runs of which the owner was answered that they failed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_ids: list[UUID] = Field(min_length=1, max_length=50)


class AnswersEndpoint:
    """`POST /relay/v1/answers`: called with the token of the owner who was answered."""

    def __init__(self, *, identity: Identity, launcher: Launcher) -> None:
        self._identity = identity
        self._launcher = launcher

    async def __call__(self, request: Request) -> Response:
        """Note that these failures need not be announced. Raises: CallerError, BackendError."""
        await identify_owner(self._identity, request)
        try:
            arrived = ArrivedAnswer.model_validate(read_object(request))
        except ValidationError as error:
            raise InvalidRequest("run_ids: up to 50 ids of runs.") from error
        for run_id in arrived.run_ids:
            self._launcher.note_answer(RunId(run_id))
        return Response({"success": True})
