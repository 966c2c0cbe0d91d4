"""The stand-in of a webhook, such as a chat's: ``/hook/…`` takes whatever is posted to it."""

from devstack.vendors.stage import Request, Response, Step


def answer(request: Request, step: Step) -> Response:
    """Answer that it was taken."""
    del request, step
    return Response(200, {"ok": True})


def error(status: int) -> Response:
    """Answer that it was not."""
    return Response(status, {"ok": False})
