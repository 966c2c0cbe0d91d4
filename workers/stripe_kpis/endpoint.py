"""HTTP ↔ figures: `stripe-kpis`, for the owner only."""

from shared.errors import SourceError
from workers.finance.revenue import RevenueService
from workers.ports import Identity
from workers.stripe_kpis.contract import refuse, render
from workers.web.exchange import Request, Response, identify_owner


class StripeKpisEndpoint:
    """`POST /functions/v1/stripe-kpis`: the earnings. A body is not needed, and not read.

    Without figures the status is still 200, because only then do the screens read the sentence.
    """

    def __init__(self, *, identity: Identity, revenue: RevenueService) -> None:
        self._identity = identity
        self._revenue = revenue

    async def __call__(self, request: Request) -> Response:
        """Answer with the figures, or why there are none. Raises: CallerError, BackendError."""
        await identify_owner(self._identity, request)
        try:
            return Response(render(await self._revenue.read()))
        except SourceError as error:
            return Response(refuse(error))
