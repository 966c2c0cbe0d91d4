"""Known vulnerabilities in the dependencies of the managed repositories, as GitHub reports them."""

from collections import Counter
from typing import Final

from pydantic import AwareDatetime, Field, TypeAdapter

from shared.facts import FactName, make_facts
from shared.findings import Collected, Finding
from shared.french import format_count, format_day
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.outbound.shapes import ForeignModel, Items
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.github_api import GithubApi, Repository

_PAGE: Final = 100
_MOST_PAGES: Final = 3
_SHOWN: Final = 12
_REFUSED: Final = (
    "Les alertes de dépendances ne peuvent pas être lues : activez Dependabot sur le dépôt et donnez au jeton "
    "GITHUB_TOKEN la permission « Dependabot alerts : lecture »."
)
_FACTS: Final = {
    "critical": FactName.CRITICAL_ALERTS,
    "high": FactName.HIGH_ALERTS,
    "medium": FactName.MEDIUM_ALERTS,
    "low": FactName.LOW_ALERTS,
}
_SEVERITIES: Final = {"critical": "critique", "high": "élevée", "medium": "moyenne", "low": "faible"}


class _Package(ForeignModel):
    ecosystem: str = ""
    name: str = "paquet sans nom"


class _Dependency(ForeignModel):
    package: _Package = _Package()


class _Advisory(ForeignModel):
    ghsa_id: str = ""
    summary: str = ""
    severity: str = "inconnue"


class _Patched(ForeignModel):
    identifier: str


class _Vulnerability(ForeignModel):
    first_patched_version: _Patched | None = None


class _Alert(ForeignModel):
    dependency: _Dependency = _Dependency()
    advisory: _Advisory = Field(_Advisory(), alias="security_advisory")
    vulnerability: _Vulnerability = Field(_Vulnerability(), alias="security_vulnerability")
    created_at: AwareDatetime | None = None


_ALERTS: Final = TypeAdapter(Items[_Alert])


class GithubAlertsSource:
    """Reads the open dependency alerts of each repository, the most severe first.

    Shape: one Finding per platform, or one Gap naming why there is none.
    Cost: one request per repository and hundred alerts, three at most; a total beyond that is shown as « au moins ».
    Source: GitHub REST v3, /repos/{owner}/{name}/dependabot/alerts.
    """

    name: Final[str] = SourceName.GITHUB_ALERTS.value

    def __init__(self, api: GithubApi, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        return await self._api.collect(self.name, subject, self._read)

    async def _read(self, repository: Repository) -> Finding:
        worst, counts, complete = await self._read_alerts(repository.path)
        by_severity = ", ".join(
            format_count(counts[severity], french, f"{french}s") for severity, french in _SEVERITIES.items()
        )
        read_at = self._clock.now()
        values = {FactName.OPEN_ALERTS: counts.total(), FactName.SEVERE_ALERTS: counts["critical"] + counts["high"]}
        values |= {name: counts[severity] for severity, name in _FACTS.items()}
        found = format_count(counts.total(), "alerte de dépendance ouverte", "alertes de dépendance ouvertes")
        least = "" if complete else "au moins "
        lines = [
            f"{repository.path} : {least}{found} ({by_severity})",
            *(f"  - {_describe(alert)}" for alert in worst),
        ]
        return Finding(
            source=self.name,
            label=repository.label,
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data={
                "repository": repository.path,
                "open_alerts": counts.total(),
                "complete": complete,
                **{severity: counts[severity] for severity in _SEVERITIES},
            },
            # Of what was not read to its end, there is no total.
            facts=make_facts(values if complete else {}, source=self.name, at=read_at, subject=repository.platform_key),
            url=f"https://github.com/{repository.path}/security/dependabot",
            platform_key=repository.platform_key,
            read_at=read_at,
        )

    async def _read_alerts(self, repository: str) -> tuple[list[_Alert], Counter[str], bool]:
        """Read the alerts page by page; return the worst, how many there are, and False if more than were read."""
        worst: list[_Alert] = []
        counts = Counter[str]()
        params = {"state": "open", "per_page": str(_PAGE)}
        for _ in range(_MOST_PAGES):
            path = f"/repos/{repository}/dependabot/alerts"
            page, paging = await self._api.read_page(_ALERTS, path, params, refused=_REFUSED)
            counts.update(alert.advisory.severity for alert in page)
            worst = sorted(worst + page, key=_rank)[:_SHOWN]
            if not paging.has_next or paging.next_cursor is None:
                return worst, counts, not paging.has_next
            params["after"] = paging.next_cursor
        return worst, counts, False


def _rank(alert: _Alert) -> int:
    known = list(_SEVERITIES)
    return known.index(alert.advisory.severity) if alert.advisory.severity in known else len(known)


def _describe(alert: _Alert) -> str:
    package = alert.dependency.package
    patched = alert.vulnerability.first_patched_version
    remedy = f"corrigée en {clean_line(patched.identifier, 40)}" if patched else "sans correctif publié"
    day = f", ouverte le {format_day(alert.created_at)}" if alert.created_at else ""
    return (
        f"gravité {_SEVERITIES.get(alert.advisory.severity, clean_line(alert.advisory.severity, 20))} : "
        f"{clean_line(package.name, 80)} ({clean_line(package.ecosystem, 20)}), "
        f"{clean_line(alert.advisory.ghsa_id, 30)} — {clean_line(alert.advisory.summary, 120)} ; {remedy}{day}"
    )
