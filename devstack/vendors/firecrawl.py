"""The stand-in of Firecrawl: ``/firecrawl/v1/scrape`` and ``/firecrawl/v2/scrape``."""

import zlib
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from devstack.vendors.stage import Request, Response, Step

_COPY_AGE = timedelta(hours=47)  # of the copy that is kept of every page
_DEFAULT_MAX_AGE = {"/v1/scrape": 0, "/v2/scrape": 172_800_000}
_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized: Invalid token",
    402: "Payment Required: insufficient credits",
    408: "Request Timeout: the page did not load",
    429: "Rate limit exceeded",
}


def answer(request: Request, step: Step) -> Response:
    """Answer a request as Firecrawl would."""
    if request.path not in _DEFAULT_MAX_AGE:
        return error(404)
    if not request.authorized:
        return error(401)
    page = request.body.get("url") if isinstance(request.body, dict) else None
    if not isinstance(page, str) or "markdown" not in request.body.get("formats", ()):
        return error(400)
    host = urlsplit(page).hostname or ""
    price = zlib.crc32(page.encode()) % 40 + 5
    text = step.content or (
        f"# {host}\n\nNotre offre commence à {price} EUR par mois.\n\n- Suivi quotidien\n- Espace équipe\n"
    )
    oldest_ms = request.body.get("maxAge", _DEFAULT_MAX_AGE[request.path])
    is_copy = timedelta(milliseconds=oldest_ms) > _COPY_AGE
    cached_at = (datetime.now(UTC) - _COPY_AGE).isoformat()
    metadata = {
        "title": f"Accueil de {host}",
        "description": "Une page lue pour la démonstration.",
        "language": "fr",
        "sourceURL": page,
        "url": page,
        "statusCode": 200,
        "creditsUsed": 1,
        "cacheState": "hit" if is_copy else "miss",
        **({"cachedAt": cached_at} if is_copy else {}),
    }
    return Response(200, {"success": True, "data": {"markdown": text, "metadata": metadata}})


def error(status: int) -> Response:
    """Say no in Firecrawl's words."""
    return Response(status, {"success": False, "error": _ERRORS.get(status, "Internal Server Error")})
