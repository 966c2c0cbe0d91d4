"""The stand-in of GitHub's REST API for the seven managed repositories: ``/github/repos/…``, ``/github/search/issues``.

As there: issues contain pull requests, pages of issues name a next page by cursor and no last one, those of pull
requests name both, and a repository that one may not see does not exist.
"""

import hashlib
import json
import random
import re
import time
import zlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from devstack.vendors.stage import Request, Response, Step

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORIES = (
    "laeticiamng/emotionscare",
    "laeticiamng/nearvity",
    "laeticiamng/system-compass",
    "laeticiamng/growth-copilot",
    "laeticiamng/med-mng",
    "laeticiamng/swift-care-hub",
    "laeticiamng/track-triumph-tavern",
)
_BUSY = "laeticiamng/emotionscare"  # more open issues than a page holds
_UNRELEASED = "laeticiamng/track-triumph-tavern"
_WITHOUT_ALERTS = "laeticiamng/track-triumph-tavern"
_PACKAGES = ("analyseur-xml", "jetons-web", "rendu-markdown", "file-attente")
_LIMIT = 5_000
_SEARCH_LIMIT = 30
_ROUTE = re.compile(r"/repos/(?P<repository>[^/]+/[^/]+)(?:/(?P<what>.+))?")
_JOBS = re.compile(r"actions/runs/(?P<run>[0-9]+)/jobs")
_NEWEST_RUN = 9_000
_SUBJECTS = (
    "Le formulaire de connexion reste bloqué après une session expirée",
    "Ajouter l'export PDF du tableau de bord",
    "Les notifications arrivent deux fois sur mobile",
    "Temps de chargement de la page d'accueil supérieur à 4 s",
    "Traduire les messages d'erreur restants",
    "Mettre à jour les règles d'accès aux lignes de la table des profils",
    "Accessibilité : contraste insuffisant des boutons secondaires",
    "Remplacer la bibliothèque de graphiques dépréciée",
    "Couvrir par des tests le parcours d'inscription",
    "Erreur 500 à la première synchronisation du calendrier",
)
_CHANGES = (
    "fix: empêcher la double soumission du formulaire",
    "feat: filtrer les exécutions par plateforme",
    "chore: mettre à jour les dépendances",
    "refactor: simplifier le calcul des indicateurs",
    "docs: décrire le déploiement",
    "perf: charger les images à la demande",
)


def answer(request: Request, step: Step) -> Response:
    """Answer a request as GitHub would."""
    del step
    if not request.authorized:
        return error(401)
    response = _search(request) if request.path == "/search/issues" else _read(request)
    tag = f'W/"{hashlib.sha256(json.dumps(response.body).encode()).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        response = Response(304, None)
    is_search = request.path.startswith("/search")
    limit = _SEARCH_LIMIT if is_search else _LIMIT
    response.headers |= {
        "etag": tag,
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(limit - 1),
        "x-ratelimit-used": "1",
        "x-ratelimit-reset": str(int(time.time()) + (60 if is_search else 3_600)),
        "x-ratelimit-resource": "search" if is_search else "core",
    }
    return response


def error(status: int) -> Response:
    """Say no in GitHub's words."""
    words = {401: "Bad credentials", 403: "Forbidden", 404: "Not Found", 429: "API rate limit exceeded"}
    message = words.get(status, "Server Error")
    return Response(
        status, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    )


def _read(request: Request) -> Response:
    route = _ROUTE.fullmatch(request.path)
    if route is None or route["repository"] not in REPOSITORIES:
        return error(404)
    repository = route["repository"]
    routes: dict[str | None, Callable[[], Response]] = {
        None: lambda: Response(200, _describe(repository)),
        "issues": lambda: _page(request, _open_work(repository, _today()), cursor=True),
        "pulls": lambda: _page(request, _pulls(repository), cursor=False),
        "commits": lambda: _page(request, _commits(repository), cursor=False),
        "actions/runs": lambda: _runs(request, repository),
        "dependabot/alerts": lambda: _alerts(request, repository),
        "releases": lambda: _page(request, [] if repository == _UNRELEASED else [_release(repository)], cursor=False),
        "releases/latest": lambda: error(404) if repository == _UNRELEASED else Response(200, _release(repository)),
    }
    if jobs := _JOBS.fullmatch(route["what"] or ""):
        return _jobs(repository, int(jobs["run"]))
    handler = routes.get(route["what"])
    return handler() if handler else error(404)


