"""Text that is safe inside HTML and XML, and the look that drawings and charts share."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

STYLE = """
.cambrian{--paper:#fff;--ink:#1c2430;--soft:#667085;--line:#98a2b3;--frame:#f4f6f9;--edge:#d0d5dd;
--blue:#d9e8ff;--green:#d8f2df;--orange:#ffe6cc;--violet:#eadfff;--grey:#e7eaef;--teal:#d3f1f0;
--a:#1668dc;--b:#d4380d;--c:#389e0d;--d:#722ed1;--e:#08979c;--f:#c41d7f;
--v0:#440154;--v1:#443a83;--v2:#31688e;--v3:#21918c;--v4:#35b779;--v5:#90d743;--v6:#fde725;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){.cambrian{--paper:#14181f;--ink:#e6eaf0;--soft:#9aa4b2;--line:#667085;
--frame:#1c222c;--edge:#3a4453;--blue:#1d3b66;--green:#1d4a2c;--orange:#5c3a14;--violet:#41306b;
--grey:#333b47;--teal:#17484a;--a:#69a7ff;--b:#ff8f6b;--c:#7fd069;--d:#b591f5;--e:#4fd0d0;--f:#f587c0}}
.cambrian .paper{fill:var(--paper)}.cambrian text{fill:var(--ink);font-size:13px}
.cambrian .soft{fill:var(--soft);font-size:11px}.cambrian .frame{fill:var(--frame);stroke:var(--edge)}
.cambrian .flow{fill:none;stroke:var(--line);stroke-width:1.5}.cambrian .tip{fill:var(--line)}
.cambrian .blue{fill:var(--blue)}.cambrian .green{fill:var(--green)}.cambrian .orange{fill:var(--orange)}
.cambrian .violet{fill:var(--violet)}.cambrian .grey{fill:var(--grey)}.cambrian .teal{fill:var(--teal)}
.cambrian .plain{fill:var(--paper);stroke:var(--line)}
.cambrian .bar0{fill:var(--a)}.cambrian .bar1{fill:var(--c)}.cambrian .bar2{fill:var(--b)}
.cambrian .middle{text-anchor:middle}.cambrian .bold{font-weight:600}.cambrian .faint{opacity:.45}
.cambrian .small{font-size:11px}
.cambrian .mono{font-family:ui-monospace,"DejaVu Sans Mono",monospace;white-space:pre}
.cambrian .cell{fill:none;stroke:var(--edge)}
.cambrian .added{stroke:var(--c);stroke-width:2.5}.cambrian .changed{stroke:var(--d);stroke-width:2.5}
.cambrian .removed{stroke:var(--b);stroke-width:2;stroke-dasharray:5 3}
.cambrian .ring{stroke:var(--paper);stroke-width:1}
.cambrian .v0{fill:var(--v0)}.cambrian .v1{fill:var(--v1)}.cambrian .v2{fill:var(--v2)}
.cambrian .v3{fill:var(--v3)}.cambrian .v4{fill:var(--v4)}.cambrian .v5{fill:var(--v5)}
.cambrian .v6{fill:var(--v6)}.cambrian .descent{stroke:var(--b);stroke-width:3;fill:none}
.cambrian .tip.added{fill:var(--c);stroke:none}.cambrian .tip.removed{fill:var(--b);stroke:none}
.cambrian .plus{fill:var(--c)}.cambrian .tilde{fill:var(--d)}.cambrian .minus{fill:var(--b)}
.cambrian .end{text-anchor:end}.cambrian .grid{stroke:var(--edge);stroke-width:1}
""".strip().replace("\n", "")


def escape(value: object) -> str:
    """`value` as text for an element or a quoted attribute; characters outside XML become U+FFFD."""
    return html.escape(_UNPRINTABLE.sub("\ufffd", str(value)), quote=True)


def number(value: float) -> str:
    """A coordinate: one decimal is finer than a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def svg_document(title: str, width: float, height: float, body: Sequence[str]) -> str:
    """A self-contained SVG with its own paper, legible on light and dark pages, never wider than its
    container."""
    # The style is inside each picture: it stays legible where it is cut out of its page or saved alone.
    w, h = number(width), number(height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cambrian" viewBox="0 0 {w} {h}" width="{w}" '
        f'height="{h}" role="img" style="max-width:100%;height:auto"><title>{escape(title)}</title>'
        f'<style>{STYLE}</style><rect class="paper" width="{w}" height="{h}" rx="8"/>'
        + "".join(body)
        + "</svg>"
    )


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 6) -> str:
    return (
        f'<rect class="{kind}" x="{number(x)}" y="{number(y)}" width="{number(width)}" '
        f'height="{number(height)}" rx="{number(radius)}"/>'
    )


def label(x: float, y: float, value: object, kind: str = "") -> str:
    """Text with its baseline at `y`."""
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{number(x)}" y="{number(y)}"{attribute}>{escape(value)}</text>'
