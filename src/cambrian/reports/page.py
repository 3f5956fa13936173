"""A self-contained HTML page: its look, and the few elements of a report. Everything that is not `Html` is
escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence

from cambrian.pictures.charts import WIDE, WIDTH
from cambrian.pictures.markup import STYLE, escape


class Html(str):
    """Text that is markup already."""


LOOK = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font-size:16px;line-height:1.5}
main{max-width:1080px;margin:0 auto;padding:16px 16px 64px}
h1{font-size:1.6rem;line-height:1.2;margin:.6em 0 .3em;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2em 0 .5em;padding-top:.6em;border-top:1px solid var(--edge)}
h3{font-size:1rem;margin:1.2em 0 .4em}p{margin:.5em 0;overflow-wrap:anywhere}
.lead{font-size:1.1rem}.note{color:var(--soft);font-size:.875rem}
.row{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start}
.scroll+.row{margin-top:16px}.row figure{flex:0 1 auto;min-width:0}figure{margin:0;max-width:100%}
figcaption{color:var(--soft);font-size:.875rem;margin:.3em 0 .6em;overflow-wrap:anywhere}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--edge);vertical-align:top}
th{color:var(--soft);font-weight:500;white-space:nowrap}td.n{text-align:right}th.n{text-align:right}
td{white-space:nowrap}td.wide{white-space:normal;overflow-wrap:anywhere;min-width:20em}
dl{display:grid;grid-template-columns:minmax(6em,auto) 1fr;gap:4px 16px;font-size:.9rem;margin:.5em 0}
dt{color:var(--soft);overflow-wrap:anywhere}dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--frame);padding:10px;border-radius:8px;overflow-x:auto;font-size:.8rem;line-height:1.35}
summary{cursor:pointer;color:var(--a);padding:6px 0}svg{display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr));gap:16px}
.charts svg{width:100%}.desktop{display:none}
@media(min-width:800px){.desktop{display:block}.phone{display:none}}
.three{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:16px;margin-top:16px}
.images{display:flex;flex-wrap:wrap;gap:14px}.images figure{width:132px;overflow:hidden}
.images img{width:96px;height:96px;object-fit:contain;image-rendering:pixelated;background:var(--frame)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px;margin:1em 0}
.tiles div{background:var(--frame);border:1px solid var(--edge);border-radius:10px;padding:10px 12px}
.tiles b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:.8rem}
""".strip().replace("\n", "")

# Nothing is fetched, no script ever runs; pictures lie within the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}{LOOK}</style></head>"
        f'<body class="cambrian"><main>{"".join(body)}</main></body></html>\n'
    )


def to_html(value: object) -> str:
    return value if isinstance(value, Html) else escape(value)


def element(tag: str, content: object, kind: str = "") -> Html:
    attribute = f' class="{kind}"' if kind else ""
    return Html(f"<{tag}{attribute}>{to_html(content)}</{tag}>")


def join(parts: Iterable[object]) -> Html:
    return Html("".join(map(to_html, parts)))


def section(title: str, *parts: object) -> Html:
    return element("section", join([element("h2", title), *parts]))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A column of numbers is aligned right; texts of more than 40 characters may break."""
    cells = [list(row) for row in rows]
    right = [bool(cells) and all(_numeric(row[i]) for row in cells) for i in range(len(header))]
    head = join(element("th", name, "n" if right[i] else "") for i, name in enumerate(header))
    body = join(
        element("tr", join(element("td", v, "n" if right[i] else _width(v)) for i, v in enumerate(row)))
        for row in cells
    )
    # The wrapper scrolls by itself, so that a wide table does not widen the page on a phone.
    inner = join([element("thead", element("tr", head)), element("tbody", body)])
    return element("div", element("table", inner), "scroll")


def drop_empty(
    header: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[list[str], list[list[object]]]:
    """The columns in which some row has more than a dash: a search in a table, say, counts no parameters.

    >>> drop_empty(["trial", "level"], [[0, "–"], [1, "–"]])
    (['trial'], [[0], [1]])
    """
    kept = [i for i in range(len(header)) if any(row[i] != "–" for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


def _numeric(value: object) -> bool:
    # A dash or an empty cell is a missing number and does not turn its column into text.
    text = re.sub(r" (%|[mun]?s|[KMGT]?B)$", "", str(value)).replace(",", "").lstrip("-")
    return text in ("", "–") or text.replace(".", "", 1).isdigit()


def _width(value: object) -> str:
    return "wide" if not isinstance(value, Html) and len(str(value)) > 40 else ""


def definitions(rows: Iterable[tuple[object, object]]) -> Html:
    return element("dl", join(join([element("dt", k), element("dd", v)]) for k, v in rows))


def tiles(rows: Iterable[tuple[object, object]]) -> Html:
    """A few figures that a reader should see first, each over its name."""
    return element(
        "div", join(element("div", join([element("b", v), element("span", k)])) for k, v in rows), "tiles"
    )


def figure(svg: str, caption: object) -> Html:
    picture = element("div", Html(svg), "scroll")
    return element("figure", join([picture, element("figcaption", caption)]))


def chart(draw: Callable[[float], str], caption: object, columns: int = 1) -> Html:
    """A chart, drawn for the width it gets: one of several `columns` is scaled to its column; one that has a
    row to itself is drawn twice, for a phone and for the width of a desktop's page."""
    narrow = element("div", Html(draw(WIDTH)), "scroll")
    if columns == 1:
        wide = element("div", Html(draw(WIDE)), "scroll desktop")
        narrow = Html(element("div", Html(draw(WIDTH)), "scroll phone") + wide)
    return element("figure", join([narrow, element("figcaption", caption)]))


def image(png: bytes, caption: str) -> Html:
    """A small picture within the page."""
    data = base64.b64encode(png).decode("ascii")
    picture = Html(f'<img src="data:image/png;base64,{data}" alt="{escape(caption)}">')
    return element("figure", join([picture, element("figcaption", caption)]))


def details(summary: object, content: object) -> Html:
    return element("details", join([element("summary", summary), content]))