def _search(request: Request) -> Response:
    words = request.query.get("q", "").split()
    repository = next((word.removeprefix("repo:") for word in words if word.startswith("repo:")), "")
    if repository not in REPOSITORIES:
        return Response(422, {"message": "Validation Failed", "status": "422"})
    found = _open_work(repository, _today())
    if "is:pr" in words:
        found = _pulls(repository)
    elif "is:issue" in words:
        found = [item for item in found if "pull_request" not in item]
    size = int(request.query.get("per_page", "30"))
    return Response(200, {"total_count": len(found), "incomplete_results": False, "items": found[:size]})


def _page(request: Request, items: list[dict[str, Any]], *, cursor: bool) -> Response:
    size, page = int(request.query.get("per_page", "30")), int(request.query.get("page", "1"))
    last = max(1, -(-len(items) // size))
    home = f"https://api.github.com{request.path}?per_page={size}"
    links = []
    if page < last:
        after = f"&after=Y3Vyc29yOg{page}" if cursor else ""
        links.append(f'<{home}{after}&page={page + 1}>; rel="next"')
        if not cursor:
            links.append(f'<{home}&page={last}>; rel="last"')
    headers = {"link": ", ".join(links)} if links else {}
    return Response(200, items[(page - 1) * size : page * size], headers)


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0)


def _draw(repository: str) -> random.Random:
    return random.Random(zlib.crc32(repository.encode()))


@lru_cache(maxsize=64)
def _open_work(repository: str, today: datetime) -> list[dict[str, Any]]:
    """Make the open issues and pull requests, newest first."""
    draw = _draw(repository)
    count = 31 if repository == _BUSY else draw.randint(4, 12)
    pulls = draw.randint(1, 4)
    work = []
    number = 400
    for place in range(count + pulls):
        is_pull = place % (count // pulls + 1) == 0
        number -= draw.randint(1, 3)
        item = {
            "number": number,
            "title": draw.choice(_CHANGES if is_pull else _SUBJECTS),
            "state": "open",
            "user": {"login": "laeticiamng"},
            "created_at": _stamp(today - timedelta(days=place * 2, hours=draw.randint(0, 12))),
            "html_url": f"https://github.com/{repository}/issues/{number}",
            "labels": [],
        }
        if is_pull:
            item["pull_request"] = {"html_url": f"https://github.com/{repository}/pull/{number}"}
        work.append(item)
    return work


def _pulls(repository: str) -> list[dict[str, Any]]:
    return [item for item in _open_work(repository, _today()) if "pull_request" in item]


def _commits(repository: str) -> list[dict[str, Any]]:
    draw = _draw(repository + "/commits")
    return [
        {
            "sha": hashlib.sha1(f"{repository}{place}".encode(), usedforsecurity=False).hexdigest(),
            "commit": {
                "message": f"{draw.choice(_CHANGES)}\n\nDétail du changement.",
                "author": {"name": "Équipe", "date": _stamp(_today() - timedelta(days=place, hours=2))},
                "committer": {"name": "Équipe", "date": _stamp(_today() - timedelta(days=place, hours=1))},
            },
        }
        for place in range(40)
    ]


def _release(repository: str) -> dict[str, Any]:
    draw = _draw(repository + "/release")
    tag = f"v{draw.randint(1, 3)}.{draw.randint(0, 9)}.{draw.randint(0, 9)}"
    published = _stamp(_today() - timedelta(days=draw.randint(3, 40)))
    return {"tag_name": tag, "name": tag, "draft": False, "prerelease": False, "published_at": published}


def _runs(request: Request, repository: str) -> Response:
    """Answer with the runs; as there, an old one was changed again when its logs were deleted."""
    runs = _all_runs(repository)
    page = _page(request, [run for run, _ in runs], cursor=False)
    return Response(200, {"total_count": len(runs), "workflow_runs": page.body}, page.headers)


def _jobs(repository: str, run_id: int) -> Response:
    found = next(((run, took) for run, took in _all_runs(repository) if run["id"] == run_id), None)
    if found is None:
        return error(404)
    run, took = found
    started = datetime.fromisoformat(run["run_started_at"])
    jobs = [
        {"id": 10 * run_id + place, "status": run["status"], "completed_at": _stamp(started + took * share)}
        for place, share in enumerate((0.5, 1))
    ]
    return Response(200, {"total_count": len(jobs), "jobs": jobs})


def _all_runs(repository: str) -> list[tuple[dict[str, Any], timedelta]]:
    """Make the workflow runs, newest first, with how long each took."""
    draw = _draw(repository + "/runs")
    runs = []
    for place in range(48):
        started = _today() - timedelta(hours=9 * place + 1)
        conclusion = None if place == 0 else draw.choices(("success", "failure", "cancelled"), (16, 3, 1))[0]
        run = {
            "id": _NEWEST_RUN - place,
            "name": draw.choice(("CI", "Déploiement")),
            "head_branch": "main",
            "event": draw.choice(("push", "pull_request", "schedule")),
            "status": "in_progress" if conclusion is None else "completed",
            "conclusion": conclusion,
            "created_at": _stamp(started),
            "run_started_at": _stamp(started),
        }
        took = timedelta(seconds=draw.randint(80, 600))
        run["updated_at"] = _stamp(started + took + timedelta(days=90 if place % 5 == 0 else 0))
        runs.append((run, took))
    return runs


def _alerts(request: Request, repository: str) -> Response:
    """Answer with the open alerts, by cursor; as there, 403 where they are switched off."""
    if repository == _WITHOUT_ALERTS:
        return Response(403, {"message": "Dependabot alerts are disabled for this repository.", "status": "403"})
    draw = _draw(repository + "/alerts")
    alerts = []
    for place in range(130 if repository == _BUSY else draw.randint(0, 5)):
        patched = {"identifier": f"{draw.randint(1, 9)}.{draw.randint(0, 9)}.1"} if draw.random() < 0.8 else None
        advisory = {
            "ghsa_id": f"GHSA-{zlib.crc32(f'{repository}{place}'.encode()):08x}",
            "cve_id": None,
            "severity": draw.choice(("low", "medium", "high", "critical")),
            "summary": "Une entrée forgée peut bloquer l'analyseur",
        }
        alerts.append(
            {
                "number": place + 1,
                "state": "open",
                "dependency": {"package": {"ecosystem": "npm", "name": draw.choice(_PACKAGES)}, "scope": "runtime"},
                "security_advisory": advisory,
                "security_vulnerability": {"severity": advisory["severity"], "first_patched_version": patched},
                "created_at": _stamp(_today() - timedelta(days=place)),
            }
        )
    size, begin = int(request.query.get("per_page", "30")), int(request.query.get("after", "0"))
    following = f'<https://api.github.com{request.path}?per_page={size}&after={begin + size}>; rel="next"'
    return Response(200, alerts[begin : begin + size], {"link": following} if begin + size < len(alerts) else {})


def _describe(repository: str) -> dict[str, Any]:
    work = _open_work(repository, _today())
    return {
        "id": zlib.crc32(repository.encode()),
        "full_name": repository,
        "private": True,
        "default_branch": "main",
        "open_issues_count": len(work),
        "pushed_at": _commits(repository)[0]["commit"]["committer"]["date"],
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
