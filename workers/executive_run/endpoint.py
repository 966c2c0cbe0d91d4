"""HTTP ↔ run: who is calling, what for, and how it ended."""

from shared.runs import RunStatus
from workers.executive_run.contract import read_request, render_failure, render_report, render_running
from workers.ports import Identity, Launcher, OwnerRequest
from workers.web import Call, Reply, identify_owner, read_object


class ExecutiveRunEndpoint:
    """`POST /functions/v1/executive-run`."""

    def __init__(self, *, identity: Identity, launcher: Launcher) -> None:
        self._identity = identity
        self._launcher = launcher

    async def __call__(self, call: Call) -> Reply:
        """Launch a run for the owner and answer its report.

        Raises: CallerError, BackendError.
        """
        caller = await identify_owner(self._identity, call)
        request = read_request(read_object(call))
        launch = await self._launcher.launch(
            OwnerRequest(
                requester=caller.user_id,
                run_type=request.run_type,
                platform_key=request.platform_key,
                context=request.context_data,
                idempotency_key=call.headers.get("idempotency-key"),
            )
        )
        if launch.ended is None:
            return Reply(render_running(launch.ticket, request), status=202)
        if launch.ended.status is RunStatus.COMPLETED:
            return Reply(render_report(launch.ended))
        status, body = render_failure(launch.ended)
        return Reply(body, status)
