"""An audit as one HTML file that fetches nothing, beside its JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from cambrian.audits.audit import Audit
from cambrian.audits.figures import describe, describe_recommendation, facts, list_agreement, list_leanings
from cambrian.audits.judgement import Judgement
from cambrian.audits.records import RESULT
from cambrian.codec import encode
from cambrian.files import make_folder, write_file
from cambrian.pictures.charts import plain, scatter
from cambrian.reports.page import details, element, figure, join, page, section, table, tiles
from cambrian.search.identity.settings import versions
from cambrian.search.ledger.database import translate_errors

PAGE = "audit.html"
METHOD = (
    "The sample is stratified by kind (skips, depth, width, size): every kind is in it in proportion to its"
    " share of the space. Intervals are 95 % percentile bootstrap intervals over architectures.",
    "“Top third” is Kendall's tau among the third with the best truth. Regret is the truth of the best"
    " architecture less that of the one which the shortcut ranks first. Under skips, depth, width and size"
    " stands how far a shortcut favours networks with more of it than the truth explains: the partial rank"
    " correlation at equal truth, 0 for a coin.",
    "The noise ceiling is the mean agreement of two trainings of all these networks, simulated from those"
    " that were trained twice. A shortcut has to be better than counting parameters, MACs and layers, by the"
    " bootstrap of the paired difference at 5 %, to be worth its seconds.",
)


def write_all(audit: Audit, directory: Path) -> list[Path]:
    """Write audit.html and audit.json; their paths."""
    files = {RESULT: msgspec.json.format(encode(facts(audit))), PAGE: html(audit).encode()}
    with translate_errors(directory):
        make_folder(directory)
        for name, data in files.items():
            write_file(directory / name, data)
    return [directory / name for name in files]


def html(audit: Audit) -> str:
    """The whole page as text."""
    title = f"Shortcuts audited: {audit.subject.title}"
    drawn = [_draw(audit, each) for each in audit.judgements if each.label != "coin"]
    body = [
        element("h1", title),
        element("p", describe_recommendation(audit), "lead"),
        tiles(_list_tiles(audit)),
        section("Agreement", table(*list_agreement(audit))),
        section("Leanings", table(*list_leanings(audit))),
        section("Verdict", *(element("p", sentence) for sentence in list(describe(audit))[:-1])),
        section("Scores against the truth", element("div", join(drawn), "charts")),
        section("How it was measured", *(element("p", text) for text in METHOD)),
        section("Settings", details("What was audited", element("pre", _write_settings(audit)))),
    ]
    return page(title, body)


def _draw(audit: Audit, each: Judgement) -> Any:
    """The scores of a shortcut against the truth, without those that it could not measure."""
    pairs = zip(each.scores, audit.truths.tolist(), strict=True)
    points = [(x, y) for x, y in pairs if math.isfinite(x)]
    x, y = [point[0] for point in points], [point[1] for point in points]
    if not points:
        return element("p", f"{each.label}: nothing measured")
    unit = "truth, lower is better" if audit.subject.minimize else "truth"
    drawing = scatter(f"{each.label} against the truth", x, y, each.label, unit, plain)
    return figure(drawing, f"{each.label}: Kendall {each.kendall}. {each.verdict}")


def _list_tiles(audit: Audit) -> list[tuple[str, str]]:
    ceiling = audit.ceiling
    return [
        ("architectures", str(len(audit.scores))),
        ("truth", audit.subject.truth),
        ("noise ceiling, Kendall", "not known" if ceiling is None else f"{ceiling.kendall:.2f}"),
        ("best truth", f"{float(audit.truths[audit.scores.argmax()]):.4g}"),
    ]


def _write_settings(audit: Audit) -> str:
    return msgspec.json.format(encode({**audit.subject.settings(), **versions()})).decode()
