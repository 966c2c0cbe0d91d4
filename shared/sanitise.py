"""What a model wrote → what a screen may show: links to the report's own sources, no image, no HTML. Pure.

An attacker who gets text into the data may try to make the model write a link or an image whose address carries what
the model was shown; a screen that renders an image requests that address by itself. So an address stays only if it is
a source's own, or a page below one of the company's own repositories; any other link keeps only its text.
Some screens render Markdown, others show the raw text and would show escapes too. So nothing is escaped: anything
that could be HTML or link syntax is removed, or broken by a space.
Every step is linear in the length of the text, which is bounded first.
"""

import html
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from shared.findings import Finding
from shared.registry import SourceName
from shared.untrusted_text import clean_text

REPORT_CHARS: Final = 100_000
REMOVED: Final = "(lien retiré)"

# Sources whose addresses we chose. What a search found or a page cited belongs to others, who see requests below it.
_OURS: Final = frozenset({SourceName.GITHUB, SourceName.GITHUB_ACTIONS, SourceName.GITHUB_ALERTS})

# Private-use characters stand for what is kept; cleaning has removed all those that the text itself held.
_PLACE_BEGIN: Final = "\ue000"
_KEPT: Final = "\ue000{}\ue001"
_PLACE: Final = re.compile("\ue000(\\d+)\ue001")

_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_DECODINGS: Final = 3  # an entity of an entity of an entity; what is left after that, or forms later, is broken
# Removed whole. An element that is not listed here is broken, which turns it into text.
_ELEMENTS: Final = (
    "a|abbr|area|article|aside|audio|b|base|blockquote|body|br|button|canvas|code|dd|del|details|div|dl|dt|em|embed|"
    "fieldset|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|image|img|input|ins|kbd|label|li|"
    "link|main|map|mark|math|meta|nav|noscript|object|ol|option|p|param|picture|pre|q|s|samp|script|section|select|"
    "small|source|span|strong|style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|"
    "track|u|ul|var|video|xmp"
)
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ELEMENT: Final = re.compile(rf"</?(?:{_ELEMENTS})(?=[\s/>])[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")
# A citation of a source, [S4], runs into what Markdown makes of it: a definition, a link, an image.
_CITATION: Final = re.compile(r"(\[S\d{1,3}\])(?=[\[(:])")
_EXCLAIMED: Final = re.compile(r"!(?=\[S\d{1,3}\])")
_IMAGE: Final = re.compile(r"!\[[^\[\]\n]*\](?:\([^()\n]*\)|\[[^\[\]\n]*\])?")
_LINK: Final = re.compile(r"\[([^\[\]\n]*)\]\(([^()\n]*)\)")
_BARE: Final = re.compile("https?://[^\\s<>\ue000\ue001]+", re.IGNORECASE)
_CLOSING: Final = ".,;:!?*_~)]}\"'»”\u2019…"
_ADDRESS: Final = re.compile(
    # A scheme; the name of a site; the address of a site without its scheme, but not a comment in source code.
    "(?:[a-z][a-z0-9+.-]{1,15}://|www\\.|(?<![\\w:/])//(?=[\\w.-]{1,253}\\.[a-z]{2})"
    "|\\b(?:javascript|vbscript|data|mailto|tel|blob):(?=\\S))"
    "[^\\s\ue000\ue001]*",
    re.IGNORECASE,
)
# Whatever _ADDRESS finds holds one of these, which are found much faster.
_MAY_BE_ADDRESS: Final = re.compile(r":\S|//|www\.", re.IGNORECASE)
# Addresses that every reader and renderer takes literally: nothing that is decoded, resolved or cut short.
_PLAIN_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:[/?#][A-Za-z0-9._~:/?#@!$*+,=-]*)?")
_DOTS: Final = frozenset({".", ".."})


def sanitise(text: str, findings: Iterable[Finding] = (), *, max_chars: int = REPORT_CHARS) -> str:
    """Return the text with only the links that its sources allow; without sources, with none."""
    known = _KnownAddresses(findings)
    kept: list[str] = []

    def keep(part: str) -> str:
        kept.append(part)
        return _KEPT.format(len(kept) - 1)

    def keep_link(match: re.Match[str]) -> str:
        words, address = match[1], match[2].strip()
        # The words are treated like all others: only the syntax around them is put aside.
        if address in known:
            return keep("[") + words + keep(f"]({address})")
        return words + _space_after(match)

    def keep_bare(match: re.Match[str]) -> str:
        address = match[0].rstrip(_CLOSING)
        if match.string.startswith(_PLACE_BEGIN, match.end()):
            return match[0]  # it runs into a link: where a renderer would end it is unknown
        return keep(address) + match[0][len(address) :] if address in known else match[0]

    text = strip_markup(text, max_chars=max_chars)
    text = _EXCLAIMED.sub("! ", _CITATION.sub(r"\1 ", text))
    text = _IMAGE.sub(_space_after, text)
    text = _BARE.sub(keep_bare, _LINK.sub(keep_link, text))
    if _MAY_BE_ADDRESS.search(text):
        text = _ADDRESS.sub(REMOVED, text)
    # Any remaining syntax of links, their definitions or HTML is broken, whatever it was nested in.
    text = _ENTITY.sub(lambda match: f"& {match[0][1:]}", _TAG.sub("< ", text))
    text = text.replace("](", "] (").replace("][", "] [").replace("]:", "] :")
    return _PLACE.sub(lambda match: kept[int(match[1])], text).replace("![", "[").strip()


def strip_markup(text: str, *, max_chars: int = REPORT_CHARS) -> str:
    """Return the text as a reader sees it: entities decoded, HTML elements removed, nothing invisible.

    A report is verified after that: « 3 0<b></b>46 » or « 3 0&#52;6 » must not become a figure that nobody checked.
    """
    return _ELEMENT.sub("", _BREAK.sub(" ", clean_text(_decode(text[: 2 * max_chars]), max_chars)))


def _space_after(match: re.Match[str]) -> str:
    """Return a space where two digits would meet once the match is gone: no figure is made that nobody checked."""
    return " " if match.string[match.end() : match.end() + 1].isdigit() else ""


def _decode(text: str) -> str:
    """Decode what a renderer would decode, so that the result is what is judged."""
    for _ in range(_DECODINGS):
        decoded = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
        if decoded == text:
            break
        text = decoded
    return text


class _KnownAddresses:
    """The addresses that a text may show: its sources' own, and the pages below our repositories."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        findings = tuple(findings)
        self._exact = frozenset(address for finding in findings for address in _addresses(finding))
        self._homes = [urlsplit(found.url) for found in findings if found.url is not None and found.source in _OURS]

    def __contains__(self, address: str) -> bool:
        if not _PLAIN_ADDRESS.fullmatch(address):
            return False
        url = urlsplit(address)
        if "@" in url.netloc or not _DOTS.isdisjoint(url.path.split("/")):
            return False
        return address in self._exact or any(_is_below(url, home) for home in self._homes)


def _addresses(finding: Finding) -> Iterable[str]:
    if finding.url is not None:
        yield finding.url
    cited = finding.data.get("citations")
    yield from (address for address in (cited if isinstance(cited, list) else []) if isinstance(address, str))


def _is_below(url: SplitResult, home: SplitResult) -> bool:
    if (url.scheme, url.netloc.lower()) != (home.scheme, home.netloc.lower()) or url.query or url.fragment:
        return False
    # A site's front page does not permit every address that somebody can make up below it.
    path = home.path.rstrip("/")
    return bool(path) and (url.path == path or url.path.startswith(f"{path}/")) and "//" not in url.path
