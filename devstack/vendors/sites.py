"""The stand-in of the platforms' own sites: ``/sites/KEY`` answers 200 to HEAD and GET, or what is scripted."""

from devstack.vendors.stage import Request, Response, Step


def answer(request: Request, step: Step) -> Response:
    """Answer as a site that is well."""
    del request, step
    return Response(200, {"site": "ok"})


def error(status: int) -> Response:
    """Answer with another status than 200."""
    return Response(status, {"site": "error"})
