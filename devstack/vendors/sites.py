"""The stand-in of the platforms' own sites: ``/sites/KEY`` answers 200 to HEAD and GET, or what is scripted."""

from devstack.vendors.stage import Call, Reply, Step


def answer(call: Call, step: Step) -> Reply:
    """Answer as a site that is well."""
    del call, step
    return Reply(200, {"site": "ok"})


def error(status: int) -> Reply:
    """Answer with another status than 200."""
    return Reply(status, {"site": "error"})
