"""The model's report → what a screen may show: links to the report's own sources, no image, no markup. Pure.

Whoever gets words into the data may try to make the model write a link or an image whose address carries what it
was shown; a screen that draws an image sends that address by itself. So an address stays only if it is one of the
sources', or a page below one of the company's own repositories; any other link is left as its words.
"""

import re
from collections.abc import Iterable
from typing import Final

import httpx

from shared.findings import Finding
from shared.registry import SourceName
from shared.wording import clean_text

REPORT_CHARS: Final = 100_000
REMOVED: Final = "(lien retiré)"

# Whose addresses we chose. What a search found or a page cited is a stranger's, who sees what is asked for below it.
_OURS: Final = frozenset({SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS})

# Private characters stand for what stays; cleaning has removed every one that the text itself held.
_KEPT: Final = "\ue000{}\ue001"
_PLACE: Final = re.compile("\ue000(\\d+)\ue001")
_IMAGE: Final = re.compile(r"!\[[^\[\]\n]*\](?:\([^()\n]*\)|\[[^\[\]\n]*\])?")
_LINK: Final = re.compile(r"\[([^\[\]\n]*)\]\(([^()\n]*)\)")
_BARE: Final = re.compile(r"https?://[^\s<>()\[\]\"'`|\\]+", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{1,15}://|www\.|\b(?:javascript|data|vbscript):)\S*", re.IGNORECASE)
_ODD: Final = re.compile("%|//")  # in a path: what may read otherwise than it is written
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")


def sanitise_report(report: str, findings: Iterable[Finding]) -> str:
    """Return the report with only the links that its sources allow."""
    known = _Known(findings)
    kept: list[str] = []

    def keep(text: str) -> str:
        kept.append(text)
        return _KEPT.format(len(kept) - 1)

    def keep_link(match: re.Match[str]) -> str:
        words, address = match[1], match[2].strip()
        return keep(f"[{_ADDRESS.sub(REMOVED, words)}]({address})") if address in known else words

    def keep_bare(match: re.Match[str]) -> str:
        address = match[0].rstrip(".,;:!?*_~")
        return keep(address) + match[0][len(address) :] if address in known else match[0]

    text = _IMAGE.sub("", clean_text(report, REPORT_CHARS))
    text = _ADDRESS.sub(REMOVED, _BARE.sub(keep_bare, _LINK.sub(keep_link, text)))
    # What is left of the syntax of links, their definitions and HTML is broken, whatever it was nested in.
    text = _TAG.sub("&lt;", text).replace("](", "] (").replace("][", "] [").replace("]:", "] :")
    return _PLACE.sub(lambda match: kept[int(match[1])], text).replace("![", "[").strip()


class _Known:
    """The addresses that a report may show: its sources' own, and the pages below our repositories."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        findings = tuple(findings)
        self._exact = [httpx.URL(address) for finding in findings for address in _addresses(finding)]
        self._homes = [httpx.URL(found.url) for found in findings if found.url is not None and found.source in _OURS]

    def __contains__(self, address: str) -> bool:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            return False
        if url.scheme not in {"http", "https"} or url.userinfo:
            return False
        return url in self._exact or any(_is_below(url, home) for home in self._homes)


def _addresses(finding: Finding) -> Iterable[str]:
    if finding.url is not None:
        yield finding.url
    cited = finding.data.get("citations")
    yield from (address for address in (cited if isinstance(cited, list) else []) if isinstance(address, str))


def _is_below(url: httpx.URL, source: httpx.URL) -> bool:
    if (url.scheme, url.host, url.port) != (source.scheme, source.host, source.port) or url.query or url.fragment:
        return False
    # A site's front page is no licence for every address that a stranger can make up below it.
    home = source.path.rstrip("/")
    return bool(home) and (url.path == home or url.path.startswith(f"{home}/")) and not _ODD.search(url.path)
