"""HTTP ↔ run: who is calling, what for, and how it ended."""

from shared.errors import UnknownRunType
from shared.runs import RunStatus
from workers.executive_run.contract import read_request, render_progress, render_report
from workers.ports import Identity, Journal, Launcher, OwnerRequest
from workers.web.exchange import Request, Response, identify_owner, read_object, render_failure


class ExecutiveRunEndpoint:
    """`POST /functions/v1/executive-run`."""

    def __init__(self, *, identity: Identity, launcher: Launcher, journal: Journal) -> None:
        self._identity = identity
        self._journal = journal
        self._launcher = launcher

    async def __call__(self, request: Request) -> Response:
        """Launch a run for the owner and answer with its report.

        Raises: CallerError, BackendError.
        """
        caller = await identify_owner(self._identity, request)
        body = read_request(read_object(request))
        wanted = OwnerRequest(
            requester=caller.user_id,
            run_type=body.run_type,
            platform_key=body.platform_key,
            context=body.context_data,
            idempotency_key=request.headers.get("idempotency-key"),
        )
        try:
            launch = await self._launcher.launch(wanted)
        except UnknownRunType:
            await self._log_unknown(wanted)
            raise
        if launch.ended is None:
            return Response(render_progress(launch.ticket, body), status=202)
        if launch.ended.status is RunStatus.COMPLETED:
            return Response(render_report(launch.ended))
        return render_failure(launch.ended, self._launcher)

    async def _log_unknown(self, wanted: OwnerRequest) -> None:
        """Log a type that a screen offers and the registry lacks: somebody must add it or remove it."""
        await self._journal.write(
            "warn",
            "executive-run",
            "run.refused",
            {
                "run_type": wanted.run_type[:80],
                "platform_key": wanted.platform_key and wanted.platform_key[:80],
                "user_id": str(wanted.requester),
            },
        )
