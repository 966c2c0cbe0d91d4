"""HTTP ↔ figures: `stripe-kpis`, for the owner only."""

from shared.errors import SourceError
from workers.finance.revenue import Treasury
from workers.ports import Identity
from workers.stripe_kpis.contract import refuse, render
from workers.web.exchange import Call, Reply, identify_owner


class StripeKpisEndpoint:
    """`POST /functions/v1/stripe-kpis`: the earnings. A body is not needed, and not read.

    Without figures the status is 200 too: the screens read a sentence nowhere else.
    """

    def __init__(self, *, identity: Identity, treasury: Treasury) -> None:
        self._identity = identity
        self._treasury = treasury

    async def __call__(self, call: Call) -> Reply:
        """Answer the figures, or why there are none. Raises: CallerError, BackendError."""
        await identify_owner(self._identity, call)
        try:
            return Reply(render(await self._treasury.tell()))
        except SourceError as error:
            return Reply(refuse(error))
